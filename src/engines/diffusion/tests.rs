//! The pipeline against diffusers' (`tests/golden/pipeline.safetensors`), and what is wrong with folders.
#![forbid(unsafe_code)]

use super::pipeline::{Pipeline, latent_mask};
use super::*;
use crate::engines::pump::StageReporter;
use crate::error::ErrorKind;
use crate::kernels::{Context, Path as Instructions, Precision};
use crate::models::autoencoder_kl::{Decoder, Encoder};
use crate::models::unet_2d_condition::{self, Streamed};
use crate::models::{CLIPTextModel, UNet2DConditionModel, clip};
use crate::nn::{self, Arena, Tensor, from_vec};
use crate::pixels::Plane;
use crate::progress::Cancel;
use crate::schedulers::{Kind, Purpose};
use crate::weights::Weights;
use mend_fixtures::tiny;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

mod files;
mod soft;

/// A folder that goes when this does.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        let id = std::process::id();
        let path = std::env::temp_dir().join(format!("mend-diffusion-{name}-{id}"));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Golden(Weights);

impl Golden {
    fn values(&self, name: &str) -> (Vec<f32>, Vec<usize>) {
        let shape = self.0.shape(name).unwrap().to_vec();
        let values = self.0.root().get(name, &shape).unwrap();
        (values.into_f32().unwrap(), shape)
    }

    /// The negative prompt, then the prompt; the prompt alone without guidance.
    fn text(&self, guided: bool) -> Tensor {
        let (prompt, mut shape) = self.values("prompt");
        let mut all = match guided {
            true => self.values("negative").0,
            false => Vec::new(),
        };
        all.extend(prompt);
        shape[0] = 1 + usize::from(guided);
        from_vec(all, &shape).unwrap()
    }
}

impl Golden {
    fn open(name: &str) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let file = format!("{root}/tests/golden/{name}.safetensors");
        Self(Weights::open(Path::new(&file)).unwrap())
    }

    fn cases(&self) -> serde_json::Map<String, Value> {
        serde_json::from_str(self.0.metadata("cases").unwrap()).unwrap()
    }
}

#[test]
fn the_pipeline_is_the_references() {
    let golden = Golden::open("pipeline");
    let temporary = Temporary::new("golden");
    for (name, case) in golden.cases() {
        let channels = case["channels"].as_u64().unwrap() as usize;
        let path = temporary.0.join(channels.to_string());
        tiny::model(&path, channels);
        let folder = Folder::open(path).unwrap();
        let text = golden.text(case["guidance"].as_f64().unwrap() > 1.0);
        agrees(&folder, &golden, &golden, (&name, &case), &text);
    }
}

/// With its own text encoder, linear projections and a UNet that predicts v.
#[test]
fn the_pipeline_of_stable_diffusion_2_is_the_references() {
    let (inputs, golden) = (Golden::open("pipeline"), Golden::open("pipeline_sd2"));
    let temporary = Temporary::new("golden-2");
    tiny::model_2(&temporary.0);
    let folder = Folder::open(temporary.0.clone()).unwrap();
    let shape = golden.0.shape("tokens").unwrap().to_vec();
    let tokens = golden.0.root().integers("tokens", &shape).unwrap();
    let tokens: Vec<u32> = tokens.iter().map(|t| *t as u32).collect();
    let tokens: Vec<&[u32]> = tokens.chunks(shape[1]).collect();
    let cx = Context::new(Instructions::best());
    let weights = folder.text_weights().unwrap();
    let net = CLIPTextModel::new(&cx, &weights.root(), folder.text.clone()).unwrap();
    let arena = Arena::new();
    let text = net.forward(&nn::Run::new(&cx, &arena), &tokens).unwrap();
    for (name, case) in golden.cases() {
        agrees(&folder, &inputs, &golden, (&name, &case), &text);
    }
}

