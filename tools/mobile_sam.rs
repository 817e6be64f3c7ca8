//! Passes of MobileSAM's encoder, or of its decoder by one click, one for each line on standard input; each
//! is told with its seconds and the most memory that the process had so far. `benches/mobile_sam.py` drives
//! it beside PyTorch.
//!
//! ```text
//! yes encode | head -5 | cargo run --release --example mobile_sam -- MODEL THREADS [OUT]
//! ```
//!
//! The picture is made by a formula that the script knows too; `OUT` gets the embedding as 32-bit floats,
//! `[side / 16][side / 16][channels]`.
#![forbid(unsafe_code)]

use mend_infer::kernels::{Context, Path as Instructions};
use mend_infer::models::mobile_sam::{MobileSam, Point, SIDE};
use mend_infer::nn::{Arena, Run, from_vec, values};
use mend_infer::weights::Weights;
use mend_infer::{Error, ErrorKind, Result};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match passes(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("mobile_sam: {e}");
            ExitCode::FAILURE
        }
    }
}

fn passes(args: &[String]) -> Result<()> {
    let wrong = |what: &str| Error::new(ErrorKind::Argument, what);
    let usage = || wrong("usage: mobile_sam MODEL THREADS [OUT]");
    let [model, threads, out @ ..] = args else {
        return Err(usage());
    };
    let threads = threads.parse::<usize>().map_err(|_| usage())?;
    let weights = Weights::open(Path::new(model))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| wrong(&e.to_string()))?;
    let cx = Context::new(Instructions::chosen());
    let start = Instant::now();
    let net = pool.install(|| MobileSam::new(&cx, &weights))?;
    println!("loaded {:.3}", start.elapsed().as_secs_f64());
    let wave = |at: usize| ((at / 3 / SIDE * (at % 3 + 3) + at / 3 % SIDE * 7) % 64) as f32 / 64.0;
    let picture = (0..SIDE * SIDE * 3).map(wave).collect();
    let picture = from_vec(picture, &[1, SIDE, SIDE, 3])?;
    let arena = Arena::new();
    let embed = || net.embed(&Run::new(&cx, &arena), &picture, SIDE);
    let mut seen = pool.install(embed)?;
    let point = Point {
        x: 300.0,
        y: 400.0,
        wanted: true,
    };
    for line in std::io::stdin().lines() {
        let line = line.map_err(|e| wrong(&e.to_string()))?;
        let start = Instant::now();
        match line.trim() {
            "decode" => pool
                .install(|| net.masks(&Run::new(&cx, &arena), &seen, &[point], None))
                .map(drop)?,
            _ => seen = pool.install(embed)?,
        }
        println!("pass {:.4} {}", start.elapsed().as_secs_f64(), peak());
        // Somebody waits for the line.
        let _ = std::io::stdout().flush();
    }
    if let [path] = out {
        let bytes: Vec<u8> = values(seen.features())?
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        std::fs::write(path, bytes).map_err(|e| wrong(&e.to_string()))?;
    }
    Ok(())
}

/// The most kibibytes that the process had; 0 where the system does not tell so.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}
