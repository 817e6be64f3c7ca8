//! Mend's library as a file to be copied.
#![forbid(unsafe_code)]

use mend::{Error, ErrorKind, Result};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The library's file and what its bytes say.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    glibc: Option<String>,
}

/// File names of the library on this system, the likeliest first.
pub fn names() -> &'static [&'static str] {
    if cfg!(windows) {
        &["mend.dll"]
    } else if cfg!(target_os = "macos") {
        &["libmend.dylib"]
    } else {
        &["libmend.so"]
    }
}

impl Library {
    /// The library at `given`, or beside this program, or in the `lib` beside this program's folder.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when there is none, or a file that is no library of Mend's.
    pub fn find(given: Option<&Path>) -> Result<Self> {
        if let Some(path) = given {
            return Self::open(path);
        }
        let program = env::current_exe()
            .and_then(fs::canonicalize)
            .unwrap_or_default();
        let folder = program.parent().unwrap_or(Path::new("."));
        let mut looked = Vec::new();
        for below in [".", "../lib", "../lib64", "deps"] {
            for name in names() {
                let path = folder.join(below).join(name);
                if path.is_file() {
                    return Self::open(&path);
                }
                looked.push(format!("  {}", path.display()));
            }
        }
        Err(Error::new(
            ErrorKind::Io,
            format!(
                "Mend's library {} was not found: name it with --library. Looked at:\n{}",
                names()[0],
                looked.join("\n")
            ),
        ))
    }

    fn open(path: &Path) -> Result<Self> {
        let bytes = read(path)?;
        let start = [
            &b"\x7fELF"[..],
            b"MZ",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe",
        ];
        let is_library = start.iter().any(|s| bytes.starts_with(s));
        if !is_library || find(&bytes, b"mend_abi_version").is_none() {
            return Err(Error::new(
                ErrorKind::Io,
                format!(
                    "{} is not Mend's library: name the {} that was built with this program",
                    path.display(),
                    names()[0]
                ),
            ));
        }
        Ok(Self {
            path: path.to_path_buf(),
            glibc: newest_glibc(&bytes),
        })
    }

    /// The name it is installed under, which the plug-ins look for.
    pub fn name(&self) -> &'static str {
        names()[0]
    }

    /// The newest glibc that it asks for.
    pub fn glibc(&self) -> Option<&str> {
        self.glibc.as_deref()
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn bytes(&self) -> Result<Vec<u8>> {
        read(&self.path)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| {
        Error::new(
            ErrorKind::Io,
            format!("{} cannot be read: {e}", path.display()),
        )
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// The highest `GLIBC_2.N` among the library's strings, which name the versions of its symbols.
fn newest_glibc(bytes: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"GLIBC_2.";
    let mut newest = None;
    let mut at = 0;
    while let Some(n) = find(&bytes[at..], MARK) {
        at += n + MARK.len();
        let digits: String = bytes[at..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .take(4)
            .map(|b| char::from(*b))
            .collect();
        newest = newest.max(digits.parse::<u32>().ok());
    }
    newest.map(|n| format!("2.{n}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_by_number_and_not_by_letter() {
        assert_eq!(
            newest_glibc(b"GLIBC_2.9\0GLIBC_2.17\0GLIBC_2.2.5\0").as_deref(),
            Some("2.17")
        );
        assert_eq!(newest_glibc(b"GLIBC_PRIVATE"), None);
    }

    #[test]
    fn another_file_is_refused_by_name() {
        let temporary = tempfile::tempdir().expect("a folder");
        let path = temporary.path().join("libmend.so");
        assert!(Library::find(Some(&path)).is_err());
        fs::write(&path, b"\x7fELF of something else").expect("a file");
        let error = Library::find(Some(&path))
            .expect_err("a refusal")
            .to_string();
        assert!(
            error.contains("libmend.so") && error.contains("is not Mend's"),
            "{error}"
        );
    }
}