/// Runs a case from the `inputs`' picture, mask and noise and compares it with `golden`.
fn agrees(
    folder: &Folder,
    inputs: &Golden,
    golden: &Golden,
    (name, case): (&str, &Value),
    text: &Tensor,
) {
    let (image, shape) = inputs.values("image");
    let (h, w) = (shape[2], shape[3]);
    let mut picture = RgbImage::black(w, h, "").unwrap();
    for (i, v) in picture.data.iter_mut().enumerate() {
        *v = image[i % 3 * w * h + i / 3];
    }
    let mut hole = Plane::filled(w, h, 0u8, "").unwrap();
    let mask = inputs.values("mask").0;
    hole.data
        .iter_mut()
        .zip(mask)
        .for_each(|(h, m)| *h = m as u8);
    let draw = |purpose: Purpose, index: usize, out: &mut [f32]| {
        let name = match purpose {
            Purpose::Start => "start".to_owned(),
            Purpose::Encode => format!("encode.{index}"),
            Purpose::Step => format!("step.{index}"),
        };
        out.copy_from_slice(&inputs.values(&name).0);
    };
    let cancel = Cancel::new();
    let channels = case["channels"].as_u64().unwrap() as usize;
    assert_eq!((folder.inpaints(), folder.side), (channels == 9, 64));
    let mut settings = Settings::new(&settings::test_parameters(&[])).unwrap();
    settings.scheduler = Kind::parse(case["scheduler"].as_str().unwrap()).unwrap();
    settings.steps = case["steps"].as_u64().unwrap() as usize;
    settings.strength = case["strength"].as_f64().unwrap();
    settings.guidance = case["guidance"].as_f64().unwrap();
    let from_noise = settings.strength == 1.0;
    let cx = Context::new(Instructions::best());
    let reporter = StageReporter::new(&cancel, 1);
    let pipeline = Pipeline {
        folder,
        settings: &settings,
        cx: &cx,
        draw: &draw,
        reporter: &reporter,
        slice: 128,
        band: nn::Run::BAND,
    };
    // The reference takes the nearest pixel for both kinds.
    let mask = latent_mask(&hole, 8, true).unwrap();
    let begin = pipeline.encode(&picture, &hole, mask, from_noise).unwrap();
    let weights = folder.unet_weights().unwrap();
    let net = UNet2DConditionModel::new(&cx, &weights.root(), folder.unet.clone()).unwrap();
    let latents = pipeline
        .denoise(&net, text, &begin, from_noise, (0.0, 1.0))
        .unwrap();
    let out = pipeline
        .decode(&latents, begin.height, begin.width)
        .unwrap();
    let off = |a: f32, b: f32| (a - b).abs();
    // What was shown last is what the last step took the clean latents for.
    let shown = reporter.shown().unwrap();
    assert!(reporter.shown().is_none(), "told twice");
    if settings.scheduler == Kind::parse("euler").unwrap() {
        let right = preview::preview(&latents, begin.height, begin.width).unwrap();
        assert_eq!((shown.width, shown.height), (w / 8, h / 8));
        let each = shown.data.iter().zip(&right.data).map(|(a, b)| off(*a, *b));
        assert!(each.fold(0.0, f32::max) < 1e-4);
    }
    let want = golden.values(&format!("{name}.latents")).0;
    let latent = latents
        .iter()
        .zip(&want)
        .map(|(a, b)| off(*a, *b))
        .fold(0.0, f32::max);
    let want = golden.values(&format!("{name}.out")).0;
    let each = (0..out.data.len()).map(|i| off(out.data[i], want[i % 3 * w * h + i / 3]));
    let image = each.fold(0.0, f32::max);
    println!("{name}: latents {latent:.1e}, image {image:.1e}");
    assert!(
        image <= 2e-3,
        "{name}: latents {latent:.1e}, image {image:.1e}"
    );
}

#[test]
fn predictions_agree_with_passes() {
    let temporary = Temporary::new("cost");
    tiny::model(&temporary.0, 9);
    let folder = Folder::open(temporary.0.clone()).unwrap();
    let cx = Context::new(Instructions::best());
    let weights = folder.unet_weights().unwrap();
    let net = UNet2DConditionModel::new(&cx, &weights.root(), folder.unet.clone()).unwrap();
    let counted = net.cost(&cx, 1, 64, 64, 77).unwrap().flops as f64;
    let predicted = cost::unet_flops(&folder, &weights, 64.0 * 64.0);
    assert!(
        (predicted / counted - 1.0).abs() < 0.02,
        "{predicted} {counted}"
    );
    let vae = folder.vae_weights().unwrap();
    let net = crate::models::autoencoder_kl::Decoder::new(&cx, &vae.root(), &folder.vae).unwrap();
    let counted = net.cost(&cx, 1, 64, 64).unwrap().flops as f64;
    let predicted = cost::flops(&vae, "decoder.", 4, 512.0 * 512.0);
    assert!(
        (predicted / counted - 1.0).abs() < 0.02,
        "{predicted} {counted}"
    );
    let net = crate::models::autoencoder_kl::Encoder::new(&cx, &vae.root(), &folder.vae).unwrap();
    let counted = net.cost(&cx, 1, 512, 512).unwrap().flops as f64;
    let predicted = cost::flops(&vae, "encoder.", 4, 512.0 * 512.0);
    assert!(
        (predicted / counted - 1.0).abs() < 0.02,
        "{predicted} {counted}"
    );
    assert_eq!(
        weights.bytes() as usize / 1000,
        counted_bytes(&folder) / 1000
    );
}

