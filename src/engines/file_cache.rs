//! Room for one thing that was read from files, such as a model's headers, so that the next fill need not
//! read them again. It is given again only while nothing that it was read from has changed.
#![forbid(unsafe_code)]

use super::slot::Stamp;
use crate::error::Result;
use parking_lot::Mutex;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More files than any model has are not looked at one by one.
const FILES: usize = 1 << 10;

/// Room for one `T`, asked for by `K`.
pub struct FileCache<K, T>(Mutex<Option<Entry<K, T>>>);

struct Entry<K, T> {
    key: K,
    /// What it was read from, and how all that lies there was.
    paths: Vec<PathBuf>,
    stamps: Vec<Stamp>,
    made: Arc<T>,
}

impl<K, T> Default for FileCache<K, T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<K: PartialEq, T> FileCache<K, T> {
    /// What was asked for by `key` before, or else what `open` makes of what `find` finds; `find`
    /// gives the paths of its files and folders, too. The lock is held by neither.
    ///
    /// # Errors
    /// Those of `find` and `open`.
    pub fn get<F>(
        &self,
        key: K,
        find: impl FnOnce() -> Result<(F, Vec<PathBuf>)>,
        open: impl FnOnce(F) -> Result<T>,
    ) -> Result<Arc<T>> {
        if let Some(made) = self.still(&key) {
            return Ok(made);
        }
        let (found, paths) = find()?;
        // Before it is opened: what changes later is not taken for what was read.
        let stamps = stamps(&paths);
        let made = Arc::new(open(found)?);
        let entry = Entry {
            key,
            paths,
            stamps,
            made: made.clone(),
        };
        let other = self.0.lock().replace(entry);
        drop(other);
        Ok(made)
    }

    fn still(&self, key: &K) -> Option<Arc<T>> {
        let here = self.0.lock();
        let entry = here.as_ref().filter(|entry| entry.key == *key)?;
        let same = stamps(&entry.paths) == entry.stamps;
        same.then(|| entry.made.clone())
    }

    /// Lets it go.
    pub fn trim(&self) {
        let other = self.0.lock().take();
        drop(other);
    }
}

/// Of all that lies at these paths.
fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let all = paths.iter().flat_map(|path| files(path));
    all.map(|path| Stamp::of(&path)).collect()
}

/// A model's path and, where it is a folder, what lies in it and in the folders in it: whatever is added or
/// taken away changes one of them. Of a file also the folder, for what is read beside it.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_path_buf()];
    match path.parent() {
        Some(folder) if path.is_file() => {
            let stem = path.file_stem();
            let beside = entries(folder).into_iter();
            // A configuration, an ONNX graph's weights.
            all.extend(beside.filter(|other| {
                other.file_stem() == stem
                    || other
                        .extension()
                        .is_some_and(|e| e == "json" || e == "data")
            }));
            all.push(folder.to_path_buf());
        }
        _ => {
            for entry in entries(path) {
                if all.len() > FILES {
                    break;
                }
                all.extend(entries(&entry));
                all.push(entry);
            }
        }
    }
    all.truncate(FILES);
    all
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).into_iter().flatten();
    let all = all.filter_map(|entry| Some(entry.ok()?.path()));
    let mut all: Vec<PathBuf> = all.take(FILES).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_model_is_opened_again_only_where_something_changed() {
        let folder = std::env::temp_dir().join(format!("mend-opened-{}", std::process::id()));
        fs::create_dir_all(folder.join("unet")).unwrap();
        fs::write(folder.join("unet/config.json"), "1").unwrap();
        let (room, count) = (FileCache::default(), Cell::new(0));
        let open = |key: &'static str| {
            let find = || Ok(((), vec![folder.clone()]));
            let made = room.get(key, find, |()| {
                count.set(count.get() + 1);
                Ok(count.get())
            });
            *made.unwrap()
        };
        assert_eq!((open("a"), open("a"), open("b"), open("b")), (1, 1, 2, 2));
        fs::write(folder.join("unet/config.json"), "22").unwrap();
        assert_eq!((open("b"), open("b")), (3, 3));
        fs::write(folder.join("unet/adapter_model.safetensors"), "x").unwrap();
        assert_eq!((open("b"), open("b")), (4, 4));
        fs::remove_file(folder.join("unet/config.json")).unwrap();
        assert_eq!((open("b"), open("b")), (5, 5));
        room.trim();
        assert_eq!(open("b"), 6);
        fs::remove_dir_all(&folder).unwrap();
    }
}
