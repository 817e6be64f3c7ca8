//! Blocks against the reference: `tests/golden/blocks.safetensors`, see `tests/golden/README.md`.
#![forbid(unsafe_code)]

use super::*;
use crate::error::Result;
use crate::kernels::{Activation, Algorithm, Context, ConvShape, Path, TransposedShape};
use crate::weights::{Scope, Weights};
use crate::workers::Workers;
use candle_core::Tensor;

/// A file of goldens.
pub(crate) struct Golden(pub Weights);

impl Golden {
    pub fn open(name: &str) -> Self {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
        Self(Weights::open(&folder.join(format!("{name}.safetensors"))).unwrap())
    }

    /// `golden.NAME`
    pub fn tensor(&self, name: &str) -> Tensor {
        let name = format!("golden.{name}");
        let shape = self
            .0
            .shape(&name)
            .unwrap_or_else(|| panic!("no {name}"))
            .to_vec();
        let data = self.0.root().get(&name, &shape).unwrap();
        from_vec(data.into_f32().unwrap(), &shape).unwrap()
    }
}

pub(crate) fn planes(x: &Tensor) -> Tensor {
    x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
}

pub(crate) fn floats(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest error over the reference's root mean square.
pub(crate) fn error(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.dims(), want.dims());
    let (got, want) = (floats(got), floats(want));
    let rms = (want.iter().map(|x| (*x as f64).powi(2)).sum::<f64>() / want.len() as f64).sqrt();
    let worst = got
        .iter()
        .zip(&want)
        .map(|(a, b)| {
            if a.is_finite() {
                (a - b).abs() as f64
            } else {
                f64::INFINITY
            }
        })
        .fold(0.0, f64::max);
    worst / rms
}

pub(crate) const ALGORITHMS: [Option<Algorithm>; 4] = [
    None,
    Some(Algorithm::Direct),
    Some(Algorithm::Winograd2),
    Some(Algorithm::Winograd4),
];

/// A pool of its own: results must not depend on its size.
pub(crate) fn pool(threads: usize) -> Workers {
    Workers::new(threads).unwrap()
}

/// A block under test: its weights, its inputs, and what to run it with.
struct Case<'a> {
    cx: &'a Context,
    run: &'a Run<'a>,
    golden: &'a Golden,
    name: &'a str,
    scope: Scope<'a>,
}

