//! Networks against the reference: `tests/golden/*.safetensors`, see `tests/golden/README.md`.
#![forbid(unsafe_code)]

mod full_size;

use super::*;
use crate::error::ErrorKind;
use crate::kernels::{Algorithm, Context, Deviation, Path, Precision};
use crate::nn::tests::{ALGORITHMS, Golden, brief, error, floats, planes, pool};
use crate::nn::{Arena, Run};
use crate::weights::Weights;
use std::collections::{BTreeMap, BTreeSet};

fn unet_config(golden: &Golden) -> unet_2d_condition::Config {
    let text = golden.0.metadata("config").unwrap();
    unet_2d_condition::Config::parse("config.json", text).unwrap()
}

fn vae_config(golden: &Golden) -> autoencoder_kl::Config {
    let text = golden.0.metadata("config").unwrap();
    autoencoder_kl::Config::parse("config.json", text).unwrap()
}

fn unet(cx: &Context, golden: &Golden) -> UNet2DConditionModel {
    UNet2DConditionModel::new(cx, &golden.0.root(), unet_config(golden)).unwrap()
}

/// Everything that a case's pass makes, by the goldens' names.
fn unet_case(run: &Run, net: &UNet2DConditionModel, golden: &Golden, case: &str) -> Blocks {
    let t = |name: &str| golden.tensor(&format!("{case}.{name}"));
    let times = floats(&t("timestep"));
    let (sample, states) = (t("sample"), t("encoder_hidden_states"));
    let made = net.steps(run, &sample, &times, &states).unwrap();
    let out = net.forward(run, &sample, &times, &states).unwrap();
    let steps = made.into_iter().map(|(name, x)| {
        let x = match name.as_str() {
            "out" => x,
            _ if x.rank() == 4 => planes(&x),
            _ => x,
        };
        (format!("{case}.{name}"), x)
    });
    let steps: Blocks = steps.collect();
    assert_eq!(floats(&steps[&format!("{case}.out")]), floats(&out));
    steps
}

pub(in crate::models) type Blocks = BTreeMap<String, Tensor>;

fn vae_case(run: &Run, vae: &AutoencoderKL, golden: &Golden) -> Blocks {
    let pictures = |name: &str| {
        let all = golden.tensor(name);
        let each = (0..all.dims()[0]).map(|i| all.narrow(0, i, 1).unwrap().copy().unwrap());
        each.collect::<Vec<_>>()
    };
    let mut kept = Blocks::new();
    // The pictures of the batch one behind another.
    let mut keep = |made: Vec<(String, Tensor)>| {
        for (name, x) in made {
            let x = planes(&x);
            let x = match kept.get(&name) {
                Some(before) => Tensor::cat(&[before, &x], 0).unwrap(),
                None => x,
            };
            kept.insert(name, x);
        }
    };
    for image in pictures("image") {
        keep(vae.encoder.steps(run, &image).unwrap());
    }
    for latents in pictures("latents") {
        keep(vae.decoder.steps(run, &latents).unwrap());
    }
    let moments = vae.encoder.encode(run, &golden.tensor("image")).unwrap();
    let decoded = vae.decoder.decode(run, &golden.tensor("latents")).unwrap();
    assert_eq!(floats(&kept["decoded"]), floats(&decoded));
    kept.insert("mean".into(), moments.mean);
    kept.insert("logvar".into(), moments.logvar);
    kept
}

