//! The output: replaced only when it is complete, and nothing left behind otherwise.
#![forbid(unsafe_code)]

use crate::decode::decode;
use crate::support::{data, folder, names, run, run_ok, write_mask};
use std::fs;
use std::path::Path;

fn with_mask(names: &[&str]) -> tempfile::TempDir {
    let dir = folder(names);
    write_mask(&dir.path().join("m.png"), 96, 72);
    dir
}

#[test]
fn a_picture_may_be_its_own_output() {
    let dir = with_mask(&["photo.png"]);
    run_ok(
        dir.path(),
        &["fill", "photo.png", "--mask", "m.png", "-o", "photo.png"],
    );
    let after = decode(&dir.path().join("photo.png"));
    assert_ne!(after, decode(&data("photo.png")));
    assert_eq!(names(dir.path()), ["m.png", "photo.png"]);
}

#[test]
fn an_existing_output_outlives_every_failure() {
    let dir = with_mask(&["photo.png", "cmyk.jpg", "float.tif"]);
    write_mask(&dir.path().join("other.png"), 20, 20);
    let broken = &fs::read(data("photo.png")).unwrap()[..9000];
    fs::write(dir.path().join("broken.png"), broken).unwrap();
    fs::write(dir.path().join("o.png"), b"precious").unwrap();
    let before = names(dir.path());
    for (image, mask) in [
        ("photo.png", "other.png"),
        ("photo.png", "broken.png"),
        ("broken.png", "m.png"),
        ("float.tif", "m.png"),
        ("none.png", "m.png"),
    ] {
        let run = run(dir.path(), &["fill", image, "--mask", mask, "-o", "o.png"]);
        assert_eq!(run.code, 1, "{run:?}");
        let kept = fs::read(dir.path().join("o.png")).unwrap();
        assert_eq!(kept, b"precious", "{image} {mask}");
        assert_eq!(names(dir.path()), before, "{image} {mask}");
    }
}

#[test]
fn an_empty_mask_changes_nothing_and_says_so() {
    let dir = folder(&["photo.png", "phone.jpg"]);
    let path = dir.path();
    crate::support::write_gray(&path.join("m.png"), 96, 72, &[0; 96 * 72]);
    for (name, output) in [("photo.png", "o.png"), ("phone.jpg", "o.jpg")] {
        let run = run_ok(path, &["fill", name, "--mask", "m.png", "-o", output]);
        assert!(run.stderr.contains("empty"), "{run:?}");
        // Not a byte differs: a JPEG is not even coded anew.
        assert_eq!(
            fs::read(path.join(output)).unwrap(),
            fs::read(data(name)).unwrap()
        );
        let run = run_ok(path, &["fill", name, "--mask", "m.png", "-o", name]);
        assert!(run.stderr.contains("empty"), "{run:?}");
        assert_eq!(
            fs::read(path.join(name)).unwrap(),
            fs::read(data(name)).unwrap()
        );
    }
    run_ok(
        path,
        &["fill", "photo.png", "--mask", "m.png", "-o", "o.tif"],
    );
    assert_eq!(decode(&path.join("o.tif")), decode(&data("photo.png")));
}

#[test]
fn a_picture_under_another_formats_name_is_not_replaced_by_that_format() {
    let dir = with_mask(&[]);
    fs::copy(data("photo.png"), dir.path().join("photo.jpg")).unwrap();
    let run = run(
        dir.path(),
        &["fill", "photo.jpg", "--mask", "m.png", "-o", "photo.jpg"],
    );
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("is a PNG"), "{run:?}");
    let kept = fs::read(dir.path().join("photo.jpg")).unwrap();
    assert_eq!(kept, fs::read(data("photo.png")).unwrap());
    run_ok(
        dir.path(),
        &["fill", "photo.jpg", "--mask", "m.png", "-o", "o.png"],
    );
}

