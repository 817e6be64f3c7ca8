//! Krita's settings file: the one line that enables the plug-in. Every other byte stays.
#![forbid(unsafe_code)]

use super::apply::Change;
use mend::{Error, ErrorKind, Result};
use std::fs;
use std::io;
use std::path::Path;

const GROUP: &[u8] = b"[python]";
const KEY: &[u8] = b"enable_mend_inpaint";
const LINE: &[u8] = b"enable_mend_inpaint=true\n";

/// The change that enables the plug-in in the settings file `rc`.
///
/// # Errors
/// [`ErrorKind::Io`] when the file is there and cannot be read.
pub fn enable(rc: &Path) -> Result<Change> {
    let old = read(rc)?;
    Ok(change(
        rc,
        enabled(&old),
        "the plug-in is enabled already",
        &old,
    ))
}

/// The change that takes the line away again.
///
/// # Errors
/// [`ErrorKind::Io`] when the file is there and cannot be read.
pub fn disable(rc: &Path) -> Result<Change> {
    let old = read(rc)?;
    Ok(change(
        rc,
        disabled(&old),
        "the plug-in is not enabled",
        &old,
    ))
}

fn change(rc: &Path, new: Vec<u8>, same: &str, old: &[u8]) -> Change {
    if new == old {
        return Change::Note(format!("{same} in {}", rc.display()));
    }
    if new.is_empty() {
        return Change::Remove(rc.to_path_buf());
    }
    Change::Write {
        path: rc.to_path_buf(),
        bytes: new,
        executable: false,
    }
}

fn read(rc: &Path) -> Result<Vec<u8>> {
    match fs::read(rc) {
        Ok(bytes) => Ok(bytes),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::new(
            ErrorKind::Io,
            format!("{} cannot be read: {e}", rc.display()),
        )),
    }
}

/// Lines with their ends.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|b| *b == b'\n').collect()
}

/// The lines of the group `[python]`, its header left out; `None` when there is none.
fn group(lines: &[&[u8]]) -> Option<(usize, usize)> {
    let header = lines.iter().position(|l| l.trim_ascii() == GROUP)?;
    let end = lines[header + 1..]
        .iter()
        .position(|l| l.trim_ascii_start().starts_with(b"["))
        .map_or(lines.len(), |n| header + 1 + n);
    Some((header + 1, end))
}

fn is_ours(line: &[u8]) -> bool {
    line.split(|b| *b == b'=').next().map(<[u8]>::trim_ascii) == Some(KEY)
}

/// `old` with the plug-in enabled.
fn enabled(old: &[u8]) -> Vec<u8> {
    let lines = lines(old);
    let mut new = Vec::with_capacity(old.len() + 64);
    match group(&lines) {
        None => {
            new.extend_from_slice(old);
            if !old.is_empty() {
                new.extend_from_slice(if old.ends_with(b"\n") { b"\n" } else { b"\n\n" });
            }
            new.extend_from_slice(GROUP);
            new.push(b'\n');
            new.extend_from_slice(LINE);
        }
        Some((start, end)) => {
            if let Some(n) = (start..end).find(|n| is_ours(lines[*n])) {
                let on = lines[n].trim_ascii().ends_with(b"=true");
                for (i, line) in lines.iter().enumerate() {
                    new.extend_from_slice(if i == n && !on { LINE } else { line });
                }
            } else {
                for line in &lines[..start] {
                    new.extend_from_slice(line);
                }
                if !new.ends_with(b"\n") {
                    new.push(b'\n');
                }
                new.extend_from_slice(LINE);
                for line in &lines[start..] {
                    new.extend_from_slice(line);
                }
            }
        }
    }
    new
}

/// `old` without the plug-in's line, and without a group that has nothing else.
fn disabled(old: &[u8]) -> Vec<u8> {
    let lines = lines(old);
    let Some((start, end)) = group(&lines) else {
        return old.to_vec();
    };
    let ours = (start..end).find(|n| is_ours(lines[*n]));
    let Some(ours) = ours else {
        return old.to_vec();
    };
    let alone = (start..end).all(|n| n == ours || lines[n].trim_ascii().is_empty());
    let mut new = Vec::with_capacity(old.len());
    for (i, line) in lines.iter().enumerate() {
        let drop = i == ours || (alone && i + 1 == start);
        // The blank line before a group at the end came with it.
        let blank = alone && end == lines.len() && i + 2 == start && line.trim_ascii().is_empty();
        if !drop && !blank {
            new.extend_from_slice(line);
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enabling_keeps_every_other_byte() {
        for (old, new) in [
            (&b""[..], &b"[python]\nenable_mend_inpaint=true\n"[..]),
            (
                &b"[a]\nb=1\n"[..],
                &b"[a]\nb=1\n\n[python]\nenable_mend_inpaint=true\n"[..],
            ),
            (
                &b"[python]\nenable_x=true\n\n[z]\r\nq=\xff\n"[..],
                &b"[python]\nenable_mend_inpaint=true\nenable_x=true\n\n[z]\r\nq=\xff\n"[..],
            ),
            (
                &b"[python]"[..],
                &b"[python]\nenable_mend_inpaint=true\n"[..],
            ),
            (
                &b"[python]\nenable_mend_inpaint=false\nk=v\n"[..],
                &b"[python]\nenable_mend_inpaint=true\nk=v\n"[..],
            ),
            (
                &b"[python]\nenable_mend_inpaint=true\n"[..],
                &b"[python]\nenable_mend_inpaint=true\n"[..],
            ),
            // The key in another group is not ours.
            (
                &b"[b]\nenable_mend_inpaint=false\n"[..],
                &b"[b]\nenable_mend_inpaint=false\n\n[python]\nenable_mend_inpaint=true\n"[..],
            ),
        ] {
            assert_eq!(enabled(old), new, "{}", String::from_utf8_lossy(old));
        }
    }

    #[test]
    fn disabling_undoes_it() {
        for old in [
            "",
            "[a]\nb=1\n",
            "[python]\nenable_x=true\n[z]\nq=1\n",
            "[b]\n\n[python]\nenable_x=true\n\n[c]\n",
            "[b]\nenable_mend_inpaint=false\n",
        ] {
            let there = enabled(old.as_bytes());
            let back = disabled(&there);
            assert_eq!(String::from_utf8_lossy(&back), old);
        }
    }
}
