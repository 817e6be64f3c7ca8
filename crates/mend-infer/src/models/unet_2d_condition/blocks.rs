//! The network's levels.
#![forbid(unsafe_code)]

use super::layers::{LayerSource, Origin};
use crate::error::Result;
use crate::models::skips;
use crate::nn::{
    Act, Downsample2D, ResnetBlock2D, ResnetConfig, Run, Transformer2DConfig, Transformer2DModel,
    Upsample2D, concat, each, pair,
};
use candle_core::Tensor;

/// What a residual block or a transformer of a level is made from.
#[derive(Clone, Copy)]
pub(super) struct Level {
    pub temb_channels: usize,
    pub groups: usize,
    pub eps: f32,
    /// None where the level does not attend to the text.
    pub transformer: Option<Transformer2DConfig>,
}

impl Level {
    fn resnet(
        &self,
        origin: &Origin,
        from: usize,
        to: usize,
    ) -> Result<LayerSource<ResnetBlock2D>> {
        let config = ResnetConfig {
            inputs: from,
            outputs: to,
            temb_channels: Some(self.temb_channels),
            groups: self.groups,
            eps: self.eps,
        };
        origin.layer(move |cx, scope| ResnetBlock2D::new(cx, scope, &config))
    }
}

/// A residual block and, where the level has them, the transformer behind it.
struct Layer {
    resnet: LayerSource<ResnetBlock2D>,
    attention: Option<LayerSource<Transformer2DModel>>,
}

impl Layer {
    /// `resnets.j` and `attentions.j`.
    fn new(origin: &Origin, j: usize, level: &Level, from: usize, to: usize) -> Result<Self> {
        let (resnet, attention) = pair(
            origin.cx,
            || level.resnet(&origin.pp("resnets").pp(j), from, to),
            || {
                let origin = origin.pp("attentions").pp(j);
                let config = level.transformer;
                config
                    .map(|c| origin.layer(move |cx, scope| Transformer2DModel::new(cx, scope, &c)))
                    .transpose()
            },
        )?;
        Ok(Self { resnet, attention })
    }

    fn bytes(&self) -> usize {
        let attention = self.attention.as_ref().and_then(LayerSource::packed);
        let resnet = self.resnet.packed();
        resnet.map_or(0, ResnetBlock2D::bytes) + attention.map_or(0, Transformer2DModel::bytes)
    }

    /// Reads both where the first pass is to, one while the other is laid out.
    fn prepare(&self, run: &Run) -> Result<()> {
        let cx = run.cx();
        let attention = || self.attention.as_ref().map_or(Ok(()), |a| a.prepare(cx));
        pair(cx, || self.resnet.prepare(cx), attention).map(|_| ())
    }

    fn forward(&self, run: &Run, x: &Tensor, given: &Conditioning) -> Result<Act> {
        self.prepare(run)?;
        let resnet = self.resnet.get(run.cx())?;
        let h = resnet.forward(run, x, Some(given.temb))?;
        drop(resnet);
        self.attend(run, h, given)
    }

    /// As [`Self::forward`], for what nobody else needs: it is gone before the transformer begins.
    fn consume(&self, run: &Run, x: Act, given: &Conditioning) -> Result<Act> {
        self.prepare(run)?;
        let resnet = self.resnet.get(run.cx())?;
        let h = resnet.forward(run, &x, Some(given.temb))?;
        drop((resnet, x));
        self.attend(run, h, given)
    }

    fn attend(&self, run: &Run, h: Act, given: &Conditioning) -> Result<Act> {
        match &self.attention {
            Some(attention) => attention.get(run.cx())?.forward(run, &h, given.states),
            None => Ok(h),
        }
    }
}

/// What every level is told besides its picture.
pub(super) struct Conditioning<'a> {
    /// The time's embedding after its SiLU.
    pub temb: &'a Tensor,
    /// The text.
    pub states: &'a Tensor,
}

/// diffusers' `CrossAttnDownBlock2D` and `DownBlock2D`.
pub(super) struct DownBlock {
    layers: Vec<Layer>,
    downsampler: Option<LayerSource<Downsample2D>>,
}