/// Within a tenth, at the size that published models work at.
#[test]
fn bytes_of_the_stages_agree_with_networks_and_passes() {
    let temporary = Temporary::new("bytes");
    tiny::model(&temporary.0, 9);
    let mut folder = Folder::open(temporary.0.clone()).unwrap();
    folder.side = 512;
    let folder = Arc::new(folder);
    let model = Model::open(folder.clone()).unwrap();
    let mut settings = Settings::new(&settings::test_parameters(&[])).unwrap();
    let agree = |what: &str, predicted: f64, counted: usize| {
        let ratio = predicted / counted as f64;
        println!("{what}: {predicted:.0} over {counted} bytes, {ratio:.3}");
        assert!((0.9..1.1).contains(&ratio), "{what}: {ratio}");
    };
    for (precision, guidance) in [(Precision::Full, 1.0), (Precision::Int8, 7.5)] {
        (settings.precision, settings.guidance) = (precision, guidance);
        let batch = if guidance > 1.0 { 2 } else { 1 };
        let stages = stages::Stages::new(&model, &settings);
        let choice = stages.choose(None);
        let cx = Context::new(Instructions::chosen()).packing(precision);
        let unet = UNet2DConditionModel::new(&cx, &model.unet.root(), folder.unet.clone()).unwrap();
        let pass = unet.cost(&cx, batch, 64, 64, 77).unwrap().bytes;
        let encoder = Encoder::new(&cx, &model.vae.root(), &folder.vae).unwrap();
        let decoder = Decoder::new(&cx, &model.vae.root(), &folder.vae).unwrap();
        let encode = encoder.bytes() + encoder.cost(&cx, 1, 512, 512).unwrap().bytes;
        let decode = decoder.bytes() + decoder.cost(&cx, 1, 64, 64).unwrap().bytes;
        let text = clip::CLIPTextModel::new(&cx, &model.text.root(), folder.text.clone());
        let text = text.unwrap().bytes();
        let bytes = |name: &str, choice: &stages::Choice| {
            let told = stages.memory(choice).stages;
            let stage = told.iter().find(|s| s.name == name).unwrap();
            stage.bytes as f64 - stages::REST
        };
        agree("steps", bytes("steps", &choice), unet.bytes() + pass);
        agree("decode", bytes("decode", &choice), unet.bytes() + decode);
        agree("encode", bytes("encode", &choice), unet.bytes() + encode);
        agree("text", bytes("text", &choice), unet.bytes() + text);
        // With every layer streamed, and with every other.
        let names = unet_2d_condition::layers(&folder.unet);
        for each in [1, 2] {
            let mut some = choice.clone();
            some.streamed = names.iter().step_by(each).cloned().collect();
            let streamed = Streamed {
                weights: model.unet.clone(),
                layers: some.streamed.clone(),
                later: false,
            };
            let config = folder.unet.clone();
            let net = UNet2DConditionModel::streaming(&cx, &streamed, config, &|| Ok(())).unwrap();
            agree("streamed", stages.held(&some), net.bytes());
        }
    }
}

