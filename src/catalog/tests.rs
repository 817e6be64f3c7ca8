//! Names, places, times, the catalogue.
#![forbid(unsafe_code)]

use super::manifest::stamp;
use super::names::id_from;
use super::place::{System, folder};
use super::*;
use crate::progress::Cancel;
use std::ffi::OsString;

#[test]
fn the_catalogue_is_sound() {
    let models = known();
    for model in &models {
        check_id(&model.id).unwrap();
        assert!(model.url.starts_with("https://") && !model.url.ends_with('/'));
        // A revision that cannot move.
        let revision = model.url.rsplit('/').next().unwrap();
        let all_known = model.files.iter().all(|f| f.sha256.is_some());
        assert!(revision.len() == 40 || all_known, "{}", model.url);
        assert!(model.licence.is_some());
        for file in &model.files {
            check_path(&file.path).unwrap();
            assert_eq!(file.size.is_some(), file.sha256.is_some(), "{}", file.path);
            if let Some(sha256) = &file.sha256 {
                assert!(digest::is_sha256(sha256), "{}", file.path);
            }
            // What could hold harm enough to matter is known to the last bit.
            let text = file.path.ends_with(".json") || file.path.ends_with(".txt");
            assert!(text || file.sha256.is_some(), "{}", file.path);
        }
    }
    let mut ids: Vec<_> = models.iter().map(|m| &m.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), models.len());
}

#[test]
fn names_are_harmless_on_every_system() {
    for good in [
        "a",
        "unet/x.fp16.safetensors",
        "a b/c-d_e.json",
        "com10",
        "console.txt",
        "a/b/c/d",
    ] {
        check_path(good).unwrap_or_else(|e| panic!("{e}"));
    }
    for bad in [
        "",
        "/",
        "a/",
        "/a",
        "..",
        "a/../b",
        ".",
        ".a",
        "a\\b",
        "a:b",
        "a\0",
        "CON",
        "nul.txt",
        "com1",
        "lpt0.x",
        "conout$",
        "a.",
        "a ",
        " a",
        "ä",
        "a?",
        "a|b",
        "mend-model.json",
        "MEND-FETCH.JSON",
        "a.PART",
        "a/b/c/d/e",
    ] {
        assert!(check_path(bad).is_err(), "{bad:?}");
    }
    assert!(check_path(&"a".repeat(200)).is_err());
    for good in ["sd15", "a.b-c_d", "9"] {
        check_id(good).unwrap();
    }
    for bad in [
        "", "A", "-a", ".a", "a/b", "a b", "aux", "com1.x", "a.", "..", "ä",
    ] {
        assert!(check_id(bad).is_err(), "{bad:?}");
    }
    assert!(check_id(&"a".repeat(65)).is_err());
    assert_eq!(id_from("SD 1.5  (Inpaint)"), "sd-1.5-inpaint");
    assert_eq!(id_from("…"), "");
}

#[test]
fn each_system_has_its_place() {
    let place = |system, set: &[(&str, &str)]| {
        let get = |name: &str| {
            let found = set.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| OsString::from(value))
        };
        folder(system, &get).map(|p| p.to_string_lossy().replace('\\', "/"))
    };
    let home = ("HOME", "/h");
    for (system, set, want) in [
        (
            System::Unix,
            &[home][..],
            Some("/h/.local/share/mend/models"),
        ),
        (
            System::Unix,
            &[home, ("XDG_DATA_HOME", "/d")],
            Some("/d/mend/models"),
        ),
        (
            System::Unix,
            &[home, ("XDG_DATA_HOME", "d")],
            Some("/h/.local/share/mend/models"),
        ),
        (
            System::Unix,
            &[home, ("XDG_DATA_HOME", "")],
            Some("/h/.local/share/mend/models"),
        ),
        (System::Unix, &[home, ("MEND_MODELS", "/m")], Some("/m")),
        (
            System::Mac,
            &[home],
            Some("/h/Library/Application Support/mend/models"),
        ),
        (
            System::Windows,
            &[("LOCALAPPDATA", "/l")],
            Some("/l/mend/models"),
        ),
        (System::Windows, &[home], None),
        (System::Unix, &[], None),
    ] {
        assert_eq!(place(system, set).as_deref(), want);
    }
}

#[test]
fn times_are_those_of_the_calendar() {
    for (seconds, want) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (4_102_444_800, "2100-01-01T00:00:00Z"),
    ] {
        assert_eq!(stamp(seconds), want);
    }
}

#[test]
fn what_is_installed_is_listed_once_with_its_place() {
    let folder = std::env::temp_dir().join(format!("mend-listing-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let store = Store::new(folder.clone());
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/taesd.safetensors"
    );
    let how = Import {
        id: Some("tiny".into()),
        link: false,
    };
    let taken = store.import(golden.as_ref(), &how, &mut |_| (), &Cancel::new());
    taken.unwrap();
    std::fs::create_dir_all(folder.join("odd")).unwrap();
    std::fs::write(folder.join("odd").join(MANIFEST), "{").unwrap();
    let all = listing(Some(&store), &known()).unwrap();
    let of = |id: &str| -> Vec<_> { all.iter().filter(|m| m["id"] == id).collect() };
    let tiny = of("tiny");
    assert_eq!((tiny.len(), &tiny[0]["state"]), (1, &"installed".into()));
    assert_eq!(
        (&tiny[0]["engine"], &tiny[0]["kind"]),
        (&"diffusion".into(), &"taesd".into())
    );
    let path = tiny[0]["path"].as_str().unwrap();
    assert!(std::path::Path::new(path).exists(), "{path}");
    assert_eq!(tiny[0]["bytes"], std::fs::metadata(golden).unwrap().len());
    assert_eq!(of("odd")[0]["state"], "broken");
    assert!(
        of("odd")[0]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("odd")
    );
    assert_eq!(of("lama")[0]["get"], "mend models fetch lama");
    assert_eq!(all.len(), known().len() + 2);
    std::fs::remove_dir_all(&folder).unwrap();
}
