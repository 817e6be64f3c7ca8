//! Passes of RAD's network, one for each line on standard input; each is told with its seconds and the most
//! memory that the process had so far. `benches/rad.py` drives it beside PyTorch.
//!
//! ```text
//! yes | head -5 | cargo run --release --example rad -- MODEL SIDE THREADS [OUT]
//! ```
//!
//! The input is made by a formula that the script knows too: a hole at level 638 in waves. `OUT` gets the last
//! pass's values as 32-bit floats, `[6][side][side]`.
#![forbid(unsafe_code)]

use mend_infer::kernels::{Context, Path as Instructions};
use mend_infer::models::RadUnet;
use mend_infer::models::rad_unet::Checkpoint;
use mend_infer::nn::{Arena, LevelMap, Run, from_vec, values};
use mend_infer::{Error, ErrorKind, Result};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// What the network is told of the hole.
const LEVEL: f32 = 638.0;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match passes(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("rad: {e}");
            ExitCode::FAILURE
        }
    }
}

fn passes(args: &[String]) -> Result<()> {
    let wrong = |what: &str| Error::new(ErrorKind::Argument, what);
    let usage = || wrong("usage: rad MODEL SIDE THREADS [OUT]");
    let [model, side, threads, out @ ..] = args else {
        return Err(usage());
    };
    let number = |text: &str| text.parse::<usize>().map_err(|_| usage());
    let (side, threads) = (number(side)?, number(threads)?);
    let checkpoint = Checkpoint::open(Path::new(model))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| wrong(&e.to_string()))?;
    let cx = Context::new(Instructions::chosen());
    let start = Instant::now();
    let scope = checkpoint.weights.root();
    let config = checkpoint.config.clone();
    let net = pool.install(|| RadUnet::new(&cx, &scope, config, &|| Ok(())))?;
    println!("loaded {:.3}", start.elapsed().as_secs_f64());
    let pixels = side * side;
    let mut levels = vec![0f32; pixels];
    let mut x = vec![0f32; 3 * pixels];
    for at in 0..pixels {
        let (row, column) = (at / side, at % side);
        let inside = |n: usize| (side / 3..side / 2).contains(&n);
        if inside(row) && inside(column) {
            levels[at] = LEVEL;
        }
        for c in 0..3 {
            let wave = ((row * (c + 3) + column * 7) % 64) as f32 / 64.0;
            x[c * pixels + at] = 2.0 * wave - 1.0;
        }
    }
    let x = from_vec(x, &[1, 3, side, side])?;
    let mut last = Vec::new();
    for line in std::io::stdin().lines() {
        line.map_err(|e| wrong(&e.to_string()))?;
        let start = Instant::now();
        let y = pool.install(|| {
            let arena = Arena::new();
            let map = LevelMap::new(side, side, &levels)?;
            net.forward(&Run::new(&cx, &arena), &x, &map)
        })?;
        println!("pass {:.4} {}", start.elapsed().as_secs_f64(), peak());
        // Somebody waits for the line.
        let _ = std::io::stdout().flush();
        last = values(&y)?.to_vec();
    }
    if let [path] = out {
        let bytes: Vec<u8> = last.iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(path, bytes).map_err(|e| wrong(&e.to_string()))?;
    }
    Ok(())
}

/// The most kibibytes that the process had; 0 where the system does not tell so.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let number = line.and_then(|l| l.trim().strip_suffix(" kB"));
    number.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}
