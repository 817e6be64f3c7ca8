//! The stages of a fill, each with its network: text, pictures to latents, steps, latents to a picture.
//!
//! Source: diffusers 0.42.1, `pipeline_stable_diffusion_inpaint.py`, with which the numbers agree.
#![forbid(unsafe_code)]

use super::folder::Folder;
use super::preview::preview;
use super::settings::Settings;
use crate::engines::pump::StageReporter;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Context;
use crate::memory;
use crate::models::autoencoder_kl::{Decoder, Encoder};
use crate::models::clip::{CLIPTextModel, HiddenLayer, embed};
use crate::models::{UNet2DConditionModel, autoencoder_tiny};
use crate::nn::{Arena, Run, Tensor, from_vec, values};
use crate::pixels::{Plane, RgbImage};
use crate::schedulers::{Purpose, Scheduler, guidance};
use crate::weights::Weights;

/// Streams of [`Purpose::Encode`].
const PICTURE: usize = 0;
const MASKED: usize = 1;
/// What buffers are called where there is no memory for them.
const LATENTS: &str = "latents";

/// Fills a buffer with the noise of a purpose and an index.
pub type Draw<'a> = &'a (dyn Fn(Purpose, usize, &mut [f32]) + Sync);

/// What all stages share.
#[derive(Clone, Copy)]
pub struct Pipeline<'a> {
    pub folder: &'a Folder,
    pub settings: &'a Settings,
    pub cx: &'a Context,
    pub draw: Draw<'a>,
    pub reporter: &'a StageReporter<'a>,
    /// Queries of a head that attention works on together.
    pub slice: usize,
    /// Bytes of a band of rows that the VAE works on.
    pub band: usize,
}

/// Where the steps begin, all `[channels][height][width]` and scaled as the UNet has them.
pub struct Begin {
    pub height: usize,
    pub width: usize,
    /// 1 where the hole is; for UNets that are not told it, how much of the hole is replaced.
    pub mask: Vec<f32>,
    /// Of the picture; where it is not needed, none.
    pub picture: Option<Vec<f32>>,
    /// Of what is around the hole; for UNets that are told it.
    pub masked: Option<Vec<f32>>,
}

