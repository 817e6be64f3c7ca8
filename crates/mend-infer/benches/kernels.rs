//! A line for each kernel and shape that Stable Diffusion 1.5's UNet (64×64 latents) and VAE (512²)
//! really have: milliseconds, GFLOP/s, and the share of the peak that this machine reaches here.
//!
//! `cargo bench --bench kernels -- [--threads N] [FILTER]`
#![forbid(unsafe_code)]

use half::f16;
use mend_infer::kernels::{
    Activation, Algorithm, Attention, Context, Conv2d, ConvShape, Epilogue, GroupNorm, Linear,
    Mixed, Path, Precision, Source, Strided, attention, group_norm, layer_norm, patch, peak,
    peak_int8, separable, softmax,
};
use std::time::Instant;

struct Bench {
    cx: Context,
    filter: String,
    peak: f64,
    peak_int8: f64,
}

impl Bench {
    /// The median of some runs of `f`, each of `flops`; printed.
    fn line(&self, name: &str, flops: f64, mut f: impl FnMut(usize)) {
        if !name.contains(&self.filter) {
            return;
        }
        f(0);
        let mut seconds = Vec::new();
        let start = Instant::now();
        let fixed = std::env::var("RUNS")
            .ok()
            .and_then(|n| n.parse::<usize>().ok());
        while fixed.map_or(seconds.len() < 5, |n| seconds.len() < n)
            || fixed.is_none() && (start.elapsed().as_secs_f64() < 0.4 && seconds.len() < 60)
        {
            let t = Instant::now();
            f(seconds.len() + 1);
            seconds.push(t.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let median = seconds[seconds.len() / 2];
        let speed = flops / median / 1e9;
        let peak = if name.ends_with("int8") {
            self.peak_int8
        } else {
            self.peak
        };
        println!(
            "{name:44} {:9.3} ms (best {:9.3})  {speed:7.0} GFLOP/s  {:5.1} %",
            median * 1e3,
            seconds[0] * 1e3,
            100.0 * speed / peak
        );
    }

    fn wanted(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    fn conv(&self, side: usize, ci: usize, co: usize) {
        let s = ConvShape::same(ci, co, 3);
        let name = |a: &str| format!("conv 3x3 {ci}->{co} @{side} {a}");
        if !["chosen", "direct", "F2", "F4", "int8"]
            .iter()
            .any(|a| self.wanted(&name(a)))
        {
            return;
        }
        let flops = 18.0 * (side * side * ci * co) as f64;
        let weight = noise16(9 * ci * co);
        // Several copies, so that weights come from memory, as they do in a network.
        let copies = (200_000_000 / (18 * ci * co)).clamp(1, 6);
        let convs: Vec<Conv2d> = (0..copies)
            .map(|_| Conv2d::new(&self.cx, Source::F16(&weight), None, s).unwrap())
            .collect();
        let x = noise(side * side * ci);
        let mut y = vec![0.0; side * side * co];
        for (label, forced) in [
            ("chosen", None),
            ("direct", Some(Algorithm::Direct)),
            ("F2", Some(Algorithm::Winograd2)),
            ("F4", Some(Algorithm::Winograd4)),
        ] {
            let cx = Context::new(self.cx.path()).by(forced);
            self.line(&name(label), flops, |i| {
                let conv = &convs[i % copies];
                conv.forward(&cx, 1, side, side, &x, &Epilogue::default(), &mut y)
                    .unwrap();
            });
        }
        if !self.wanted(&name("int8")) {
            return;
        }
        drop(convs);
        let convs: Vec<Conv2d> = (0..copies)
            .map(|_| {
                let source = Source::F16(&weight);
                Conv2d::with_precision(&self.cx, Precision::Int8, source, None, s).unwrap()
            })
            .collect();
        self.line(&name("int8"), flops, |i| {
            let conv = &convs[i % copies];
            conv.forward(&self.cx, 1, side, side, &x, &Epilogue::default(), &mut y)
                .unwrap();
        });
    }

    fn linear(&self, rows: usize, n: usize, k: usize, gated: bool) {
        for precision in [Precision::Full, Precision::Int8] {
            self.linear_of(precision, rows, n, k, gated);
        }
    }

    fn linear_of(&self, precision: Precision, rows: usize, n: usize, k: usize, gated: bool) {
        let gate = if gated { " GEGLU" } else { "" };
        let int8 = if precision == Precision::Int8 {
            " int8"
        } else {
            ""
        };
        let name = format!("linear {rows}x{n}x{k}{gate}{int8}");
        if !self.wanted(&name) {
            return;
        }
        let outputs = if gated { n / 2 } else { n };
        let weight = noise16(n * k);
        let copies = (200_000_000 / (2 * n * k)).clamp(1, 8);
        let layers: Vec<Linear> = (0..copies)
            .map(|_| {
                let make = if gated {
                    Linear::gated_with_precision
                } else {
                    Linear::with_precision
                };
                make(&self.cx, precision, Source::F16(&weight), None, outputs, k).unwrap()
            })
            .collect();
        let x = noise(rows * k);
        let mut y = vec![0.0; rows * outputs];
        let activation = if gated {
            Activation::Gelu
        } else {
            Activation::None
        };
        let ep = Epilogue {
            activation,
            ..Epilogue::default()
        };
        self.line(&name, 2.0 * (rows * n * k) as f64, |i| {
            layers[i % copies]
                .forward(&self.cx, &x, &ep, &mut y)
                .unwrap();
        });
    }

    fn attention(&self, queries: usize, keys: usize, heads: usize, dim: usize) {
        let name = format!("attention {queries}x{keys} {heads} heads of {dim}");
        let columns = heads * dim;
        let q = noise(queries * 3 * columns);
        let kv = noise(keys * 3 * columns);
        let mut out = vec![0.0; queries * columns];
        let shape = Attention {
            batch: 1,
            queries,
            keys,
            heads,
            dim,
            scale: 1.0 / (dim as f32).sqrt(),
            causal: false,
            slice: Attention::SLICE,
        };
        let part = |data| Strided {
            data,
            stride: 3 * columns,
        };
        self.line(&name, 4.0 * (queries * keys * columns) as f64, |_| {
            attention(
                &self.cx,
                &shape,
                part(&q),
                part(&kv[columns..]),
                part(&kv[2 * columns..]),
                &mut out,
            )
            .unwrap();
        });
    }

    fn norms(&self, pixels: usize, channels: usize) {
        let x = noise(pixels * channels);
        let (weight, bias) = (noise(channels), noise(channels));
        let mut y = vec![0.0; x.len()];
        // Counted as one operation a value: the peak's share means nothing here, the time does.
        self.line(
            &format!("group norm + SiLU {pixels}x{channels}"),
            x.len() as f64,
            |_| {
                let norm = GroupNorm {
                    groups: 32,
                    eps: 1e-5,
                    weight: &weight,
                    bias: &bias,
                };
                group_norm(&self.cx, &norm, 1, &x, None, Activation::Silu, &mut y).unwrap();
            },
        );
        self.line(
            &format!("layer norm {pixels}x{channels}"),
            x.len() as f64,
            |_| {
                layer_norm(&self.cx, &weight, &bias, 1e-5, &x, &mut y).unwrap();
            },
        );
    }

    /// What MI-GAN and RETHINED are made of beside products, on a picture of `side`².
    fn separable(&self, side: usize, channels: usize) {
        let shape = [side, side, channels];
        let values = (side * side * channels) as f64;
        let (x, weight, bias) = (
            noise(side * side * channels),
            noise(9 * channels),
            noise(channels),
        );
        let band = separable::Band::whole(&x, shape);
        let small = Activation::LeakyReluClamped(0.2, 256.0);
        let mut y = vec![0.0; x.len()];
        let layer = separable::Depthwise3::new(Source::F32(&weight), &bias).unwrap();
        self.line(&format!("depthwise {side}x{channels}"), values, |_| {
            layer.rows(&self.cx, &band, 0..side, small, &mut y).unwrap();
        });
        let mut half = vec![0.0; x.len() / 4];
        self.line(&format!("downsample {side}x{channels}"), values, |_| {
            separable::downsample(&self.cx, &band, 0..side / 2, &mut half).unwrap();
        });
        let grain = noise(4 * side * side);
        let mut twice = vec![0.0; 4 * x.len()];
        let finish = separable::Finish {
            noise: Some(&grain),
            activation: small,
            add: None,
        };
        self.line(&format!("upsample {side}x{channels}"), values, |_| {
            separable::upsample(&self.cx, &band, 0..2 * side, &finish, &mut twice).unwrap();
        });
        self.line(&format!("add noise {side}x{channels}"), values, |_| {
            let grain = &grain[..side * side];
            separable::add_noise(&self.cx, grain, channels, small, &mut y).unwrap();
        });
        let s = ConvShape {
            groups: channels,
            ..ConvShape::same(channels, channels, 3)
        };
        let conv = Conv2d::new(&self.cx, Source::F32(&weight), Some(&bias), s).unwrap();
        self.line(
            &format!("conv by channel {side}x{channels}"),
            values,
            |_| {
                conv.forward(&self.cx, 1, side, side, &x, &Epilogue::default(), &mut y)
                    .unwrap();
            },
        );
    }

    /// RAD's normalisation, each pixel's factors between those of four rows.
    fn mixed(&self, pixels: usize, channels: usize) {
        let name = format!("mixed norm {pixels}x{channels}");
        let x = noise(pixels * channels);
        let (weight, bias) = (noise(channels), noise(channels));
        let norm = GroupNorm {
            groups: 32,
            eps: 1e-5,
            weight: &weight,
            bias: &bias,
        };
        let lines = norm.lines(&self.cx, 1, &[&x], None).unwrap();
        let mix = |i: usize| Mixed {
            rows: [i as u32 % 8, 8, 9, 10],
            weights: [0.25; Mixed::MOST],
        };
        let mixes: Vec<_> = (0..pixels).map(mix).collect();
        let rows = noise(11 * 2 * channels);
        let mut table = rows.clone();
        let mut y = vec![0.0; x.len()];
        self.line(&name, x.len() as f64, |_| {
            let silu = Activation::Silu;
            table.copy_from_slice(&rows);
            lines
                .apply_mixed(&self.cx, &x, &mut table, &mixes, silu, &mut y)
                .unwrap();
        });
    }

    fn softmax(&self, rows: usize, len: usize) {
        let x = noise(rows * len);
        let mut y = x.clone();
        self.line(&format!("softmax {rows}x{len}"), x.len() as f64, |_| {
            y.copy_from_slice(&x);
            y.chunks_exact_mut(len)
                .for_each(|line| softmax(&self.cx, line, 10.0));
        });
    }

    /// A million patches against their neighbours, on this thread alone.
    fn patches(&self) {
        const SIDE: usize = 256;
        let mut t = patch::Texels::new(SIDE, SIDE).unwrap();
        for y in 0..SIDE {
            for (x, v) in t.row_mut(y).iter_mut().enumerate() {
                *v = ((x * 31 + y * 17) % 1024) as i16;
            }
        }
        let kernels = patch::PatchKernels::new(self.cx.path());
        let places = || (0..1 << 20).map(|i| (8 + i % 240, 8 + (i >> 8) % 240));
        let all = (1 << 20) as f64;
        self.line("patch distance", all, |n| {
            let sum = places().fold(n as u32, |s, (x, y)| {
                s.wrapping_add(kernels.distance(&t, x, y, 255 - x, 128))
            });
            std::hint::black_box(sum);
        });
        let mask = [-1i16; patch::SIDE * 8 * patch::CHANNELS];
        self.line("patch distance masked", all, |n| {
            let sum = places().fold(n as u32, |s, (x, y)| {
                s.wrapping_add(kernels.distance_masked(&t, (x, y), (255 - x, 128), &mask))
            });
            std::hint::black_box(sum);
        });
        let mut sums = [0f32; 8 * patch::CHANNELS];
        self.line("patch vote", all, |_| {
            places().for_each(|at| kernels.vote(&mut sums, &t, at, 0.5, [0.5; patch::CHANNELS]));
            std::hint::black_box(&sums);
        });
    }
}

fn noise(len: usize) -> Vec<f32> {
    let mut state = 0x2545_F491u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn noise16(len: usize) -> Vec<f16> {
    noise(len).iter().map(|x| f16::from_f32(x * 0.05)).collect()
}

fn main() {
    let mut threads = 2;
    let mut filter = String::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--threads" => {
                threads = args
                    .next()
                    .and_then(|n| n.parse().ok())
                    .expect("--threads N")
            }
            other => filter = other.to_owned(),
        }
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("threads");
    pool.install(|| {
        let cx = Context::new(Path::chosen());
        let peak = peak(&cx);
        let peak_int8 = peak_int8(&cx);
        println!(
            "{:?}, {threads} threads, peak {peak:.0} GFLOP/s, int8 {peak_int8:.0} GOP/s",
            cx.path()
        );
        let b = Bench {
            cx,
            filter,
            peak,
            peak_int8,
        };
        for (side, ci, co) in [
            (64, 320, 320),
            (64, 640, 320),
            (64, 960, 320),
            (64, 640, 640),
            (32, 320, 640),
            (32, 640, 640),
            (32, 1280, 640),
            (32, 1920, 640),
            (32, 1280, 1280),
            (16, 640, 1280),
            (16, 1280, 1280),
            (16, 2560, 1280),
            (8, 1280, 1280),
            (8, 2560, 1280),
            (4, 1280, 1280),
            (4, 2560, 1280),
            (64, 512, 512),
            (128, 512, 512),
            (256, 512, 256),
            (256, 256, 256),
            (512, 256, 128),
            (512, 128, 128),
        ] {
            b.conv(side, ci, co);
        }
        for (rows, c) in [(4096, 320), (1024, 640), (256, 1280), (64, 1280)] {
            b.linear(rows, c, c, false);
            b.linear(rows, 3 * c, c, false);
            b.linear(rows, 8 * c, c, true);
            b.linear(rows, c, 4 * c, false);
        }
        b.linear(77, 640, 768, false);
        b.linear(1024, 5120, 640, false);
        b.linear(1024, 640, 1920, false);
        b.linear(256, 1280, 2560, false);
        for (n, d) in [(4096, 40), (1024, 80), (256, 160), (64, 160)] {
            b.attention(n, n, 8, d);
            b.attention(n, 77, 8, d);
        }
        b.attention(4096, 4096, 1, 512);
        b.norms(4096, 320);
        b.norms(1024, 640);
        b.norms(512 * 512, 128);
        b.mixed(4096, 320);
        b.mixed(128 * 128, 128);
        b.softmax(1024, 1024);
        b.separable(256, 64);
        b.separable(64, 512);
        b.patches();
    });
}
