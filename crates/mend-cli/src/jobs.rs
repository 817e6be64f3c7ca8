//! From the command line to fills: which pictures, with which masks, to which files.
#![forbid(unsafe_code)]

use crate::App;
use crate::args::{FillArgs, SelectArgs};
use crate::files::{Foreign, Kind, io_text};
use crate::fill::source;
use crate::guard::Guard;
use crate::identity::{FileId, same};
use crate::numbers::{NUMBER, has_number, numbered, stem};
use crate::pipe::{is_pipe, shown};
use crate::{budget::Budget, files};
use mend::{Error, ErrorKind, Result};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a mask's stem may add to its picture's.
const MARKS: &[&str] = &[".mask", "_mask", "-mask"];

/// The files of one fill.
#[derive(Clone, Debug)]
pub struct Job {
    pub image: PathBuf,
    /// `None`: the image's own alpha, or nothing where no mask was named.
    pub mask: Option<Mask>,
    pub source: Option<PathBuf>,
    pub guide: Option<PathBuf>,
    /// As it was named, or in the folder that was.
    pub output: PathBuf,
    /// The files to write, the one for the best fill first.
    pub outputs: Vec<PathBuf>,
}

impl Job {
    /// What the names of its previews begin with.
    pub fn preview_stem(&self) -> OsString {
        let stem = match is_pipe(&self.output) {
            true if is_pipe(&self.image) => OsString::new(),
            true => self.image.file_stem().unwrap_or_default().to_os_string(),
            false => stem(&self.output),
        };
        match stem.is_empty() {
            true => "mend".into(),
            false => stem,
        }
    }

    /// The file for the best fill.
    pub fn first(&self) -> &Path {
        self.outputs.first().unwrap_or(&self.output)
    }

    /// The files' names.
    pub fn names(&self) -> String {
        let names = self.outputs.iter().map(|path| path.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    }
}

/// The masks of one picture.
pub struct Found {
    pub mask: Option<Mask>,
    pub source: Option<PathBuf>,
    pub guide: Option<PathBuf>,
}

/// A mask, and how it was found.
#[derive(Clone, Debug)]
pub struct Mask {
    pub path: PathBuf,
    /// It lies beside the picture and has its very name but for the extension, so that it may be a
    /// picture too.
    pub twin: bool,
}

/// What is to be done, and what is not.
#[derive(Debug, Default)]
pub struct Jobs {
    pub list: Vec<Job>,
    /// Pictures without a mask.
    pub maskless: Vec<PathBuf>,
    /// Pictures whose output is there already.
    pub existing: Vec<Job>,
    /// Pictures that cannot be read, and why; they are not missed.
    pub unreadable: Vec<(PathBuf, Error)>,
    /// Pictures that cannot be filled, and why.
    pub failed: Vec<(PathBuf, Error)>,
}

/// Where masks come from.
enum Masks {
    /// None was named: pictures are only to grow.
    Nothing,
    Alpha,
    /// One for all pictures.
    One(PathBuf),
    Folder(PathBuf, Vec<PathBuf>),
}

/// A folder's files that matter, by name.
#[derive(Default)]
pub struct Listing {
    pub pictures: Vec<PathBuf>,
    foreign: Vec<PathBuf>,
}

/// Whether several pictures may be meant, so that what is told is a list.
pub fn several(select: &SelectArgs) -> bool {
    select.images.len() > 1 || select.images.iter().any(|image| image.is_dir())
}

/// The masks of the one picture that is named.
///
/// # Errors
/// [`ErrorKind::Mask`] where none is found in a folder, [`ErrorKind::Io`].
pub fn one(select: &SelectArgs, image: &Path) -> Result<Found> {
    check_pipes(select)?;
    let masks = Masks::of_select(select)?;
    let more = More::new(select)?;
    let mask = masks.of(image)?;
    if let (Masks::Folder(folder, _), None) = (&masks, &mask) {
        return Err(Error::new(
            ErrorKind::Mask,
            format!(
                "there is no mask for {} in the folder {}: masks are matched by name, as photo.png \
                 or photo.mask.png for photo.jpg",
                shown(image).display(),
                folder.display()
            ),
        ));
    }
    more.found(mask, image)
}

/// Where masks beside the mask come from.
struct More {
    sources: Option<Masks>,
    guides: Option<Masks>,
}

impl More {
    fn new(select: &SelectArgs) -> Result<Self> {
        let masks = |path: &Option<PathBuf>| {
            let path = path.as_deref();
            path.map(|path| Masks::new(path, false)).transpose()
        };
        Ok(Self {
            sources: masks(&select.source_mask)?,
            guides: masks(&select.guide)?,
        })
    }