impl Pipeline<'_> {
    /// What the UNet is told: the prompt, with guidance behind the negative one.
    pub fn text(&self) -> Result<Tensor> {
        let tokenizer = self.folder.tokenizer()?;
        let weights = self.folder.text_weights()?;
        let net = CLIPTextModel::new(self.cx, &weights.root(), self.folder.text.clone())?;
        let s = self.settings;
        let both = [s.negative_prompt.as_str(), s.prompt.as_str()];
        let prompts = &both[usize::from(s.guidance <= 1.0 || self.told_guidance())..];
        let check = || self.reporter.layer();
        let arena = Arena::new();
        let run = Run::new(self.cx, &arena).check(&check);
        embed(&run, &net, &tokenizer, prompts, HiddenLayer::default())
    }

    /// Whether the UNet is told its guidance as a number (LCM), and needs no second pass.
    fn told_guidance(&self) -> bool {
        self.folder.unet.time_cond_proj_dim.is_some()
    }

    /// Whether the steps begin with the picture's latents, or it is put back behind each.
    fn needs_picture(&self, from_noise: bool) -> bool {
        !from_noise || !self.folder.inpaints()
    }

    /// The latents that the steps need of `picture`, whose sides are multiples of the VAE's scale.
    /// Noise alone begins them where `from_noise` is set. `mask` is [`latent_mask`]'s.
    pub fn encode(
        &self,
        picture: &RgbImage,
        hole: &Plane<u8>,
        mask: Vec<f32>,
        from_noise: bool,
    ) -> Result<Begin> {
        let scale = self.folder.vae.scale();
        let weights = self.folder.vae_weights()?;
        let net = Encoder::new(self.cx, &weights.root(), &self.folder.vae)?;
        let one = |index: usize, masked: bool| -> Result<Vec<f32>> {
            let (w, h) = (picture.width, picture.height);
            let mut planes = memory::filled(3 * w * h, 0.0f32, "a picture to encode")?;
            for (i, pixel) in picture.data.chunks_exact(3).enumerate() {
                if !masked || hole.data[i] == 0 {
                    for (c, v) in pixel.iter().enumerate() {
                        // Float pictures reach beyond; the networks do not.
                        planes[c * w * h + i] = 2.0 * v.clamp(0.0, 1.0) - 1.0;
                    }
                }
            }
            let image = from_vec(planes, &[1, 3, h, w])?;
            let check = || self.reporter.layer();
            let arena = Arena::new();
            let run = self.vae_run(&arena, &check);
            let moments = net.encode(&run, &image)?;
            let (mean, logvar) = (values(&moments.mean)?, values(&moments.logvar)?);
            let mut latents = memory::filled(mean.len(), 0.0f32, "latents")?;
            (self.draw)(Purpose::Encode, index, &mut latents);
            let factor = self.folder.vae.scaling_factor as f32;
            for ((x, mean), logvar) in latents.iter_mut().zip(&*mean).zip(&*logvar) {
                *x = (mean + (0.5 * logvar).exp() * *x) * factor;
            }
            Ok(latents)
        };
        let needs_picture = self.needs_picture(from_noise);
        Ok(Begin {
            height: picture.height / scale,
            width: picture.width / scale,
            mask,
            picture: needs_picture.then(|| one(PICTURE, false)).transpose()?,
            masked: self
                .folder
                .inpaints()
                .then(|| one(MASKED, true))
                .transpose()?,
        })
    }

    /// Goes through the steps: the clean latents, those of the latest step where the reporter ends early.
    /// `shares` of the fill are done at the end of the first, which may have to read the UNet, and of the
    /// last.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`], where it ends before the first step is done, too.
    pub fn denoise(
        &self,
        net: &UNet2DConditionModel,
        text: &Tensor,
        begin: &Begin,
        from_noise: bool,
        shares: (f64, f64),
    ) -> Result<Vec<f32>> {
        let mut steps = self.settings.schedule(&self.folder.scheduler)?;
        let times = steps.timesteps().to_vec();
        let first = self.settings.first(times.len())?;
        let len = self.folder.vae.latent_channels * begin.height * begin.width;
        let mut noise = memory::filled(len, 0.0f32, LATENTS)?;
        (self.draw)(Purpose::Start, 0, &mut noise);
        let picture = begin.picture.as_ref();
        let mut latents = first_latents(&*steps, first, picture.filter(|_| !from_noise), &noise)?;
        let cond = self.guidance_embedding(text.dims().first().copied().unwrap_or(1))?;
        let mut known = memory::filled(len, 0.0f32, LATENTS)?;
        let mut clean = memory::filled(len, 0.0f32, LATENTS)?;
        // What is put back, where the UNet is not told of it.
        let kept = picture.filter(|_| !self.folder.inpaints());
        let mut output = memory::filled(len, 0.0f32, LATENTS)?;
        let arena = Arena::new();
        let count = (times.len() - first) as f64;
        for (i, time) in times.iter().enumerate().skip(first) {
            let done = (i - first + 1) as f64 / count;
            let later = (i - first) as f64 / (count - 1.0).max(1.0);
            let end = shares.0 + (shares.1 - shares.0) * later;
            self.reporter.begin("steps", (i - first) as u32, end);
            let scale = steps.scale_model_input(i) as f32;
            let conditions = (text, cond.as_ref());
            let sample = self.sample(begin, &latents, scale, text)?;
            let passed = self.pass(net, &arena, &sample, *time as f32, conditions, &mut output);
            if i > first && self.reporter.ends_early() {
                self.reporter.end_early();
                return Ok(clean);
            }
            passed?;
            steps.pred_original_sample(i, &output, &latents, &mut clean);
            steps.step(i, &output, &mut latents, &mut |out| {
                (self.draw)(Purpose::Step, i, out);
            })?;
            if let Some(picture) = kept {
                noised(&*steps, i + 1, picture, &noise, &mut known);
                put_back(&mut latents, &known, &begin.mask, done);
                put_back(&mut clean, picture, &begin.mask, done);
            }
            if let Some(preview) = preview(&clean, begin.height, begin.width) {
                self.reporter.show(preview);
            }
        }
        Ok(latents)
    }

    /// What the UNet is given in a step, `[batch, channels, height, width]`: the latents, for each text
    /// that `text` holds, and what it is told of the picture.
    fn sample(&self, begin: &Begin, latents: &[f32], scale: f32, text: &Tensor) -> Result<Tensor> {
        let batch = text.dims().first().copied().unwrap_or(1);
        let channels = self.folder.unet.in_channels;
        let per = channels * begin.height * begin.width;
        let mut input = memory::with_capacity(batch * per, LATENTS)?;
        for _ in 0..batch {
            input.extend(latents.iter().map(|x| x * scale));
            if let Some(masked) = &begin.masked {
                input.extend_from_slice(&begin.mask);
                input.extend_from_slice(masked);
            }
        }
        from_vec(input, &[batch, channels, begin.height, begin.width])
    }

    /// The UNet's output for a sample at `time`, guided where the sample has two texts.
    fn pass(
        &self,
        net: &UNet2DConditionModel,
        arena: &Arena,
        sample: &Tensor,
        time: f32,
        (text, cond): (&Tensor, Option<&Tensor>),
        output: &mut [f32],
    ) -> Result<()> {
        let check = || self.reporter.layer();
        let run = Run::new(self.cx, arena).check(&check);
        let run = run.attention_slice(self.slice);
        let made = net.forward_conditioned(&run, sample, &[time], text, cond)?;
        let made = values(&made)?;
        // With guidance the negative prompt's comes first.
        let len = output.len();
        let batch = made.len() / len;
        output.copy_from_slice(&made[(batch - 1) * len..]);
        if batch == 2 {
            guidance(&made[..len], output, self.settings.guidance);
        }
        Ok(())
    }

    /// The picture of clean latents, not clamped: 0 to 1, about.
    pub fn decode(&self, latents: &[f32], height: usize, width: usize) -> Result<RgbImage> {
        let check = || self.reporter.layer();
        let arena = Arena::new();
        let run = self.vae_run(&arena, &check);
        let made = match self.folder.tiny_weights()? {
            Some(weights) => self.decode_tiny(&run, &weights, latents, height, width)?,
            None => {
                let weights = self.folder.vae_weights()?;
                let net = Decoder::new(self.cx, &weights.root(), &self.folder.vae)?;
                let factor = self.folder.vae.scaling_factor as f32;
                let mut scaled = memory::with_capacity(latents.len(), "latents")?;
                scaled.extend(latents.iter().map(|x| x / factor));
                let channels = self.folder.vae.latent_channels;
                let scaled = from_vec(scaled, &[1, channels, height, width])?;
                net.decode(&run, &scaled)?
            }
        };
        let made = values(&made)?;
        let scale = self.folder.vae.scale();
        let mut out = RgbImage::black(width * scale, height * scale, "the filled crop")?;
        let pixels = out.width * out.height;
        for (i, pixel) in out.data.chunks_exact_mut(3).enumerate() {
            for (c, v) in pixel.iter_mut().enumerate() {
                *v = made[c * pixels + i] / 2.0 + 0.5;
            }
        }
        Ok(out)
    }

    /// A pass of an autoencoder.
    fn vae_run<'a>(&'a self, arena: &Arena, check: &'a dyn Fn() -> Result<()>) -> Run<'a> {
        let run = Run::new(self.cx, arena).check(check);
        run.attention_slice(self.slice).band(self.band)
    }

    /// By the tiny autoencoder, whose latents are the UNet's own.
    fn decode_tiny(
        &self,
        run: &Run,
        weights: &Weights,
        latents: &[f32],
        height: usize,
        width: usize,
    ) -> Result<Tensor> {
        let net = autoencoder_tiny::Decoder::new(self.cx, &weights.root())?;
        let v = &self.folder.vae;
        let (made, own) = (
            (net.channels(), net.scale()),
            (v.latent_channels, v.scale()),
        );
        if made != ((own.0, 3), own.1) {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "{}: this tiny autoencoder takes {} channels and gives {} at {} times the size; \
                     the model needs one of {} to 3 at {}: take TAESD for Stable Diffusion 1 and 2",
                    weights.name(),
                    made.0.0,
                    made.0.1,
                    made.1,
                    own.0,
                    own.1
                ),
            ));
        }
        let mut given = memory::with_capacity(latents.len(), "latents")?;
        given.extend_from_slice(latents);
        net.decode(run, &from_vec(given, &[1, own.0, height, width])?)
    }

    /// For models that are told their guidance: sines and cosines of it, `[batch, channels]`.
    ///
    /// Source: `get_guidance_scale_embedding` of the pipeline above.
    fn guidance_embedding(&self, batch: usize) -> Result<Option<Tensor>> {
        let Some(channels) = self.folder.unet.time_cond_proj_dim else {
            return Ok(None);
        };
        let w = (self.settings.guidance - 1.0) * 1000.0;
        let half = channels / 2;
        let rate = libm::log(10000.0) / (half.max(2) - 1) as f64;
        let angle = |i: usize| w * libm::exp(-rate * i as f64);
        let mut row: Vec<f32> = (0..half).map(|i| libm::sin(angle(i)) as f32).collect();
        row.extend((0..half).map(|i| libm::cos(angle(i)) as f32));
        row.resize(channels, 0.0);
        Ok(Some(from_vec(row.repeat(batch), &[batch, channels])?))
    }
}