/// Runs `pass` on every path, by every algorithm, on one thread and two, with several slices of
/// attention and heights of bands; compares what it makes with the file.
pub(in crate::models) fn compare(
    golden: &Golden,
    blocks: usize,
    pass: impl Fn(&Context, &Run) -> Blocks + Sync,
) {
    for path in Path::available() {
        let mut errors: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for force in ALGORITHMS {
            let run = |threads: usize, slice: usize, band: usize| {
                pool(threads).install(|| {
                    let (cx, arena) = (Context::new(path).by(force), Arena::new());
                    let run = Run::new(&cx, &arena);
                    let run = run.attention_slice(slice).band(band);
                    let made = pass(&cx, &run);
                    assert!(arena.most_held() <= arena.peak().max(16 << 20));
                    assert_eq!(arena.live(), 0);
                    made
                })
            };
            let made = run(1, 128, usize::MAX);
            assert_eq!(made.len(), blocks);
            for (threads, slice, band) in [(2, 128, 1), (1, 1, 4096), (2, 40, 1 << 16)] {
                for (name, x) in run(threads, slice, band) {
                    let what = format!("{name} {threads} {slice} {band}");
                    assert_eq!(floats(&x), floats(&made[&name]), "{what}");
                }
            }
            for (name, x) in made {
                let mut want = golden.tensor(&name);
                if name.ends_with(".time") {
                    // Kept after its SiLU.
                    want = want.silu().unwrap();
                }
                let e = error(&x, &want);
                errors.entry(name).or_default().push(e);
            }
        }
        for (name, errors) in errors {
            println!("{name} {path:?} {}", brief(&errors));
            let worst = errors.iter().copied().fold(0.0, f64::max);
            assert!(worst <= 1e-4, "{name} {path:?}: {}", brief(&errors));
        }
    }
    let left = golden.0.unused();
    assert!(left.is_empty(), "not read: {left:?}");
}

#[test]
fn unet_of_stable_diffusion_1_is_the_references() {
    let golden = Golden::open("unet_sd15");
    compare(&golden, 24, |cx, run| {
        let net = unet(cx, &golden);
        let mut all = unet_case(run, &net, &golden, "a");
        all.extend(unet_case(run, &net, &golden, "b"));
        all
    });
}

#[test]
fn unet_of_stable_diffusion_2_is_the_references() {
    let golden = Golden::open("unet_sd2");
    compare(&golden, 12, |cx, run| {
        unet_case(run, &unet(cx, &golden), &golden, "a")
    });
}

#[test]
fn vae_is_the_references() {
    let golden = Golden::open("vae");
    compare(&golden, 14, |cx, run| {
        let vae = AutoencoderKL::new(cx, &golden.0.root(), &vae_config(&golden)).unwrap();
        vae_case(run, &vae, &golden)
    });
}

#[test]
fn tiny_vae_is_the_references() {
    let golden = Golden::open("taesd");
    compare(&golden, 2, |cx, run| {
        let encoder = autoencoder_tiny::Encoder::new(cx, &golden.0.root()).unwrap();
        let decoder = autoencoder_tiny::Decoder::new(cx, &golden.0.root()).unwrap();
        assert_eq!((decoder.channels(), decoder.scale()), ((4, 3), 8));
        let encoded = encoder.encode(run, &golden.tensor("image")).unwrap();
        let decoded = decoder.decode(run, &golden.tensor("latents")).unwrap();
        [("encoded".into(), encoded), ("decoded".into(), decoded)].into()
    });
    let every = Context::new(Path::best());
    let wrong = Golden::open("vae");
    let e = autoencoder_tiny::Decoder::new(&every, &wrong.0.root())
        .err()
        .unwrap();
    assert!(e.message().contains("decoder.layers.0.weight"), "{e}");
}

/// Each block's error in eight bits against itself in full, accumulated from the blocks before it.
#[test]
fn eight_bits_stay_close_block_by_block() {
    for (name, case) in [("unet_sd15", "a"), ("unet_sd2", "a")] {
        let golden = Golden::open(name);
        for path in Path::available() {
            let blocks = |precision: Precision| {
                let (cx, arena) = (Context::new(path).packing(precision), Arena::new());
                let net = unet(&cx, &golden);
                (
                    net.bytes(),
                    unet_case(&Run::new(&cx, &arena), &net, &golden, case),
                )
            };
            let (full_bytes, full) = blocks(Precision::Full);
            let (bytes, int8) = blocks(Precision::Int8);
            assert!(bytes < full_bytes * 3 / 4, "{bytes} of {full_bytes}");
            for (block, exact) in &full {
                let d = Deviation::of(&floats(&int8[block]), &floats(exact));
                println!(
                    "{name} {path:?} {block}: rms {:.2} % max {:.2} %",
                    100.0 * d.rms,
                    100.0 * d.max
                );
                assert!(d.rms <= 0.05, "{name} {path:?} {block}: {d:?}");
                // The time is embedded in full; all else is really computed in another way.
                let same = block.ends_with(".time") || block.ends_with(".conv_in");
                assert_eq!(d.rms == 0.0, same, "{name} {path:?} {block}: {d:?}");
            }
        }
    }
}

