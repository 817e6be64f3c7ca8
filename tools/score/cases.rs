//! Pictures and the masks that belong to them.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// A case's name, picture and mask.
pub type Case = (String, PathBuf, PathBuf);

/// Every case of `kind`, by name: `masks` holds `NAME.KIND.png`, `images`
/// `NAME.png`, `.jpg` or `.jpeg`.
pub fn cases(images: &Path, masks: &Path, kind: &str) -> Result<Vec<Case>, Box<dyn Error>> {
    let ending = format!(".{kind}.png");
    let mut cases = Vec::new();
    let listing = fs::read_dir(masks).map_err(|e| format!("{}: {e}", masks.display()))?;
    for entry in listing {
        let mask = entry?.path();
        let Some(name) = mask
            .file_name()
            .and_then(|n| n.to_str()?.strip_suffix(&ending))
        else {
            continue;
        };
        let image = ["png", "jpg", "jpeg"]
            .map(|e| images.join(format!("{name}.{e}")))
            .into_iter()
            .find(|p| p.is_file());
        if let Some(image) = image {
            cases.push((name.to_owned(), image, mask));
        }
    }
    cases.sort();
    Ok(cases)
}