#[cfg(unix)]
#[test]
fn permissions_are_kept_and_links_are_written_through() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = with_mask(&["photo.png"]);
    let path = dir.path();
    let mode = |name: &str| fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    fs::create_dir(path.join("real")).unwrap();
    fs::write(path.join("real/o.png"), b"old").unwrap();
    fs::set_permissions(path.join("real/o.png"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/o.png", path.join("link.png")).unwrap();
    run_ok(
        path,
        &["fill", "photo.png", "--mask", "m.png", "-o", "link.png"],
    );
    assert!(
        fs::symlink_metadata(path.join("link.png"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(decode(&path.join("real/o.png")).width, 96);
    assert_eq!(mode("real/o.png"), 0o640);
    // A link to what is not there yet makes it there.
    symlink("real/new.png", path.join("hanging.png")).unwrap();
    run_ok(
        path,
        &["fill", "photo.png", "--mask", "m.png", "-o", "hanging.png"],
    );
    assert_eq!(names(&path.join("real")), ["new.png", "o.png"]);
    // In a circle there is nothing to write.
    symlink("a.png", path.join("b.png")).unwrap();
    symlink("b.png", path.join("a.png")).unwrap();
    let run = run(
        path,
        &["fill", "photo.png", "--mask", "m.png", "-o", "a.png"],
    );
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("circle"), "{run:?}");
    // A new file is made as any other program would.
    let made = std::process::Command::new("sh")
        .current_dir(path)
        .args([
            "-c",
            "umask 027; \"$0\" fill photo.png --mask m.png -o fresh.png",
        ])
        .arg(env!("CARGO_BIN_EXE_mend"))
        .status()
        .unwrap();
    assert!(made.success());
    assert_eq!(mode("fresh.png"), 0o640);
}

/// Fills into `folder`, where there is too little room, and looks that nothing is left of it.
#[cfg(unix)]
fn does_not_fit(dir: &Path, folder: &Path, shell: &str, said: &str) {
    let before = names(folder);
    for output in [
        "o.png", "o.jpg", "o.tif", "o.webp", "o.bmp", "o.ppm", "o.tga", "o.qoi",
    ] {
        let output = folder.join(output);
        let run = std::process::Command::new("sh")
            .current_dir(dir)
            .args([
                "-c",
                &format!("{shell} exec \"$0\" fill photo.png --mask m.png -o \"$1\""),
            ])
            .arg(env!("CARGO_BIN_EXE_mend"))
            .arg(&output)
            .output()
            .unwrap();
        let run = crate::support::Run::of(&run);
        assert_eq!(run.code, 1, "{}: {run:?}", output.display());
        assert!(run.stderr.contains(said), "{}: {run:?}", output.display());
        assert!(run.stderr.contains(&*output.to_string_lossy()), "{run:?}");
        assert_eq!(names(folder), before, "{}", output.display());
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    let dir = with_mask(&["photo.png"]);
    // A limit on the size of files acts as a disk that fills up while writing; blocks of 512 bytes.
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("o.png"), b"old").unwrap();
    does_not_fit(
        dir.path(),
        &out,
        "trap '' XFSZ; ulimit -f 2;",
        "files this large",
    );
    assert_eq!(fs::read(out.join("o.png")).unwrap(), b"old");
}

#[cfg(target_os = "linux")]
#[test]
fn a_really_full_disk_is_named_and_leaves_nothing() {
    let dir = with_mask(&["photo.png"]);
    let disk = dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4k", "none"])
        .arg(&disk)
        .output();
    if !mount.is_ok_and(|m| m.status.success()) {
        eprintln!("not allowed to mount a small disk: the test above has to do");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        does_not_fit(dir.path(), &disk, "", "disk is full");
    });
    let unmounted = std::process::Command::new("umount").arg(&disk).status();
    assert!(unmounted.is_ok_and(|s| s.success()));
    assert!(result.is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn extended_attributes_of_a_replaced_file_are_kept() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    let dir = folder(&["photo.png"]);
    write_mask(&dir.path().join("m.png"), 96, 72);
    let photo = dir.path().join("photo.png");
    let set = |name: &str, value: &[u8]| setxattr(&photo, name, value, XattrFlags::empty());
    let get = |path: &std::path::Path, name: &str| {
        let mut value = [0; 256];
        let len = getxattr(path, name, &mut value[..]).ok()?;
        Some(value[..len].to_vec())
    };
    if set("user.xdg.comment", "grün".as_bytes()).is_err() {
        // This file system has none.
        return;
    }
    // An access list: owner, another user, group, mask, others; each with tag, rights and name.
    let acl: Vec<u8> = [2u32.to_le_bytes().to_vec()]
        .into_iter()
        .chain(
            [
                (1u16, 6u16, !0u32),
                (2, 4, 12_345),
                (4, 4, !0),
                (16, 4, !0),
                (32, 0, !0),
            ]
            .map(|(tag, rights, id)| {
                [
                    &tag.to_le_bytes()[..],
                    &rights.to_le_bytes(),
                    &id.to_le_bytes(),
                ]
                .concat()
            }),
        )
        .flatten()
        .collect();
    let listed = set("system.posix_acl_access", &acl).is_ok();
    set("user.thumbnail", b"small").unwrap();
    set("user.other", b"\xff\xd8\xff\xe0 a picture").unwrap();
    let run = run_ok(
        dir.path(),
        &["fill", "photo.png", "--mask", "m.png", "-o", "photo.png"],
    );
    assert_eq!(
        get(&photo, "user.xdg.comment").as_deref(),
        Some("grün".as_bytes())
    );
    if listed {
        assert_eq!(get(&photo, "system.posix_acl_access"), Some(acl));
    }
    // Pictures of the old state are none that stay.
    for name in ["user.thumbnail", "user.other"] {
        assert_eq!(get(&photo, name), None);
        assert!(run.stderr.contains(name), "{run:?}");
    }
    // A new file has nothing of the old one's.
    run_ok(
        dir.path(),
        &["fill", "photo.png", "--mask", "m.png", "-o", "new.png"],
    );
    assert_eq!(get(&dir.path().join("new.png"), "user.xdg.comment"), None);
}

#[cfg(unix)]
#[test]
fn another_name_of_the_file_is_told() {
    let dir = folder(&["photo.png"]);
    write_mask(&dir.path().join("m.png"), 96, 72);
    fs::hard_link(dir.path().join("photo.png"), dir.path().join("same.png")).unwrap();
    let run = run_ok(
        dir.path(),
        &["fill", "photo.png", "--mask", "m.png", "-o", "photo.png"],
    );
    assert!(run.stderr.contains("hard links"), "{run:?}");
}