/// A golden's file on its own, where it can be changed.
fn copied(name: &str, test: &str) -> std::path::PathBuf {
    let golden = format!(
        "{}/../../tests/golden/{name}.safetensors",
        env!("CARGO_MANIFEST_DIR")
    );
    let id = std::process::id();
    let path = std::env::temp_dir().join(format!("mend-{test}-{id}.safetensors"));
    std::fs::copy(golden, &path).unwrap();
    path
}

#[test]
fn streamed_layers_compute_the_same_and_hold_nothing() {
    for name in ["unet_sd15", "unet_sd2"] {
        let golden = Golden::open(name);
        let config = unet_config(&golden);
        let all = unet_2d_condition::layers(&config);
        let inside = |tensor: &str| all.iter().any(|l| tensor.starts_with(&format!("{l}.")));
        let outside: Vec<&str> = golden.0.names().filter(|n| !inside(n)).collect();
        let ends = [
            "golden.",
            "conv_in.",
            "conv_norm_out.",
            "conv_out.",
            "time_embedding.",
        ];
        let known = |tensor: &&str| ends.iter().any(|end| tensor.starts_with(end));
        assert!(outside.iter().all(known), "{outside:?}");
        for precision in [Precision::Full, Precision::Int8] {
            let cx = Context::new(Path::best()).packing(precision);
            let made = |net: &UNet2DConditionModel| {
                pool(2).install(|| {
                    let blocks = unet_case(&Run::new(&cx, &Arena::new()), net, &golden, "a");
                    blocks.values().map(floats).collect::<Vec<_>>()
                })
            };
            let whole = unet(&cx, &golden);
            let right = made(&whole);
            let path = copied(name, "streamed");
            let weights = std::sync::Arc::new(Weights::open(&path).unwrap());
            let mut held = whole.bytes();
            for count in [1, all.len() / 2, all.len()] {
                let streamed = unet_2d_condition::Streamed {
                    weights: weights.clone(),
                    layers: all.iter().take(count).cloned().collect(),
                    later: false,
                };
                let net =
                    UNet2DConditionModel::streaming(&cx, &streamed, config.clone(), &|| Ok(()))
                        .unwrap();
                assert!(net.bytes() < held, "{count}: {} of {held}", net.bytes());
                held = net.bytes();
                assert_eq!(made(&net), right, "{name} {count} {precision:?}");
            }
            // What stays is read once, by the first pass that gets so far.
            let later = unet_2d_condition::Streamed {
                weights,
                layers: BTreeSet::new(),
                later: true,
            };
            let net = UNet2DConditionModel::streaming(&cx, &later, config.clone(), &|| Ok(()));
            let net = net.unwrap();
            drop(later);
            assert!(net.bytes() < whole.bytes() / 2);
            let stopped = pool(2).install(|| {
                let layers = std::cell::Cell::new(0);
                let check = || {
                    layers.set(layers.get() + 1);
                    match layers.get() < 40 {
                        true => Ok(()),
                        false => Err(crate::error::Error::cancelled()),
                    }
                };
                let (arena, t) = (Arena::new(), |name: &str| {
                    golden.tensor(&format!("a.{name}"))
                });
                let run = Run::new(&cx, &arena).check(&check);
                let (sample, states) = (t("sample"), t("encoder_hidden_states"));
                net.forward(&run, &sample, &[7.0], &states).map(|_| ())
            });
            assert!(stopped.is_err());
            assert_eq!(made(&net), right, "{name} {precision:?}");
            assert_eq!(net.bytes(), whole.bytes());
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_len(9).unwrap();
            assert_eq!(made(&net), right, "{name} {precision:?}");
            let _ = std::fs::remove_file(path);
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_streamed_is_named() {
    let golden = Golden::open("unet_sd15");
    let path = copied("unet_sd15", "changed");
    let config = unet_config(&golden);
    let streamed = unet_2d_condition::Streamed {
        weights: std::sync::Arc::new(Weights::open(&path).unwrap()),
        layers: unet_2d_condition::layers(&config).into_iter().collect(),
        later: false,
    };
    let cx = Context::new(Path::best());
    let net = UNet2DConditionModel::streaming(&cx, &streamed, config, &|| Ok(())).unwrap();
    let t = |name: &str| golden.tensor(&format!("a.{name}"));
    let pass = || {
        let run = Run::new(&cx, &Arena::new());
        let (sample, states) = (t("sample"), t("encoder_hidden_states"));
        net.forward(&run, &sample, &[7.0], &states)
            .map(|x| floats(&x))
    };
    let right = pass().unwrap();
    // Another file in its place: the one that was opened is still read.
    let bytes = std::fs::read(&path).unwrap();
    let aside = path.with_extension("aside");
    if cfg!(unix) {
        std::fs::rename(&path, &aside).unwrap();
        std::fs::write(&path, b"something else").unwrap();
        assert_eq!(pass().unwrap(), right);
        std::fs::rename(&aside, &path).unwrap();
    }
    // The same length again, then cut short.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(later).unwrap();
    let changed = pass().unwrap_err();
    file.set_len(bytes.len() as u64 / 2).unwrap();
    let cut = pass().unwrap_err();
    for e in [changed, cut] {
        assert_eq!(e.kind(), ErrorKind::Model);
        assert!(e.message().contains("mend-changed"), "{e}");
    }
    let _ = std::fs::remove_file(path);
}

/// A safetensors file with the tensor `name` set to zero.
fn without(file: &[u8], name: &str) -> Weights {
    let mut file = file.to_vec();
    let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&file[8..8 + header]).unwrap();
    let at = &json[name]["data_offsets"];
    let (from, to) = (at[0].as_u64().unwrap(), at[1].as_u64().unwrap());
    file[8 + header..][from as usize..to as usize].fill(0);
    Weights::from_bytes("mutated", file).unwrap()
}

/// Zeroes each tensor in turn and sees one of the outputs change.
pub(in crate::models) fn every_tensor_counts(
    name: &str,
    outputs: impl Fn(&Context, &Golden) -> Vec<f32>,
) {
    let path = format!(
        "{}/../../tests/golden/{name}.safetensors",
        env!("CARGO_MANIFEST_DIR")
    );
    let file = std::fs::read(path).unwrap();
    let golden = Golden::open(name);
    let cx = Context::new(Path::best());
    let right = outputs(&cx, &golden);
    let names: Vec<&str> = golden
        .0
        .names()
        .filter(|n| !n.starts_with("golden."))
        .collect();
    assert!(names.len() > 80);
    for tensor in names {
        let changed = outputs(&cx, &Golden(without(&file, tensor)));
        // Keys' biases shift all scores of a query alike, and do nothing.
        if tensor.ends_with("to_k.bias") || tensor.ends_with("k_proj.bias") {
            continue;
        }
        let most = right.iter().zip(&changed).map(|(a, b)| (a - b).abs());
        let most = most.fold(0f32, f32::max);
        assert!(most > 1e-4, "{tensor} changes nothing: {most:e}");
    }
}

#[test]
fn every_tensor_of_a_unet_counts() {
    every_tensor_counts("unet_sd15", |cx, golden| {
        let (arena, net) = (Arena::new(), unet(cx, golden));
        let kept = unet_outputs(&Run::new(cx, &arena), &net, golden);
        floats(&kept)
    });
}

fn unet_outputs(run: &Run, net: &UNet2DConditionModel, golden: &Golden) -> Tensor {
    let t = |name: &str| golden.tensor(&format!("a.{name}"));
    let (sample, states) = (t("sample"), t("encoder_hidden_states"));
    net.forward(run, &sample, &[481.0], &states).unwrap()
}

#[test]
fn every_tensor_of_a_vae_counts() {
    every_tensor_counts("vae", |cx, golden| {
        let arena = Arena::new();
        let vae = AutoencoderKL::new(cx, &golden.0.root(), &vae_config(golden)).unwrap();
        let made = vae_case(&Run::new(cx, &arena), &vae, golden);
        ["mean", "logvar", "decoded"]
            .iter()
            .flat_map(|name| floats(&made[*name]))
            .collect()
    });
}

#[test]
fn costs_are_those_of_a_pass() {
    let golden = Golden::open("unet_sd15");
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let net = unet(&cx, &golden);
    let run = Run::new(&cx, &arena);
    unet_outputs(&run, &net, &golden);
    let cost = net.cost(&cx, 1, 16, 16, 7).unwrap();
    assert_eq!(cost.flops, run.flops());
    assert_eq!(cost.bytes, arena.peak());
    assert!(net.cost(&cx, 1, 0, 16, 7).is_err());

    let golden = Golden::open("vae");
    let vae = AutoencoderKL::new(&cx, &golden.0.root(), &vae_config(&golden)).unwrap();
    for decodes in [false, true] {
        // What others left would be reused where it is a little too large.
        let arena = Arena::new();
        let run = Run::new(&cx, &arena);
        let cost = if decodes {
            vae.decode(&run, &golden.tensor("latents")).unwrap();
            vae.decoder.cost(&cx, 2, 4, 6).unwrap()
        } else {
            vae.encode(&run, &golden.tensor("image")).unwrap();
            vae.encoder.cost(&cx, 2, 32, 40).unwrap()
        };
        assert_eq!((cost.flops, cost.bytes), (run.flops(), arena.peak()));
    }
    for (height, width, fits) in [(7, 64, false), (64, 7, false), (8, 8, true), (15, 9, true)] {
        match vae.encoder.cost(&cx, 1, height, width) {
            Ok(_) => assert!(fits, "{height}×{width}"),
            Err(e) => assert!(!fits && e.kind() == ErrorKind::Argument, "{e}"),
        }
    }
}

/// Of the first level's size there are never more than two activations, and some bands.
#[test]
fn a_vae_holds_two_activations() {
    const BAND: usize = 8 << 20;
    let golden = Golden::open("vae");
    let cx = Context::new(Path::best());
    let vae = AutoencoderKL::new(&cx, &golden.0.root(), &vae_config(&golden)).unwrap();
    let side = 1536;
    let first = vae_config(&golden).block_out_channels[0] * side * side * 4;
    let encode = vae.encoder.cost(&cx, 1, side, side).unwrap().bytes;
    let decode = vae.decoder.cost(&cx, 1, side / 8, side / 8).unwrap().bytes;
    for bytes in [encode, decode] {
        let over = bytes as f64 - 2.0 * first as f64;
        // The picture itself is among them: three channels beside the first level's eight.
        let picture = (3 * side * side * 4) as f64;
        assert!(over >= 0.0, "{bytes} of {first}");
        assert!(over <= picture + 4.0 * BAND as f64, "{bytes} of {first}");
    }
}

#[test]
fn a_pass_stops_at_the_next_layer() {
    let golden = Golden::open("unet_sd15");
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let net = unet(&cx, &golden);
    let left = std::cell::Cell::new(100);
    let check = || {
        left.set(left.get() - 1);
        if left.get() < 0 {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    };
    let run = Run::new(&cx, &arena).check(&check);
    let (sample, states) = (
        golden.tensor("a.sample"),
        golden.tensor("a.encoder_hidden_states"),
    );
    let stopped = net.forward(&run, &sample, &[1.0], &states);
    assert_eq!(stopped.err().unwrap().kind(), ErrorKind::Cancelled);
    assert_eq!((left.get(), arena.live()), (-1, 0));
}

#[test]
fn inputs_that_do_not_fit_are_the_callers_errors() {
    let golden = Golden::open("unet_sd15");
    let cx = Context::new(Path::best()).by(Some(Algorithm::Direct));
    let arena = Arena::new();
    let net = unet(&cx, &golden);
    let run = Run::new(&cx, &arena);
    let sample = |shape: [usize; 4]| {
        Tensor::zeros(&shape, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap()
    };
    let text = |shape: [usize; 3]| {
        Tensor::zeros(&shape, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap()
    };
    for (x, t, s, fits) in [
        (sample([1, 9, 8, 8]), &[1.0][..], text([1, 7, 24]), true),
        // Not a multiple of eight, as the reference: sizes on the way up are those on the way down.
        (sample([2, 9, 9, 5]), &[1.0, 2.0], text([2, 1, 24]), true),
        (sample([1, 4, 8, 8]), &[1.0], text([1, 7, 24]), false),
        (sample([1, 9, 8, 0]), &[1.0], text([1, 7, 24]), false),
        (sample([2, 9, 8, 8]), &[1.0], text([1, 7, 24]), false),
        (sample([1, 9, 8, 8]), &[1.0, 2.0], text([1, 7, 24]), false),
        (sample([1, 9, 8, 8]), &[1.0], text([1, 0, 24]), false),
        (sample([1, 9, 8, 8]), &[1.0], text([1, 7, 20]), false),
    ] {
        match net.forward(&run, &x, t, &s) {
            Ok(out) => assert!(fits && out.dims()[1..] == [4, x.dims()[2], x.dims()[3]]),
            Err(e) => assert!(!fits && e.kind() == ErrorKind::Argument, "{e}"),
        }
    }
}

#[test]
fn configurations_out_of_bounds_are_named() {
    let golden = Golden::open("unet_sd15");
    let good: serde_json::Value =
        serde_json::from_str(golden.0.metadata("config").unwrap()).unwrap();
    for (key, value) in [
        ("norm_num_groups", "0"),
        ("norm_num_groups", "5"),
        ("attention_head_dim", "7"),
        ("attention_head_dim", "[2,2]"),
        ("attention_head_dim", "0"),
        ("block_out_channels", "[]"),
        ("block_out_channels", "[1e99]"),
        ("block_out_channels", "[99999999999,24,36,40]"),
        ("block_out_channels", "\"many\""),
        ("down_block_types", "[\"AttnDownBlock2D\"]"),
        ("up_block_types", "3"),
        ("layers_per_block", "-1"),
        ("cross_attention_dim", "[24,24,24,12]"),
        ("transformer_layers_per_block", "[[1],[1],[1],[1]]"),
        ("class_embed_type", "\"timestep\""),
        ("addition_embed_type", "\"text_time\""),
        ("act_fn", "\"gelu\""),
        ("norm_eps", "-1"),
        ("use_linear_projection", "1"),
    ] {
        let mut bad = good.clone();
        bad[key] = serde_json::from_str(value).unwrap();
        let error = unet_2d_condition::Config::parse("unet/config.json", &bad.to_string());
        let error = error.err().unwrap_or_else(|| panic!("{key} {value}"));
        assert_eq!(error.kind(), ErrorKind::Model);
        assert!(error.message().contains("unet/config.json"), "{error}");
        assert!(error.message().contains(key), "{error}");
    }
    for text in ["", "[]", "{"] {
        let error = autoencoder_kl::Config::parse("vae/config.json", text).err();
        assert!(error.unwrap().message().contains("vae/config.json"));
    }
}
