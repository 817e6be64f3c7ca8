//! Fast Fourier convolutions: `FFC_BN_ACT` of LaMa, whose channels are in two parts, local ones that see
//! a 3×3 neighbourhood and global ones that see the whole picture through its spectrum.
//!
//! Norms are in the weights before them. What the reference adds up of two convolutions of the local and
//! the global part is one convolution of both here.
#![forbid(unsafe_code)]

use crate::error::Result;
use crate::kernels::{Activation, Context, ConvShape, Fourier};
use crate::nn::{Act, Conv2d, Extra, Run, pair, reflect_pad, values};
use crate::weights::Scope;

/// torch's `BatchNorm2d`.
pub const EPS: f64 = 1e-5;
/// What is done behind every norm.
pub const RELU: Extra<'static> = Extra {
    before: None,
    activation: Activation::Relu,
    add: None,
};

/// The transforms of one picture size, planned once a pass.
pub type Plan = Fourier;

/// `FourierUnit`: a 1×1 convolution of the spectrum.
pub struct FourierUnit {
    conv_layer: Conv2d,
}

impl FourierUnit {
    /// Reads and packs the weights of a unit of `channels`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, channels: usize) -> Result<Self> {
        let shape = ConvShape::same(2 * channels, 2 * channels, 1);
        let norm = scope.pp("bn");
        let conv_layer = Conv2d::with_batch_norm(cx, &scope.pp("conv_layer"), &norm, EPS, shape)?;
        Ok(Self { conv_layer })
    }

    fn bytes(&self) -> usize {
        self.conv_layer.bytes()
    }

    /// `x + unit(x)`, `[1, height, width, channels]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, plan: &Plan, x: &Act) -> Result<Act> {
        let (height, channels) = (x.dims()[1], x.dims()[3]);
        let shape = [1, height, plan.columns(), 2 * channels];
        let spectrum = run.write(&shape, |out| {
            plan.forward(run.cx(), channels, &values(x)?, out)
        })?;
        let spectrum = self.conv_layer.forward(run, &spectrum, RELU)?;
        run.write(x.dims(), |out| {
            let (spectrum, x) = (values(&spectrum)?, values(x)?);
            plan.inverse(run.cx(), channels, &spectrum, &x, out)
        })
    }
}

/// `SpectralTransform` without its last convolution's sum.
pub struct SpectralTransform {
    conv1: Conv2d,
    fu: FourierUnit,
    conv2: Conv2d,
}

impl SpectralTransform {
    /// Reads and packs the weights; `norm` is the norm behind, whose factor goes into the last
    /// convolution.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(
        cx: &Context,
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        norm: Option<&Norm>,
    ) -> Result<Self> {
        let half = outputs / 2;
        let conv1 = scope.pp("conv1");
        let last = ConvShape::same(half, outputs, 1);
        let mut weight = scope
            .get("conv2.weight", &[outputs, half, 1, 1])?
            .into_f32()?;
        if let Some(norm) = norm {
            norm.scale(&mut weight);
        }
        Ok(Self {
            conv1: Conv2d::with_batch_norm(
                cx,
                &conv1.pp(0),
                &conv1.pp(1),
                EPS,
                ConvShape::same(inputs, half, 1),
            )?,
            fu: FourierUnit::new(cx, &scope.pp("fu"), half)?,
            conv2: Conv2d::from_values(cx, &weight, None, last)?,
        })
    }

    fn bytes(&self) -> usize {
        self.conv1.bytes() + self.fu.bytes() + self.conv2.bytes()
    }

    /// `[1, height, width, inputs]` to `[1, height, width, outputs]`.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, plan: &Plan, x: &Act) -> Result<Act> {
        let half = self.conv1.forward(run, x, RELU)?;
        let sum = self.fu.forward(run, plan, &half)?;
        drop(half);
        self.conv2.forward(run, &sum, Extra::NONE)
    }
}

/// A norm as a factor and an addition for each channel.
pub struct Norm {
    factor: Vec<f32>,
    add: Vec<f32>,
}

impl Norm {
    /// Reads torch's `BatchNorm2d` of `channels`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(scope: &Scope, channels: usize) -> Result<Self> {
        let vector = |name: &str| scope.get(name, &[channels])?.into_f32();
        let (mut factor, mut add) = (vector("weight")?, vector("bias")?);
        let (mean, variance) = (vector("running_mean")?, vector("running_var")?);
        for c in 0..channels {
            let f = f64::from(factor[c]) / (f64::from(variance[c]) + EPS).sqrt();
            factor[c] = f as f32;
            add[c] = (f64::from(add[c]) - f64::from(mean[c]) * f) as f32;
        }
        Ok(Self { factor, add })
    }

    /// What is added to each channel.
    pub fn add(&self) -> &[f32] {
        &self.add
    }

    /// Multiplies the rows of `weight`, one an output channel.
    pub fn scale(&self, weight: &mut [f32]) {
        let row = weight.len() / self.factor.len().max(1);
        for (row, factor) in weight.chunks_exact_mut(row.max(1)).zip(&self.factor) {
            row.iter_mut().for_each(|w| *w *= factor);
        }
    }
}

