//! Where the user's models lie.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The user's models folder, whether or not it exists: `MEND_MODELS` if it is set, else by system.
///
/// | system | folder |
/// |---|---|
/// | Linux and other Unices | `$XDG_DATA_HOME/mend/models`, else `~/.local/share/mend/models` |
/// | macOS | `~/Library/Application Support/mend/models` |
/// | Windows | `%LOCALAPPDATA%\mend\models` |
///
/// `None` where there is no home to put it in.
pub fn models_folder() -> Option<PathBuf> {
    let system = if cfg!(windows) {
        System::Windows
    } else if cfg!(target_os = "macos") {
        System::Mac
    } else {
        System::Unix
    };
    folder(system, &|name| std::env::var_os(name))
}

#[derive(Clone, Copy)]
pub(super) enum System {
    Unix,
    Mac,
    Windows,
}

pub(super) fn folder(system: System, get: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let from = |name: &str| get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(named) = from("MEND_MODELS") {
        return Some(named);
    }
    let home = |below: &str| from("HOME").map(|home| home.join(below));
    let data = match system {
        System::Windows => from("LOCALAPPDATA"),
        System::Mac => home("Library/Application Support"),
        // XDG: a relative path is to be ignored.
        System::Unix => from("XDG_DATA_HOME")
            .filter(|p| Path::is_absolute(p))
            .or_else(|| home(".local/share")),
    };
    data.map(|data| data.join("mend").join("models"))
}
