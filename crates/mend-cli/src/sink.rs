//! Where a filled picture goes: a file or standard output, and in which format.
#![forbid(unsafe_code)]

use crate::args::FillArgs;
use crate::files::{Foreign, Kind, Output, Picture, Source, io_text};
use crate::output::{Target, place_all};
use crate::pipe;
use mend::{Cancel, Error, ErrorKind, Result};
use std::io::{IsTerminal, Read};
use std::path::Path;

/// Where a picture goes.
pub enum Sink {
    File(Box<Target>),
    Stdout,
}

impl Sink {
    /// Looks whether `path` can be written, see [`Target::new`].
    ///
    /// # Errors
    /// As [`Target::new`]; [`ErrorKind::Argument`] for a terminal.
    pub fn new(path: &Path) -> Result<Self> {
        if !pipe::is_pipe(path) {
            return Target::new(path).map(|target| Self::File(Box::new(target)));
        }
        match std::io::stdout().is_terminal() {
            false => Ok(Self::Stdout),
            true => Err(Error::new(
                ErrorKind::Argument,
                "standard output is a terminal: redirect it to a file or a program, or name a file",
            )),
        }
    }

    /// What it is called.
    pub fn named(&self) -> &Path {
        match self {
            Self::File(target) => target.named(),
            Self::Stdout => Path::new("standard output"),
        }
    }

    /// Whether this is the file at `path`.
    pub fn is(&self, path: &Path) -> bool {
        match self {
            Self::File(target) => !pipe::is_pipe(path) && target.is(path),
            Self::Stdout => false,
        }
    }

    /// The file that one of several outputs is.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for standard output, which holds one.
    pub fn file(&self) -> Result<&Target> {
        match self {
            Self::File(target) => Ok(target),
            Self::Stdout => Err(Error::new(
                ErrorKind::Argument,
                "standard output cannot hold several pictures: name files",
            )),
        }
    }

    /// Lets `write` write the file; it appears when it is complete, or not at all. Gives notes on what
    /// the user may miss.
    ///
    /// # Errors
    /// As [`Target::write`] and [`pipe::to_stdout`].
    pub fn write(
        &self,
        cancel: &Cancel,
        write: impl FnOnce(&mut dyn Output) -> Result<()>,
    ) -> Result<Vec<String>> {
        match self {
            Self::File(target) => target.write(cancel, write),
            Self::Stdout => pipe::to_stdout(cancel, write).map(|()| Vec::new()),
        }
    }
}

/// Copies a picture's file byte for byte into each of `sinks`. Several appear together.
///
/// # Errors
/// As [`Sink::write`], and those of reading.
pub fn copy(cancel: &Cancel, source: &Source<'_>, sinks: &[&Sink]) -> Result<Vec<String>> {
    let copying = |out: &mut dyn Output| {
        let mut from = source.reader()?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            let n = from.read(&mut buffer).map_err(|e| source.io(&e))?;
            if n == 0 {
                return Ok(());
            }
            out.write_all(&buffer[..n])
                .map_err(|e| Error::new(ErrorKind::Io, io_text(&e)))?;
        }
    };
    if let [sink] = sinks {
        return sink.write(cancel, copying);
    }
    let mut written = Vec::new();
    for sink in sinks {
        written.push(sink.file()?.written(cancel, copying)?);
    }
    place_all(written)
}

/// The format of the output: what its name or `--format` says, on standard output else the
/// picture's.
///
/// # Errors
/// [`ErrorKind::Argument`] where nothing says it, or both and not the same.
pub fn kind_of_output(args: &FillArgs, output: &Path, picture: &Picture) -> Result<Kind> {
    let asked = args.format.as_deref();
    let asked = asked.and_then(|e| Kind::of_extension(Path::new(&format!("x.{e}"))));
    let wrong = |what: String| Err(Error::new(ErrorKind::Argument, what));
    let named = Kind::of_extension(output);
    let kind = match (named, asked) {
        (Some(name), Some(asked)) if name != asked => {
            return wrong(format!(
                "{} is the name of a {} and --format asks for {}: leave one of them out",
                output.display(),
                name.name(),
                asked.name()
            ));
        }
        (Some(kind), _) | (None, Some(kind)) => kind,
        // What is only read goes on as what holds the same.
        (None, None) if pipe::is_pipe(&args.output) => picture.kind.written(),
        (None, None) => {
            let says = match Foreign::of_extension(output) {
                Some(foreign) => format!("would be {}, which Mend cannot write", foreign.what),
                None => "does not say its format".into(),
            };
            return wrong(format!(
                "{} {says}: give it the extension of one of {}, or use --format",
                output.display(),
                Kind::written_names()
            ));
        }
    };
    if !kind.writable() {
        return wrong(format!(
            "{} would be a {} file, which Mend reads and cannot write: give it the extension of one \
             of {}",
            output.display(),
            kind.name(),
            Kind::written_names()
        ));
    }
    Ok(kind)
}