#[test]
fn a_budget_gives_up_no_more_than_it_must() {
    let temporary = Temporary::new("choice");
    tiny::model(&temporary.0, 9);
    tiny::widen(&temporary.0);
    let folder = Folder::open(temporary.0.clone()).unwrap();
    let model = Model::open(Arc::new(folder)).unwrap();
    let settings = Settings::new(&settings::test_parameters(&[])).unwrap();
    let stages = stages::Stages::new(&model, &settings);
    let all = stages.choose(None);
    assert!(all.keep && all.streamed.is_empty());
    let most = stages.peak(&all);
    let least = stages.peak(&stages.choose(Some(0)));
    assert_eq!(stages.choose(Some(most)), all);
    let mut before = all;
    for budget in (least..most)
        .rev()
        .step_by(1 + (most - least) as usize / 97)
    {
        let choice = stages.choose(Some(budget));
        assert!(stages.peak(&choice) <= budget);
        assert!(choice.streamed.is_superset(&before.streamed));
        before = choice;
    }
    let told = stages::memory(&model, &settings, &stages, Some(least - 1));
    assert_eq!(told.bytes, least);
    assert!(told.given_up.contains("from the file"), "{}", told.given_up);
}

/// Where the model of this name lies.
fn installed_model(models: &Path, name: &str) -> Result<PathBuf> {
    let models = Some(models);
    find::model(models, name, || Arc::new(find::installed(models)))
}

/// Bytes of the UNet's tensors, from its file.
fn counted_bytes(folder: &Folder) -> usize {
    let file = folder.path.join("unet/diffusion_pytorch_model.safetensors");
    let header = fs::read(&file).unwrap();
    let length = u64::from_le_bytes(header[..8].try_into().unwrap()) as usize;
    header.len() - 8 - length
}

#[test]
fn a_wrong_folder_is_told_with_its_file() {
    let temporary = Temporary::new("wrong");
    let models = temporary.0.as_path();
    let said = |model: &str| {
        let found = installed_model(models, model).and_then(Folder::open);
        let e = found.err().expect(model);
        (e.kind(), e.message().to_owned())
    };
    let (kind, message) = said("");
    assert_eq!(kind, ErrorKind::Model);
    assert!(
        message.contains("text_encoder/") && message.contains("wrong"),
        "{message}"
    );
    tiny::model(&models.join("tiny"), 9);
    assert_eq!(find::installed(Some(models)), ["tiny"]);
    assert!(installed_model(models, "").unwrap().ends_with("tiny"));
    assert!(said("tinny").1.contains("did you mean 'tiny'?"));
    assert!(said("no/such").1.contains("'no/such'"));

    let unet = models.join("tiny/unet/config.json");
    let whole = fs::read_to_string(&unet).unwrap();
    let change = |key: &str, to: i32| {
        let mut json: Value = serde_json::from_str(&whole).unwrap();
        json[key] = to.into();
        fs::write(&unet, json.to_string()).unwrap();
    };
    for (key, to, named) in [
        ("in_channels", 8, "unet/config.json: 'in_channels' is 8"),
        (
            "cross_attention_dim",
            20,
            "text_encoder/config.json: 'hidden_size' is 24",
        ),
    ] {
        change(key, to);
        assert!(said("tiny").1.contains(named), "{}", said("tiny").1);
    }
    fs::write(&unet, &whole).unwrap();
    let noise = models.join("tiny/scheduler");
    fs::create_dir(&noise).unwrap();
    fs::write(noise.join("scheduler_config.json"), "{\"beta_start\": 7}").unwrap();
    assert!(
        said("tiny").1.contains("scheduler_config.json"),
        "{}",
        said("tiny").1
    );
    fs::remove_dir_all(&noise).unwrap();
    fs::remove_file(models.join("tiny/vae/config.json")).unwrap();
    assert!(said("tiny").1.contains("vae/config.json"));
}

#[test]
fn the_latents_mask_is_the_nearest_pixel_or_any() {
    let mut hole = Plane::filled(32, 16, 0u8, "").unwrap();
    hole.row_mut(9)[9..25].fill(1);
    // No upper left pixel of a block: then any counts.
    assert_eq!(
        latent_mask(&hole, 8, true).unwrap(),
        latent_mask(&hole, 8, false).unwrap()
    );
    hole.row_mut(8)[9..25].fill(1);
    let rows = |m: Vec<f32>| (m[..4].to_vec(), m[4..].to_vec());
    let (top, bottom) = rows(latent_mask(&hole, 8, true).unwrap());
    assert_eq!((top, bottom), (vec![0.0; 4], vec![0.0, 0.0, 1.0, 1.0]));
    let (_, bottom) = rows(latent_mask(&hole, 8, false).unwrap());
    assert_eq!(bottom, [0.0, 1.0, 1.0, 1.0]);
}

