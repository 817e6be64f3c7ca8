//! `mend install`: puts the plug-ins for GIMP and Krita where those programs look for them.
#![forbid(unsafe_code)]

mod apply;
mod files;
mod kritarc;
mod library;
mod places;
mod stage;
mod zip;

use crate::App;
use crate::args::TellArgs;
use crate::files::io_text;
use crate::output::Target;
use crate::terminal::escaped;
use apply::{Change, Changes};
use clap::{Args, ValueEnum};
use library::Library;
use mend::{Cancel, Error, ErrorKind, Inpainter, Options, Result};
use places::{Host, Place, Surroundings};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What `mend install` is told.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// The program to install for
    #[arg(value_enum)]
    program: Program,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Remove what was installed, and nothing else
    #[arg(long, conflicts_with = "zip")]
    uninstall: bool,
    /// Mend's library, if it is not next to this program or in ../lib
    #[arg(long, value_name = "FILE", conflicts_with = "uninstall")]
    library: Option<PathBuf>,
    /// Write an archive for Krita's Tools ▸ Scripts ▸ Import Python Plugin from File… instead
    #[arg(long, value_name = "FILE")]
    zip: Option<PathBuf>,
    #[command(flatten)]
    pub tell: TellArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
    Gimp,
    Krita,
}

/// Runs `install`.
///
/// # Errors
/// [`ErrorKind::Io`] naming the folder or file and what to do.
pub fn run(app: &App, args: &InstallArgs) -> Result<()> {
    let mut lines = Vec::new();
    // The work goes on where nobody hears of it, and the end tells.
    let mut unheard = None;
    let done = {
        let mut say = |line: &str| {
            lines.push(line.to_owned());
            if !app.terminal.json && !app.terminal.quiet {
                let printed = app.terminal.print(&(escaped(line) + "\n"));
                unheard = unheard.take().or(printed.err());
            }
        };
        match &args.zip {
            Some(out) => krita_zip(args, out, &mut say),
            None => install(args, &mut say),
        }
    };
    done?;
    if app.terminal.json {
        app.terminal.result(&json!({"ok": true, "log": lines}))?;
    }
    unheard.map_or(Ok(()), Err)
}

fn install(args: &InstallArgs, say: &mut dyn FnMut(&str)) -> Result<()> {
    let surroundings = Surroundings::of_this_process();
    let candidates = match args.program {
        Program::Gimp => places::gimp(&surroundings, &places::folders_in),
        Program::Krita => places::krita(&surroundings),
    };
    let found = chosen(args, &candidates)?;
    let library = match args.uninstall {
        true => None,
        false => Some(Library::find(args.library.as_deref())?),
    };
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    for place in found {
        say(&format!("{}: {}", place.label(), place.folder.display()));
        let changes = match &library {
            None => removal(place),
            Some(library) => installation(place, library),
        };
        // One program's trouble is not another's.
        match changes.and_then(|c| c.apply(args.dry_run, say)) {
            Ok(()) => done.push(place),
            Err(e) => failures.push((place, e)),
        }
    }
    if let Some(error) = all_of(failures) {
        return Err(error);
    }
    if args.dry_run {
        say("Nothing was changed: this was a dry run.");
    } else if args.uninstall {
        say("Done. Restart the program to update its menus.");
    } else {
        for line in next_steps(&done, library.as_ref()) {
            say(&line);
        }
    }
    Ok(())
}

/// The places to install to.
fn chosen<'a>(args: &InstallArgs, candidates: &'a [Place]) -> Result<Vec<&'a Place>> {
    let found: Vec<&Place> = candidates.iter().filter(|p| p.is_there()).collect();
    match args.program {
        _ if !found.is_empty() => Ok(found),
        // Nothing is there that could be taken away: the places say so.
        _ if args.uninstall => Ok(candidates.iter().collect()),
        // Also an AppImage, which may lie anywhere, looks into the folder of the user's own.
        Program::Krita => Ok(candidates.iter().take(1).collect()),
        Program::Gimp => Err(nothing_found(candidates)),
    }
}

/// The errors of several places as one.
fn all_of(mut failures: Vec<(&Place, Error)>) -> Option<Error> {
    if failures.len() < 2 {
        return failures.pop().map(|(_, error)| error);
    }
    let kind = failures[0].1.kind();
    let texts: Vec<String> = failures
        .iter()
        .map(|(place, error)| format!("{}: {error}", place.label()))
        .collect();
    Some(Error::new(kind, texts.join("\n")))
}

