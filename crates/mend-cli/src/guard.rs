//! Nothing is written over that is not the picture asked for: whatever would be is refused before
//! anything is done.
#![forbid(unsafe_code)]

use crate::args::FillArgs;
use crate::files::Kind;
use crate::identity::{FileId, place, same};
use crate::jobs::{Job, Jobs, Listing, folder_of};
use crate::pipe::is_pipe;
use mend::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The inputs, which no output may be.
pub struct Guard {
    inputs: HashMap<FileId, (PathBuf, &'static str)>,
}

impl Guard {
    /// Of what the command line names and what was found for it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where a folder cannot be read.
    pub fn new(args: &FillArgs, jobs: &Jobs) -> Result<Self> {
        let mut guard = Self {
            inputs: HashMap::new(),
        };
        let failed = jobs.failed.iter().chain(&jobs.unreadable);
        let images = jobs.list.iter().map(|job| &job.image);
        for image in images
            .chain(&jobs.maskless)
            .chain(failed.map(|(path, _)| path))
        {
            guard.add(image, "a picture");
        }
        for (folder, what) in [
            (args.select.mask.as_ref(), "a mask"),
            (args.select.source_mask.as_ref(), "a source mask"),
            (args.select.guide.as_ref(), "a guide mask"),
        ] {
            let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
                continue;
            };
            for mask in Listing::of(folder)?.pictures {
                // In one folder with the pictures most are none.
                if !guard.has(&mask) {
                    guard.add(&mask, what);
                }
            }
        }
        for job in &jobs.list {
            if let Some(mask) = &job.mask {
                guard.add(&mask.path, "a mask");
            }
            if let Some(source) = &job.source {
                guard.add(source, "a source mask");
            }
            if let Some(guide) = &job.guide {
                guard.add(guide, "a guide mask");
            }
        }
        for (_, value) in &args.select.params.0 {
            // Models and LoRAs: names with weights, commas between them.
            for one in value.split(',').map(str::trim) {
                let bare = one.rsplit_once(':').map_or(one, |(name, _)| name);
                for path in [one, bare].map(Path::new).iter().filter(|p| p.is_file()) {
                    guard.add(path, "a model's file");
                }
            }
        }
        Ok(guard)
    }

    fn add(&mut self, path: &Path, what: &'static str) {
        if let Some(id) = FileId::of(path).filter(|_| !is_pipe(path)) {
            self.inputs.insert(id, (path.to_path_buf(), what));
        }
    }

    fn has(&self, path: &Path) -> bool {
        FileId::of(path).is_some_and(|id| self.inputs.contains_key(&id))
    }

    /// Checks every output.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] that names the output and what would be lost.
    pub fn check(&self, args: &FillArgs, jobs: &Jobs) -> Result<()> {
        let refuse = |what: String| Err(Error::new(ErrorKind::Argument, what));
        let mut outputs: HashMap<PathBuf, &Path> = HashMap::new();
        for job in &jobs.list {
            self.check_previews(args, job)?;
            if is_pipe(&job.output) {
                continue;
            }
            for output in &job.outputs {
                self.check_output(job, output)?;
                if let Some(other) = outputs.insert(place(output), &job.image) {
                    return refuse(match other == job.image {
                        true => format!(
                            "two variations would both be written to {}: give other names",
                            output.display()
                        ),
                        false => format!(
                            "{} and {} would both be written to {}: fill them one after the other \
                             into different folders",
                            other.display(),
                            job.image.display(),
                            output.display()
                        ),
                    });
                }
            }
        }
        let select = &args.select;
        let masks = [
            select.mask.as_ref(),
            select.source_mask.as_ref(),
            select.guide.as_ref(),
        ];
        for folder in masks.into_iter().flatten() {
            let among = |job: &&Job| {
                folder.is_dir()
                    && same(folder, folder_of(job.first()))
                    && !same(folder, folder_of(&job.image))
            };
            if let Some(job) = jobs.list.iter().find(among) {
                return refuse(format!(
                    "{} would be among the masks in {} and be taken for one next time: give \
                     another output folder",
                    job.first().display(),
                    folder.display()
                ));
            }
        }
        Ok(())
    }

    /// No preview may be an input: their names are known, but for their number.
    fn check_previews(&self, args: &FillArgs, job: &Job) -> Result<()> {
        let Some(folder) = &args.previews else {
            return Ok(());
        };
        let stem = job.preview_stem();
        let is_one = |path: &Path| {
            let name = path.file_stem().unwrap_or_default().as_encoded_bytes();
            let number = name.strip_prefix(stem.as_encoded_bytes());
            let number = number.and_then(|rest| rest.strip_prefix(b"-"));
            number.is_some_and(|n| n.len() >= 4 && n.iter().all(u8::is_ascii_digit))
                && Kind::of_extension(path) == Some(Kind::Png)
                && same(folder, folder_of(path))
        };
        match self.inputs.values().find(|(path, _)| is_one(path)) {
            None => Ok(()),
            Some((path, what)) => Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "{} is {what} of this fill, and a preview may get its name: give --previews \
                     another folder",
                    path.display()
                ),
            )),
        }
    }

    fn check_output(&self, job: &Job, output: &Path) -> Result<()> {
        let Some((input, what)) = FileId::of(output).and_then(|id| self.inputs.get(&id)) else {
            return Ok(());
        };
        if *what == "a picture" && same(input, &job.image) {
            return Ok(());
        }
        let also = match input == output {
            true => String::new(),
            false => format!(" ({})", input.display()),
        };
        Err(Error::new(
            ErrorKind::Argument,
            format!(
                "the output {} is {what} of this fill{also}, which would be lost: give another \
                 output",
                output.display()
            ),
        ))
    }
}