impl Case<'_> {
    fn input(&self, name: &str) -> Tensor {
        self.golden.tensor(&format!("{}.{name}", self.name))
    }

    /// The input `x`, channels-last.
    fn picture(&self) -> Result<Act> {
        to_channels_last(self.run, &self.input("x"))
    }

    fn conv(&self, change: impl Fn(&mut ConvShape), bias: bool) -> Result<Act> {
        let dims = self.scope.shape("weight").unwrap();
        let mut shape = ConvShape {
            kernel: (dims[2], dims[3]),
            padding: (0, 0, 0, 0),
            ..ConvShape::same(dims[1], dims[0], 1)
        };
        change(&mut shape);
        let conv = if bias {
            Conv2d::new(self.cx, &self.scope, shape)?
        } else {
            Conv2d::without_bias(self.cx, &self.scope, shape)?
        };
        conv.forward(self.run, &*self.picture()?, Extra::NONE)
    }

    fn transposed(&self, stride: usize, padding: usize, more: usize, groups: usize) -> Result<Act> {
        let dims = self.scope.shape("weight").unwrap();
        let shape = TransposedShape {
            inputs: dims[0],
            outputs: dims[1] * groups,
            kernel: (dims[2], dims[3]),
            stride: (stride, stride),
            padding: (padding, padding),
            output_padding: (more, more),
            groups,
        };
        let conv = ConvTranspose2d::new(self.cx, &self.scope, shape)?;
        conv.forward(self.run, &*self.picture()?, Activation::None)
    }

    fn resnet(&self, inputs: usize, outputs: usize, temb: Option<usize>, eps: f32) -> Result<Act> {
        let config = ResnetConfig {
            inputs,
            outputs,
            temb_channels: temb,
            groups: 4,
            eps,
        };
        let resnet = ResnetBlock2D::new(self.cx, &self.scope, &config)?;
        // The block is given the embedding after its SiLU.
        let temb = temb.map(|_| (self.input("temb")).silu().unwrap());
        resnet.forward(self.run, &*self.picture()?, temb.as_ref())
    }

    fn transformer(&self, use_linear_projection: bool) -> Result<Act> {
        let config = Transformer2DConfig {
            heads: 3,
            dim_head: 8,
            layers: 1,
            cross_attention_dim: 14,
            groups: 4,
            use_linear_projection,
        };
        let transformer = Transformer2DModel::new(self.cx, &self.scope, &config)?;
        let states = self.input("encoder_hidden_states");
        transformer.forward(self.run, &*self.picture()?, &states)
    }

    /// The block named `self.name`.
    fn forward(&self) -> Result<Act> {
        let (cx, run, scope) = (self.cx, self.run, &self.scope);
        let pad = |p: usize| (p, p, p, p);
        match self.name {
            "attention_vae" => {
                let config = AttentionConfig {
                    query_dim: 20,
                    cross_attention_dim: None,
                    heads: 1,
                    dim_head: 20,
                    bias: true,
                };
                let x = self.picture()?;
                let norm = GroupNorm::new(&scope.pp("group_norm"), 4, 20, 1e-6)?;
                let n = norm.forward(run, &x, None, Activation::None)?;
                Attention::new(cx, scope, &config)?.forward(run, n, &x, &x)
            }
            "conv" => self.conv(|s| s.padding = pad(1), true),
            "conv_1x1" => self.conv(|_| {}, true),
            "conv_1x1_stride" => self.conv(|s| s.stride = (2, 2), true),
            "conv_7x7" => self.conv(|s| s.padding = pad(3), false),
            "conv_bn" => {
                let shape = ConvShape::same(7, 13, 3);
                let bn = scope.pp("bn");
                let conv = Conv2d::with_batch_norm(cx, &scope.pp("conv"), &bn, 1e-5, shape)?;
                conv.forward(run, &*self.picture()?, Extra::NONE)
            }
            "conv_depthwise" => {
                self.conv(|s| (s.padding, s.groups, s.inputs) = (pad(1), 13, 13), true)
            }
            "conv_depthwise_stride" => self.conv(
                |s| (s.padding, s.groups, s.inputs, s.stride) = (pad(2), 13, 13, (2, 2)),
                true,
            ),
            "conv_dilation" => self.conv(|s| (s.padding, s.dilation) = (pad(2), (2, 2)), true),
            "conv_groups" => self.conv(|s| (s.padding, s.groups, s.inputs) = (pad(1), 3, 15), true),
            "conv_oblong" => self.conv(|s| (s.padding, s.stride) = ((1, 2, 1, 2), (1, 2)), true),
            "conv_stride" => self.conv(|s| (s.padding, s.stride) = (pad(1), (2, 2)), true),
            "conv_valid" => self.conv(|_| {}, true),
            "downsample" | "downsample_vae" => {
                let padding = usize::from(self.name == "downsample");
                let layer = Downsample2D::new(cx, scope, 12, padding)?;
                layer.forward(run, &*self.picture()?)
            }
            "geglu" => {
                let x = self.input("x");
                let x = run.write(x.dims(), |out| {
                    out.copy_from_slice(&values(&x)?);
                    Ok(())
                })?;
                FeedForward::new(cx, scope, 20)?.forward(run, x, None)
            }
            "group_norm" => GroupNorm::new(scope, 3, 21, 1e-5)?.forward(
                run,
                &*self.picture()?,
                None,
                Activation::None,
            ),
            "layer_norm" => LayerNorm::new(scope, 21, 1e-5)?.forward(run, &self.input("x")),
            "linear" => Linear::new(cx, scope, 29, 13)?.forward(run, &self.input("x"), Extra::NONE),
            "resnet" => self.resnet(20, 20, Some(13), 1e-5),
            "resnet_shortcut" => self.resnet(20, 28, Some(13), 1e-5),
            "resnet_vae" => self.resnet(12, 20, None, 1e-6),
            "time" => {
                let timesteps = Timesteps {
                    channels: 18,
                    flip_sin_to_cos: true,
                    freq_shift: 0.0,
                };
                let projected = timesteps.forward(run, &floats(&self.input("timestep")))?;
                if !run.arena().is_counting() {
                    let e = error(&projected, &self.input("projected"));
                    assert!(e < 1e-4, "time.projected: {e:.1e}");
                }
                let scope = scope.pp("embedding");
                let embedding = TimestepEmbedding::new(cx, &scope, 18, 30, None)?;
                embedding.forward(run, &projected, None, Activation::None)
            }
            "transformer_conv" => self.transformer(false),
            "transformer_linear" => self.transformer(true),
            "transposed" => self.transposed(2, 1, 1, 1),
            "transposed_4x4" => self.transposed(2, 1, 0, 1),
            "transposed_groups" => self.transposed(2, 1, 1, 3),
            "transposed_plain" => self.transposed(1, 0, 0, 1),
            "upsample" => Upsample2D::new(cx, scope, 12)?.forward(run, self.picture()?, None),
            other => panic!("a block without a test: {other}"),
        }
    }
}

fn blocks(golden: &Golden) -> Vec<String> {
    let names = golden.0.names();
    let outs = names.filter_map(|n| n.strip_prefix("golden.")?.strip_suffix(".out"));
    outs.map(str::to_owned).collect()
}

