//! The engine with the tiny network of `tests/golden/rad.safetensors`.
#![forbid(unsafe_code)]

use super::*;
use crate::catalog::{Import, Kind, Store};
use crate::engines::testing::{Golden, floats, pool};
use crate::engines::{Mark, all, diffusion};
use crate::error::ErrorKind;
use crate::params::{ParamSpec, Parameters};
use crate::pixels::Plane;
use crate::progress::Cancel;
use crate::schedulers::pixelwise::{Method, Noisy, Order};
use crate::weights::Weights;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// A folder that is there until this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mend-rad-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn models(&self) -> Option<&Path> {
        Some(&self.0)
    }

    /// A model in the authors' layout.
    fn put(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.join("unet")).unwrap();
        let golden = Weights::open(&golden()).unwrap();
        fs::write(
            path.join("unet/config.json"),
            golden.metadata("config").unwrap(),
        )
        .unwrap();
        let file = path.join("unet/diffusion_pytorch_model.safetensors");
        fs::copy(self::golden(), file).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rad.safetensors")
}

/// A crop, its original and its hole, which is covered by so much.
struct Case {
    image: RgbImage,
    original: RgbImage,
    hole: Plane<u8>,
    coverage: Plane<f32>,
    source: Plane<u8>,
}

impl Case {
    fn new(width: usize, height: usize, covered: f32) -> Self {
        let mut image = RgbImage::black(width, height, "").unwrap();
        for (i, v) in image.data.iter_mut().enumerate() {
            // Nothing that ±1 and back would leave as it is; floats reach beyond.
            *v = (i * 7 % 251) as f32 / 247.0;
        }
        let mut hole = Plane::filled(width, height, 0u8, "").unwrap();
        for y in height / 4..height * 3 / 4 {
            hole.row_mut(y)[width / 4..width * 3 / 4].fill(1);
        }
        let original = image.try_clone("").unwrap();
        let mut coverage = Plane::filled(width, height, 0f32, "").unwrap();
        let mut source = hole.clone();
        for i in 0..hole.data.len() {
            source.data[i] = 1 - hole.data[i];
            if hole.data[i] != 0 {
                coverage.data[i] = covered;
                image.data[3 * i..3 * i + 3].fill(0.5);
            }
        }
        Self {
            image,
            original,
            hole,
            coverage,
            source,
        }
    }

    fn crop(&self) -> Crop<'_> {
        Crop {
            image: &self.image,
            original: Some(&self.original),
            hole: &self.hole,
            coverage: Some(&self.coverage),
            source: &self.source,
            guide: None,
        }
    }
}