fn nothing_found(candidates: &[Place]) -> Error {
    let looked: Vec<String> = candidates
        .iter()
        .map(|p| format!("  {} ({})", p.folder.display(), p.label()))
        .collect();
    Error::new(
        ErrorKind::Io,
        format!(
            "no folder of GIMP 2.10 or 3 was found: start GIMP once so that it makes its folder, \
             or name the folder in GIMP2_DIRECTORY or GIMP3_DIRECTORY. Looked at:\n{}",
            looked.join("\n")
        ),
    )
}

/// What GIMP 2.10 and 3.0 make in their folder at their first start.
const GIMPS_OWN: &[&str] = &[
    "backups",
    "brushes",
    "curves",
    "dynamics",
    "environ",
    "filters",
    "fonts",
    "fractalexplorer",
    "gfig",
    "gflare",
    "gimpressionist",
    "gradients",
    "icons",
    "interpreters",
    "levels",
    "modules",
    "palettes",
    "patterns",
    "plug-ins",
    "scripts",
    "templates",
    "themes",
    "tmp",
    "tool-presets",
];

/// Everything that goes into one program's folder.
fn installation(place: &Place, library: &Library) -> Result<Changes> {
    let mut changes = Changes::new(&place.folder);
    match place.host {
        Host::Gimp2 | Host::Gimp3 => {
            let about = Inpainter::new(Options::default()).describe();
            let plugin = Path::new("plug-ins/mend-inpaint");
            let files = match place.host {
                Host::Gimp2 => files::GIMP2,
                _ => files::GIMP3,
            };
            for file in files {
                changes.write(plugin.join(file.name), file.bytes.to_vec(), file.executable);
            }
            changes.write(plugin.join("describe.json"), pretty(&about), false);
            changes.write(plugin.join(library.name()), library.bytes()?, false);
        }
        Host::Krita => {
            for (path, bytes) in krita_files() {
                changes.write(path, bytes, false);
            }
            let module = Path::new("pykrita/mend_inpaint");
            changes.write(module.join(library.name()), library.bytes()?, false);
            if let Some(rc) = &place.settings {
                changes.push(kritarc::enable(rc)?);
            }
        }
    }
    // A GIMP that finds its folder makes nothing in it, and complains of each that it misses.
    if place.host != Host::Krita && changes.is_of_our_making(manifest(place.host)) {
        for name in GIMPS_OWN {
            changes.push(Change::Folder(name.into()));
        }
    }
    changes.with_manifest(manifest(place.host));
    Ok(changes)
}

/// What an installation left in one program's folder, and only that.
fn removal(place: &Place) -> Result<Changes> {
    let mut changes = Changes::new(&place.folder);
    let module = Path::new(manifest(place.host)).with_file_name("");
    // What Python kept of the plug-in's files.
    let cache = module.join("__pycache__");
    for file in places::files_in(&place.folder.join(&cache)) {
        changes.push(Change::Remove(cache.join(file)));
    }
    changes.push(Change::RemoveFolder(cache));
    changes.remove_by_manifest(manifest(place.host), &known_files(place.host));
    if let Some(rc) = &place.settings {
        changes.push(kritarc::disable(rc)?);
    }
    // The last settings, which the plug-in or GIMP kept for it.
    match place.host {
        Host::Gimp2 => changes.push(Change::Remove("mend-inpaint.json".into())),
        Host::Gimp3 => {
            changes.push(Change::Remove("mend-inpaint.json".into()));
            changes.push(Change::Remove("mend-expand.json".into()));
            for procedure in [
                "plug-in-mend-inpaint",
                "plug-in-mend-inpaint-again",
                "plug-in-mend-remove-object",
                "plug-in-mend-fill-quickly",
                "plug-in-mend-expand",
                "plug-in-mend-select-object",
            ] {
                changes.push(Change::Remove(
                    format!("plug-in-settings/GimpProcedureConfigRun-{procedure}.last").into(),
                ));
            }
        }
        Host::Krita => {}
    }
    Ok(changes)
}

/// Where an installation writes down what it wrote.
fn manifest(host: Host) -> &'static str {
    match host {
        Host::Gimp2 | Host::Gimp3 => "plug-ins/mend-inpaint/installed.txt",
        Host::Krita => "pykrita/mend_inpaint/installed.txt",
    }
}