    /// Those of `image`, with its mask.
    fn found(&self, mask: Option<Mask>, image: &Path) -> Result<Found> {
        let of = |masks: &Option<Masks>| match masks {
            Some(masks) => Ok(masks.of(image)?.map(|mask| mask.path)),
            None => Ok(None),
        };
        Ok(Found {
            mask,
            source: of(&self.sources)?,
            guide: of(&self.guides)?,
        })
    }
}

/// The fills that the command line asks for.
///
/// # Errors
/// [`ErrorKind::Argument`] for what would overwrite an input, [`ErrorKind::Io`].
pub fn all(app: &App, args: &FillArgs) -> Result<Jobs> {
    let select = &args.select;
    check_number(args)?;
    let mut jobs = Jobs::default();
    if several(select) {
        many(app, args, &mut jobs)?;
    } else if let Some(image) = select.images.first() {
        let found = one(select, image)?;
        let output = match is_folder(&args.output) {
            true => inside(args, image)?,
            false => args.output.clone(),
        };
        jobs.list.push(job(args, image, found, output));
    }
    Guard::new(args, &jobs)?.check(args, &jobs)?;
    if args.skip_existing {
        skip_existing(&mut jobs)?;
    }
    Ok(jobs)
}

fn many(app: &App, args: &FillArgs, jobs: &mut Jobs) -> Result<()> {
    let select = &args.select;
    check_pipes(select)?;
    if select.images.iter().any(|p| is_pipe(p)) || is_pipe(&args.output) {
        return Err(Error::new(
            ErrorKind::Argument,
            "- means one picture: with several, name files and an output folder",
        ));
    }
    let masks = Masks::of_select(select)?;
    let more = More::new(select)?;
    let mut foreign = Vec::new();
    for named in &select.images {
        let found = match named.is_dir() {
            true => Listing::of(named)?,
            false => Listing {
                pictures: vec![named.clone()],
                foreign: Vec::new(),
            },
        };
        for image in found.pictures {
            // Beside their pictures masks are known by their names.
            if image != *named && masks.beside(&image) && is_marked(&image) {
                continue;
            }
            match of_many(args, &masks, &more, &image) {
                Ok(Some(job)) => jobs.list.push(job),
                Ok(None) => jobs.maskless.push(image),
                Err(e) if e.kind() == ErrorKind::Argument => return Err(e),
                Err(e) => jobs.failed.push((image, e)),
            }
        }
        foreign.extend(found.foreign);
    }
    leave_masks(select, jobs);
    for path in foreign {
        let wanted = match &masks {
            Masks::Folder(..) => !matches!(masks.of(&path), Ok(None)),
            _ => true,
        };
        // A raw file beside the JPEG of the same shot is not missed.
        let stands_in = |job: &Job| {
            job.image.parent() == path.parent() && job.image.file_stem() == path.file_stem()
        };
        let why = why_not(app, &path);
        match wanted && !jobs.list.iter().any(stands_in) {
            true => jobs.failed.push((path, why)),
            false => jobs.unreadable.push((path, why)),
        }
    }
    Ok(())
}

fn of_many(args: &FillArgs, masks: &Masks, more: &More, image: &Path) -> Result<Option<Job>> {
    let mask = masks.of(image)?;
    if mask.is_none() && !matches!(masks, Masks::Alpha | Masks::Nothing) {
        return Ok(None);
    }
    let found = more.found(mask, image)?;
    Ok(Some(job(args, image, found, inside(args, image)?)))
}

/// The fills of `image` into `output`, or into files that are numbered by it.
fn job(args: &FillArgs, image: &Path, found: Found, output: PathBuf) -> Job {
    let in_folder = output != args.output;
    Job {
        image: image.to_path_buf(),
        mask: found.mask,
        source: found.source,
        guide: found.guide,
        outputs: numbered(&output, args.select.variations(), in_folder),
        output,
    }
}

/// Where `image` goes in the output folder.
fn inside(args: &FillArgs, image: &Path) -> Result<PathBuf> {
    let Some(name) = image.file_name().filter(|_| !is_pipe(image)) else {
        return Err(Error::new(
            ErrorKind::Argument,
            format!(
                "{} has no name to give a file in {}: name the output file",
                shown(image).display(),
                args.output.display()
            ),
        ));
    };
    let output = args.output.join(name);
    let read_only = Kind::of_extension(&output).filter(|kind| !kind.writable());
    let format = args.format.as_deref();
    Ok(match format.or(read_only.map(Kind::instead)) {
        Some(format) => output.with_extension(format),
        None => output,
    })
}

/// Takes pictures of a folder that are others' masks off the list.
fn leave_masks(select: &SelectArgs, jobs: &mut Jobs) {
    let used: Vec<FileId> = jobs
        .list
        .iter()
        .flat_map(|job| {
            let mask = job.mask.iter().map(|m| &m.path);
            mask.chain(&job.source).chain(&job.guide)
        })
        .filter_map(|path| FileId::of(path))
        .collect();
    let is_mask = |image: &PathBuf| {
        !select.images.contains(image) && FileId::of(image).is_some_and(|id| used.contains(&id))
    };
    jobs.list.retain(|job| !is_mask(&job.image));
    jobs.maskless.retain(|image| !is_mask(image));
}

/// Why a picture of a foreign kind cannot be read.
fn why_not(app: &App, path: &Path) -> Error {
    match files::kind_of(&source(app, path, &Budget::new(None))) {
        Err(e) => e,
        Ok(kind) => Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} is not read because of its name, although it begins like a {}: if it is one, \
                 rename it",
                path.display(),
                kind.name()
            ),
        ),
    }
}

