//! What a model takes of the disk.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};
use std::path::Path;

/// What is left for others.
const SPARE: u64 = 64 << 20;

/// Whether the disk under `folder`, which need not exist, has room for so many bytes more, and some for
/// others. `advice` is what else a user can do, such as "use another folder". A system that does not tell
/// has room.
///
/// # Errors
/// [`ErrorKind::Io`] where it has not.
pub fn check_room(folder: &Path, needed: u64, advice: &str) -> Result<()> {
    let Some(folder) = folder.ancestors().find(|f| f.is_dir()) else {
        return Ok(());
    };
    let Ok(free) = fs4::available_space(folder) else {
        return Ok(());
    };
    if needed > 0 && needed.saturating_add(SPARE) > free {
        return Err(Error::new(
            ErrorKind::Io,
            format!(
                "{}: {} more are needed, and the disk has {} free; make room, or {advice}",
                folder.display(),
                bytes_text(needed),
                bytes_text(free)
            ),
        ));
    }
    Ok(())
}

/// Bytes for people.
pub fn bytes_text(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..10_000_000 => format!("{:.0} kB", n as f64 / 1e3),
        10_000_000..1_000_000_000 => format!("{:.0} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_small_is_told_with_what_to_do() {
        let folder = std::env::temp_dir().join("mend-not-there/deep");
        assert!(check_room(&folder, 0, "x").is_ok());
        assert!(check_room(&folder, 1, "x").is_ok());
        let error = check_room(&folder, u64::MAX / 2, "use another folder").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        let said = error.message();
        assert!(said.ends_with("make room, or use another folder"), "{said}");
        assert!(!said.contains("not-there"), "{said}");
    }
}