/// The block's output, as in the file, on a fresh context and arena.
fn output(golden: &Golden, name: &str, path: Path, force: Option<Algorithm>) -> Tensor {
    let (cx, arena) = (Context::new(path).by(force), Arena::new());
    let run = Run::new(&cx, &arena);
    let case = Case {
        cx: &cx,
        run: &run,
        golden,
        name,
        scope: golden.0.root().pp(name),
    };
    let out = case.forward().unwrap();
    let counted = Arena::counting();
    let counting = Run::new(&cx, &counted);
    let case = Case {
        run: &counting,
        ..case
    };
    case.forward().unwrap();
    assert_eq!(counting.flops(), run.flops(), "{name}: operations counted");
    assert_eq!(counted.peak(), arena.peak(), "{name}: bytes counted");
    assert!(arena.most_held() <= arena.peak().max(16 << 20));
    match out.rank() {
        4 => planes(&out),
        _ => Tensor::clone(&out.into_tensor()),
    }
}

#[test]
fn blocks_are_the_references() {
    let golden = Golden::open("blocks");
    let names = blocks(&golden);
    assert!(names.len() >= 30, "{names:?}");
    for name in &names {
        let want = golden.tensor(&format!("{name}.out"));
        for path in Path::available() {
            let mut errors = Vec::new();
            for force in ALGORITHMS {
                let one = pool(1).install(|| output(&golden, name, path, force));
                let two = pool(2).install(|| output(&golden, name, path, force));
                assert_eq!(floats(&one), floats(&two), "{name}: threads");
                errors.push(error(&one, &want));
            }
            println!("{name} {path:?} {}", brief(&errors));
            let worst = errors.iter().copied().fold(0.0, f64::max);
            assert!(worst <= 1e-4, "{name} {path:?}: {}", brief(&errors));
        }
    }
    let unused = golden.0.unused();
    let unused: Vec<_> = unused
        .iter()
        .filter(|n| !n.starts_with("golden.activations"))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn activations_are_reused_and_aligned() {
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let run = Run::new(&cx, &arena);
    let fill = |out: &mut [f32]| {
        assert_eq!(out.as_ptr() as usize % 64, 0);
        out.fill(1.0);
        Ok(())
    };
    let a = run.write(&[3, 1000], fill).unwrap();
    let at = values(&a).unwrap().as_ptr();
    let held = arena.held();
    drop(a);
    assert_eq!((arena.live(), arena.held()), (0, held));
    // A little smaller takes it, much smaller does not.
    let b = run.write(&[2900], fill).unwrap();
    assert_eq!(values(&b).unwrap().as_ptr(), at);
    let c = run.write(&[100], fill).unwrap();
    assert_eq!(arena.held(), held + 116 * 4);
    // What is detached stays as it is.
    let kept = b.into_tensor();
    drop(c);
    let _d = run
        .write(&[2900], |out| {
            out.fill(2.0);
            Ok(())
        })
        .unwrap();
    assert!(floats(&kept).iter().all(|x| *x == 1.0));
    arena.trim();
    assert_eq!(arena.held(), arena.live());
}

#[test]
fn passes_end_when_the_check_says_so() {
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let stop = || Err(crate::Error::cancelled());
    let run = Run::new(&cx, &arena).check(&stop);
    let error = run.write(&[1], |_| panic!("runs on")).err().unwrap();
    assert_eq!(error.kind(), crate::ErrorKind::Cancelled);
    let run = Run::new(&cx, &arena);
    let failed = run.write(&[1], |_| Err(crate::Error::cancelled()));
    assert_eq!(failed.err().unwrap().kind(), crate::ErrorKind::Cancelled);
    assert_eq!(arena.live(), 0);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let golden = Golden::open("blocks");
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let run = Run::new(&cx, &arena);
    let linear = Linear::new(&cx, &golden.0.root().pp("linear"), 29, 13).unwrap();
    let x = from_vec(vec![0.0; 24], &[2, 12]).unwrap();
    assert!(linear.forward(&run, &x, Extra::NONE).is_err());
    let x = from_vec(vec![0.0; 26], &[2, 13]).unwrap();
    assert!(linear.forward(&run, &x, Extra::add(&x)).is_err());
    assert!(values(&x.t().unwrap()).is_err());
    assert!(concat(&run, &x, &x.t().unwrap()).is_err());
    assert!(run.write(&[usize::MAX, 2], |_| Ok(())).is_err());
}

/// Errors by algorithm, short.
pub(crate) fn brief(errors: &[f64]) -> String {
    let all: Vec<String> = errors.iter().map(|e| format!("{e:.1e}")).collect();
    all.join(" ")
}
