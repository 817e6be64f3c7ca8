//! A fill, stage by stage: each network is loaded, run and dropped in turn.
#![forbid(unsafe_code)]

use super::OpenDiffusion;
use super::cost::{Cost, predict};
use super::pipeline::{Begin, Pipeline, latent_mask, showing, soft_mask};
use super::settings::Content;
use super::stages::Choice;
use crate::engines::exemplar::Exemplar;
use crate::engines::pump::{StageReporter, pump};
use crate::engines::{Crop, Mark, Opened, Run, in_range};
use crate::error::Result;
use crate::kernels::{Context, Path as Instructions, give_back};
use crate::nn::Tensor;
use crate::pixels::RgbImage;
use crate::schedulers::Noise;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The share of a fill that the exemplar fill of the hole takes where one is wanted.
const EXEMPLAR: f64 = 0.03;

impl OpenDiffusion {
    /// Fills a crop whose sides the autoencoder takes.
    pub(super) fn fill_aligned(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        let choice = self.stages.choose(run.budget);
        let cost = predict(&self.model, &self.settings, &choice);
        if !choice.keep {
            // From an earlier fill that had more room.
            self.warm.trim();
        }
        let (made, mut shares) = self.made(crop, run, &cost)?;
        let reporter = StageReporter::new(run.cancel, cost.steps as u32).may_end_early();
        let (seed, precision) = (run.seed, self.settings.precision);
        let cx = Context::new(Instructions::chosen()).packing(precision);
        let draw = |purpose, index, out: &mut [f32]| Noise::new(seed, purpose, index).fill(out);
        let pipeline = Pipeline {
            folder: &self.model.folder,
            settings: &self.settings,
            cx: &cx,
            draw: &draw,
            reporter: &reporter,
            slice: self.tiling.queries,
            band: self.tiling.band,
        };
        reporter.begin("prepare", 0, shares.end);
        let (text, begin) = self.encode(&pipeline, crop, made, &choice, &mut shares, run)?;
        cx.trim();
        give_back();
        let latents = self.denoise(&pipeline, (&text, &begin), &choice, &mut shares, run)?;
        drop(text);
        give_back();
        reporter.tell_early(run);
        reporter.to_the_end();
        let out = pump(run, &reporter, || {
            reporter.begin("decode", cost.steps as u32, 1.0);
            let mut out = pipeline.decode(&latents, begin.height, begin.width)?;
            out.data.iter_mut().for_each(|v| *v = in_range(*v));
            Ok(out)
        })?;
        give_back();
        Ok(out)
    }

    /// The picture that the steps begin with, where it has to be made, and how the time is shared out that
    /// is left after that.
    fn made(
        &self,
        crop: &Crop<'_>,
        run: &mut Run<'_>,
        cost: &Cost,
    ) -> Result<(Option<RgbImage>, Shares)> {
        let mut shares = Shares {
            end: 0.0,
            rest: 1.0,
            cost: *cost,
        };
        let made = match (self.settings.content, crop.original, crop.coverage) {
            (Content::Exemplar, ..) => {
                (shares.end, shares.rest) = (EXEMPLAR, 1.0 - EXEMPLAR);
                Some(exemplar(crop, run, cost.steps as u32)?)
            }
            (Content::Noise, Some(original), Some(coverage)) => {
                showing(crop.image, original, crop.hole, coverage)?
            }
            _ => None,
        };
        Ok((made, shares))
    }

    /// Whether the steps begin with noise alone.
    fn begins_with_noise(&self) -> bool {
        self.settings.content == Content::Noise && self.settings.strength >= 1.0
    }

    /// The prompt and the picture as the UNet takes them.
    fn encode(
        &self,
        pipeline: &Pipeline<'_>,
        crop: &Crop<'_>,
        made: Option<RgbImage>,
        choice: &Choice,
        shares: &mut Shares,
        run: &mut Run<'_>,
    ) -> Result<(Tensor, Begin)> {
        let picture = match (&made, self.settings.content) {
            (Some(made), _) => made,
            (None, Content::Original) => crop.original.unwrap_or(crop.image),
            (None, _) => crop.image,
        };
        let (folder, reporter) = (&self.model.folder, pipeline.reporter);
        let warm = self.warm.has(&self.key.clone().streaming(choice));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            if !warm {
                // The disk is at work while the processor is: the UNet is wanted next.
                scope.spawn(|| self.model.unet.read_ahead(&stop));
            }
            let encoded = pump(run, reporter, || {
                reporter.begin("text", 0, shares.until(shares.cost.text));
                let text = pipeline.text()?;
                reporter.begin("encode", 0, shares.until(shares.cost.encode));
                let mask = match folder.inpaints() {
                    true => latent_mask(crop.hole, folder.vae.scale(), true)?,
                    false => soft_mask(crop.hole, crop.coverage, folder.vae.scale())?,
                };
                let begin = pipeline.encode(picture, crop.hole, mask, self.begins_with_noise())?;
                Ok((text, begin))
            });
            stop.store(true, Ordering::Relaxed);
            encoded
        })
    }

    /// The clean latents, by the UNet that is here or is loaded now.
    fn denoise(
        &self,
        pipeline: &Pipeline<'_>,
        (text, begin): (&Tensor, &Begin),
        choice: &Choice,
        shares: &mut Shares,
        run: &mut Run<'_>,
    ) -> Result<Vec<f32>> {
        let (reporter, cost) = (pipeline.reporter, shares.cost);
        let key = self.key.clone().streaming(choice);
        let warm = self.warm.has(&key);
        if !warm {
            reporter.begin("load", 0, shares.until(0.0));
        }
        let unet = self.warm.get(key, &self.model, choice, run, reporter)?;
        let reading = if warm { 0.0 } else { cost.load };
        let first = shares.until(cost.step + reading);
        let ends = (first, shares.until(cost.step * (cost.steps - 1.0)));
        let latents = pump(run, reporter, || {
            let pipeline = Pipeline {
                cx: &unet.cx,
                ..*pipeline
            };
            pipeline.denoise(&unet.net, text, begin, self.begins_with_noise(), ends)
        })?;
        unet.cx.trim();
        Ok(latents)
    }
}

/// Where each stage ends, of the time that is left after the exemplar fill.
struct Shares {
    end: f64,
    rest: f64,
    cost: Cost,
}

impl Shares {
    /// The share of the time that is over after so many seconds more.
    fn until(&mut self, seconds: f64) -> f64 {
        self.end += self.rest * seconds / self.cost.seconds();
        self.end
    }
}

/// The exemplar engine's fill of the crop.
fn exemplar(crop: &Crop<'_>, run: &mut Run<'_>, steps: u32) -> Result<RgbImage> {
    let prepare = |mark: Mark| Mark {
        stage: "prepare",
        step: 0,
        steps,
        share: mark.share * EXEMPLAR,
    };
    run.mapped(prepare, |run| Exemplar.fill(crop, run))
}