/// The latents before step `first`: the picture's at its noise level, or noise alone.
fn first_latents(
    steps: &dyn Scheduler,
    first: usize,
    picture: Option<&Vec<f32>>,
    noise: &[f32],
) -> Result<Vec<f32>> {
    let mut latents = memory::filled(noise.len(), 0.0f32, LATENTS)?;
    match picture {
        Some(picture) => noised(steps, first, picture, noise, &mut latents),
        None => {
            let sigma = steps.init_noise_sigma() as f32;
            let each = latents.iter_mut().zip(noise);
            each.for_each(|(x, n)| *x = n * sigma);
        }
    }
    Ok(latents)
}

/// `out` becomes `clean` at the noise level before step `i`.
fn noised(steps: &dyn Scheduler, i: usize, clean: &[f32], noise: &[f32], out: &mut [f32]) {
    let level = steps.add_noise(i);
    let (original, amount) = (level.original as f32, level.noise as f32);
    for ((o, x), n) in out.iter_mut().zip(clean).zip(noise) {
        *o = original * x + amount * n;
    }
}

/// Puts `known` back where the hole is not, and where it is not whole until a share of the steps is
/// done: what is replaced by half is free from half of the steps on, so that the part that stays has
/// led them there.
///
/// Source: Levin and Fried, "Differential Diffusion: Giving Each Pixel Its Strength", 2023,
/// <https://arxiv.org/abs/2306.00950>.
pub fn put_back(latents: &mut [f32], known: &[f32], mask: &[f32], done: f64) {
    for (latents, known) in latents
        .chunks_mut(mask.len().max(1))
        .zip(known.chunks(mask.len().max(1)))
    {
        for ((x, known), m) in latents.iter_mut().zip(known).zip(mask) {
            if *m <= 0.0 || f64::from(*m) < 1.0 - done {
                *x = *known;
            }
        }
    }
}

