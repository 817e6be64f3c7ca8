//! One file: fetched in as many goes as it takes, checked, renamed into its place.
#![forbid(unsafe_code)]

use super::http::{self, Event, Head, Request};
use super::url::Url;
use super::{Manners, Watch, Words};
use crate::catalog::{Sha256, bytes_text, check_room, hash_file};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Cancel;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The longest file whose size nobody tells beforehand.
const UNTOLD: u64 = 64 << 20;
/// The longest that a server may make us wait.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether somebody pressed Ctrl-C.
const LOOK: Duration = Duration::from_millis(50);

/// What is to be fetched.
pub(super) struct Wanted<'a> {
    pub url: &'a Url,
    pub target: &'a Path,
    /// As messages name it.
    pub name: &'a str,
    pub size: Option<u64>,
    pub sha256: Option<&'a str>,
}

/// What an earlier go learned of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    pub url: String,
    pub etag: Option<String>,
    pub size: Option<u64>,
}

/// The place of a file that is not whole yet.
pub(super) fn part_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The length of a plain file; `None` where there is none.
///
/// # Errors
/// [`ErrorKind::Model`] where something else is in its place.
pub(super) fn plain_length(path: &Path) -> Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_file() => Ok(Some(about.len())),
        Ok(_) => Err(Error::new(
            ErrorKind::Model,
            format!(
                "{}: there is a link or a folder in this place, which could lead out of the models \
                 folder; move it away",
                path.display()
            ),
        )),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error(path, &e)),
    }
}

/// Fetches a file; gives its size and SHA-256.
pub(super) struct Transfer<'a> {
    pub cancel: &'a Cancel,
    pub manners: &'a Manners,
    pub wanted: Wanted<'a>,
    pub learned: Learned,
    /// Keeps what was learned, so that another process can go on.
    pub keep: &'a mut dyn FnMut(&Learned) -> Result<()>,
    pub watch: &'a mut dyn Watch,
}

/// How a go ended.
enum Go {
    Whole,
    /// Something broke off: again, after so long at least.
    Again(String, Duration),
    /// What is there is of no use: again, from the beginning.
    Over,
}

