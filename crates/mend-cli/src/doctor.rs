//! `mend doctor`: whether Mend works on this machine, tried and not only looked up.
#![forbid(unsafe_code)]

use crate::App;
use crate::args::{DoctorArgs, MachineArgs};
use crate::budget::mib;
use crate::terminal::escaped;
use mend::pixels::{Depth, ImageView, ImageViewMut, Layout, MaskView, PixelFormat, Rect};
use mend::progress::Silent;
use mend::{Error, ErrorKind, Options, Report, Request, Result};
use serde_json::json;

/// The self-test's picture and the hole in it.
const WIDTH: u32 = 192;
const HEIGHT: u32 = 144;
const HOLE: Rect = Rect::new(80, 56, 36, 28);
/// What stands in the hole beforehand, and must be gone afterwards.
const POISON: [u8; 3] = [255, 0, 255];

/// Runs `doctor`.
pub fn run(app: &App, args: &DoctorArgs) -> Result<()> {
    let features = cpu_features();
    let threads = args.machine.inpainter(None).threads();
    let models = Options::default().models_folder();
    let installed = models.as_ref().is_some_and(|m| m.is_dir());
    let test = self_test(app, &args.machine);
    if app.terminal.json {
        app.terminal.result(&json!({
            "ok": test.is_ok(),
            "version": env!("CARGO_PKG_VERSION"),
            "system": std::env::consts::OS,
            "processor": std::env::consts::ARCH,
            "features": features,
            "threads": threads,
            "memory_available": memory_available(),
            "models": models.as_ref().map(|m| m.to_string_lossy()),
            "models_present": installed,
            "self_test": match &test {
                Ok(t) => json!({
                    "engine": t.report.engine, "seconds": t.report.seconds, "texture": t.texture,
                }),
                Err(e) => crate::terminal::error_json(e),
            },
        }))?;
    } else {
        let models = match &models {
            Some(path) if installed => escaped(path.display()),
            Some(path) => format!(
                "{} (does not exist yet; no model is needed)",
                escaped(path.display())
            ),
            None => "no home folder to keep them in".into(),
        };
        let memory =
            memory_available().map_or("unknown".into(), |m| format!("{} MiB free", mib(m)));
        let test = match &test {
            Ok(t) => format!(
                "good: engine {}, {:.2} s, texture {:.2}, the same on 1 thread and on {threads}",
                t.report.engine, t.report.seconds, t.texture
            ),
            Err(_) => "failed".into(),
        };
        app.terminal.print(&format!(
            "mend       {} on {}\nprocessor  {}: {}\nthreads    {threads}\nmemory     {memory}\n\
             models     {models}\nself-test  {test}\n",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH,
            if features.is_empty() {
                "no special features".into()
            } else {
                features.join(" ")
            },
        ))?;
    }
    match test {
        Ok(_) => Ok(()),
        // Told above already in JSON.
        Err(e) if app.terminal.json => Err(app.told(e)),
        Err(e) => Err(e),
    }
}

/// Features of the processor that kernels may use.
pub fn cpu_features() -> Vec<&'static str> {
    let mut list = Vec::new();
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        macro_rules! look {
            ($($name:tt)*) => {$(
                if std::arch::is_x86_feature_detected!($name) {
                    list.push($name);
                }
            )*};
        }
        look!("sse4.1" "avx" "avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512vnni" "avxvnni");
    }
    #[cfg(target_arch = "aarch64")]
    {
        macro_rules! look {
            ($($name:tt)*) => {$(
                if std::arch::is_aarch64_feature_detected!($name) {
                    list.push($name);
                }
            )*};
        }
        look!("neon" "fp16" "dotprod" "i8mm");
    }
    list
}

/// Bytes that programs could still take, where the system tells.
fn memory_available() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

struct SelfTest {
    report: Report,
    /// Gradient energy in the hole over that around it.
    texture: f64,
}