/// A crop of the model's size with a hole, and what an engine is run with.
fn fill(engine: &Diffusion, models: &Path, cancel: &Cancel) -> Result<RgbImage> {
    fill_with(engine, models, cancel, &[])
}

fn fill_with(
    engine: &Diffusion,
    models: &Path,
    cancel: &Cancel,
    params: &[(&str, &str)],
) -> Result<RgbImage> {
    fill_crop(engine, models, cancel, params, None)
}

/// With a mask that is the `coverage` of the hole.
fn fill_crop(
    engine: &Diffusion,
    models: &Path,
    cancel: &Cancel,
    params: &[(&str, &str)],
    coverage: Option<f32>,
) -> Result<RgbImage> {
    let mut image = RgbImage::black(64, 64, "").unwrap();
    for (i, v) in image.data.iter_mut().enumerate() {
        *v = (i * 7 % 251) as f32 / 251.0;
    }
    let mut hole = Plane::filled(64, 64, 0u8, "").unwrap();
    (20..40).for_each(|y| hole.row_mut(y)[24..48].fill(1));
    let mut source = hole.clone();
    source.data.iter_mut().for_each(|s| *s = 1 - *s);
    let mut set = vec![("steps", "2"), ("prompt", "a cat")];
    set.extend(params);
    let parameters = settings::test_parameters(&set);
    let pool = crate::engines::testing::pool(2);
    let coverage = coverage.map(|whole| {
        let each = hole.data.iter().map(|h| f32::from(*h) * whole);
        let data = each.collect();
        let (width, height) = (hole.width, hole.height);
        Plane {
            width,
            height,
            data,
        }
    });
    let original = coverage.is_some().then(|| {
        let mut original = image.clone();
        original.data.iter_mut().for_each(|v| *v = 1.0 - *v);
        original
    });
    let opened = engine.open(&OpenOptions {
        parameters: &parameters,
        models: Some(models),
    })?;
    opened.fill(
        &Crop {
            image: &image,
            original: original.as_ref(),
            hole: &hole,
            coverage: coverage.as_ref(),
            source: &source,
            guide: None,
        },
        &mut Run {
            pool: &pool,
            cancel,
            seed: 1,
            budget: None,
            report: &mut |_| true,
            show: &mut |_| {},
            note: &mut |_| {},
        },
    )
}

#[test]
fn the_unet_stays_until_its_file_changes_or_it_is_let_go() {
    let temporary = Temporary::new("warm");
    let models = temporary.0.as_path();
    tiny::model(&models.join("tiny"), 9);
    let (engine, cancel) = (Diffusion::default(), Cancel::new());
    assert!(engine.warm.held().is_none());
    let first = fill(&engine, models, &cancel).unwrap();
    let unet = engine.warm.held().unwrap();
    assert_eq!(fill(&engine, models, &cancel).unwrap(), first);
    assert!(std::sync::Arc::ptr_eq(&unet, &engine.warm.held().unwrap()));
    let file = models.join("tiny/unet/diffusion_pytorch_model.safetensors");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
    let opened = fs::File::options().write(true).open(&file).unwrap();
    opened.set_modified(later).unwrap();
    assert_eq!(fill(&engine, models, &cancel).unwrap(), first);
    assert!(!std::sync::Arc::ptr_eq(&unet, &engine.warm.held().unwrap()));
    engine.trim();
    assert!(engine.warm.held().is_none());
    cancel.cancel();
    let stopped = fill(&engine, models, &cancel).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Cancelled);
}

#[test]
fn a_pass_ends_at_its_next_layer_when_it_is_cancelled() {
    let cancel = Cancel::new();
    let reporter = StageReporter::new(&cancel, 2);
    reporter.begin("steps", 0, 0.5);
    (0..10).for_each(|_| reporter.layer().unwrap());
    reporter.begin("steps", 1, 1.0);
    (0..5).for_each(|_| reporter.layer().unwrap());
    // Half of the second step, by the layers of the first.
    assert_eq!((reporter.mark().step, reporter.mark().share), (1, 0.75));
    cancel.cancel();
    assert_eq!(reporter.layer().unwrap_err().kind(), ErrorKind::Cancelled);
}
