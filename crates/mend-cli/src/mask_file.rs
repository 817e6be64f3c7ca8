//! The masks of one picture, read from their files and brought to its size.
#![forbid(unsafe_code)]

use crate::App;
use crate::args::SelectArgs;
use crate::budget::Budget;
use crate::files::Picture;
use crate::fill::source;
use crate::jobs;
use crate::mask::{self, Mask};
use crate::orient;
use crate::pipe::shown;
use mend::{Error, ErrorKind, Result};
use std::path::Path;

/// How the masks of a picture are read.
pub struct MaskReading<'a> {
    app: &'a App,
    select: &'a SelectArgs,
    image: &'a Path,
    budget: &'a Budget,
    /// What the user should know of the masks beside the mask.
    pub notes: Vec<String>,
}

impl<'a> MaskReading<'a> {
    /// Of the picture `image`.
    pub fn new(app: &'a App, select: &'a SelectArgs, image: &'a Path, budget: &'a Budget) -> Self {
        Self {
            app,
            select,
            image,
            budget,
            notes: Vec::new(),
        }
    }

    /// The mask, in its file's size.
    ///
    /// # Errors
    /// As [`mask::read`]; [`ErrorKind::Mask`] for what is a picture by the look of it.
    pub fn read(&self, found: &jobs::Mask) -> Result<Mask> {
        let mask = self.file(&found.path, self.select.mask_how())?;
        if found.twin && mask.partial {
            return Err(Error::new(
                ErrorKind::Mask,
                format!(
                    "{} looks like a picture and not like the mask of {}: most of it is neither \
                     black nor white. If it is the mask, give it a name that says so, such as \
                     {}.mask.png",
                    found.path.display(),
                    self.image.display(),
                    self.image.file_stem().unwrap_or_default().display()
                ),
            ));
        }
        Ok(mask)
    }

    /// The source or guide mask at `path`, in the size of the picture.
    ///
    /// # Errors
    /// As [`mask::read`] and [`Self::fitted`].
    pub fn beside(&mut self, about: &Picture, path: &Path) -> Result<Mask> {
        let mask = self.file(path, mask::How::default())?;
        let mut mask = self.fitted(about, path, mask)?;
        self.notes.append(&mut mask.notes);
        Ok(mask)
    }

    fn file(&self, path: &Path, how: mask::How) -> Result<Mask> {
        let mut source = source(self.app, path, self.budget);
        source.max_bytes = self.budget.another();
        mask::read(&source, how)
    }

    /// The mask in its picture's size, where it has that, or where it may be scaled.
    ///
    /// # Errors
    /// [`ErrorKind::Mask`] naming both files and sizes, [`ErrorKind::Memory`].
    pub fn fitted(&self, about: &Picture, path: &Path, mask: Mask) -> Result<Mask> {
        let source = source(self.app, path, self.budget);
        let how = orient::Way {
            choice: self.select.mask_orientation,
            scaled: self.select.fit_mask,
        };
        let mask = orient::stored(mask, &source, shown(self.image), about, how)?;
        let (from, to) = ((mask.width, mask.height), (about.width, about.height));
        if from == to {
            return Ok(mask);
        }
        if !self.select.fit_mask {
            return Err(self.wrong_size(about, path, from));
        }
        let mut mask = mask.fit(to.0, to.1)?;
        mask.notes
            .push(mask::fit_note(shown(path).display(), from, to));
        Ok(mask)
    }

    fn wrong_size(&self, about: &Picture, path: &Path, mask: (u32, u32)) -> Error {
        let image = shown(self.image).display();
        let (w, h) = (about.width, about.height);
        Error::new(
            ErrorKind::Mask,
            format!(
                "the mask {} is {}×{} and the picture {image} is {w}×{h}: give a mask of the \
                 picture's size, or use --fit-mask to scale it",
                shown(path).display(),
                mask.0,
                mask.1,
            ),
        )
    }
}