/// Refuses an output that several fills cannot be told apart in.
fn check_number(args: &FillArgs) -> Result<()> {
    let refuse = |what: String| Err(Error::new(ErrorKind::Argument, what));
    let (output, count) = (&args.output, args.select.variations());
    if is_pipe(output) && count > 1 {
        return refuse(format!(
            "{count} variations cannot go to standard output: name files with --output, such as \
             filled-{NUMBER}.png, or use --best-of to get the best"
        ));
    }
    if has_number(output) && is_folder(output) && !output.is_dir() {
        return refuse(format!(
            "{} is a folder, and {NUMBER} stands for a number in a file's name: leave it out; in a \
             folder the number goes before the extension",
            output.display()
        ));
    }
    Ok(())
}

fn check_pipes(select: &SelectArgs) -> Result<()> {
    let inputs = select.images.iter().chain(&select.mask);
    let pipes = inputs
        .chain(&select.source_mask)
        .chain(&select.guide)
        .filter(|path| is_pipe(path));
    match pipes.count() {
        0 | 1 => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Argument,
            "only one file can come from standard input: name the others",
        )),
    }
}

impl Masks {
    /// Those that the command line names.
    fn of_select(select: &SelectArgs) -> Result<Self> {
        match &select.mask {
            Some(path) => Self::new(path, select.mask_is_alpha()),
            None => Ok(Self::Nothing),
        }
    }

