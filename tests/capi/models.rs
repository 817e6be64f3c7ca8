//! Models through C: listed, fetched from a server of this test's, imported, removed.

use crate::c::{Handle, cancel, inpainter, outcome, taken};
use crate::server::{Server, opening, whole};
use mend::capi::*;
use serde_json::{Value as Json, json};
use std::ffi::{CStr, CString, c_char, c_void};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

type Outcome = Result<Json, crate::agreement::Failure>;

/// A models folder, and an inpainter that knows it and a catalogue of one model, `tiny`.
struct Place {
    dir: tempfile::TempDir,
    inpainter: Handle<mend_inpainter>,
}

fn text(s: impl AsRef<str>) -> CString {
    CString::new(s.as_ref()).expect("no NUL")
}

impl Place {
    fn new(url: &str, bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut hash = mend::catalog::Sha256::new();
        hash.update(bytes);
        let file = json!({"path": "m.safetensors", "size": bytes.len(), "sha256": hash.finish()});
        let model = json!({
            "id": "tiny", "kind": "taesd", "base": "any", "title": "Tiny", "url": url, "files": [file],
            "licence": {"name": "Test RAIL", "url": "https://example.org/licence"},
        });
        let catalogue = dir.path().join("catalog.json");
        fs::write(&catalogue, json!({"models": [model]}).to_string()).expect("a file");
        let place = Self {
            inpainter: inpainter(),
            dir,
        };
        place.set("models", &place.path("models"));
        place.set("catalog", &catalogue);
        place
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn set(&self, name: &str, value: &std::path::Path) {
        let (name, value) = (text(name), text(value.to_string_lossy()));
        let mut err = null_mut();
        // SAFETY, here and below: everything passed is live, and strings end in NUL.
        let status = unsafe {
            mend_inpainter_set(self.inpainter.0, name.as_ptr(), value.as_ptr(), &mut err)
        };
        outcome(status, err).expect("an option");
    }

    fn answer(&self, call: impl FnOnce(*mut *mut c_char, *mut *mut mend_error) -> i32) -> Outcome {
        let (mut json, mut err) = (null_mut(), null_mut());
        let status = call(&mut json, &mut err);
        outcome(status, err).map(|()| taken(json))
    }

    fn list(&self) -> Json {
        let of = self.inpainter.0;
        self.answer(|json, err| unsafe { mend_models(of, json, err) })
            .expect("a list")
    }

    /// What the list says of one model.
    fn model(&self, id: &str) -> Json {
        let all = self.list();
        let mut models = all["models"].as_array().expect("models").iter();
        models.find(|m| m["id"] == id).cloned().unwrap_or_default()
    }

    fn fetch(&self, id: &str, calls: &mut Calls, cancel: *const mend_cancel) -> Outcome {
        let (of, id) = (self.inpainter.0, text(id));
        let (user, tell) = (std::ptr::from_mut(calls).cast(), Some(count as _));
        self.answer(|json, err| unsafe {
            mend_models_fetch(of, id.as_ptr(), null(), tell, user, cancel, json, err)
        })
    }

    fn import(&self, path: &str, id: Option<&str>) -> Outcome {
        let (of, path, id) = (self.inpainter.0, text(path), id.map(text));
        let id = id.as_ref().map_or(null(), |id| id.as_ptr());
        self.answer(|json, err| unsafe {
            mend_models_import(of, path.as_ptr(), id, None, null_mut(), null(), json, err)
        })
    }

    fn remove(&self, id: &str) -> Outcome {
        let (of, id) = (self.inpainter.0, text(id));
        self.answer(|json, err| unsafe { mend_models_remove(of, id.as_ptr(), json, err) })
    }
}

#[derive(Default)]
struct Calls {
    count: u32,
    bytes: u64,
    stop_after: Option<u64>,
    stopped: Option<Instant>,
}

unsafe extern "C" fn count(told: *const mend_transfer, user: *mut c_void) -> i32 {
    // SAFETY: the library passes a live struct, and back what it was given.
    let (told, calls) = unsafe { (&*told, &mut *user.cast::<Calls>()) };
    assert!(told.total == 0 || told.bytes <= told.total);
    assert!(told.seconds_left.is_finite() && told.bytes_per_second >= 0.0);
    // SAFETY: never null.
    assert_eq!(unsafe { CStr::from_ptr(told.file) }, c"m.safetensors");
    assert!(calls.stopped.is_none(), "called after it said stop");
    calls.count += 1;
    calls.bytes = told.bytes;
    if calls.stop_after.is_some_and(|n| told.bytes >= n) {
        calls.stopped = Some(Instant::now());
        return 0;
    }
    1
}

fn golden() -> Vec<u8> {
    fs::read(golden_path()).expect("a golden")
}

fn golden_path() -> String {
    let root = crate::header::root();
    root.join("tests/golden/taesd.safetensors")
        .to_string_lossy()
        .into_owned()
}

/// A server that sends half of what is asked for and then nothing for long.
fn half(bytes: &[u8]) -> Server {
    let bytes = bytes.to_vec();
    Server::new(move |request, stream| {
        if request.from().is_some() {
            return whole(request, stream, &bytes, "\"v1\"");
        }
        let rest = opening(request, stream, &bytes, "\"v1\"");
        let _ = stream.write_all(&rest[..rest.len() / 2]);
        std::thread::sleep(Duration::from_secs(20));
    })
}

#[test]
fn a_model_is_listed_fetched_and_removed() {
    let bytes = golden();
    let server = Server::good(&bytes);
    let place = Place::new(&server.url(), &bytes);
    let known = place.model("tiny");
    assert_eq!(
        (&known["state"], &known["title"]),
        (&json!("known"), &json!("Tiny"))
    );
    assert_eq!(
        (&known["bytes"], &known["here"]),
        (&json!(bytes.len()), &json!(0))
    );
    assert_eq!(known["licence"]["terms"], "use-restricted");
    assert_eq!(known["licence"]["accept"], true);
    assert_eq!(place.list()["fetch"], true);
    assert_eq!(place.model("lama")["engine"], "lama");
    assert!(server.seen().is_empty(), "asked of the network by a list");

    let mut calls = Calls::default();
    let got = place.fetch("tiny", &mut calls, null()).expect("a model");
    assert_eq!(
        (&got["state"], &got["here"]),
        (&json!("installed"), &json!(bytes.len()))
    );
    assert_eq!(got["licence"]["name"], "Test RAIL");
    let path = got["path"].as_str().expect("a path");
    assert_eq!(fs::read(path).expect("a file"), bytes);
    assert!(calls.count >= 1);

    let gone = place.remove("tiny").expect("removed");
    assert_eq!(
        gone["bytes"].as_u64().map(|n| n >= bytes.len() as u64),
        Some(true)
    );
    assert_eq!(place.model("tiny")["state"], "known");
    assert!(!place.path("models/tiny").exists());
}

#[test]
fn a_stopped_fetch_keeps_its_part_and_goes_on() {
    let bytes = golden();
    let server = half(&bytes);
    for by_flag in [false, true] {
        let place = Place::new(&server.url(), &bytes);
        let flag = cancel();
        let mut calls = Calls {
            stop_after: (!by_flag).then_some(1),
            ..Calls::default()
        };
        let raise = std::thread::spawn({
            let flag = flag.0 as usize;
            move || {
                std::thread::sleep(Duration::from_millis(600));
                let at = Instant::now();
                // SAFETY: the flag lives until this thread was joined.
                assert_eq!(
                    unsafe { mend_cancel_trigger(flag as *const mend_cancel) },
                    MEND_OK
                );
                at
            }
        });
        let error = place.fetch("tiny", &mut calls, flag.0).unwrap_err();
        let ended = Instant::now();
        let raised = raise.join().expect("a thread");
        assert_eq!(error.status, MEND_ERR_CANCELLED, "{}", error.message);
        let stopped = calls.stopped.unwrap_or(raised);
        assert!(
            ended - stopped < Duration::from_millis(500),
            "{:?}",
            ended - stopped
        );
        let partial = place.model("tiny");
        assert_eq!(partial["state"], "partial");
        let here = partial["here"].as_u64().expect("bytes");
        assert!(here > 0 && here <= bytes.len() as u64 / 2, "{here}");

        let got = place
            .fetch("tiny", &mut Calls::default(), null())
            .expect("the rest");
        assert_eq!(got["state"], "installed");
        let last = server.seen().pop().expect("a request");
        assert_eq!(last.from(), Some(here as usize), "from the beginning");
    }
}

#[test]
fn failures_say_what_to_do() {
    let bytes = golden();
    let server = Server::new(|request, stream| whole(request, stream, b"<html>", "\"v1\""));
    let place = Place::new(&server.url(), &bytes);
    let mut calls = Calls::default();
    let e = place.fetch("tiny", &mut calls, null()).unwrap_err();
    assert_eq!(e.status, MEND_ERR_MODEL);
    assert!(
        e.message.contains("not the file that was published"),
        "{}",
        e.message
    );
    assert!(
        !e.message.contains("--"),
        "an option of the command line: {}",
        e.message
    );
    let e = place.fetch("tinny", &mut calls, null()).unwrap_err();
    assert_eq!(e.status, MEND_ERR_ARGUMENT);
    assert!(e.message.contains("did you mean 'tiny'"), "{}", e.message);
    let e = place.remove("tiny").unwrap_err();
    assert_eq!(e.status, MEND_ERR_MODEL);
    place.set("catalog", &place.path("none.json"));
    let of = place.inpainter.0;
    let e = place.answer(|json, err| unsafe { mend_models(of, json, err) });
    assert!(e.unwrap_err().message.contains("none.json"));
    // A dialog still shows what it can.
    let all = place.answer(|json, err| unsafe { mend_describe(of, json, err) });
    assert!(
        all.expect("a description")["models"]
            .as_array()
            .is_some_and(|m| !m.is_empty())
    );
}

#[test]
fn a_file_is_imported_under_a_name_that_is_free() {
    let place = Place::new("https://example.org", b"x");
    let first = place.import(&golden_path(), None).expect("a model");
    assert_eq!(first["id"], "taesd");
    assert_eq!(
        (&first["state"], &first["kind"]),
        (&json!("installed"), &json!("taesd"))
    );
    let second = place.import(&golden_path(), None).expect("a model");
    assert_eq!(second["id"], "taesd-2");
    let named = place.import(&golden_path(), Some("mine")).expect("a model");
    assert_eq!(
        (&named["id"], &named["licence"]),
        (&json!("mine"), &Json::Null)
    );
    let e = place.import(&golden_path(), Some("mine")).unwrap_err();
    assert_eq!(e.status, MEND_ERR_MODEL);
    let e = place.import("/no/such/file", None).unwrap_err();
    assert_eq!(e.status, MEND_ERR_IO);
}
