//! Models: what there is, and getting, importing and removing them.

use super::callback::goes_on;
use super::cancel::mend_cancel;
use super::error::mend_error;
use super::guard::guard_out;
use super::handle::shared;
use super::inpainter::mend_inpainter;
use super::status::mend_status;
use super::text::{lossless, text};
use crate::catalog::{Count, Import, Store, catalogue, check_room, import_size, listing};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Cancel;
use serde_json::{Value as Json, json};
use std::ffi::{c_char, c_void};
use std::path::Path;
use std::time::{Duration, Instant};

/// How far a fetch or an import is. The library makes the struct; it and what it points to live only
/// during the callback. Later versions may add members at its end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mend_transfer {
    /// The file of the model that is worked on, in UTF-8. Never NULL.
    pub file: *const c_char,
    /// Bytes that are there, of all files.
    pub bytes: u64,
    /// All bytes; 0 while nobody knows.
    pub total: u64,
    /// The speed; 0 before anything came.
    pub bytes_per_second: f64,
    /// Estimated seconds left; below 0 while there is no estimate.
    pub seconds_left: f64,
}

/// Receives the progress of mend_models_fetch or mend_models_import, some ten times a second, on the
/// thread that called it, also while nothing comes.
///
/// 'user' is what the call was given. Return exactly 1 to continue; anything else cancels. What holds for
/// mend_progress_fn holds here too.
pub type mend_transfer_fn =
    Option<unsafe extern "C" fn(transfer: *const mend_transfer, user: *mut c_void) -> i32>;

/// Lists the models that are in the models folder and those that can be fetched, as a JSON object in
/// UTF-8. Nothing is asked of the network.
///
/// - "folder": the models folder (the option "models"). "fetch": whether this library can fetch.
/// - "models": an array of objects with "id", "title" (what people call it), "state" ("installed", "known":
///   can be fetched, "partial": half fetched, "broken": see "error"), "kind", "base", "engine" (which uses
///   it), "purpose" (what it is for, in a few words for people), "about" (a line for people), "bytes" (all
///   its files), "here" (how many of them lie in the models folder: what a fetch need not bring, and what
///   a removal frees), "licence" (null, or "name", "url", "terms": "free", "use-restricted",
///   "non-commercial" or "unknown", and "accept": whether the user should read and accept it first),
///   "source" and "files"; installed ones also have "path", others "get" (the command that gets it). Of
///   broken and half fetched models that are in no catalogue most of these are missing.
///
/// Later versions may add members. *json receives the string; free it with mend_string_free. On failure
/// *json is NULL. No pointer but 'err' may be NULL. Any number of threads may use one inpainter at once.
/// Since version 1.4 of the C interface.
///
/// MEND_ERR_IO: the folder cannot be read, or there is no place for one. MEND_ERR_MODEL: the user's own
/// catalogue (the option "catalog") is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_models(
    inpainter: *const mend_inpainter,
    json: *mut *mut c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: a live inpainter that nobody changes now, pointers that may be written, or null.
    unsafe {
        guard_out(json, Some("json"), err, || {
            shared(inpainter, "inpainter")?
                .models()
                .map(|j| j.to_string())
        })
    }
}

/// Fetches the model 'id' of mend_models into the models folder, or what is missing or damaged of it: the
/// only function that uses the network. What an earlier call left is gone on from.
///
/// 'mirror' is an address that replaces the scheme and the host of the model's own; NULL takes the one in
/// the environment variable MEND_MODELS_URL, or else where the model is published. Proxies come from
/// HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. Each file is compared with its published size and
/// SHA-256; where none is known, the first fetch is believed and recorded. Show the model's licence before
/// you call this.
///
/// 'progress' is called with 'user'; see mend_transfer_fn. 'cancel' stops it when it is raised. Both stop
/// it within half a second, and what came stays. After that, a thread that uses nothing of the caller's may
/// wait for the network for a minute: do not unload the library sooner. *json receives the model's object as
/// in mend_models; free it with mend_string_free. On failure *json is NULL. Fills with the same inpainter
/// see the model from then on.
///
/// 'mirror', 'progress', 'user', 'cancel', 'json' and 'err' may be NULL. Any number of threads may use one
/// inpainter at once; only one fetches one model. Since version 1.4 of the C interface.
///
/// MEND_ERR_ARGUMENT: no such model, or an address that is none. MEND_ERR_IO: the network, the server or
/// the disk fails, or another program is at work on this model. MEND_ERR_MODEL: a file is not what was
/// published, or something is in its way. MEND_ERR_CANCELLED. MEND_ERR_UNSUPPORTED: the library was built
/// without the feature "fetch".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_models_fetch(
    inpainter: *const mend_inpainter,
    id: *const c_char,
    mirror: *const c_char,
    progress: mend_transfer_fn,
    user: *mut c_void,
    cancel: *const mend_cancel,
    json: *mut *mut c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: live handles, strings that end in NUL, a callback and pointers to write, or null.
    unsafe {
        guard_out(json, None, err, || {
            shared(inpainter, "inpainter")?.fetch(
                text(id, "id")?,
                optional(mirror, "mirror")?,
                &mut Counter::new(progress, user, cancel.as_ref()),
            )
        })
    }
}

