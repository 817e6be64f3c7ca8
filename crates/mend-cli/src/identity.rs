//! Which file a path leads to, whatever it is called: through links, hard ones too.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileId(Id);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Id {
    /// Its device and its number there.
    #[cfg(unix)]
    Number(u64, u64),
    #[cfg(not(unix))]
    Path(PathBuf),
}

impl FileId {
    /// Of what `path` leads to; none where there is nothing.
    #[cfg(unix)]
    pub fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let about = fs::metadata(path).ok()?;
        Some(Self(Id::Number(about.dev(), about.ino())))
    }

    /// Of what `path` leads to; none where there is nothing. A hard link is another file here.
    #[cfg(not(unix))]
    pub fn of(path: &Path) -> Option<Self> {
        fs::canonicalize(path).ok().map(|path| Self(Id::Path(path)))
    }
}

/// Whether two paths lead to one file or folder that is there.
pub fn same(a: &Path, b: &Path) -> bool {
    let id = FileId::of(a);
    id.is_some() && id == FileId::of(b)
}

/// What two outputs have in common only if they are one: the folder, and the name in it.
pub fn place(output: &Path) -> PathBuf {
    if let Ok(there) = fs::canonicalize(output) {
        return there;
    }
    let folder = match output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let name = output.file_name().unwrap_or_default();
    // Most file systems of these take two names for one that differ in capitals only.
    match cfg!(any(windows, target_os = "macos")) {
        true => folder.join(name.to_string_lossy().to_lowercase()),
        false => folder.join(name),
    }
}