/// The files that this version of Mend installs for a program.
fn known_files(host: Host) -> Vec<PathBuf> {
    let module = Path::new(manifest(host)).with_file_name("");
    let in_module = |files: &[files::Plugin]| -> Vec<PathBuf> {
        files.iter().map(|f| module.join(f.name)).collect()
    };
    let mut known = match host {
        Host::Gimp2 => in_module(files::GIMP2),
        Host::Gimp3 => in_module(files::GIMP3),
        Host::Krita => krita_files().into_iter().map(|(path, _)| path).collect(),
    };
    known.push(module.join("describe.json"));
    known.extend(library::names().iter().map(|name| module.join(name)));
    known
}

fn krita_files() -> Vec<(PathBuf, Vec<u8>)> {
    files::KRITA
        .iter()
        .map(|f| {
            let path = match Path::new(f.name).extension().and_then(|e| e.to_str()) {
                Some("desktop") => Path::new("pykrita").join(f.name),
                Some("action") => Path::new("actions").join(f.name),
                _ => Path::new("pykrita/mend_inpaint").join(f.name),
            };
            (path, f.bytes.to_vec())
        })
        .collect()
}

fn pretty(json: &serde_json::Value) -> Vec<u8> {
    let mut text = format!("{json:#}");
    text.push('\n');
    text.into_bytes()
}

fn krita_zip(args: &InstallArgs, out: &Path, say: &mut dyn FnMut(&str)) -> Result<()> {
    if args.program != Program::Krita {
        return Err(Error::new(
            ErrorKind::Argument,
            "--zip is for Krita: GIMP has no importer of plug-ins; run 'mend install gimp'",
        ));
    }
    let library = Library::find(args.library.as_deref())?;
    let mut archive = zip::Archive::default();
    // Krita looks for the module by its folder's own entry.
    archive.folder("mend_inpaint/");
    for file in files::KRITA {
        let inside = match Path::new(file.name).extension().and_then(|e| e.to_str()) {
            Some("desktop" | "action") => file.name.to_owned(),
            _ => format!("mend_inpaint/{}", file.name),
        };
        archive.file(&inside, file.bytes)?;
    }
    archive.file(
        &format!("mend_inpaint/{}", library.name()),
        &library.bytes()?,
    )?;
    let bytes = archive.finish();
    if args.dry_run {
        say(&format!(
            "would write {} ({} bytes)",
            out.display(),
            bytes.len()
        ));
        return Ok(());
    }
    Target::new(out)?.write(&Cancel::new(), |file| {
        let failed = |e| Error::new(ErrorKind::Io, io_text(&e));
        file.write_all(&bytes).map_err(failed)
    })?;
    say(&format!("wrote {}", out.display()));
    say(
        "Next: in Krita, Tools ▸ Scripts ▸ Import Python Plugin from File…, choose the archive, \
         enable the plug-in when asked, restart Krita.",
    );
    Ok(())
}

