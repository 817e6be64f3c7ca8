//! Changes to a folder, gathered first, then made: everything is written beside its place, then
//! renamed into it. What cannot be written is known before anything has changed, and a program
//! that reads the files sees the old or the new ones.
#![forbid(unsafe_code)]

use super::stage::{Folders, Staged, edited, failed, staged};
use mend::Result;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// One change; relative paths are below the changes' folder.
#[derive(Debug)]
pub enum Change {
    /// A file of ours is to have these bytes.
    Write {
        /// Where.
        path: PathBuf,
        /// What.
        bytes: Vec<u8>,
        /// Whether it is a program.
        executable: bool,
    },
    /// The program's own file is to have these bytes; without any it is to be gone. Links to it,
    /// its mode and its owner stay.
    Edit {
        /// Where.
        path: PathBuf,
        /// What.
        bytes: Vec<u8>,
    },
    /// A folder is to be there, if only for the program's sake.
    Folder(PathBuf),
    /// A file is to be gone.
    Remove(PathBuf),
    /// A folder is to be gone if nothing is in it.
    RemoveFolder(PathBuf),
    /// Nothing, and why.
    Note(String),
}

/// Changes to one folder.
#[derive(Debug)]
pub struct Changes {
    folder: PathBuf,
    list: Vec<Change>,
}

/// The line of a manifest for the folder that it is about.
const ITSELF: &str = "./";

