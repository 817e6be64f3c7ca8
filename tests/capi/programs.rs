//! Programs in C, C++ and Python that use the shared library as a stranger would.

use crate::declared;
use crate::header;
use mend::capi::{MEND_ABI_VERSION, mend_image, mend_progress};
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Warnings are errors, and there are many.
const STRICT: [&str; 8] = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
    "-g",
];

/// The languages that the header is for: compiler, and how it is told.
const LANGUAGES: [(&str, [&str; 3]); 2] = [
    ("cc", ["-x", "c", "-std=c11"]),
    ("c++", ["-x", "c++", "-std=c++17"]),
];

/// The shared library that was built along with this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let path = test.with_file_name("libmend.so");
    assert!(
        path.is_file(),
        "{} is missing: cargo builds it with this test",
        path.display()
    );
    path
}

/// A folder with the library under the names that a linker and a loader look for.
fn library_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder for the test");
    for link in [
        "libmend.so".to_owned(),
        format!("libmend.so.{MEND_ABI_VERSION}"),
    ] {
        let link = folder.join(link);
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(library(), link).expect("a link to the library");
    }
    folder
}

fn output(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    let output = command.output().unwrap_or_else(|e| match e.kind() {
        ErrorKind::NotFound => panic!(
            "{} is not installed; the C interface is tested with a C compiler, a C++ compiler, \
             binutils and Python 3 (Debian: apt-get install build-essential python3)",
            program.display()
        ),
        _ => panic!("{}: {e}", program.display()),
    });
    assert!(
        output.status.success(),
        "{command:?} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn text(output: Output) -> String {
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Compiles a C file as `language` and links it with the library.
fn compiled(
    (compiler, language): (&str, [&str; 3]),
    source: &Path,
    flags: &[&str],
    folder: &Path,
) -> PathBuf {
    let program = folder.join(format!(
        "{}-{compiler}",
        source.file_stem().unwrap().display()
    ));
    let mut rpath = OsStr::new("-Wl,-rpath,").to_owned();
    rpath.push(folder);
    output(
        Command::new(compiler)
            .args(language)
            .args(STRICT)
            .args(flags)
            .arg("-I")
            .arg(header::root().join("include"))
            .arg(source)
            .arg("-o")
            .arg(&program)
            .arg("-L")
            .arg(folder)
            .args([OsStr::new("-lmend"), OsStr::new("-pthread"), &rpath]),
    );
    program
}

#[test]
fn the_header_stands_alone_and_means_what_rust_means() {
    let folder = library_folder("alone");
    let source = folder.join("alone.c");
    let mut text = String::from("#include \"mend.h\"\n#include \"mend.h\"\n");
    text.push_str("#ifdef __cplusplus\n#define SAME(a, b) static_assert((a) == (b), #a)\n");
    text.push_str("#else\n#define SAME(a, b) _Static_assert((a) == (b), #a)\n#endif\n");
    for (what, rust) in [
        ("sizeof(mend_image)", size_of::<mend_image>()),
        ("offsetof(mend_image, data)", offset_of!(mend_image, data)),
        (
            "offsetof(mend_image, length)",
            offset_of!(mend_image, length),
        ),
        (
            "offsetof(mend_image, stride)",
            offset_of!(mend_image, stride),
        ),
        ("offsetof(mend_image, width)", offset_of!(mend_image, width)),
        (
            "offsetof(mend_image, height)",
            offset_of!(mend_image, height),
        ),
        (
            "offsetof(mend_image, format)",
            offset_of!(mend_image, format),
        ),
        ("sizeof(mend_progress)", size_of::<mend_progress>()),
        (
            "offsetof(mend_progress, stage)",
            offset_of!(mend_progress, stage),
        ),
        (
            "offsetof(mend_progress, step)",
            offset_of!(mend_progress, step),
        ),
        (
            "offsetof(mend_progress, steps)",
            offset_of!(mend_progress, steps),
        ),
        (
            "offsetof(mend_progress, seconds_left)",
            offset_of!(mend_progress, seconds_left),
        ),
        (
            "offsetof(mend_progress, preview)",
            offset_of!(mend_progress, preview),
        ),
        (
            "offsetof(mend_progress, preview_x)",
            offset_of!(mend_progress, preview_x),
        ),
        (
            "offsetof(mend_progress, preview_height)",
            offset_of!(mend_progress, preview_height),
        ),
        ("MEND_ABI_VERSION", MEND_ABI_VERSION as usize),
    ] {
        text.push_str(&format!("SAME({what}, {rust});\n"));
    }
    text.push_str("int main(void) { return 0; }\n");
    fs::write(&source, text).expect("a file for the test");
    for language in LANGUAGES {
        compiled(language, &source, &["-Wundef"], &folder);
    }
}

#[test]
fn a_c_and_a_cpp_program_fill_under_the_address_sanitizer() {
    let folder = library_folder("fill");
    let source = header::root().join("tests/c/fill.c");
    for language in LANGUAGES {
        let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        let program = compiled(language, &source, &sanitizers, &folder);
        let said =
            output(Command::new(program).env("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0"));
        assert_eq!(text(said), "all is well\n");
    }
}

#[test]
fn the_example_fills_a_picture_and_says_what_is_wrong() {
    let folder = library_folder("example");
    let source = header::root().join("examples/fill.c");
    let (width, height) = (60, 40);
    let mut picture = format!("P6\n{width} {height}\n255\n").into_bytes();
    let mut mask = format!("P5\n{width} {height}\n255\n").into_bytes();
    let mut selected = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let inside = (20..33).contains(&x) && (12..25).contains(&y);
            // What is to go is unlike all that is around it: no fill leaves a pixel of it as it was.
            picture.extend(match inside {
                true => [255, 0, 255],
                false => [(x * 4) as u8, (y * 6) as u8, ((x * 7 + y * 3) % 256) as u8],
            });
            mask.push(if inside { 255 } else { 0 });
            selected.push(inside);
        }
    }
    let path = |name: &str| folder.join(name);
    fs::write(path("picture.ppm"), &picture).expect("a picture");
    fs::write(path("mask.pgm"), &mask).expect("a mask");
    fs::write(path("half.ppm"), &picture[..picture.len() / 2]).expect("a picture");
    let program = compiled(LANGUAGES[0], &source, &["-fsanitize=address"], &folder);
    let run = |picture: &str, to: &str| {
        let mut command = Command::new(&program);
        command.args([path(picture), path("mask.pgm"), path(to)]);
        command
    };
    let report = text(output(&mut run("picture.ppm", "filled.ppm")));
    assert!(report.contains("\"pixels\":169"), "{report}");
    let filled = fs::read(path("filled.ppm")).expect("the filled picture");
    assert_eq!(filled.len(), picture.len());
    let start = picture.len() - width * height * 3;
    let mut changed = 0;
    let pixels = picture[start..].chunks(3).zip(filled[start..].chunks(3));
    for ((before, after), selected) in pixels.zip(&selected) {
        assert!(before == after || *selected);
        changed += usize::from(before != after);
    }
    assert_eq!(changed, 169);
    fs::remove_file(path("filled.ppm")).expect("the filled picture");
    let failed = run("half.ppm", "nothing.ppm")
        .output()
        .expect("the program");
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("half.ppm"));
    assert!(!path("nothing.ppm").exists());
}

