//! `mend bench`: how fast a model's networks run here, beside what the processor could do.
#![forbid(unsafe_code)]

mod model;

use crate::App;
use crate::args::BenchArgs;
use crate::budget;
use mend::{Error, ErrorKind, Result};
use mend_infer::kernels::{Context, Deviation, Path as Instructions, peak, peak_int8};
use mend_infer::models::autoencoder_kl::{Decoder, Encoder};
use mend_infer::models::clip::CLIPTextModel;
use mend_infer::models::unet_2d_condition::UNet2DConditionModel;
use mend_infer::nn::{Arena, Run, Tensor, from_vec, values};
use model::Model;
use serde_json::json;
use std::time::Instant;

/// Text tokens that a UNet is given.
const TOKENS: usize = 77;
/// The step that a UNet is asked for, of 1,000.
const TIME: f32 = 500.0;
/// The picture's side that the autoencoder works on.
const PICTURE: usize = 512;

/// Runs `bench`.
pub fn run(app: &App, args: &BenchArgs) -> Result<()> {
    let model = Model::open(&args.model)?;
    let threads = mend::Inpainter::new(mend::Options {
        threads: args.threads as usize,
        ..mend::Options::default()
    })
    .threads();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| {
        Error::new(
            ErrorKind::Memory,
            format!("{threads} threads could not be started: {e}; set --threads lower"),
        )
    })?;
    pool.install(|| Bench::new(app, args, &model).run())
}

/// What one stage took.
struct Stage {
    name: &'static str,
    /// The side of the latents; 0 where there are none.
    latents: usize,
    seconds: Vec<f64>,
    flops: u64,
    activations: usize,
}

struct Bench<'a> {
    app: &'a App,
    args: &'a BenchArgs,
    model: &'a Model,
    cx: Context,
    arena: Arena,
    peak_gflops: f64,
    stages: Vec<serde_json::Value>,
}

impl<'a> Bench<'a> {
    fn new(app: &'a App, args: &'a BenchArgs, model: &'a Model) -> Self {
        let cx = Context::new(Instructions::chosen()).packing(args.precision.into());
        Self {
            app,
            args,
            model,
            peak_gflops: peak(&cx),
            cx,
            arena: Arena::new(),
            stages: Vec::new(),
        }
    }

    fn run(mut self) -> Result<()> {
        let (threads, path) = (self.cx.threads(), self.cx.path().name());
        let features = crate::doctor::cpu_features();
        let peak_gops = peak_int8(&self.cx);
        self.say(&format!(
            "processor  {}\nkernels    {path}, {threads} threads, at most {:.0} GFLOP/s in f32, {peak_gops:.0} GOP/s in int8\n\n\
             stage            median      min      max   GFLOP/s   of the f32 peak\n",
            features.join(" "),
            self.peak_gflops,
        ))?;
        let wanted = |names: &[&str]| {
            self.args.stage.is_empty()
                || self.args.stage.iter().any(|s| names.contains(&s.as_str()))
        };
        let unet = [("unet64", 64), ("unet32", 32)];
        let sides: Vec<usize> = unet
            .iter()
            .filter(|(n, _)| wanted(&[n]))
            .map(|(_, s)| *s)
            .collect();
        // Folders of one network for timing may have no text encoder; who asks for it is told.
        if wanted(&["text"]) && (self.model.has_text() || !self.args.stage.is_empty()) {
            self.text()?;
        }
        let (encode, decode) = (wanted(&["vae_encode"]), wanted(&["vae_decode"]));
        if !sides.is_empty() {
            self.unet(&sides)?;
        }
        if encode {
            self.encode()?;
        }
        if decode {
            self.decode()?;
        }
        let peak_rss = budget::peak().map(|bytes| bytes >> 20);
        if let Some(mib) = peak_rss {
            self.say(&format!("\nmemory     {mib} MiB at most\n"))?;
        }
        if self.app.terminal.json {
            self.app.terminal.result(&json!({
                "ok": true,
                "model": self.args.model.display().to_string(),
                "threads": threads,
                "precision": self.args.precision.name(),
                "cpu_features": features,
                "path": path,
                "peak_gflops": self.peak_gflops,
                "peak_int8_gops": peak_gops,
                "peak_rss_mb": peak_rss,
                "stages": self.stages,
            }))?;
        }
        Ok(())
    }

    /// A prompt of one chunk, or, with guidance, half of what a fill needs.
    fn text(&mut self) -> Result<()> {
        let (weights, config) = self.model.text()?;
        let start = Instant::now();
        let net = CLIPTextModel::new(&self.cx, &weights.root(), config)?;
        drop(weights);
        let load = start.elapsed().as_secs_f64();
        let last = net.config().vocab_size as u32 - 1;
        let tokens: Vec<u32> = (0..net.config().max_position_embeddings as u32)
            .map(|i| (i * 631).min(last))
            .collect();
        let cost = net.cost(&self.cx, 1)?;
        let stage = self.time("text", 0, cost.flops, |run| {
            net.forward(run, &[&tokens]).map(drop)
        })?;
        self.tell(&stage, load, net.bytes())?;
        self.rest();
        Ok(())
    }