impl Changes {
    /// None yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            list: Vec::new(),
        }
    }

    /// A file is to have these bytes.
    pub fn write(&mut self, path: PathBuf, bytes: Vec<u8>, executable: bool) {
        self.push(Change::Write {
            path,
            bytes,
            executable,
        });
    }

    /// One more.
    pub fn push(&mut self, change: Change) {
        self.list.push(change);
    }

    /// Whether the folder is not there yet, or was made by an earlier installation.
    pub fn is_of_our_making(&self, manifest: &str) -> bool {
        let old = recorded(&self.folder, manifest);
        !self.folder.is_dir() || old.iter().any(|o| o == ITSELF)
    }

    /// Writes down in `manifest`, before all else, what is written below the folder and which
    /// folders are made for it, so that a later removal finds all of it, whatever became of this
    /// installation; what an earlier one wrote and this one does not is removed.
    pub fn with_manifest(&mut self, manifest: &str) {
        let mut files: Vec<String> = self
            .list
            .iter()
            .filter_map(|c| match c {
                Change::Write { path, .. } => slashes(path),
                _ => None,
            })
            .collect();
        files.push(manifest.to_owned());
        let old = recorded(&self.folder, manifest);
        let mut folders: Vec<String> = Vec::new();
        if self.is_of_our_making(manifest) {
            folders.push(ITSELF.to_owned());
        }
        let bare = self.list.iter().filter_map(|c| match c {
            Change::Folder(path) => Some(slashes(path)? + "/"),
            _ => None,
        });
        for path in bare.collect::<Vec<_>>().iter().chain(&files) {
            for (at, _) in path.match_indices('/') {
                let folder = path[..=at].to_owned();
                let ours = old.contains(&folder) || !self.folder.join(&folder).is_dir();
                if ours && !folders.contains(&folder) {
                    folders.push(folder);
                }
            }
        }
        let names = [folders, files].concat();
        let gone: Vec<String> = old.into_iter().filter(|o| !names.contains(o)).collect();
        let text = |names: &[String]| (names.join("\n") + "\n").into_bytes();
        let listed = |names: &[String]| Change::Write {
            path: manifest.into(),
            bytes: text(names),
            executable: false,
        };
        let first = listed(&[names.clone(), gone.clone()].concat());
        self.list.insert(0, first);
        if !gone.is_empty() {
            self.remove_names(gone);
            let last = listed(&names);
            self.push(last);
        }
    }

    /// Everything that `manifest` lists is to be gone; where there is none, the files of `known`
    /// that are there: Krita's importer, or a copy made by hand, writes no manifest.
    pub fn remove_by_manifest(&mut self, manifest: &str, known: &[PathBuf]) {
        let mut names = recorded(&self.folder, manifest);
        if names.is_empty() {
            let there = known.iter().filter(|k| self.folder.join(k).is_file());
            names = there.filter_map(|k| slashes(k)).collect();
            if !names.is_empty() {
                names.extend(manifest.rsplit_once('/').map(|(own, _)| format!("{own}/")));
            }
        }
        if names.is_empty() {
            self.push(Change::Note("nothing of Mend is installed here".into()));
        }
        self.remove_names(names);
    }

    fn remove_names(&mut self, names: Vec<String>) {
        let (mut folders, files): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|n| n.ends_with('/'));
        for file in files {
            self.push(Change::Remove(file.into()));
        }
        // The inner ones first, the whole one last.
        folders.sort_by_key(|f| std::cmp::Reverse(if f == ITSELF { 0 } else { f.len() }));
        for folder in folders {
            let folder = if folder == ITSELF { "" } else { &folder };
            self.push(Change::RemoveFolder(folder.into()));
        }
    }

    /// Makes the changes, or only tells them.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with the file. Nothing has changed then if a file could not be written;
    /// only where one cannot be put into its place, after all were written, some are.
    pub fn apply(&self, dry_run: bool, say: &mut dyn FnMut(&str)) -> Result<()> {
        let mut ready = match dry_run {
            true => Vec::new(),
            false => self.stage()?,
        };
        ready.reverse();
        for change in &self.list {
            let staged = match dry_run {
                true => None,
                false => ready.pop().flatten(),
            };
            self.make(change, staged, dry_run, say)?;
        }
        Ok(())
    }

    /// Every file's new bytes beside its place, in the order of the changes; `None` for what writes
    /// none.
    fn stage(&self) -> Result<Vec<Option<Staged>>> {
        let mut made = Folders::default();
        let mut ready = Vec::with_capacity(self.list.len());
        for change in &self.list {
            ready.push(match change {
                _ if self.is_up_to_date(change) => None,
                Change::Write {
                    path,
                    bytes,
                    executable,
                } => {
                    let path = self.folder.join(path);
                    Some(staged(path, bytes, *executable, &mut made)?)
                }
                Change::Edit { path, bytes } if !removes(path, bytes) => {
                    Some(edited(path, bytes, &mut made)?)
                }
                Change::Folder(path) => {
                    let path = self.folder.join(path);
                    made.make(&path).map_err(|e| failed(&path, "made", &e))?;
                    None
                }
                _ => None,
            });
        }
        made.keep();
        Ok(ready)
    }

    fn is_up_to_date(&self, change: &Change) -> bool {
        match change {
            // GIMP asks a plug-in for its arguments only when the program is new, and they may have
            // changed without it: it is always written.
            Change::Write {
                path,
                bytes,
                executable: false,
            } => fs::read(self.folder.join(path)).is_ok_and(|have| have == *bytes),
            _ => false,
        }
    }

    fn make(
        &self,
        change: &Change,
        staged: Option<Staged>,
        dry_run: bool,
        say: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let mut tell = |what: &str, path: &Path| match dry_run {
            true => say(&format!("  would {what}: {}", path.display())),
            false => say(&format!("  {what}: {}", path.display())),
        };
        match change {
            Change::Note(text) => say(&format!("  {text}")),
            Change::Folder(_) => {} // made before any file
            Change::Write { path, .. } => {
                let path = self.folder.join(path);
                if self.is_up_to_date(change) {
                    say(&format!("  is up to date: {}", path.display()));
                    return Ok(());
                }
                tell("write", &path);
                staged.map_or(Ok(()), Staged::put)?;
            }
            Change::Edit { path, bytes } => {
                tell(
                    if removes(path, bytes) {
                        "remove"
                    } else {
                        "change"
                    },
                    path,
                );
                match staged {
                    Some(staged) => staged.put()?,
                    None if dry_run => {}
                    None => fs::remove_file(path).map_err(|e| failed(path, "removed", &e))?,
                }
            }
            Change::RemoveFolder(path) => {
                let path = self.folder.join(path);
                // What else lies in it stays, and so does the folder.
                if !dry_run && path.is_dir() && fs::remove_dir(&path).is_ok() {
                    tell("remove", &path);
                }
            }
            Change::Remove(path) => {
                let path = self.folder.join(path);
                if fs::symlink_metadata(&path).is_ok_and(|about| !about.is_dir()) {
                    tell("remove", &path);
                    if !dry_run {
                        fs::remove_file(&path).map_err(|e| failed(&path, "removed", &e))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether an edit leaves nothing, so that the file goes. A link to it is somebody's arrangement.
fn removes(path: &Path, bytes: &[u8]) -> bool {
    bytes.is_empty() && !path.is_symlink()
}

/// The files that `manifest` lists. Lines that lead out of the folder are ignored.
fn recorded(folder: &Path, manifest: &str) -> Vec<String> {
    let Ok(text) = fs::read_to_string(folder.join(manifest)) else {
        return Vec::new();
    };
    text.lines()
        .filter(|line| {
            let inside = |c| matches!(c, Component::Normal(_));
            *line == ITSELF || !line.is_empty() && Path::new(line).components().all(inside)
        })
        .map(str::to_owned)
        .collect()
}

fn slashes(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|p| p.to_str()).collect();
    Some(parts?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_cannot_lead_out_of_its_folder() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path().join("profile");
        fs::create_dir_all(&folder).expect("a folder");
        let outside = temporary.path().join("mine");
        fs::write(&outside, b"mine").expect("a file");
        fs::write(
            folder.join("list"),
            format!("../mine\n{}\n", outside.display()),
        )
        .expect("a file");
        let mut changes = Changes::new(&folder);
        changes.remove_by_manifest("list", &[]);
        changes.apply(false, &mut |_| ()).expect("a removal");
        assert!(outside.is_file());
    }
    #[test]
    fn what_cannot_be_written_changes_nothing() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path().join("profile");
        // A folder stands where the last file is to go.
        fs::create_dir_all(folder.join("own/last")).expect("a folder");
        fs::write(folder.join("own/first"), b"old").expect("a file");
        let mut changes = Changes::new(&folder);
        changes.write("own/first".into(), b"new".to_vec(), false);
        changes.write("made/second".into(), b"new".to_vec(), false);
        changes.write("own/last".into(), b"new".to_vec(), false);
        changes.with_manifest("own/list");
        let mut said = Vec::new();
        let error = changes
            .apply(false, &mut |line| said.push(line.to_owned()))
            .expect_err("a refusal")
            .to_string();
        assert!(error.contains("last cannot be written"), "{error}");
        assert_eq!(said, [""; 0]);
        assert_eq!(fs::read(folder.join("own/first")).expect("a file"), b"old");
        assert!(!folder.join("own/list").exists() && !folder.join("made").exists());
        let left: Vec<_> = fs::read_dir(folder.join("own")).expect("it").collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn an_installation_that_stopped_half_way_can_be_taken_away() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path().join("profile");
        let mut changes = Changes::new(&folder);
        changes.write("own/first".into(), b"new".to_vec(), false);
        changes.write("own/second".into(), b"new".to_vec(), false);
        changes.with_manifest("own/list");
        // As if the second could not be renamed: only the manifest and the first came to be.
        changes.list.truncate(2);
        changes.apply(false, &mut |_| ()).expect("half of it");
        assert!(folder.join("own/first").is_file());
        let mut changes = Changes::new(&folder);
        changes.remove_by_manifest("own/list", &[]);
        changes.apply(false, &mut |_| ()).expect("a removal");
        assert!(
            !folder.exists(),
            "the folder was made for it, and goes with it"
        );
    }

    #[test]
    fn what_a_later_version_does_not_have_goes_with_it() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path().to_path_buf();
        for name in ["old", "new"] {
            let mut changes = Changes::new(&folder);
            changes.write(format!("own/{name}/file").into(), b"x".to_vec(), false);
            changes.with_manifest("own/list");
            changes.apply(false, &mut |_| ()).expect("an installation");
        }
        assert!(!folder.join("own/old").exists() && folder.join("own/new/file").is_file());
        let listed = fs::read_to_string(folder.join("own/list")).expect("a file");
        assert_eq!(listed, "own/\nown/new/\nown/new/file\nown/list\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_settings_file_keeps_its_links_and_its_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let temporary = tempfile::tempdir().expect("a folder");
        let at = |name: &str| temporary.path().join(name);
        fs::create_dir(at("dotfiles")).expect("a folder");
        fs::write(at("dotfiles/rc"), b"old").expect("a file");
        let mode = |path: &Path| {
            let about = fs::metadata(path).expect("a file");
            about.permissions().mode() & 0o777
        };
        for wanted in [0o600, 0o640, 0o644] {
            let permissions = fs::Permissions::from_mode(wanted);
            fs::set_permissions(at("dotfiles/rc"), permissions).expect("a mode");
            let _ = fs::remove_file(at("rc"));
            symlink("dotfiles/rc", at("rc")).expect("a link");
            for text in ["new", ""] {
                let mut changes = Changes::new(temporary.path());
                changes.push(Change::Edit {
                    path: at("rc"),
                    bytes: text.into(),
                });
                changes.apply(false, &mut |_| ()).expect("a change");
                assert!(at("rc").is_symlink());
                assert_eq!(fs::read_to_string(at("dotfiles/rc")).expect("it"), text);
                assert_eq!(mode(&at("dotfiles/rc")), wanted);
            }
        }
        // A new one is the user's alone, as Krita makes it.
        let mut changes = Changes::new(temporary.path());
        changes.push(Change::Edit {
            path: at("config/rc"),
            bytes: b"new".to_vec(),
        });
        changes.apply(false, &mut |_| ()).expect("a change");
        assert_eq!(mode(&at("config/rc")), 0o600);
    }
}