impl Transfer<'_> {
    /// Runs it.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where the file is not what was promised; nothing is kept of it then.
    /// [`ErrorKind::Io`] and [`ErrorKind::Cancelled`] keep what there is to go on from.
    pub fn run(mut self) -> Result<(u64, String)> {
        let part = part_of(self.wanted.target);
        let (mut failures, mut restarted) = (0, false);
        loop {
            let mut have = plain_length(&part)?.unwrap_or(0);
            let expected = self.wanted.size.or(self.learned.size);
            // Without a digest only the same entity tag says that two pieces are of one file.
            let same = self.learned.url == self.wanted.url.to_string();
            let blind = self.wanted.sha256.is_none() && !(same && self.learned.etag.is_some());
            if have > 0 && (blind || expected.is_some_and(|size| have > size)) {
                drop(fs::remove_file(&part));
                have = 0;
            }
            let mut hash = Sha256::new();
            if have > 0 {
                let watch = &mut self.watch;
                let mut there = |n| watch.there(n);
                hash_file(&part, have, &mut hash, &mut there, self.cancel)?;
            }
            let resumed = have > 0;
            let before = have;
            let go = match expected {
                Some(size) if size == have && resumed => Go::Whole,
                _ => self.go(&part, &mut have, &mut hash, same)?,
            };
            match go {
                Go::Whole => {
                    let found = hash.finish();
                    if self.wanted.sha256.is_none_or(|wanted| wanted == found) {
                        self.place(&part)?;
                        return Ok((have, found));
                    }
                    self.watch.back(have);
                    drop(fs::remove_file(&part));
                    // Its first bytes may have been another file's.
                    if resumed && !restarted {
                        restarted = true;
                        continue;
                    }
                    return Err(self.wrong(format!(
                        "what {} sent has the SHA-256 {found}, expected {}; it was deleted: try \
                         again, or {}",
                        self.wanted.url.origin(),
                        self.wanted.sha256.unwrap_or("another"),
                        self.manners.words.mirror
                    )));
                }
                Go::Over => {
                    self.watch.back(have);
                    drop(fs::remove_file(&part));
                    self.learned = Learned::default();
                    failures += 1;
                    if failures > self.manners.tries {
                        return Err(self.wrong("it changes while it is fetched; try again later"));
                    }
                }
                Go::Again(why, least) => {
                    self.watch.back(have);
                    failures = if have > before { 1 } else { failures + 1 };
                    if failures >= self.manners.tries {
                        return Err(Error::new(
                            ErrorKind::Io,
                            format!(
                                "{}: {why}, {failures} times; {}",
                                self.wanted.name,
                                self.kept(&part)
                            ),
                        ));
                    }
                    let doubled = self
                        .manners
                        .wait
                        .saturating_mul(1 << (failures - 1).min(10));
                    self.watch.note(&format!("{why}; trying again"));
                    self.pause(doubled.min(PATIENCE).max(least), &part)?;
                }
            }
        }
    }

    /// One request and what comes of it.
    fn go(&mut self, part: &Path, have: &mut u64, hash: &mut Sha256, same: bool) -> Result<Go> {
        let events = http::start(Request {
            url: self.wanted.url.clone(),
            from: *have,
            if_range: self.learned.etag.clone().filter(|_| same),
            timeout: self.manners.timeout,
        });
        let head = match self.next(&events, part)? {
            Event::Head(head) => head,
            Event::Failed(f) if f.again => return Ok(Go::Again(f.what, Duration::ZERO)),
            Event::Failed(f) => return Err(self.fault(f.what)),
            _ => return Err(self.fault("the answer has no head")),
        };
        if let Some(go) = self.judge(&head)? {
            return Ok(go);
        }
        if let Some(encoding) = &head.encoding {
            return Err(self.wrong(format!(
                "{} sends it encoded ('{}') though plain bytes were asked for; use another mirror",
                head.origin,
                encoding.escape_default()
            )));
        }
        let total = match head.status {
            206 if *have == 0 => return Err(self.fault("a part was sent where all was asked for")),
            206 => {
                // A digest makes up for a server that says the tag only once.
                let told = head.etag.is_some() || self.wanted.sha256.is_none();
                let tagged = same && told && self.learned.etag.is_some();
                let changed = tagged && head.etag != self.learned.etag;
                match head.range.as_deref().and_then(content_range) {
                    Some((from, to, total)) if from == *have && !changed => {
                        let end = to.checked_add(1);
                        let agrees = total.is_none() || total == end;
                        if !agrees {
                            return Ok(Go::Over);
                        }
                        end
                    }
                    // Another part, or a part of another file: of no use.
                    _ => return Ok(Go::Over),
                }
            }
            _ => {
                // The server knows no ranges, or the file is another one now.
                self.watch.back(*have);
                (*have, *hash) = (0, Sha256::new());
                head.length
            }
        };
        let expected = self.wanted.size.or(self.learned.size.filter(|_| *have > 0));
        if let (Some(total), Some(expected)) = (total, expected)
            && total != expected
        {
            if *have == 0 {
                drop(fs::remove_file(part));
            }
            return Err(self.wrong(format!(
                "{} offers {total} bytes, expected {expected}; it is not the file that was \
                 published: {}",
                head.origin, self.manners.words.mirror
            )));
        }
        let most = total.or(expected);
        if let Some(most) = most {
            let folder = part.parent().unwrap_or(part);
            check_room(
                folder,
                most.saturating_sub(*have),
                self.manners.words.folder,
            )?;
        }
        if self.wanted.size.is_none() && self.learned.size.is_none() {
            self.watch.more(most.unwrap_or(0));
        }
        self.learned = Learned {
            url: self.wanted.url.to_string(),
            etag: head.etag,
            size: most,
        };
        (self.keep)(&self.learned)?;
        self.take(&events, part, have, hash, most)
    }

    /// Writes what comes.
    fn take(
        &mut self,
        events: &Receiver<Event>,
        part: &Path,
        have: &mut u64,
        hash: &mut Sha256,
        most: Option<u64>,
    ) -> Result<Go> {
        let fail = |e: io::Error| io_error(part, &e);
        let mut options = File::options();
        let file = match *have {
            0 => {
                drop(fs::remove_file(part));
                options.write(true).create_new(true).open(part)
            }
            _ => options.append(true).open(part),
        };
        let mut file = file.map_err(fail)?;
        loop {
            match self.next(events, part)? {
                Event::Data(piece) => {
                    let n = piece.len() as u64;
                    if *have + n > most.unwrap_or(UNTOLD) {
                        drop(file);
                        drop(fs::remove_file(part));
                        return Err(self.wrong(format!(
                            "{} sends more than the {} bytes that it promised; nothing was kept: {}",
                            self.wanted.url.origin(),
                            most.unwrap_or(UNTOLD),
                            self.manners.words.mirror
                        )));
                    }
                    file.write_all(&piece).map_err(fail)?;
                    hash.update(&piece);
                    *have += n;
                    self.watch.add(n);
                }
                Event::End if most.is_none_or(|most| *have == most) => {
                    file.sync_all().map_err(fail)?;
                    return Ok(Go::Whole);
                }
                Event::End | Event::Head(_) => {
                    let what = "the connection was lost".into();
                    return Ok(Go::Again(what, Duration::ZERO));
                }
                Event::Failed(f) if f.again => return Ok(Go::Again(f.what, Duration::ZERO)),
                Event::Failed(f) => return Err(self.fault(f.what)),
            }
        }
    }

    /// What an answer's status means; `None` where bytes follow.
    fn judge(&self, head: &Head) -> Result<Option<Go>> {
        let (origin, status) = (&head.origin, head.status);
        let Words { mirror, import, .. } = self.manners.words;
        match status {
            200 | 206 => Ok(None),
            416 => Ok(Some(Go::Over)),
            408 | 425 | 429 | 500..=599 => {
                let wait = Duration::from_secs(head.retry_after.unwrap_or(0));
                if wait > PATIENCE {
                    let seconds = wait.as_secs();
                    return Err(self.fault(format!(
                        "{origin} is busy (status {status}) and asks to wait {seconds} s; what was \
                         fetched is kept: try again then"
                    )));
                }
                let what = format!("{origin} is busy (status {status})");
                Ok(Some(Go::Again(what, wait)))
            }
            401 | 403 => Err(self.fault(format!(
                "{origin} does not give it to everybody (status {status}); download the model in a \
                 browser and {import}"
            ))),
            404 | 410 => Err(self.fault(format!(
                "{origin} has no such file (status {status}); {mirror}, or download the model elsewhere \
                 and {import}"
            ))),
            _ => Err(self.fault(format!("{origin} answers with status {status}"))),
        }
    }

    /// The next event, unless somebody pressed Ctrl-C.
    fn next(&mut self, events: &Receiver<Event>, part: &Path) -> Result<Event> {
        loop {
            self.look(part)?;
            match events.recv_timeout(LOOK) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Event::End),
            }
        }
    }

    fn pause(&mut self, time: Duration, part: &Path) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < time {
            self.look(part)?;
            std::thread::sleep(LOOK.min(time));
        }
        Ok(())
    }

    fn look(&mut self, part: &Path) -> Result<()> {
        self.watch.wait();
        if self.cancel.is_cancelled() {
            let what = format!("cancelled; {}", self.kept(part));
            return Err(Error::new(ErrorKind::Cancelled, what));
        }
        Ok(())
    }

    fn place(&self, part: &Path) -> Result<()> {
        fs::rename(part, self.wanted.target).map_err(|e| io_error(self.wanted.target, &e))?;
        if let Some(folder) = self.wanted.target.parent().and_then(|f| File::open(f).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    /// What is there to go on from.
    fn kept(&self, part: &Path) -> String {
        let again = self.manners.words.again;
        match fs::metadata(part).map_or(0, |m| m.len()) {
            0 => format!("{again} tries again"),
            n => format!(
                "{} are kept, and {again} continues from there",
                bytes_text(n)
            ),
        }
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Model, format!("{}: {what}", self.wanted.name))
    }

    fn fault(&self, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Io, format!("{}: {what}", self.wanted.name))
    }
}

/// `bytes FROM-TO/TOTAL`.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let total = match total.trim() {
        "*" => None,
        n => Some(n.parse().ok()?),
    };
    Some((from.trim().parse().ok()?, to.trim().parse().ok()?, total))
}

fn io_error(path: &Path, e: &io::Error) -> Error {
    crate::catalog::io_error(path, "written", e)
}