    fn unet(&mut self, sides: &[usize]) -> Result<()> {
        // What another precision is measured by: one pass each, before its weights come.
        let mut exact = Vec::new();
        if self.args.deviation {
            let full = Context::new(self.cx.path());
            let (net, _) = self.load_unet(&full)?;
            for &side in sides {
                let (sample, states) = unet_input(&net, side)?;
                let run = Run::new(&full, &self.arena);
                exact.push(net.forward(&run, &sample, &[TIME], &states)?);
            }
            self.arena.trim();
        }
        let (net, load) = self.load_unet(&self.cx)?;
        for (i, &side) in sides.iter().enumerate() {
            let (sample, states) = unet_input(&net, side)?;
            let cost = net.cost(&self.cx, 1, side, side, TOKENS)?;
            let stage = self.time("unet", side, cost.flops, |run| {
                net.forward(run, &sample, &[TIME], &states).map(drop)
            })?;
            self.tell(&stage, load, net.bytes())?;
            if let Some(exact) = exact.get(i) {
                let run = Run::new(&self.cx, &self.arena);
                let out = net.forward(&run, &sample, &[TIME], &states)?;
                self.tell_deviation(Deviation::of(&values(&out)?, &values(exact)?))?;
            }
        }
        self.rest();
        Ok(())
    }

    /// The UNet packed for `cx`, and the seconds that took.
    fn load_unet(&self, cx: &Context) -> Result<(UNet2DConditionModel, f64)> {
        let (weights, config) = self.model.unet()?;
        let start = Instant::now();
        let net = UNet2DConditionModel::new(cx, &weights.root(), config)?;
        Ok((net, start.elapsed().as_secs_f64()))
    }

    fn tell_deviation(&mut self, d: Deviation) -> Result<()> {
        let (rms, max) = (100.0 * d.rms, 100.0 * d.max);
        self.say(&format!(
            "                 off f32 by {rms:.2} % rms, {max:.2} % at most\n"
        ))?;
        if let Some(stage) = self.stages.last_mut() {
            stage["deviation_rms"] = json!(d.rms);
            stage["deviation_max"] = json!(d.max);
        }
        Ok(())
    }

    fn encode(&mut self) -> Result<()> {
        let (weights, config) = self.model.vae()?;
        let start = Instant::now();
        let net = Encoder::new(&self.cx, &weights.root(), &config)?;
        drop(weights);
        let load = start.elapsed().as_secs_f64();
        let image = noise(&[1, config.in_channels, PICTURE, PICTURE])?;
        let cost = net.cost(&self.cx, 1, PICTURE, PICTURE)?;
        let side = PICTURE / config.scale();
        let stage = self.time("vae_encode", side, cost.flops, |run| {
            net.encode(run, &image).map(drop)
        })?;
        self.tell(&stage, load, net.bytes())?;
        self.rest();
        Ok(())
    }

    fn decode(&mut self) -> Result<()> {
        let (weights, config) = self.model.vae()?;
        let start = Instant::now();
        let net = Decoder::new(&self.cx, &weights.root(), &config)?;
        drop(weights);
        let load = start.elapsed().as_secs_f64();
        let side = PICTURE / config.scale();
        let latents = noise(&[1, config.latent_channels, side, side])?;
        let cost = net.cost(&self.cx, 1, side, side)?;
        let stage = self.time("vae_decode", side, cost.flops, |run| {
            net.decode(run, &latents).map(drop)
        })?;
        self.tell(&stage, load, net.bytes())?;
        self.rest();
        Ok(())
    }

    fn time(
        &self,
        name: &'static str,
        latents: usize,
        flops: u64,
        pass: impl Fn(&Run) -> Result<()>,
    ) -> Result<Stage> {
        let check = || {
            if self.app.cancel.is_cancelled() {
                Err(Error::cancelled())
            } else {
                Ok(())
            }
        };
        self.arena.reset_peak();
        let mut seconds = Vec::new();
        // The first run finds its memory, and does not count, unless it is all that was asked for.
        for i in 0..=self.args.runs {
            let start = Instant::now();
            pass(&Run::new(&self.cx, &self.arena).check(&check))?;
            if i > 0 {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        seconds.sort_by(f64::total_cmp);
        Ok(Stage {
            name,
            latents,
            seconds,
            flops,
            activations: self.arena.most_held(),
        })
    }

    fn tell(&mut self, stage: &Stage, load: f64, weights: usize) -> Result<()> {
        let s = &stage.seconds;
        let (min, max) = (s[0], s[s.len() - 1]);
        let median = (s[(s.len() - 1) / 2] + s[s.len() / 2]) / 2.0;
        let gflops = stage.flops as f64 / median / 1e9;
        let side = match stage.latents {
            0 => String::new(),
            side => format!("{side}²"),
        };
        self.say(&format!(
            "{:10} {side:>4}  {median:7.3}  {min:7.3}  {max:7.3}   {gflops:7.0}   {:4.0} %\n",
            stage.name,
            100.0 * gflops / self.peak_gflops
        ))?;
        self.stages.push(json!({
            "stage": stage.name,
            "latents": stage.latents,
            "runs": s.len(),
            "median_s": median,
            "min_s": min,
            "max_s": max,
            "gflops": gflops,
            "of_peak": gflops / self.peak_gflops,
            "load_s": load,
            "weights_mb": weights >> 20,
            "activations_mb": stage.activations >> 20,
        }));
        Ok(())
    }

    /// A line of the table.
    fn say(&self, text: &str) -> Result<()> {
        match self.app.terminal.json {
            true => Ok(()),
            false => self.app.terminal.print(text),
        }
    }

    /// Gives the memory back before the next part comes.
    fn rest(&self) {
        self.arena.trim();
        self.cx.trim();
    }
}

/// Latents and text for a UNet.
fn unet_input(net: &UNet2DConditionModel, side: usize) -> Result<(Tensor, Tensor)> {
    let c = net.config();
    let sample = noise(&[1, c.in_channels, side, side])?;
    Ok((sample, noise(&[1, TOKENS, c.cross_attention_dim])?))
}

/// Numbers from −1 to 1 that look random, the same each time.
fn noise(shape: &[usize]) -> Result<Tensor> {
    let mut state = 1u32;
    let values = (0..shape.iter().product())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect();
    from_vec(values, shape)
}