/// Local channels, global channels.
pub type Parts<T> = (T, T);

/// `FFC_BN_ACT` with both parts in and out, 3×3, as large as its input.
pub struct Ffc {
    /// `convl2l` and `convg2l`: of all channels.
    local: Conv2d,
    /// `convl2g`
    global: Conv2d,
    convg2g: SpectralTransform,
}

impl Ffc {
    /// Reads and packs the weights of a layer from and to `parts`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, parts: Parts<usize>) -> Result<Self> {
        let (l, g) = parts;
        let ffc = scope.pp("ffc");
        let (local, (global, convg2g)) = pair(
            cx,
            || {
                let norm = Norm::new(&scope.pp("bn_l"), l)?;
                let from_l = ffc.get("convl2l.weight", &[l, l, 3, 3])?.into_f32()?;
                let from_g = ffc.get("convg2l.weight", &[l, g, 3, 3])?.into_f32()?;
                let mut both =
                    crate::memory::with_capacity(9 * l * (l + g), "a network's weights")?;
                for (a, b) in from_l.chunks_exact(9 * l).zip(from_g.chunks_exact(9 * g)) {
                    both.extend_from_slice(a);
                    both.extend_from_slice(b);
                }
                norm.scale(&mut both);
                Conv2d::from_values(cx, &both, Some(&norm.add), inside(l + g, l))
            },
            || {
                let norm = Norm::new(&scope.pp("bn_g"), g)?;
                let mut weight = ffc.get("convl2g.weight", &[g, l, 3, 3])?.into_f32()?;
                norm.scale(&mut weight);
                let spectral = ffc.pp("convg2g");
                Ok((
                    Conv2d::from_values(cx, &weight, Some(&norm.add), inside(l, g))?,
                    SpectralTransform::new(cx, &spectral, [g, g], Some(&norm))?,
                ))
            },
        )?;
        Ok(Self {
            local,
            global,
            convg2g,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.local.bytes() + self.global.bytes() + self.convg2g.bytes()
    }

    /// `[1, height, width, channels]` of both parts to the same; `add` is added behind the activation.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(
        &self,
        run: &Run,
        plan: &Plan,
        x: &Parts<Act>,
        add: Option<&Parts<Act>>,
    ) -> Result<Parts<Act>> {
        let both = reflect_pad(run, &[&x.0, &x.1], 1)?;
        let extra = Extra {
            add: add.map(|add| &*add.0),
            ..RELU
        };
        let local = self.local.forward(run, &both, extra)?;
        drop(both);
        let spectral = self.convg2g.forward(run, plan, &x.1)?;
        let padded = reflect_pad(run, &[&x.0], 1)?;
        let extra = Extra {
            before: Some(&spectral),
            add: add.map(|add| &*add.1),
            ..RELU
        };
        let global = self.global.forward(run, &padded, extra)?;
        Ok((local, global))
    }
}

/// A 3×3 convolution of a picture that is padded already.
fn inside(inputs: usize, outputs: usize) -> ConvShape {
    ConvShape {
        padding: (0, 0, 0, 0),
        ..ConvShape::same(inputs, outputs, 3)
    }
}

/// `FFCResnetBlock`
pub struct FfcResnetBlock {
    conv1: Ffc,
    conv2: Ffc,
}

impl FfcResnetBlock {
    /// Reads and packs the weights of a block of `parts`.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn new(cx: &Context, scope: &Scope, parts: Parts<usize>) -> Result<Self> {
        Ok(Self {
            conv1: Ffc::new(cx, &scope.pp("conv1"), parts)?,
            conv2: Ffc::new(cx, &scope.pp("conv2"), parts)?,
        })
    }

    /// Bytes of the packed weights.
    pub fn bytes(&self) -> usize {
        self.conv1.bytes() + self.conv2.bytes()
    }

    /// The first of the two layers.
    #[cfg(test)]
    pub fn conv1(&self) -> &Ffc {
        &self.conv1
    }

    /// `[1, height, width, channels]` of both parts to the same.
    ///
    /// # Errors
    /// What stops the pass, see [`Run::write`].
    pub fn forward(&self, run: &Run, plan: &Plan, x: Parts<Act>) -> Result<Parts<Act>> {
        let between = self.conv1.forward(run, plan, &x, None)?;
        self.conv2.forward(run, plan, &between, Some(&x))
    }
}
