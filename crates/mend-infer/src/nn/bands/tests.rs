//! Bands against the whole picture: to the bit, whatever their height.
#![forbid(unsafe_code)]

use super::super::tests::{ALGORITHMS, floats, pool};
use super::super::*;
use super::Through;
use crate::error::Result;
use crate::kernels::{Activation, Algorithm, Context, ConvShape, Path, Precision};
use crate::weights::{Scope, Weights};
use safetensors::tensor::{Dtype, TensorView};

/// Numbers that look random, −1 to 1.
fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut s = seed.wrapping_mul(747_796_405).wrapping_add(1);
    let mut next = || {
        s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (s >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

const INPUTS: usize = 36;
const OUTPUTS: usize = 20;

/// Weights of every layer here.
fn weights() -> Weights {
    let conv = |name: &str, to: usize, from: usize, side: usize| {
        let bias = (format!("{name}.bias"), vec![to]);
        let weight = (format!("{name}.weight"), vec![to, from, side, side]);
        [weight, bias]
    };
    let norm = |name: &str, channels: usize| {
        [("weight", name), ("bias", name)].map(|(w, n)| (format!("{n}.{w}"), vec![channels]))
    };
    let mut all = Vec::new();
    for (name, from, to) in [("same", INPUTS, INPUTS), ("fewer", INPUTS, OUTPUTS)] {
        all.extend(norm(&format!("{name}.norm1"), from));
        all.extend(norm(&format!("{name}.norm2"), to));
        all.extend(conv(&format!("{name}.conv1"), to, from, 3));
        all.extend(conv(&format!("{name}.conv2"), to, to, 3));
        all.extend(conv(&format!("{name}.conv_shortcut"), to, from, 1));
    }
    all.extend(conv("sampler.conv", INPUTS, INPUTS, 3));
    all.extend(conv("dilated", OUTPUTS, INPUTS, 3));
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = all
        .into_iter()
        .enumerate()
        .map(|(i, (name, shape))| {
            let fan = shape[1..].iter().product::<usize>() as f32;
            let values = noise(shape.iter().product(), i as u32);
            let values = values.iter().flat_map(|x| (x / fan.sqrt()).to_le_bytes());
            (name, shape, values.collect())
        })
        .collect();
    let views = data.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.clone(), view)
    });
    Weights::from_bytes("noise", safetensors::serialize(views, None).unwrap()).unwrap()
}

const LAYERS: [&str; 6] = [
    "same",
    "fewer",
    "upsample",
    "downsample",
    "downsample_vae",
    "dilated",
];

/// The layer's output, in bands where `bands`, else whole.
fn output(run: &Run, root: &Scope, layer: &str, x: Act, bands: bool) -> Result<Act> {
    let cx = run.cx();
    let cut = |x| cut(run, x);
    match layer {
        "same" | "fewer" => {
            let config = ResnetConfig {
                inputs: INPUTS,
                outputs: if layer == "same" { INPUTS } else { OUTPUTS },
                temb_channels: None,
                groups: 4,
                eps: 1e-6,
            };
            let resnet = ResnetBlock2D::new(cx, &root.pp(layer), &config)?;
            if bands {
                resnet.forward_bands(run, cut(x))?.into_act(run)
            } else {
                resnet.forward(run, &x, None)
            }
        }
        "upsample" => {
            let layer = Upsample2D::new(cx, &root.pp("sampler"), INPUTS)?;
            if bands {
                layer.forward_bands(run, cut(x))?.into_act(run)
            } else {
                layer.forward(run, x, None)
            }
        }
        "dilated" => {
            let shape = ConvShape {
                padding: (2, 1, 1, 3),
                dilation: (2, 2),
                ..ConvShape::same(INPUTS, OUTPUTS, 3)
            };
            let conv = Conv2d::new(cx, &root.pp(layer), shape)?;
            if bands {
                let y = conv.forward_bands(run, cut(x), &Through::Nothing, None)?;
                y.into_act(run)
            } else {
                conv.forward(run, &x, Extra::NONE)
            }
        }
        _ => {
            let padding = usize::from(layer == "downsample");
            let layer = Downsample2D::new(cx, &root.pp("sampler"), INPUTS, padding)?;
            if bands {
                layer.forward_bands(run, cut(x))?.into_act(run)
            } else {
                layer.forward(run, &x)
            }
        }
    }
}

/// A whole picture as bands.
fn cut(run: &Run, x: Act) -> Bands {
    let [1, height, width, channels] = *x.dims() else {
        panic!("{:?}", x.dims());
    };
    let mut bands = Bands::new(run, [height, width, channels]);
    while let Some(rows) = bands.missing() {
        let act = run.write(&[1, rows.len(), width, channels], |out| {
            let row = width * channels;
            out.copy_from_slice(&values(&x)?[rows.start * row..rows.end * row]);
            Ok(())
        });
        bands.push(act.unwrap());
    }
    bands
}

struct Case {
    path: Path,
    precision: Precision,
    force: Option<Algorithm>,
    size: (usize, usize),
}