/// Imports a model that is on this machine: a diffusers folder, or a file (.safetensors, PyTorch's archive,
/// .onnx). What it is is told from its tensors, and its files are copied into the models folder.
///
/// 'path' names it, in UTF-8. 'id' is the name that it gets (1 to 64 lower-case letters, digits, '-', '_'
/// and '.'); NULL makes one from the file's name that no model has yet. 'progress', 'user' and 'cancel' are
/// as for mend_models_fetch. *json receives the model's object as in mend_models; free it with
/// mend_string_free. On failure *json is NULL and nothing is left behind.
///
/// 'id', 'progress', 'user', 'cancel', 'json' and 'err' may be NULL. Any number of threads may use one
/// inpainter at once. Since version 1.4 of the C interface.
///
/// MEND_ERR_MODEL: it is no model that Mend can use, or the id is taken. MEND_ERR_ARGUMENT: 'id' is none.
/// MEND_ERR_IO: it cannot be read, or the disk has no room. MEND_ERR_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_models_import(
    inpainter: *const mend_inpainter,
    path: *const c_char,
    id: *const c_char,
    progress: mend_transfer_fn,
    user: *mut c_void,
    cancel: *const mend_cancel,
    json: *mut *mut c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: live handles, strings that end in NUL, a callback and pointers to write, or null.
    unsafe {
        guard_out(json, None, err, || {
            shared(inpainter, "inpainter")?.import(
                text(path, "path")?,
                optional(id, "id")?,
                &mut Counter::new(progress, user, cancel.as_ref()),
            )
        })
    }
}

/// Removes the model 'id' from the models folder, or what a broken off fetch left of one. Only files that
/// Mend put there are deleted; of a model that was imported in place, none.
///
/// *json receives a JSON object: "files" and "bytes" that were deleted, and "left", an array of names that
/// are still in its folder. Free it with mend_string_free; on failure it is NULL. A fill that is using the
/// model may fail; call mend_inpainter_trim to let go of what is loaded.
///
/// 'json' and 'err' may be NULL. Any number of threads may use one inpainter at once. Since version 1.4 of
/// the C interface.
///
/// MEND_ERR_ARGUMENT: 'id' is none. MEND_ERR_MODEL: it is not installed, or damaged so that nobody knows
/// what belongs to it. MEND_ERR_IO: a file cannot be deleted, or another program is at work on this model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_models_remove(
    inpainter: *const mend_inpainter,
    id: *const c_char,
    json: *mut *mut c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: a live inpainter, a string that ends in NUL, pointers that may be written, or null.
    unsafe {
        guard_out(json, None, err, || {
            shared(inpainter, "inpainter")?.remove(text(id, "id")?)
        })
    }
}

/// A string that C may leave out.
///
/// # Safety
/// As [`text`].
unsafe fn optional<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: as this function's.
    unsafe { text(pointer, name) }.map(Some)
}

impl mend_inpainter {
    fn store(&self) -> Result<Store> {
        let folder = self.0.options().models_folder().ok_or_else(|| {
            Error::new(
                ErrorKind::Io,
                "there is no home folder to keep models in; set the option 'models' or MEND_MODELS",
            )
        })?;
        Ok(Store::new(std::path::absolute(&folder).unwrap_or(folder)))
    }

    fn models(&self) -> Result<Json> {
        let store = self.store()?;
        let known = catalogue(self.0.options().catalog.as_deref())?;
        let models = listing(Some(&store), &known)?;
        Ok(json!({
            "folder": store.folder().to_string_lossy(), "fetch": cfg!(feature = "fetch"),
            "models": models,
        }))
    }

    /// One of [`Self::models`].
    fn model(&self, id: &str) -> Result<String> {
        let mut models = self.models()?;
        let all = models["models"].as_array_mut();
        let one = all.and_then(|all| all.iter_mut().find(|m| m["id"] == id));
        Ok(one.map_or(Json::Null, Json::take).to_string())
    }

