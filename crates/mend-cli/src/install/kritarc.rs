//! Krita's settings file: the line that enables the plug-in, and what the plug-in stored there.
//! Every other byte stays.
#![forbid(unsafe_code)]

use super::apply::Change;
use mend::{Error, ErrorKind, Result};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

const GROUP: &[u8] = b"python";
const KEY: &[u8] = b"enable_mend_inpaint";
const LINE: &[u8] = b"enable_mend_inpaint=true";
/// Where the plug-in keeps its last settings, `SETTINGS` in plugin-krita/host.py.
const OWN: &[u8] = b"mend_inpaint";

/// The change that enables the plug-in in the settings file `rc`.
///
/// # Errors
/// [`ErrorKind::Io`] when the file is there and cannot be read.
pub fn enable(rc: &Path) -> Result<Change> {
    let old = read(rc)?;
    let same = "the plug-in is already enabled";
    Ok(change(rc, enabled(&old), same, &old))
}

/// The change that takes away the line and the plug-in's own settings.
///
/// # Errors
/// [`ErrorKind::Io`] when the file is there and cannot be read.
pub fn disable(rc: &Path) -> Result<Change> {
    let old = read(rc)?;
    let same = "the plug-in is not enabled";
    Ok(change(rc, forgotten(&disabled(&old)), same, &old))
}