    fn new(path: &Path, alpha: bool) -> Result<Self> {
        if alpha {
            return Ok(Self::Alpha);
        }
        if is_pipe(path) {
            return Ok(Self::One(path.to_path_buf()));
        }
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => {
                let masks = Listing::of(path)?.pictures;
                Ok(Self::Folder(path.to_path_buf(), masks))
            }
            Ok(_) => Ok(Self::One(path.to_path_buf())),
            Err(e) => Err(Error::new(
                ErrorKind::Io,
                format!("{} cannot be read: {}", path.display(), io_text(&e)),
            )),
        }
    }

    /// Whether these lie in the folder of `image`.
    fn beside(&self, image: &Path) -> bool {
        match self {
            Self::Folder(folder, _) => same(folder, folder_of(image)),
            _ => false,
        }
    }

    /// The mask of `image`; none for alpha, for nothing, and where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Mask`] where several would do.
    fn of(&self, image: &Path) -> Result<Option<Mask>> {
        let (folder, list) = match self {
            Self::Nothing | Self::Alpha => return Ok(None),
            Self::One(path) => {
                return Ok(Some(Mask {
                    path: path.clone(),
                    twin: false,
                }));
            }
            Self::Folder(folder, list) => (folder, list),
        };
        let beside = self.beside(image);
        let name = image.file_name();
        if !beside && let Some(mask) = list.iter().find(|mask| mask.file_name() == name) {
            // The very same name settles it.
            return Ok(Some(Mask {
                path: mask.clone(),
                twin: false,
            }));
        }
        let stem = image.file_stem().unwrap_or_default();
        let with = |mark: &str| {
            let mut wanted = stem.to_os_string();
            wanted.push(mark);
            list.iter()
                .filter(move |m| m.file_stem() == Some(&wanted) && m.file_name() != name)
        };
        let marked = || MARKS.iter().flat_map(|mark| with(mark));
        let plain = with("").filter(|mask| !beside || is_twin(mask, image));
        let found: Vec<&PathBuf> = match beside && marked().next().is_some() {
            true => marked().collect(),
            false => plain.chain(marked()).collect(),
        };
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(Mask {
                path: (*one).clone(),
                twin: beside && one.file_stem() == Some(stem),
            })),
            several => {
                let names: Vec<_> = several.iter().map(|m| m.display().to_string()).collect();
                Err(Error::new(
                    ErrorKind::Mask,
                    format!(
                        "{} has several masks in {}: {}; keep only one of them",
                        image.display(),
                        folder.display(),
                        names.join(", ")
                    ),
                ))
            }
        }
    }
}

/// Whether `mask`, of the same name but for the extension and in the same folder as `image`, is its
/// mask: the PNG of two is.
fn is_twin(mask: &Path, image: &Path) -> bool {
    let is_png = |path: &Path| Kind::of_extension(path) == Some(Kind::Png);
    is_png(mask) && !is_png(image)
}

fn is_marked(path: &Path) -> bool {
    path.file_stem()
        .and_then(|s| s.to_str())
        .is_some_and(|s| MARKS.iter().any(|mark| s.ends_with(mark)))
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether an output is a folder: it is one, or ends as one does.
fn is_folder(output: &Path) -> bool {
    let last = output.as_os_str().as_encoded_bytes().last();
    output.is_dir() || last.is_some_and(|b| std::path::is_separator(char::from(*b)))
}

impl Listing {
    /// Of `folder`, but for what is hidden and what lies in folders there.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn of(folder: &Path) -> Result<Self> {
        let fail = |e: io::Error| {
            Error::new(
                ErrorKind::Io,
                format!("{} cannot be read: {}", folder.display(), io_text(&e)),
            )
        };
        let mut list = Self::default();
        for entry in fs::read_dir(folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let hidden = path
                .file_name()
                .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
            if hidden || path.is_dir() {
                continue;
            }
            if Kind::of_extension(&path).is_some() {
                list.pictures.push(path);
            } else if Foreign::of_extension(&path).is_some() {
                list.foreign.push(path);
            }
        }
        list.pictures.sort();
        list.foreign.sort();
        Ok(list)
    }
}

/// Moves what has its output already off the list.
fn skip_existing(jobs: &mut Jobs) -> Result<()> {
    let is_own = |job: &&Job| job.outputs.iter().any(|output| same(&job.image, output));
    if let Some(job) = jobs.list.iter().find(is_own) {
        return Err(Error::new(
            ErrorKind::Argument,
            format!(
                "--skip-existing would skip {}, which is its own output: give another output, or \
                 leave the option",
                job.image.display()
            ),
        ));
    }
    let (there, left) = std::mem::take(&mut jobs.list).into_iter().partition(|job| {
        let mut outputs = job.outputs.iter();
        outputs.all(|path| fs::symlink_metadata(path).is_ok_and(|m| !m.is_dir()))
    });
    (jobs.existing, jobs.list) = (there, left);
    Ok(())
}