fn check(weights: &Weights, case: &Case, layer: &str) {
    let (h, w) = case.size;
    let made = |threads: usize, band: Option<usize>, counting: bool| {
        pool(threads).install(|| {
            let cx = Context::new(case.path)
                .packing(case.precision)
                .by(case.force);
            let arena = if counting {
                Arena::counting()
            } else {
                Arena::new()
            };
            let run = Run::new(&cx, &arena);
            let run = run.band(band.unwrap_or(1));
            let x = run.write(&[1, h, w, INPUTS], |x| {
                x.copy_from_slice(&noise(x.len(), 99));
                Ok(())
            });
            let out = output(&run, &weights.root(), layer, x.unwrap(), band.is_some()).unwrap();
            let values = (!counting).then(|| floats(&out));
            drop(out);
            assert_eq!(arena.live(), 0);
            (values, run.flops())
        })
    };
    let whole = made(1, None, false);
    for (threads, rows) in [(1, 1), (2, 1), (2, 8), (1, 16), (2, 1 << 20)] {
        let bands = made(threads, Some(4 * rows * w * INPUTS), false);
        let what = format!(
            "{layer} {h}×{w} {:?} {:?} {:?}, {threads} threads, {rows} rows",
            case.path, case.precision, case.force
        );
        assert!(whole.0 == bands.0, "{what}: other bits");
        assert_eq!(whole.1, bands.1, "{what}: operations");
        let counted = made(threads, Some(4 * rows * w * INPUTS), true);
        assert_eq!(whole.1, counted.1, "{what}: operations counted");
    }
}

#[test]
fn bands_are_the_whole_to_the_bit() {
    let weights = weights();
    for path in Path::available() {
        for precision in [Precision::Full, Precision::Int8] {
            for force in ALGORITHMS {
                if precision == Precision::Int8 && force.is_some() {
                    continue;
                }
                for size in [(2, 2), (5, 3), (9, 21), (23, 6), (38, 17)] {
                    for layer in LAYERS {
                        let case = Case {
                            path,
                            precision,
                            force,
                            size,
                        };
                        check(&weights, &case, layer);
                    }
                }
            }
        }
    }
}

#[test]
fn what_was_read_goes() {
    let weights = weights();
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let run = Run::new(&cx, &arena).band(1);
    let whole = 4 * 400 * 16 * INPUTS;
    let peak = |layer: &str| {
        arena.trim();
        arena.reset_peak();
        let x = run.write(&[1, 400, 16, INPUTS], |x| {
            x.copy_from_slice(&noise(x.len(), 5));
            Ok(())
        });
        let x = cut(&run, x.unwrap());
        arena.reset_peak();
        let sampler = weights.root().pp("sampler");
        let y = match layer {
            "upsample" => {
                let layer = Upsample2D::new(&cx, &sampler, INPUTS).unwrap();
                layer.forward_bands(&run, x)
            }
            "downsample" => {
                let layer = Downsample2D::new(&cx, &sampler, INPUTS, 0).unwrap();
                layer.forward_bands(&run, x)
            }
            _ => {
                let config = ResnetConfig {
                    inputs: INPUTS,
                    outputs: if layer == "same" { INPUTS } else { OUTPUTS },
                    temb_channels: None,
                    groups: 4,
                    eps: 1e-6,
                };
                let scope = weights.root().pp(layer);
                let resnet = ResnetBlock2D::new(&cx, &scope, &config).unwrap();
                resnet.forward_bands(&run, x)
            }
        };
        assert!(y.unwrap().missing().is_none());
        assert_eq!(arena.live(), 0);
        arena.peak() as f64 / whole as f64
    };
    // Inputs and outputs of this many times the input's bytes, and some bands.
    for (layer, most) in [
        ("upsample", 4.0),
        ("downsample", 1.0),
        ("same", 2.0),
        ("fewer", 2.0 * OUTPUTS as f64 / INPUTS as f64),
    ] {
        let peak = peak(layer);
        assert!(peak >= most && peak <= most + 0.1, "{layer}: {peak:.2}");
    }
    let (a, b) = (&[1, 8, 4, INPUTS], &[1, 4, 4, INPUTS + 1]);
    let make = |shape: &[usize]| {
        run.write(shape, |x| {
            x.fill(0.0);
            Ok(())
        })
    };
    let norm = GroupNorm::new(&weights.root().pp("same.norm1"), 4, INPUTS, 1e-6).unwrap();
    let mut bands = Bands::whole(make(a).unwrap()).unwrap();
    assert!(norm.lines(&run, &bands).is_ok());
    bands.release(8);
    assert!(norm.lines(&run, &bands).is_err(), "rows that went");
    let other = Bands::whole(make(b).unwrap()).unwrap();
    assert!(norm.lines(&run, &other).is_err(), "other channels");
    let lines = norm.lines(&run, &Bands::whole(make(a).unwrap()).unwrap());
    let conv = Conv2d::new(
        &cx,
        &weights.root().pp("same.conv1"),
        ConvShape::same(INPUTS, INPUTS, 3),
    );
    let through = Through::Norm(lines.unwrap(), Activation::Silu);
    let made = conv.unwrap().forward_bands(&run, other, &through, None);
    assert!(made.is_err());
    assert!(Bands::whole(make(&[2, 1, 1, 3]).unwrap()).is_err());
}