    #[cfg(feature = "fetch")]
    fn fetch(&self, id: &str, mirror: Option<&str>, counter: &mut Counter<'_>) -> Result<String> {
        use crate::fetch::{Fetch, Manners, find};
        let store = self.store()?;
        let manners = Manners {
            from: mirror.map(str::to_owned),
            ..Manners::default()
        };
        let known = catalogue(self.0.options().catalog.as_deref())?;
        let model = find(&known, id, &manners.words)?;
        counter.expect(model.bytes());
        let stop = counter.stop.clone();
        Fetch::new(model, &manners)?.run(&store, counter, &stop)?;
        self.model(id)
    }

    #[cfg(not(feature = "fetch"))]
    fn fetch(&self, _: &str, _: Option<&str>, _: &mut Counter<'_>) -> Result<String> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "this library was built without the feature 'fetch' and cannot use the network; download the \
             model elsewhere and import it",
        ))
    }

    fn import(&self, path: &str, id: Option<&str>, counter: &mut Counter<'_>) -> Result<String> {
        let (store, path) = (self.store()?, Path::new(path));
        let bytes = import_size(path);
        check_room(
            store.folder(),
            bytes,
            "set the option 'models' to another folder",
        )?;
        counter.expect(bytes);
        counter.named(&path.file_name().unwrap_or_default().to_string_lossy());
        let id = match id {
            Some(id) => id.to_owned(),
            None => store.free_id(path)?,
        };
        let how = Import {
            id: Some(id.clone()),
            link: false,
        };
        let stop = counter.stop.clone();
        let mut progress = |n| {
            counter.count.add(n);
            counter.tell(false);
        };
        store.import(path, &how, &mut progress, &stop)?;
        counter.tell(true);
        self.model(&id)
    }

    fn remove(&self, id: &str) -> Result<String> {
        let removed = self.store()?.remove(id)?;
        let json = json!({
            "files": removed.files, "bytes": removed.bytes, "left": removed.left,
        });
        Ok(json.to_string())
    }
}

/// Between two calls of C.
const PAUSE: Duration = Duration::from_millis(100);

/// Counts, tells C, and raises a flag of its own when C has had enough in either way.
struct Counter<'a> {
    progress: mend_transfer_fn,
    user: *mut c_void,
    cancel: Option<&'a mend_cancel>,
    stop: Cancel,
    count: Count,
    file: String,
    told: Option<Instant>,
}

impl<'a> Counter<'a> {
    fn new(progress: mend_transfer_fn, user: *mut c_void, cancel: Option<&'a mend_cancel>) -> Self {
        Self {
            progress,
            user,
            cancel,
            stop: Cancel::new(),
            count: Count::new(None),
            file: String::new(),
            told: None,
        }
    }

    fn expect(&mut self, bytes: u64) {
        self.count = Count::new(Some(bytes));
    }

    fn named(&mut self, file: &str) {
        self.file = file.to_owned();
        self.tell(false);
    }

    /// Tells C, if it is time again or `anyhow`.
    fn tell(&mut self, anyhow: bool) {
        if self.cancel.is_some_and(|c| c.0.is_cancelled()) {
            self.stop.cancel();
        }
        let Some(progress) = self.progress else {
            return;
        };
        let early = self.told.is_some_and(|at| at.elapsed() < PAUSE);
        if (early && !anyhow) || self.stop.is_cancelled() {
            return;
        }
        self.told = Some(Instant::now());
        let (file, speed) = (lossless(self.file.clone()), self.count.speed());
        let left = self.count.seconds_left().filter(|_| speed > 0.0);
        let told = mend_transfer {
            file: file.as_ptr(),
            bytes: self.count.done(),
            total: self.count.total().unwrap_or(0),
            bytes_per_second: speed,
            seconds_left: left.unwrap_or(-1.0),
        };
        // SAFETY: C gave the function for this, with its `user`; the struct lives until it returns.
        if !unsafe { goes_on(progress, &told, self.user) } {
            self.stop.cancel();
        }
    }
}

#[cfg(feature = "fetch")]
impl crate::fetch::Watch for Counter<'_> {
    fn file(&mut self, name: &str) {
        self.named(name);
    }
    fn more(&mut self, bytes: u64) {
        self.count.more(bytes);
    }
    fn there(&mut self, bytes: u64) {
        self.count.there(bytes);
        self.tell(false);
    }
    fn back(&mut self, bytes: u64) {
        self.count.back(bytes);
    }
    fn add(&mut self, bytes: u64) {
        self.count.add(bytes);
        self.tell(false);
    }
    fn wait(&mut self) {
        self.tell(false);
    }
}