#[test]
fn python_uses_it_with_ctypes() {
    let test = header::root().join("tests/python/test_capi.py");
    let ran = output(
        Command::new("python3")
            .arg(test)
            .env("MEND_LIBRARY", library()),
    );
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("OK") && !said.contains("skipped"), "{said}");
}

#[test]
fn only_the_header_is_exported_and_the_soname_carries_its_version() {
    let library = library();
    let symbols = text(output(
        Command::new("nm")
            .args(["-D", "--defined-only", "--format=posix"])
            .arg(&library),
    ));
    let exported = symbols
        .lines()
        .filter_map(|l| l.split(' ').next())
        .map(str::to_owned)
        .collect();
    let header = fs::read_to_string(header::path()).expect("include/mend.h");
    assert_eq!(declared::functions(&header), exported);
    let soname = format!("libmend.so.{MEND_ABI_VERSION}");
    let dynamic = text(output(Command::new("objdump").arg("-p").arg(&library)));
    let found = dynamic
        .lines()
        .find_map(|l| l.trim().strip_prefix("SONAME"));
    assert_eq!(found.map(str::trim), Some(soname.as_str()));
    // cargo-c makes the same name of the version in Cargo.toml.
    let manifest = fs::read_to_string(header::root().join("Cargo.toml")).expect("Cargo.toml");
    let version = manifest
        .split_once("[package.metadata.capi.library]")
        .and_then(|(_, rest)| rest.split_once("version = \"")?.1.split_once('.'))
        .map(|(major, _)| major);
    assert_eq!(version, Some(MEND_ABI_VERSION.to_string().as_str()));
}
