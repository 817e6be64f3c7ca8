//! The engines of LaMa and MI-GAN, with the tiny networks of `tests/golden`.
#![forbid(unsafe_code)]

use super::*;
use crate::engines::testing::pool;
use crate::engines::{Mark, all, lama, migan};
use crate::error::ErrorKind;
use crate::models;
use crate::progress::Cancel;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// A folder that is there until this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mend-erasers-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A copy of a golden.
    fn put(&self, golden: &str, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(self::golden(golden), &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// A crop with a hole in it.
fn crop(width: usize, height: usize) -> (RgbImage, Plane<u8>, Plane<u8>) {
    let mut image = RgbImage::black(width, height, "").unwrap();
    for (i, v) in image.data.iter_mut().enumerate() {
        *v = (i * 7 % 251) as f32 / 251.0;
    }
    let mut hole = Plane::filled(width, height, 0u8, "").unwrap();
    for y in height / 3..height / 2 {
        hole.row_mut(y)[width / 4..width / 2].fill(1);
    }
    let mut source = hole.clone();
    source.data.iter_mut().for_each(|s| *s = 1 - *s);
    (image, hole, source)
}

/// The engine with these of its parameters set.
fn open_with(
    engine: &dyn Engine,
    models: Option<&Path>,
    set: &[(&str, &str)],
) -> Result<Box<dyn Opened>> {
    let of = |name: &str| set.iter().find(|(own, _)| *own == name).map(|(_, v)| *v);
    let mut parameters = Parameters::default();
    let specs = engine.description().params;
    parameters.add(&specs, of, ParamSpec::parse)?;
    engine.open(&OpenOptions {
        parameters: &parameters,
        models,
    })
}

fn open(engine: &dyn Engine, models: Option<&Path>, model: &str) -> Result<Box<dyn Opened>> {
    open_with(engine, models, &[("model", model)])
}

fn fill(
    engine: &dyn Engine,
    models: Option<&Path>,
    model: &str,
    size: (usize, usize),
    cancel: &Cancel,
) -> Result<(RgbImage, Vec<Mark>)> {
    let (image, hole, _) = crop(size.0, size.1);
    fill_crop(&*open(engine, models, model)?, &image, &hole, cancel)
}

fn fill_crop(
    opened: &dyn Opened,
    image: &RgbImage,
    hole: &Plane<u8>,
    cancel: &Cancel,
) -> Result<(RgbImage, Vec<Mark>)> {
    let mut source = hole.clone();
    source.data.iter_mut().for_each(|s| *s = 1 - *s);
    let (pool, mut marks) = (pool(2), Vec::new());
    let crop = Crop {
        image,
        original: None,
        hole,
        source: &source,
        coverage: None,
        guide: None,
    };
    let filled = opened.fill(
        &crop,
        &mut Run {
            pool: &pool,
            cancel,
            seed: 1,
            budget: None,
            show: &mut |_| {},
            note: &mut |_| {},
            report: &mut |mark| {
                marks.push(mark);
                true
            },
        },
    )?;
    Ok((filled, marks))
}

#[test]
fn the_engines_fill_with_every_form_of_their_files() {
    let (migan, cancel) = (migan::engine(), Cancel::new());
    let file = |name: &str| golden(name).to_str().unwrap().to_owned();
    let of = |name: &str| {
        fill(&migan, None, &file(name), (32, 20), &cancel)
            .unwrap()
            .0
    };
    let whole = of("migan.safetensors");
    assert_eq!((whole.width, whole.height), (32, 20));
    assert!(whole.data.iter().all(|v| (0.0..=1.0).contains(v)));
    let distance = |a: &RgbImage, b: &RgbImage| {
        let each = a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs());
        each.fold(0f32, f32::max)
    };
    // No flat picture, which any two files would agree on.
    assert!(whole.data.iter().any(|v| (v - whole.data[0]).abs() > 0.1));
    assert_eq!(of("migan.pt"), whole);
    assert_eq!(of("migan_traced.pt"), whole);
    assert!(distance(&of("migan.onnx"), &whole) < 1e-5);

    let lama = lama::engine();
    let of = |size| fill(&lama, None, &file("lama.safetensors"), size, &cancel).unwrap();
    for size in [(40, 32), (37, 9), (3, 5), (64, 16)] {
        let (out, marks) = of(size);
        assert_eq!((out.width, out.height), size);
        assert!(out.data.iter().all(|v| (0.0..=1.0).contains(v)));
        assert!(marks.windows(2).all(|m| m[0].share <= m[1].share));
    }
}

/// The engine gives the network what the network was trained on: the hole's content does not matter,
/// its place does.
#[test]
fn what_is_in_the_hole_is_not_seen() {
    let cx = Context::new(Instructions::chosen());
    let migan = Weights::open(&golden("migan.safetensors")).unwrap();
    let migan = models::migan::Generator::load(&cx, &migan).unwrap();
    let lama = Weights::open(&golden("lama.safetensors")).unwrap();
    let lama = models::lama::Generator::load(&cx, &lama).unwrap();
    let check = || Ok(());
    let run = |image: &RgbImage, hole: &Plane<u8>| {
        [
            migan.fill(&cx, image, hole, &check).unwrap(),
            lama.fill(&cx, image, hole, &check).unwrap(),
        ]
    };
    let (mut image, hole, _) = crop(32, 32);
    let before = run(&image, &hole);
    for (i, h) in hole.data.iter().enumerate() {
        if *h == 1 {
            image.data[3 * i..3 * i + 3].fill(0.9);
        }
    }
    assert_eq!(run(&image, &hole), before);
    image.data[0] = 0.9;
    let other = run(&image, &hole);
    assert!(other[0] != before[0] && other[1] != before[1]);
    let moved = Plane::filled(32, 32, 0u8, "").unwrap();
    let other = run(&image, &moved);
    assert!(other[0] != before[0] && other[1] != before[1]);
}

/// MI-GAN's picture of the golden's input is PyTorch's, through the engine.
#[test]
fn the_engine_feeds_the_network_as_the_reference_does() {
    let golden = crate::engines::testing::Golden::open("migan");
    let x = crate::engines::testing::floats(&golden.tensor("x"));
    let want = crate::engines::testing::floats(&golden.tensor("out"));
    let (mut image, mut hole, _) = crop(32, 32);
    for at in 0..32 * 32 {
        hole.data[at] = u8::from(x[at] < 0.0);
        for c in 0..3 {
            image.data[3 * at + c] = (x[(c + 1) * 1024 + at] + 1.0) / 2.0;
        }
    }
    let cx = Context::new(Instructions::chosen());
    let net = models::migan::Generator::load(&cx, &golden.0).unwrap();
    let got = net.fill(&cx, &image, &hole, &|| Ok(())).unwrap();
    for at in 0..32 * 32 {
        for c in 0..3 {
            let want = (want[c * 1024 + at] * 0.5 + 0.5).clamp(0.0, 1.0);
            assert!((got.data[3 * at + c] - want).abs() < 1e-4, "{at} {c}");
        }
    }
    // And LaMa's.
    let golden = crate::engines::testing::Golden::open("lama");
    let tensor =
        |name: &str| crate::engines::testing::floats(&golden.tensor(&format!("square.{name}")));
    let (picture, mask, want) = (tensor("image"), tensor("mask"), tensor("out"));
    let (mut image, mut hole, _) = crop(64, 64);
    for at in 0..64 * 64 {
        hole.data[at] = mask[at] as u8;
        (0..3).for_each(|c| image.data[3 * at + c] = picture[c * 4096 + at]);
    }
    let net = models::lama::Generator::load(&cx, &golden.0).unwrap();
    let got = net.fill(&cx, &image, &hole, &|| Ok(())).unwrap();
    for at in 0..64 * 64 {
        for c in 0..3 {
            let (got, want) = (got.data[3 * at + c], want[c * 4096 + at]);
            assert!((got - want).abs() < 1e-4, "{at} {c}: {got} {want}");
        }
    }
}

/// A crop whose sides are no multiples of 8 is PyTorch's answer: filled up by numpy's `symmetric`, each pixel
/// of it where it was, and cut back.
#[test]
fn a_crop_of_any_size_is_filled_up_and_not_scaled() {
    let golden = crate::engines::testing::Golden::open("lama");
    let tensor =
        |name: &str| crate::engines::testing::floats(&golden.tensor(&format!("ragged.{name}")));
    let (picture, mask, want) = (tensor("image"), tensor("mask"), tensor("out"));
    let (w, h) = (61, 39);
    let (mut image, mut hole, _) = crop(w, h);
    for at in 0..w * h {
        hole.data[at] = mask[at] as u8;
        (0..3).for_each(|c| image.data[3 * at + c] = picture[c * w * h + at]);
    }
    let file = self::golden("lama.safetensors");
    let opened = open(&lama::engine(), None, file.to_str().unwrap()).unwrap();
    // As the flow has it: with a bound that the crop keeps.
    let needs = Needs {
        min_side: 16,
        ..opened.needs()
    };
    assert_eq!(needs.working_size(w as u32, h as u32), (w as u32, h as u32));
    let (got, _) = fill_crop(&*opened, &image, &hole, &Cancel::new()).unwrap();
    for at in 0..w * h {
        for c in 0..3 {
            let (got, want) = (got.data[3 * at + c], want[c * w * h + at]);
            assert!((got - want).abs() < 1e-4, "{at} {c}: {got} {want}");
        }
    }
}

#[test]
fn models_are_found_and_what_is_missing_is_told() {
    let folder = Folder::new();
    let models = Some(folder.0.as_path());
    let (migan, lama) = (migan::engine(), lama::engine());
    for (engine, id) in [(&migan as &dyn Engine, "migan"), (&lama, "lama")] {
        for models in [models, None] {
            let why = engine.unavailable(models).unwrap();
            assert!(why.contains(&format!("mend models fetch {id}")), "{why}");
            let error = open(engine, models, "").err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Model);
            assert_eq!(error.message(), why);
        }
    }
    // What is another engine's, broken, or no model at all.
    folder.put("taesd.safetensors", "taesd.safetensors");
    fs::write(folder.0.join("broken.pt"), b"PK\x03\x04 and so on").unwrap();
    fs::write(folder.0.join("notes.txt"), b"hello").unwrap();
    assert!(migan.unavailable(models).is_some() && lama.unavailable(models).is_some());
    let told = |engine: &dyn Engine, model: &str| {
        let error = open(engine, models, model).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        error.message().to_owned()
    };
    assert!(told(&migan, "taesd").contains("this is not MI-GAN"));
    assert!(told(&lama, "taesd").contains("this is not big-LaMa"));
    assert!(told(&lama, "broken").contains("zip archive"));
    assert!(told(&lama, "no-such").contains("there is no model 'no-such'"));

    // A file, and a folder as it was published.
    folder.put("migan.onnx", "eraser.onnx");
    folder.put("lama.safetensors", "big-lama/models/best.ckpt");
    assert_eq!(
        find::installed::<models::migan::Generator>(models),
        ["eraser.onnx"]
    );
    assert_eq!(
        find::installed::<models::lama::Generator>(models),
        ["big-lama"]
    );
    assert_eq!(migan.unavailable(models), None);
    assert_eq!(lama.unavailable(models), None);
    for (engine, name, needs) in [
        (&migan as &dyn Engine, "eraser", (32, 32)),
        (&lama, "big-lama", (256, 512)),
    ] {
        for name in ["", name] {
            let needs_of = open(engine, models, name).unwrap().needs();
            assert_eq!(
                (needs_of.min_side, needs_of.max_side),
                (needs.0, Some(needs.1))
            );
        }
    }
    assert!(told(&migan, "erasr").contains("one of eraser.onnx"));
    // By the id of an installed model.
    let store = crate::catalog::Store::new(folder.0.clone());
    let how = crate::catalog::Import {
        id: Some("mine".into()),
        link: false,
    };
    let cancel = Cancel::new();
    for (file, engine) in [
        ("migan.onnx", &migan as &dyn Engine),
        ("lama.safetensors", &lama),
    ] {
        // The tiny MI-GAN has another size than the catalogue knows; a diffusion engine has no use.
        let taken = store.import(&golden(file), &how, &mut |_| {}, &cancel);
        match file {
            "migan.onnx" => assert!(taken.unwrap_err().message().contains("no checkpoint")),
            _ => {
                assert_eq!(taken.unwrap().kind, Kind::Lama);
                open(engine, models, "mine").unwrap();
            }
        }
    }
}

