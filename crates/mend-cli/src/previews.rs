//! `--previews`: what a fill has come to, step by step, in small files.
#![forbid(unsafe_code)]

use crate::App;
use crate::files::{self, Compression, Kind, Picture, WriteOptions};
use crate::output::Target;
use crate::terminal::Bar;
use mend::pixels::{Depth, Layout, PixelFormat};
use mend::progress::{Preview, Step};
use mend::{Error, ErrorKind, Progress, Result};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Writes previews beside drawing the bar.
pub struct Previews<'a> {
    app: &'a App,
    bar: &'a mut Bar,
    /// Where to, and what their names begin with; `None`: nowhere.
    to: Option<(PathBuf, String)>,
    count: u32,
    failure: Option<Error>,
}

impl<'a> Previews<'a> {
    /// Into `folder`, which is made, as `STEM-0001.png` and so on.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] naming the folder.
    pub fn new(
        app: &'a App,
        bar: &'a mut Bar,
        folder: Option<&Path>,
        stem: &OsStr,
    ) -> Result<Self> {
        let to = folder.map(|folder| {
            fs::create_dir_all(folder).map_err(|e| {
                let what = files::io_text(&e);
                Error::new(ErrorKind::Io, format!("{}: {what}", folder.display()))
            })?;
            Ok((folder.to_path_buf(), stem.to_string_lossy().into_owned()))
        });
        Ok(Self {
            app,
            bar,
            to: to.transpose()?,
            count: 0,
            failure: None,
        })
    }

    /// What ended the fill, if it was a preview that could not be written; what the user should know
    /// where there was none.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] naming the file.
    pub fn finish(self) -> Result<Option<&'static str>> {
        match (self.failure, self.to, self.count) {
            (Some(failure), ..) => Err(failure),
            (None, Some(_), 0) => Ok(Some("this engine has no previews: none were written")),
            _ => Ok(None),
        }
    }

    fn write(&mut self, preview: &Preview) -> Result<()> {
        let Some((folder, stem)) = &self.to else {
            return Ok(());
        };
        self.count += 1;
        let target = Target::new(&folder.join(format!("{stem}-{:04}.png", self.count)))?;
        let format = PixelFormat::new(Layout::Rgb, Depth::U8);
        let (width, height) = (preview.width, preview.height);
        let pixels = preview.pixels.clone();
        let mut picture = Picture::new(Kind::Png, width, height, format, pixels);
        let options = WriteOptions {
            png: Compression::Fast,
            jpeg_quality: 95,
        };
        let written = target.write(&self.app.cancel, |out| {
            files::write(&mut picture, Kind::Png, &options, out)
        });
        written.map(drop)
    }
}

impl Progress for Previews<'_> {
    fn report(&mut self, step: &Step) -> bool {
        if let Some(preview) = &step.preview
            && let Err(e) = self.write(preview)
        {
            self.failure = Some(e);
            return false;
        }
        self.bar.report(step)
    }
}