/// Fills a hole in a picture made here and looks at the result.
fn self_test(app: &App, machine: &MachineArgs) -> Result<SelfTest> {
    let before = picture();
    let (after, report) = fill(app, machine, &before)?;
    let one = MachineArgs {
        threads: 1,
        ..*machine
    };
    let again = fill(app, &one, &before)?.0;
    let fail = |what: &str| {
        Err(Error::new(
            ErrorKind::Internal,
            format!("the self-test failed: {what}; please report this with what doctor printed"),
        ))
    };
    if after != again {
        return fail("one thread and several do not give the same fill");
    }
    let whole = Rect::new(0, 0, WIDTH, HEIGHT);
    for (x, y) in points(whole) {
        if !inside(x, y) && pixel(&before, x, y) != pixel(&after, x, y) {
            return fail("a pixel outside the mask was changed");
        }
    }
    // What was in the hole is nowhere near what should be: green at most a quarter of red.
    if points(HOLE).any(|(x, y)| {
        let [r, g, _] = pixel(&after, x, y);
        u32::from(g) * 4 < u32::from(r)
    }) {
        return fail("the hole still shows what was in it");
    }
    let around = HOLE.grown_within(20, WIDTH, HEIGHT);
    let reference = energy(&before, points(around).filter(|(x, y)| !touches(*x, *y)));
    let texture = energy(&after, points(HOLE)) / reference.max(f64::MIN_POSITIVE);
    if !(0.4..=2.0).contains(&texture) {
        return fail(&format!(
            "the fill has {texture:.2} times the texture of what is around it"
        ));
    }
    Ok(SelfTest { report, texture })
}

fn fill(app: &App, machine: &MachineArgs, before: &[u8]) -> Result<(Vec<u8>, Report)> {
    let mut after = before.to_vec();
    let mask: Vec<u8> = points(Rect::new(0, 0, WIDTH, HEIGHT))
        .map(|(x, y)| if inside(x, y) { 255 } else { 0 })
        .collect();
    let stride = WIDTH as usize;
    let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let report = machine.inpainter(machine.memory()).inpaint(
        &Request::new(),
        &mut ImageViewMut::new(&mut after, WIDTH, HEIGHT, stride * 3, rgb)?,
        &MaskView::new(ImageView::new(&mask, WIDTH, HEIGHT, stride, gray)?)?,
        &mut Silent,
        &app.cancel,
    )?;
    Ok((after, report))
}

/// Woven stripes with some grain: a texture that goes on in two directions.
fn picture() -> Vec<u8> {
    let mut data = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
    let mut grain = 1u32;
    for (x, y) in points(Rect::new(0, 0, WIDTH, HEIGHT)) {
        grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if inside(x, y) {
            data.extend(POISON);
            continue;
        }
        let (fx, fy) = (f64::from(x), f64::from(y));
        let wave = (fx * 0.55 + fy * 0.2).sin() * 34.0 + (fy * 0.7 - fx * 0.15).sin() * 26.0;
        let v = 128.0 + wave + f64::from(grain >> 29);
        data.extend([v * 0.9, v, v * 0.7].map(|c| c.clamp(0.0, 255.0) as u8));
    }
    data
}

fn points(r: Rect) -> impl Iterator<Item = (u32, u32)> {
    (r.y..r.bottom()).flat_map(move |y| (r.x..r.right()).map(move |x| (x, y)))
}

fn inside(x: u32, y: u32) -> bool {
    (HOLE.x..HOLE.right()).contains(&x) && (HOLE.y..HOLE.bottom()).contains(&y)
}

/// Whether the gradient at a pixel would take in the hole.
fn touches(x: u32, y: u32) -> bool {
    inside(x, y) || inside(x + 1, y) || inside(x, y + 1)
}

fn pixel(data: &[u8], x: u32, y: u32) -> [u8; 3] {
    let i = ((y * WIDTH + x) * 3) as usize;
    match data.get(i..i + 3) {
        Some(&[r, g, b]) => [r, g, b],
        _ => [0; 3],
    }
}

/// Mean squared difference of green to the right and the lower neighbour.
fn energy(data: &[u8], at: impl Iterator<Item = (u32, u32)>) -> f64 {
    let green = |x, y| f64::from(pixel(data, x, y)[1]);
    let (mut sum, mut n) = (0.0, 0.0);
    for (x, y) in at {
        let v = green(x, y);
        sum += (green(x + 1, y) - v).powi(2) + (green(x, y + 1) - v).powi(2);
        n += 1.0;
    }
    sum / f64::max(n, 1.0)
}
