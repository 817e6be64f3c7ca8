//! Passes of LaMa or MI-GAN, one for each line on standard input; each is told with its seconds and the
//! most memory that the process had so far. `benches/erasers.py` drives it beside PyTorch.
//!
//! ```text
//! yes | head -5 | cargo run --release --example eraser -- lama|migan MODEL SIDE THREADS [OUT]
//! ```
//!
//! The input is made by a formula that the script knows too; `OUT` gets the last pass's values as 32-bit
//! floats, `[3][side][side]`.
#![forbid(unsafe_code)]

use mend_infer::kernels::{Context, Path as Instructions};
use mend_infer::models::{lama, migan};
use mend_infer::nn::{Arena, Run, Tensor, from_vec, values};
use mend_infer::weights::Weights;
use mend_infer::{Error, ErrorKind, Result};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

enum Network {
    Lama(Box<lama::Generator>),
    Migan(Box<migan::Generator>),
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match passes(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("eraser: {e}");
            ExitCode::FAILURE
        }
    }
}

fn passes(args: &[String]) -> Result<()> {
    let wrong = |what: &str| Error::new(ErrorKind::Argument, what);
    let usage = || wrong("usage: eraser lama|migan MODEL SIDE THREADS [OUT]");
    let [kind, model, side, threads, out @ ..] = args else {
        return Err(usage());
    };
    let number = |text: &str| text.parse::<usize>().map_err(|_| usage());
    let (side, threads) = (number(side)?, number(threads)?);
    let weights = Weights::open(Path::new(model))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| wrong(&e.to_string()))?;
    let cx = Context::new(Instructions::chosen());
    let start = Instant::now();
    let net = pool.install(|| match kind.as_str() {
        "lama" => lama::Generator::new(&cx, &lama::find(&weights)?)
            .map(|net| Network::Lama(Box::new(net))),
        "migan" => migan::Generator::new(&cx, &migan::find(&weights)?)
            .map(|net| Network::Migan(Box::new(net))),
        _ => Err(usage()),
    })?;
    println!("loaded {:.3}", start.elapsed().as_secs_f64());
    let x = input(kind, side)?;
    let mut last = Vec::new();
    for line in std::io::stdin().lines() {
        line.map_err(|e| wrong(&e.to_string()))?;
        let start = Instant::now();
        let y = pool.install(|| {
            let arena = Arena::new();
            let run = Run::new(&cx, &arena);
            match &net {
                Network::Lama(net) => net.forward(&run, &x),
                Network::Migan(net) => net.forward(&run, &x),
            }
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

/// Waves with a hole in the middle, as the network takes them.
fn input(kind: &str, side: usize) -> Result<Tensor> {
    let pixels = side * side;
    let mut x = vec![0f32; 4 * pixels];
    for at in 0..pixels {
        let (row, column) = (at / side, at % side);
        let inside = |n: usize| (side / 3..side / 2).contains(&n);
        let hole = inside(row) && inside(column);
        let known = if hole { 0.0 } else { 1.0 };
        for c in 0..3 {
            let wave = ((row * (c + 3) + column * 7) % 64) as f32 / 64.0;
            match kind {
                "migan" => x[(c + 1) * pixels + at] = (2.0 * wave - 1.0) * known,
                _ => x[c * pixels + at] = wave * known,
            }
        }
        match kind {
            "migan" => x[at] = known - 0.5,
            _ => x[3 * pixels + at] = 1.0 - known,
        }
    }
    from_vec(x, &[1, 4, side, side])
}

/// The most kibibytes that the process had; 0 where the system does not tell so.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let number = line.and_then(|l| l.trim().strip_suffix(" kB"));
    number.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}