#[test]
fn a_network_stays_until_its_file_changes_or_it_is_let_go() {
    let folder = Folder::new();
    let path = folder.put("migan.pt", "m.pt");
    let (engine, cancel) = (migan::engine(), Cancel::new());
    let of = || fill(&engine, Some(&folder.0), "", (32, 32), &cancel).map(|f| f.0);
    let held = || engine.warm.held();
    assert!(held().is_none());
    let first = of().unwrap();
    let loaded = held().unwrap();
    assert_eq!(of().unwrap(), first);
    assert!(Arc::ptr_eq(&loaded, &held().unwrap()));
    let later = SystemTime::now() + Duration::from_secs(9);
    let opened = fs::File::options().write(true).open(&path).unwrap();
    opened.set_modified(later).unwrap();
    assert_eq!(of().unwrap(), first);
    assert!(!Arc::ptr_eq(&loaded, &held().unwrap()));
    engine.trim();
    assert!(held().is_none());
    cancel.cancel();
    assert_eq!(of().unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn the_working_size_is_a_parameter() {
    let lama = lama::engine();
    let model = golden("lama.safetensors");
    let of = |set: &[(&str, &str)]| {
        let mut all = vec![("model", model.to_str().unwrap())];
        all.extend(set);
        open_with(&lama, None, &all).unwrap()
    };
    let (plain, large) = (of(&[]), of(&[("resolution", "1029")]));
    let (needs, larger) = (plain.needs(), large.needs());
    assert_eq!((needs.max_side, larger.max_side), (Some(512), Some(1024)));
    assert_eq!(larger.working_size(3000, 1000), (1024, 341));
    let (costs, more) = (plain.costs(None), large.costs(None));
    assert!(more.bytes > costs.bytes && more.seconds > 2.0 * costs.seconds);
    let memory = large.memory(None);
    assert_eq!(memory.bytes, more.bytes as u64);
    assert!(memory.instead.unwrap().contains("resolution"));
    // Every engine describes its parameters, each name once and with a default that it takes.
    for engine in all() {
        let params = engine.description().params;
        for (i, spec) in params.iter().enumerate() {
            spec.parse(spec.default).unwrap();
            assert!(params[..i].iter().all(|p| p.name != spec.name));
        }
    }
}

fn defaults(engine: &dyn Engine) -> Parameters {
    Parameters::defaults(&engine.description().params).unwrap()
}

/// What the plan predicts is what the network counts, at the size of the published one.
#[test]
fn predictions_agree_with_the_network() {
    let keys = mend_fixtures::zeros::keys("lama");
    let weights = crate::engines::testing::full_size("predicted", &keys);
    let cx = Context::new(Instructions::chosen());
    let net = models::lama::Generator::load(&cx, &weights).unwrap();
    let model = models::lama::Generator::cost_model(&weights, &defaults(&lama::engine())).unwrap();
    let cost = net.cost(&cx, 512, 512).unwrap();
    for (what, predicted, counted) in [
        ("operations", model.flops, cost.flops as f64),
        ("bytes", model.pass, cost.bytes as f64),
        ("weights", model.weights, net.bytes() as f64),
    ] {
        let ratio = predicted / counted;
        assert!(
            (0.95..1.1).contains(&ratio),
            "{what}: {predicted} {counted}"
        );
    }
    let keys = mend_fixtures::zeros::keys("migan512");
    let fixed = |name: &str| name.ends_with("filter.weight") || name.ends_with("zeros.weight");
    let keys: Vec<_> = keys.into_iter().filter(|(name, _)| !fixed(name)).collect();
    let weights = crate::engines::testing::full_size("predicted", &keys);
    let model =
        models::migan::Generator::cost_model(&weights, &defaults(&migan::engine())).unwrap();
    let net = models::migan::Generator::load(&cx, &weights).unwrap();
    let ratio = model.weights / net.bytes() as f64;
    assert!((0.95..1.1).contains(&ratio), "weights: {ratio}");
    // A pass of zeros takes what any pass takes.
    let (arena, x) = (crate::nn::Arena::new(), vec![0.0; 4 * 512 * 512]);
    let x = crate::nn::from_vec(x, &[1, 4, 512, 512]).unwrap();
    pool(2).install(|| {
        let run = crate::nn::Run::new(&cx, &arena);
        net.forward(&run, &x).unwrap();
    });
    let ratio = model.pass / arena.most_held() as f64;
    assert!(
        (0.95..1.15).contains(&ratio),
        "bytes: {} held",
        arena.most_held()
    );
}