fn values(model: &str, more: &[(&'static str, &str)]) -> Parameters {
    let set = |name: &str| match name {
        "model" => Some(model),
        _ => more.iter().find(|(own, _)| *own == name).map(|(_, v)| *v),
    };
    let mut values = Parameters::default();
    let parse = |spec: &ParamSpec, text: &str| spec.parse_for("rad", text);
    values.add(&settings::params(), set, parse).unwrap();
    values
}

fn open(engine: &Rad, parameters: &Parameters, models: Option<&Path>) -> Result<Box<dyn Opened>> {
    engine.open(&OpenOptions { parameters, models })
}

struct Filled {
    image: RgbImage,
    marks: Vec<Mark>,
    previews: usize,
}

fn fill(
    engine: &Rad,
    case: &Case,
    values: &Parameters,
    (threads, seed): (usize, u64),
    cancel: &Cancel,
    go_on: &mut dyn FnMut(Mark) -> bool,
) -> Result<Filled> {
    let (pool, mut marks, mut previews) = (pool(threads), Vec::new(), 0);
    let image = open(engine, values, None)?.fill(
        &case.crop(),
        &mut Run {
            pool: &pool,
            cancel,
            seed,
            budget: None,
            show: &mut |shown| {
                assert_eq!(
                    (shown.width, shown.height),
                    (case.image.width, case.image.height)
                );
                previews += 1;
            },
            note: &mut |_| {},
            report: &mut |mark| {
                marks.push(mark);
                go_on(mark)
            },
        },
    )?;
    Ok(Filled {
        image,
        marks,
        previews,
    })
}

fn plain(case: &Case, values: &Parameters, how: (usize, u64)) -> Filled {
    let engine = Rad::default();
    fill(&engine, case, values, how, &Cancel::new(), &mut |_| true).unwrap()
}

fn tiny() -> String {
    golden().to_str().unwrap().to_owned()
}

/// Ten steps with the reference's noise, by both methods, for a hole and for a soft mask.
#[test]
fn runs_are_the_references() {
    let golden = Golden::open("rad");
    let checkpoint = Checkpoint::open(&self::golden()).unwrap();
    let cx = Context::new(Instructions::best());
    let scope = checkpoint.weights.root();
    let net = RadUnet::new(&cx, &scope, checkpoint.config.clone(), &|| Ok(())).unwrap();
    let get = |name: &str| floats(&golden.tensor(&format!("run.{name}")));
    let times: Vec<usize> = get("n").iter().map(|n| *n as usize).collect();
    let (image, fresh) = (get("image"), get("step_noise"));
    let (height, width) = (12, 24);
    for kind in ["binary", "soft"] {
        let mask = get(&format!("{kind}.mask"));
        let of = |m: &f32| Noisy {
            mask: *m,
            depth: 0.0,
        };
        let pixels: Vec<Noisy> = mask.iter().map(of).collect();
        let steps = PixelRun::new(&times, Order::Together, &pixels).unwrap();
        for (name, method) in [("ddpm", Method::Ddpm), ("ddim", Method::Ddim)] {
            let mut x = get(&format!("{name}.{kind}.start"));
            let arena = Arena::new();
            for i in 0..steps.steps() {
                let map = LevelMap::new(height, width, &steps.levels(i).unwrap()).unwrap();
                let given = from_vec(x.clone(), &[1, 3, height, width]).unwrap();
                let made = net.forward(&Pass::new(&cx, &arena), &given, &map).unwrap();
                let made = floats(&made);
                let noise = &mut |out: &mut [f32]| {
                    out.copy_from_slice(&fresh[i * out.len()..][..out.len()]);
                };
                steps.step(method, i, &made, &mut x, noise).unwrap();
                if i % 3 == 0 {
                    let want = get(&format!("{name}.{kind}.after.{}", i + 1));
                    let off = x.iter().zip(&want).map(|(a, b)| (a - b).abs());
                    let worst = off.fold(0f32, f32::max);
                    println!("{name} {kind} after {}: {worst:.1e}", i + 1);
                    assert!(worst <= 1e-4, "{name} {kind} {i}: {worst}");
                }
            }
            for (at, x) in x.iter().enumerate() {
                if mask[at % mask.len()] == 0.0 {
                    assert_eq!(x.to_bits(), image[at].to_bits());
                }
            }
        }
    }
}

#[test]
fn the_hole_alone_is_filled_with_the_same_bits_on_any_number_of_threads() {
    let mut made = Vec::new();
    for (size, more) in [
        ((16, 16), &[("steps", "5")][..]),
        ((16, 16), &[("steps", "5"), ("scheduler", "ddpm")]),
        ((16, 16), &[("steps", "5"), ("order", "rim_first")]),
        ((16, 16), &[("steps", "5"), ("spacing", "even")]),
        // Sides that the network cannot have.
        ((13, 7), &[("steps", "2")]),
        ((4, 15), &[("steps", "1"), ("scheduler", "ddpm")]),
    ] {
        let case = Case::new(size.0, size.1, 1.0);
        let values = values(&tiny(), more);
        let one = plain(&case, &values, (1, 3));
        let two = plain(&case, &values, (2, 3));
        assert_eq!(one.image, two.image, "{more:?}");
        let other = plain(&case, &values, (2, 4));
        assert!(one.image != other.image, "{more:?}: the seed");
        for (i, v) in one.image.data.iter().enumerate() {
            match case.hole.data[i / 3] {
                0 => assert_eq!(v.to_bits(), case.image.data[i].to_bits()),
                _ => assert!((0.0..=1.0).contains(v)),
            }
        }
        assert!(one.marks.windows(2).all(|m| m[0].share <= m[1].share));
        assert!(one.marks.iter().any(|m| m.stage == "steps"));
        assert!(one.previews > 0);
        if size == (16, 16) {
            made.push(one.image);
        }
    }
    for (i, a) in made.iter().enumerate() {
        assert!(
            made[..i].iter().all(|b| a != b),
            "{i}: a parameter does nothing"
        );
    }
}

/// What is in the hole is not seen where all of it goes, and more of it the less goes.
#[test]
fn soft_masks_keep_what_they_leave() {
    let values = values(&tiny(), &[("steps", "8")]);
    let mut whole = Case::new(16, 16, 1.0);
    let before = plain(&whole, &values, (2, 1)).image;
    whole.original.data.iter_mut().for_each(|v| *v = 1.0 - *v);
    assert_eq!(plain(&whole, &values, (2, 1)).image, before);
    let mut last = f64::INFINITY;
    for covered in [1.0, 0.6, 0.2, 0.004] {
        let case = Case::new(16, 16, covered);
        let made = plain(&case, &values, (2, 1)).image;
        let pairs = made.data.iter().zip(&case.original.data).enumerate();
        let hole = pairs.filter(|(i, _)| case.hole.data[i / 3] != 0);
        let off: f64 = hole
            .map(|(_, (a, b))| f64::from((a - b.clamp(0.0, 1.0)).abs()))
            .sum();
        assert!(off < last, "{covered}: {off} {last}");
        last = off;
    }
    // One 255th of a step of noise leaves the picture, about.
    assert!(last / (3.0 * 64.0) < 0.05, "{last}");
}

#[test]
fn a_fill_ends_when_it_is_told_to() {
    let (engine, case) = (Rad::default(), Case::new(16, 16, 1.0));
    let values = values(&tiny(), &[("steps", "1000")]);
    let mut after = 0;
    let mut go_on = |mark: Mark| {
        after += u32::from(mark.stage == "steps");
        after < 3
    };
    let cancel = Cancel::new();
    let stopped = fill(&engine, &case, &values, (2, 1), &cancel, &mut go_on);
    assert_eq!(stopped.err().unwrap().kind(), ErrorKind::Cancelled);
    assert_eq!(after, 3, "it was asked again");
    cancel.cancel();
    let stopped = fill(&engine, &case, &values, (2, 1), &cancel, &mut |_| true);
    assert_eq!(stopped.err().unwrap().kind(), ErrorKind::Cancelled);
}

#[test]
fn needs_and_costs_are_the_networks() {
    let engine = Rad::default();
    let few = values(&tiny(), &[("steps", "10")]);
    let opened = open(&engine, &few, None).unwrap();
    let needs = opened.needs();
    assert_eq!((needs.alignment, needs.max_side), (4, Some(16)));
    assert!(needs.coverage && needs.original && needs.min_side == 16);
    let costs = opened.costs(None);
    let many = values(&tiny(), &[("steps", "100")]);
    let more = open(&engine, &many, None).unwrap().costs(None);
    assert!(more.bytes == costs.bytes && more.seconds > 5.0 * costs.seconds);
    let memory = opened.memory(None);
    assert_eq!(memory.bytes, costs.bytes as u64);
    assert!(memory.kept < memory.bytes);
    // `auto` never takes it: it needs a model, and reads no prompt.
    let engines = all();
    let choice = crate::engines::choose(&engines, None, None).unwrap();
    assert_eq!(choice.engine.description().id, "rethined");
}

#[test]
fn models_are_found_and_what_is_missing_is_told() {
    let (engine, folder) = (Rad::default(), Folder::new());
    for models in [folder.models(), None] {
        let why = engine.unavailable(models).unwrap();
        assert!(why.contains("unet/config.json"), "{why}");
        let error = open(&engine, &values("", &[]), models).err().unwrap();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Model, &*why));
    }
    // Another engine's, broken, no model at all.
    let put = |from: &str, to: &str| {
        let golden = golden().with_file_name(from);
        fs::copy(golden, folder.0.join(to)).unwrap();
    };
    put("taesd.safetensors", "taesd.safetensors");
    put("migan.pt", "migan.pt");
    put("unet_sd15.safetensors", "sd.safetensors");
    fs::write(folder.0.join("broken.pt"), b"PK\x03\x04 and so on").unwrap();
    fs::write(folder.0.join("notes.txt"), b"hello").unwrap();
    fs::create_dir(folder.0.join("empty")).unwrap();
    assert!(engine.unavailable(folder.models()).is_some());
    let told = |model: &str| {
        let values = values(model, &[]);
        let error = open(&engine, &values, folder.models()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        error.message().to_owned()
    };
    assert!(told("taesd").contains("this is not a network of RAD's"));
    assert!(told("sd").contains("sd.safetensors"));
    assert!(told("broken").contains("zip archive"));
    assert!(told("empty").contains("config.json: there is no such file"));
    assert!(told("no-such").contains("there is no model 'no-such'"));

    folder.put("lake");
    fs::copy(golden(), folder.0.join("sea.safetensors")).unwrap();
    assert_eq!(
        find::installed(folder.models()),
        ["lake", "sea.safetensors"]
    );
    assert_eq!(engine.unavailable(folder.models()), None);
    assert!(told("lak").contains("one of lake, sea.safetensors"));
    // It is none of the other diffusion engine's.
    let other = diffusion::Diffusion::default();
    assert!(other.unavailable(folder.models()).is_some());
    for model in ["", "lake", "sea", "sea.safetensors", "lake/unet"] {
        let values = values(&folder.0.join(model).display().to_string(), &[]);
        let values = if model.contains('/') {
            values
        } else {
            self::values(model, &[])
        };
        let needs = open(&engine, &values, folder.models()).unwrap().needs();
        assert_eq!(needs.max_side, Some(16), "{model}");
    }
}

#[test]
fn models_are_taken_in() {
    let (outside, folder) = (Folder::new(), Folder::new());
    let store = Store::new(folder.0.clone());
    let (engine, cancel) = (Rad::default(), Cancel::new());
    let layout = outside.put("lake");
    fs::copy(golden(), layout.join("unet/adapter_model.safetensors")).unwrap();
    for (path, id, link, files) in [
        (&layout, "copied", false, 3),
        (&layout, "linked", true, 3),
        (&golden(), "file", false, 1),
    ] {
        let how = Import {
            id: Some(id.into()),
            link,
        };
        let taken = store.import(path, &how, &mut |_| {}, &cancel).unwrap();
        assert_eq!((taken.kind, taken.files.len()), (Kind::Rad, files), "{id}");
        let values = values(id, &[]);
        open(&engine, &values, folder.models()).unwrap();
    }
    assert_eq!(
        find::installed(folder.models()),
        ["copied", "file", "linked"]
    );
    assert!(
        diffusion::Diffusion::default()
            .unavailable(folder.models())
            .is_some()
    );
    // A model of another kind by its id.
    let how = Import {
        id: Some("tiny".into()),
        link: false,
    };
    let taesd = golden().with_file_name("taesd.safetensors");
    store.import(&taesd, &how, &mut |_| {}, &cancel).unwrap();
    let values = values("tiny", &[]);
    let error = open(&engine, &values, folder.models()).err().unwrap();
    assert!(
        error.message().contains("'tiny' is of kind taesd"),
        "{error}"
    );
}

#[test]
fn a_network_stays_until_its_file_changes_or_it_is_let_go() {
    let folder = Folder::new();
    let path = folder.put("lake");
    let (engine, case) = (Rad::default(), Case::new(16, 16, 1.0));
    let values = values(path.to_str().unwrap(), &[("steps", "1")]);
    let cancel = Cancel::new();
    let of = || {
        let filled = fill(&engine, &case, &values, (2, 1), &cancel, &mut |_| true);
        filled.unwrap().image
    };
    assert!(engine.warm.held().is_none());
    let first = of();
    let loaded = engine.warm.held().unwrap();
    assert_eq!(of(), first);
    assert!(Arc::ptr_eq(&loaded, &engine.warm.held().unwrap()));
    let weights = path.join("unet/diffusion_pytorch_model.safetensors");
    let opened = fs::File::options().write(true).open(weights).unwrap();
    opened
        .set_modified(SystemTime::now() + Duration::from_secs(9))
        .unwrap();
    assert_eq!(of(), first);
    assert!(!Arc::ptr_eq(&loaded, &engine.warm.held().unwrap()));
    engine.trim();
    assert!(engine.warm.held().is_none());
}

#[test]
fn damaged_files_are_told() {
    let folder = Folder::new();
    let path = folder.put("lake");
    let weights = path.join("unet/diffusion_pytorch_model.safetensors");
    let whole = fs::read(&weights).unwrap();
    let case = Case::new(16, 16, 1.0);
    let values = values(path.to_str().unwrap(), &[("steps", "1")]);
    let told = |bytes: &[u8]| {
        fs::write(&weights, bytes).unwrap();
        let engine = Rad::default();
        let filled = fill(&engine, &case, &values, (2, 1), &Cancel::new(), &mut |_| {
            true
        });
        let error = match filled {
            Err(error) => error,
            Ok(filled) => panic!("a fill of {} bytes: {:?}", bytes.len(), filled.image.data),
        };
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        error.message().to_owned()
    };
    told(&whole[..whole.len() / 2]);
    told(&whole[..100]);
    told(b"");
    // A weight that is no number.
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&whole[8..8 + header]).unwrap();
    let at = json["conv_out.bias"]["data_offsets"][0].as_u64().unwrap() as usize;
    let mut broken = whole.clone();
    broken[8 + header + at..][..2].copy_from_slice(&0x7e00u16.to_le_bytes());
    let message = told(&broken);
    assert!(message.contains("values that are no numbers"), "{message}");
    // Sizes that are not the weights'.
    fs::write(&weights, &whole).unwrap();
    let config = path.join("unet/config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[4, 8, 12]", "[4, 8, 16]")).unwrap();
    let message = told(&whole);
    assert!(message.contains("take both from one place"), "{message}");
    fs::write(&config, "x".repeat(1 << 21)).unwrap();
    assert!(told(&whole).contains("this is not a configuration"));
}
