//! Ctrl-C: an orderly end, whatever the program is doing.
#![cfg(unix)]
#![forbid(unsafe_code)]

use crate::support::{Run, mend, names, write_gray, write_png};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const WIDTH: u32 = 2400;
const HEIGHT: u32 = 1600;

/// A picture that takes seconds to compress well.
fn noise(path: &Path) {
    let mut state = 1u32;
    let pixels: Vec<u8> = (0..WIDTH * HEIGHT * 3)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Repetitive enough that a search for matches goes deep.
            (state >> 29) as u8
        })
        .collect();
    write_png(path, WIDTH, HEIGHT, png::ColorType::Rgb, &pixels);
}

#[test]
fn an_interrupt_ends_with_130_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    noise(&path.join("big.png"));
    let mut mask = vec![0; (WIDTH * HEIGHT) as usize];
    mask[WIDTH as usize * 800 + 1200] = 255;
    write_gray(&path.join("m.png"), WIDTH, HEIGHT, &mask);
    fs::create_dir(path.join("out")).unwrap();
    fs::write(path.join("out/o.png"), b"old").unwrap();
    for json in [false, true] {
        let mut command = mend();
        command
            .current_dir(path)
            .args(["fill", "big.png", "--mask", "m.png", "-o", "out/o.png"])
            .args(["--png-compression", "best"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if json {
            command.arg("--json");
        }
        let mut child = command.spawn().unwrap();
        // While it writes: a part of the new file is there already.
        let start = Instant::now();
        let written = || {
            fs::read_dir(path.join("out")).unwrap().any(|e| {
                let e = e.unwrap();
                e.file_name() != "o.png" && e.metadata().is_ok_and(|m| m.len() > 0)
            })
        };
        while !written() {
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "it never began to write"
            );
            assert!(
                child.try_wait().unwrap().is_none(),
                "it ended before the interrupt"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        let kill = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let interrupted = Instant::now();
        let run = Run::of(&child.wait_with_output().unwrap());
        assert!(interrupted.elapsed() < Duration::from_secs(2), "{run:?}");
        assert_eq!(run.code, 130, "{run:?}");
        if json {
            assert_eq!(run.json()["error"]["kind"], "cancelled", "{run:?}");
        } else {
            assert_eq!(run.stderr, "mend: error: cancelled; nothing was written\n");
        }
        assert_eq!(names(&path.join("out")), ["o.png"]);
        assert_eq!(fs::read(path.join("out/o.png")).unwrap(), b"old");
    }
}