fn change(rc: &Path, new: Vec<u8>, same: &str, old: &[u8]) -> Change {
    if new == old {
        return Change::Note(format!("{same} in {}", rc.display()));
    }
    Change::Edit {
        path: rc.to_path_buf(),
        bytes: new,
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

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

fn is_header(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"[")
}

/// Whether `line` is the header of `group`, which may carry flags: `[python][$i]`.
fn opens(line: &[u8], group: &[u8]) -> bool {
    let Some(rest) = line.trim_ascii().strip_prefix(b"[") else {
        return false;
    };
    let Some(rest) = rest.strip_prefix(group) else {
        return false;
    };
    rest == b"]" || rest.starts_with(b"][$")
}

/// Every piece of `group`, header and all. Krita reads pieces of one name as one group.
fn pieces(lines: &[&[u8]], group: &[u8]) -> Vec<Range<usize>> {
    let headers: Vec<usize> = (0..lines.len()).filter(|n| is_header(lines[*n])).collect();
    let ends = headers.iter().skip(1).copied().chain([lines.len()]);
    let all = headers.iter().copied().zip(ends);
    all.filter(|(start, _)| opens(lines[*start], group))
        .map(|(start, end)| start..end)
        .collect()
}

fn is_ours(line: &[u8]) -> bool {
    line.split(|b| *b == b'=').next().map(<[u8]>::trim_ascii) == Some(KEY)
}

fn is_on(line: &[u8]) -> bool {
    let value = line.splitn(2, |b| *b == b'=').nth(1).unwrap_or(b"");
    [&b"true"[..], b"1", b"yes", b"on"]
        .iter()
        .any(|on| value.trim_ascii().eq_ignore_ascii_case(on))
}

/// `old` with the plug-in enabled.
fn enabled(old: &[u8]) -> Vec<u8> {
    let lines = lines(old);
    let end: &[u8] = match lines.first().is_some_and(|l| l.ends_with(b"\r\n")) {
        true => b"\r\n",
        false => b"\n",
    };
    let pieces = pieces(&lines, GROUP);
    // Of several lines Krita goes by the last.
    let ours = pieces
        .iter()
        .flat_map(|piece| piece.clone())
        .rfind(|n| is_ours(lines[*n]));
    let mut new = Vec::with_capacity(old.len() + 64);
    match (ours, pieces.first()) {
        (Some(n), _) => {
            for (i, line) in lines.iter().enumerate() {
                match i == n && !is_on(line) {
                    true => new.extend([LINE, end].concat()),
                    false => new.extend_from_slice(line),
                }
            }
        }
        (None, Some(piece)) => {
            new.extend(lines[..=piece.start].concat());
            if !new.ends_with(b"\n") {
                new.extend_from_slice(end);
            }
            new.extend([LINE, end].concat());
            new.extend(lines[piece.start + 1..].concat());
        }
        (None, None) => {
            new.extend_from_slice(old);
            if !old.is_empty() {
                if !old.ends_with(b"\n") {
                    new.extend_from_slice(end);
                }
                new.extend_from_slice(end);
            }
            new.extend([b"[", GROUP, b"]", end, LINE, end].concat());
        }
    }
    new
}

/// `old` without the plug-in's line, and without a group that has nothing else.
fn disabled(old: &[u8]) -> Vec<u8> {
    let lines = lines(old);
    let mut dropped = Vec::new();
    for piece in pieces(&lines, GROUP) {
        let body = piece.start + 1..piece.end;
        let ours: Vec<usize> = body.clone().filter(|n| is_ours(lines[*n])).collect();
        let alone = body
            .clone()
            .all(|n| is_ours(lines[n]) || is_blank(lines[n]));
        match alone && !ours.is_empty() {
            true => drop_piece(&lines, piece, &mut dropped),
            false => dropped.extend(ours),
        }
    }
    without(&lines, &dropped)
}

/// `old` without the plug-in's own settings.
fn forgotten(old: &[u8]) -> Vec<u8> {
    let lines = lines(old);
    let mut dropped = Vec::new();
    for piece in pieces(&lines, OWN) {
        drop_piece(&lines, piece, &mut dropped);
    }
    without(&lines, &dropped)
}

/// Notes the lines of a piece, with the blank line that sets it off.
fn drop_piece(lines: &[&[u8]], piece: Range<usize>, dropped: &mut Vec<usize>) {
    let before = piece.start.checked_sub(1);
    if piece.end == lines.len()
        && let Some(before) = before.filter(|n| is_blank(lines[*n]))
    {
        dropped.push(before);
    }
    dropped.extend(piece);
}

fn without(lines: &[&[u8]], dropped: &[usize]) -> Vec<u8> {
    let kept = (0..lines.len()).filter(|n| !dropped.contains(n));
    kept.flat_map(|n| lines[n].iter().copied()).collect()
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
            (
                &b"[python][$i]\nenable_mend_inpaint = 1\n"[..],
                &b"[python][$i]\nenable_mend_inpaint = 1\n"[..],
            ),
            // The key in another group is not ours, nor is a group below that of the name.
            (
                &b"[b]\nenable_mend_inpaint=false\n[python][x]\n"[..],
                &b"[b]\nenable_mend_inpaint=false\n[python][x]\n\n[python]\nenable_mend_inpaint=true\n"[..],
            ),
            // The last of several counts.
            (
                &b"[python]\nenable_mend_inpaint=true\n\n[b]\n\n[python]\nenable_mend_inpaint=false\n"[..],
                &b"[python]\nenable_mend_inpaint=true\n\n[b]\n\n[python]\nenable_mend_inpaint=true\n"[..],
            ),
            (
                &b"[a]\r\nb=1\r\n"[..],
                &b"[a]\r\nb=1\r\n\r\n[python]\r\nenable_mend_inpaint=true\r\n"[..],
            ),
        ] {
            assert_eq!(
                String::from_utf8_lossy(&enabled(old)),
                String::from_utf8_lossy(new)
            );
        }
    }

    #[test]
    fn disabling_undoes_it() {
        for old in [
            "",
            "[a]\nb=1\n",
            "[a]\r\nb=1\r\n",
            "[python]\nenable_x=true\n[z]\nq=1\n",
            "[b]\n\n[python]\nenable_x=true\n\n[c]\n",
            "[b]\nenable_mend_inpaint=false\n",
        ] {
            let there = enabled(old.as_bytes());
            let back = disabled(&there);
            assert_eq!(String::from_utf8_lossy(&back), old);
        }
    }

    /// Krita writes its groups anew, in the order of their names, with the plug-in's among them.
    #[test]
    fn what_the_plug_in_stored_goes_and_all_else_stays() {
        let line = "last={\"values\": {\"prompt\": \"[python]\"}}\n";
        for (with, without) in [
            (
                "[a]\nb=é\n\n[mend_inpaint]\nLAST\n[python]\nenable_mend_inpaint=true\n\n[z]\nq=1\n",
                "[a]\nb=é\n\n[z]\nq=1\n",
            ),
            (
                "[a]\nb=1\n\n[mend_inpaint]\nLAST\n[python]\nenable_mend_inpaint=true\nenable_x=true\n",
                "[a]\nb=1\n\n[python]\nenable_x=true\n",
            ),
            ("[mend_inpaint]\nLAST", ""),
            ("[a]\nb=1\n\n[mend_inpaint]\nLAST", "[a]\nb=1\n"),
            (
                "[mend_inpaint_other]\nLAST\n[python]\nenable_mend_inpaint=false\n\n[python]\nk=v\n",
                "[mend_inpaint_other]\nLAST\n[python]\nk=v\n",
            ),
        ] {
            let with = with.replace("LAST", line);
            let without = without.replace("LAST", line);
            let got = forgotten(&disabled(with.as_bytes()));
            assert_eq!(String::from_utf8_lossy(&got), without);
        }
    }
}