/// The picture that is put back where a mask is soft and the steps begin with noise alone: `image`,
/// whose hole carries a guess, with the `original` where some of it stays. `None` where the mask has
/// no such place.
pub fn showing(
    image: &RgbImage,
    original: &RgbImage,
    hole: &Plane<u8>,
    coverage: &Plane<f32>,
) -> Result<Option<RgbImage>> {
    let soft = |i: usize| hole.data[i] != 0 && coverage.data[i] < 1.0;
    if !(0..hole.data.len()).any(soft) {
        return Ok(None);
    }
    let mut out = RgbImage::black(image.width, image.height, "the picture around the hole")?;
    let pixels = out.data.chunks_exact_mut(3).enumerate();
    for (i, pixel) in pixels {
        let from = if soft(i) { original } else { image };
        pixel.copy_from_slice(&from.data[3 * i..3 * i + 3]);
    }
    Ok(Some(out))
}

/// How much of each latent that holds any of the hole is to be replaced: what the most covered of its
/// pixels is; all of it where there is no coverage.
pub fn soft_mask(
    hole: &Plane<u8>,
    coverage: Option<&Plane<f32>>,
    scale: usize,
) -> Result<Vec<f32>> {
    let mut mask = latent_mask(hole, scale, false)?;
    let Some(coverage) = coverage else {
        return Ok(mask);
    };
    let w = hole.width / scale;
    for (i, m) in mask.iter_mut().enumerate().filter(|(_, m)| **m > 0.0) {
        let (x, y) = (i % w * scale, i / w * scale);
        let pixels = (y..y + scale).flat_map(|y| (x..x + scale).map(move |x| (x, y)));
        let own = pixels.filter(|(x, y)| hole.row(*y)[*x] != 0);
        *m = own.map(|(x, y)| coverage.row(y)[x]).fold(0.0, f32::max);
    }
    Ok(mask)
}

/// The mask of the latents. UNets that are told the mask get the nearest pixel, the upper left one of
/// each latent's block, as in their training; where the picture is put back, each latent that holds
/// any of the hole is to be filled.
pub fn latent_mask(hole: &Plane<u8>, scale: usize, nearest: bool) -> Result<Vec<f32>> {
    let (w, h) = (hole.width / scale, hole.height / scale);
    let mut mask = memory::filled(w * h, 0.0f32, "the latents' mask")?;
    for (i, m) in mask.iter_mut().enumerate() {
        let (x, y) = (i % w * scale, i / w * scale);
        let any = || (y..y + scale).any(|y| hole.row(y)[x..x + scale].contains(&1));
        let filled = match nearest {
            true => hole.row(y)[x] != 0,
            false => any(),
        };
        *m = f32::from(u8::from(filled));
    }
    // A hole between the pixels looked at.
    if nearest && mask.iter().all(|m| *m == 0.0) {
        return latent_mask(hole, scale, false);
    }
    Ok(mask)
}