fn next_steps(found: &[&Place], library: Option<&Library>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(glibc) = library.and_then(|l| l.glibc().map(str::to_owned)) {
        lines.push(format!("The library needs glibc {glibc} or newer."));
    }
    let krita = found.iter().any(|p| p.host == Host::Krita);
    lines.push(if krita {
        "Next: restart Krita, select something, then Tools ▸ Scripts ▸ Mend: Inpaint….".to_owned()
    } else {
        "Next: restart GIMP, select something, then Filters ▸ Enhance ▸ Mend: Inpaint….".to_owned()
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn library(folder: &Path) -> Library {
        let path = folder.join(library::names()[0]);
        fs::write(
            &path,
            b"\x7fELF ... mend_abi_version ... GLIBC_2.9 GLIBC_2.31 GLIBC_2.4",
        )
        .expect("a file");
        Library::find(Some(&path)).expect("a library")
    }

    /// Every file under `folder` with its bytes.
    fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        let mut todo = vec![folder.to_path_buf()];
        while let Some(at) = todo.pop() {
            for entry in fs::read_dir(&at).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    all.push((path.clone(), Vec::new()));
                    todo.push(path);
                } else {
                    all.push((path.clone(), fs::read(&path).expect("a file")));
                }
            }
        }
        all.sort();
        all
    }

    #[test]
    fn uninstalling_leaves_what_was_there_before_and_nothing_else() {
        for (host, other) in [
            (Host::Gimp2, "plug-ins/other/other.py"),
            (Host::Gimp3, "scripts/mine.scm"),
            (Host::Krita, "pykrita/other/__init__.py"),
        ] {
            let temporary = tempfile::tempdir().expect("a folder");
            let lib = library(temporary.path());
            let profile = temporary.path().join("profile");
            let foreign = profile.join(other);
            fs::create_dir_all(foreign.parent().expect("a parent")).expect("a folder");
            fs::write(&foreign, b"another's").expect("a file");
            let rc = profile.join("kritarc");
            fs::write(&rc, b"[General]\nkey=value\n").expect("a file");
            let place = Place {
                host,
                kind: "test",
                version: String::new(),
                folder: profile.clone(),
                settings: (host == Host::Krita).then(|| rc.clone()),
                always: false,
            };
            let before = tree(&profile);
            let mut said = Vec::new();
            let mut say = |line: &str| said.push(line.to_owned());
            let install = installation(&place, &lib).expect("changes");
            install.apply(true, &mut say).expect("a dry run");
            assert_eq!(tree(&profile), before, "a dry run changes nothing");
            install.apply(false, &mut say).expect("an installation");
            let after = tree(&profile);
            assert!(after.len() > before.len() + 5);
            // Again, over itself: nothing more, nothing less.
            installation(&place, &lib)
                .and_then(|c| c.apply(false, &mut say))
                .expect("an installation");
            assert_eq!(tree(&profile), after);
            // Running it leaves traces of Python's.
            let module = profile.join(manifest(host)).with_file_name("__pycache__");
            fs::create_dir(&module).expect("a folder");
            fs::write(module.join("job.cpython-311.pyc"), b"code").expect("a file");
            removal(&place)
                .and_then(|c| c.apply(false, &mut say))
                .expect("a removal");
            assert_eq!(tree(&profile), before, "{host:?}");
            // A copy that Krita's importer made has no manifest, nor had what stopped half way.
            installation(&place, &lib)
                .and_then(|c| c.apply(false, &mut say))
                .expect("an installation");
            fs::remove_file(profile.join(manifest(host))).expect("it was there");
            removal(&place)
                .and_then(|c| c.apply(false, &mut say))
                .expect("a removal");
            let files = |mut tree: Vec<(PathBuf, Vec<u8>)>| {
                tree.retain(|(path, _)| path.is_file());
                tree
            };
            assert_eq!(files(tree(&profile)), files(before), "{host:?}");
        }
    }

    #[test]
    fn a_gimp_that_was_never_started_misses_none_of_its_folders() {
        let temporary = tempfile::tempdir().expect("a folder");
        let lib = library(temporary.path());
        for host in [Host::Gimp2, Host::Gimp3] {
            let folder = temporary.path().join("config/GIMP");
            let place = Place {
                host,
                kind: "native",
                version: String::new(),
                folder: folder.clone(),
                settings: None,
                always: true,
            };
            for _ in 0..2 {
                installation(&place, &lib)
                    .and_then(|c| c.apply(false, &mut |_| ()))
                    .expect("an installation");
                assert!(folder.join("gradients").is_dir() && folder.join("tmp").is_dir());
            }
            // GIMP put something into one of them: that stays.
            fs::write(folder.join("brushes/mine.gbr"), b"mine").expect("a file");
            removal(&place)
                .and_then(|c| c.apply(false, &mut |_| ()))
                .expect("a removal");
            assert_eq!(
                tree(&folder)
                    .iter()
                    .map(|(p, _)| p.clone())
                    .collect::<Vec<_>>(),
                [folder.join("brushes"), folder.join("brushes/mine.gbr")]
            );
            fs::remove_dir_all(&folder).expect("it was there");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_plug_ins_can_be_run() {
        use std::os::unix::fs::PermissionsExt;
        let temporary = tempfile::tempdir().expect("a folder");
        let lib = library(temporary.path());
        for (host, file) in [
            (Host::Gimp2, "plug-ins/mend-inpaint/mend-inpaint"),
            (Host::Gimp3, "plug-ins/mend-inpaint/mend-inpaint.py"),
        ] {
            let folder = temporary.path().join(format!("{host:?}"));
            let place = Place {
                host,
                kind: "test",
                version: String::new(),
                folder: folder.clone(),
                settings: None,
                always: true,
            };
            installation(&place, &lib)
                .and_then(|c| c.apply(false, &mut |_| ()))
                .expect("an installation");
            let mode = fs::metadata(folder.join(file))
                .expect("a file")
                .permissions()
                .mode();
            assert_eq!(mode & 0o700, 0o700, "{file}");
        }
    }
}
