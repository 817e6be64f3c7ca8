//! Extended attributes of a file that is replaced: tags, comments, labels, access lists.
#![forbid(unsafe_code)]

use std::fs::File;

/// Attributes that speak of the very bytes of the old file: a new one gets its own from the system.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
const OF_THE_BYTES: &[&str] = &["security.ima", "security.evm", "security.capability"];
/// Places where systems and file servers keep pictures of a file, in lower case.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
const PREVIEWS: &[&str] = &["resourcefork", "afp_resource", "thumbnail", "preview"];

/// Gives `new` the attributes of `old`, as far as this user may and the file system can. Says what
/// the user would miss, as parts of a sentence.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
pub fn keep(old: &File, new: &File) -> Vec<String> {
    use rustix::fs::{XattrFlags, fsetxattr};

    let mut told = Vec::new();
    for name in names(old) {
        let Ok(text) = std::str::from_utf8(&name) else {
            continue;
        };
        if OF_THE_BYTES.contains(&text) {
            continue;
        }
        let Some(value) = value(old, text) else {
            continue;
        };
        if shows_a_picture(text, &value) {
            told.push(format!(
                "its attribute {text} was left out: it may show what was removed"
            ));
            continue;
        }
        let kept = fsetxattr(new, text, &value, XattrFlags::empty()).is_ok();
        // Labels and lists of the system are the system's: where it has given the same, or gives
        // none to this user, nothing is missed.
        if !kept && text.starts_with("user.") {
            told.push(format!("its attribute {text} could not be kept"));
        }
    }
    told
}

/// Nothing is kept where there is no common way to read them.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub fn keep(_: &File, _: &File) -> Vec<String> {
    Vec::new()
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn names(file: &File) -> Vec<Vec<u8>> {
    use rustix::fs::{flistxattr, flistxattr_query};

    let list = flistxattr_query(file).and_then(|len| {
        let mut list = vec![0; len];
        let len = flistxattr(file, &mut list[..])?;
        list.truncate(len);
        Ok(list)
    });
    let list = list.unwrap_or_default();
    let names = list.split(|b| *b == 0).filter(|name| !name.is_empty());
    names.map(<[u8]>::to_vec).collect()
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn value(file: &File, name: &str) -> Option<Vec<u8>> {
    use rustix::fs::{fgetxattr, fgetxattr_query};

    let mut value = vec![0; fgetxattr_query(file, name).ok()?];
    let len = fgetxattr(file, name, &mut value[..]).ok()?;
    value.truncate(len);
    Some(value)
}

/// Whether an attribute holds a picture, or is a place for one.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn shows_a_picture(name: &str, value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    PREVIEWS.iter().any(|place| name.contains(place)) || crate::files::holds_picture(value)
}