impl DownBlock {
    pub fn new(
        origin: &Origin,
        level: &Level,
        (from, to): (usize, usize),
        layers: usize,
        last: bool,
    ) -> Result<Self> {
        Ok(Self {
            layers: each(origin.cx, layers, |j| {
                Layer::new(origin, j, level, if j == 0 { from } else { to }, to)
            })?,
            downsampler: (!last)
                .then(|| {
                    let origin = origin.pp("downsamplers.0");
                    origin.layer(move |cx, scope| Downsample2D::new(cx, scope, to, 1))
                })
                .transpose()?,
        })
    }

    pub fn bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(Layer::bytes).sum();
        let downsampler = self.downsampler.as_ref().and_then(LayerSource::packed);
        layers + downsampler.map_or(0, Downsample2D::bytes)
    }

    /// Goes on from the last of `skips` and adds to them what each layer makes.
    pub fn forward(&self, run: &Run, skips: &mut Vec<Act>, given: &Conditioning) -> Result<()> {
        for layer in &self.layers {
            let h = layer.forward(run, skips::last(skips)?, given)?;
            skips.push(h);
        }
        if let Some(downsampler) = &self.downsampler {
            let h = downsampler
                .get(run.cx())?
                .forward(run, skips::last(skips)?)?;
            skips.push(h);
        }
        Ok(())
    }
}

/// diffusers' `UNetMidBlock2DCrossAttn` with one layer.
pub(super) struct MidBlock {
    first: Layer,
    second: LayerSource<ResnetBlock2D>,
}

impl MidBlock {
    pub fn new(origin: &Origin, level: &Level, channels: usize) -> Result<Self> {
        let second = origin.pp("resnets.1");
        let (first, second) = pair(
            origin.cx,
            || Layer::new(origin, 0, level, channels, channels),
            || level.resnet(&second, channels, channels),
        )?;
        Ok(Self { first, second })
    }

    pub fn bytes(&self) -> usize {
        let second = self.second.packed();
        self.first.bytes() + second.map_or(0, ResnetBlock2D::bytes)
    }

    pub fn forward(&self, run: &Run, x: &Tensor, given: &Conditioning) -> Result<Act> {
        let h = self.first.forward(run, x, given)?;
        self.second
            .get(run.cx())?
            .forward(run, &h, Some(given.temb))
    }
}

/// diffusers' `CrossAttnUpBlock2D` and `UpBlock2D`.
pub(super) struct UpBlock {
    layers: Vec<Layer>,
    upsampler: Option<LayerSource<Upsample2D>>,
}

impl UpBlock {
    /// `from` are the channels of what comes from below, `to` the level's own, `skip` those of the
    /// level above, which the last layer's skip is from.
    pub fn new(
        origin: &Origin,
        level: &Level,
        (from, to, skip): (usize, usize, usize),
        layers: usize,
        last: bool,
    ) -> Result<Self> {
        Ok(Self {
            layers: each(origin.cx, layers, |j| {
                let below = if j == 0 { from } else { to };
                let beside = if j + 1 == layers { skip } else { to };
                Layer::new(origin, j, level, below + beside, to)
            })?,
            upsampler: (!last)
                .then(|| {
                    let origin = origin.pp("upsamplers.0");
                    origin.layer(move |cx, scope| Upsample2D::new(cx, scope, to))
                })
                .transpose()?,
        })
    }

    pub fn bytes(&self) -> usize {
        let layers: usize = self.layers.iter().map(Layer::bytes).sum();
        let upsampler = self.upsampler.as_ref().and_then(LayerSource::packed);
        layers + upsampler.map_or(0, Upsample2D::bytes)
    }

    /// Goes on from `h` and takes one of `skips` for each layer.
    pub fn forward(
        &self,
        run: &Run,
        mut h: Act,
        skips: &mut Vec<Act>,
        given: &Conditioning,
    ) -> Result<Act> {
        for layer in &self.layers {
            let both = {
                let skip = skips::take(skips)?;
                concat(run, &h, &skip)?
            };
            drop(h);
            h = layer.consume(run, both, given)?;
        }
        match &self.upsampler {
            // To the size that the picture had on its way down, which may have been odd.
            Some(upsampler) => {
                let size = match *skips::last(skips)?.dims() {
                    [_, height, width, _] => Some((height, width)),
                    _ => None,
                };
                upsampler.get(run.cx())?.forward(run, h, size)
            }
            None => Ok(h),
        }
    }
}
