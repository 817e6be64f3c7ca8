//! The network against the reference: `tests/golden/rad.safetensors`, see `tests/golden/README.md`.
#![forbid(unsafe_code)]

use super::blocks::{Attends, ResBlock, Resample};
use super::*;
use crate::kernels::{Mixed, Path};
use crate::models::testing::{full_size, within};
use crate::nn::tests::{ALGORITHMS, Golden, error, floats, planes, pool};
use crate::nn::{from_vec, values};
use crate::weights::{Dtype, Part, Weights};

pub(crate) fn checkpoint(golden: &Golden) -> Checkpoint {
    Checkpoint::of(under(&golden.0, ""), config(golden), vec![]).unwrap()
}

fn config(golden: &Golden) -> Option<(&str, &str)> {
    golden
        .0
        .metadata("config")
        .map(|text| ("config.json", text))
}

/// The golden's tensors behind a prefix, as a file of their own would have them.
fn under(golden: &Weights, prefix: &str) -> Weights {
    let own = golden.names().filter_map(|full| {
        let name = full.strip_prefix(prefix)?;
        let other = ["golden.", "adm.", "lora."]
            .iter()
            .any(|p| name.starts_with(p));
        let shape = golden.shape(full)?.to_vec();
        (!other).then(|| {
            let of = full.to_owned();
            (
                name.to_owned(),
                Part {
                    of,
                    shape,
                    first: 0,
                },
            )
        })
    });
    golden.view(own.collect::<Vec<_>>()).unwrap()
}

fn network(cx: &Context, checkpoint: &Checkpoint) -> RadUnet {
    let scope = checkpoint.weights.root();
    let net = RadUnet::new(cx, &scope, checkpoint.config.clone(), &|| Ok(())).unwrap();
    let left = checkpoint.weights.unused();
    assert!(left.is_empty(), "not read: {left:?}");
    net
}

fn map(levels: &Tensor) -> LevelMap {
    let [.., height, width] = *levels.dims() else {
        panic!("{:?}", levels.dims());
    };
    LevelMap::new(height, width, &floats(levels)).unwrap()
}

fn pass(cx: &Context, net: &RadUnet, x: &Tensor, map: &LevelMap) -> Tensor {
    net.forward(&Run::new(cx, &Arena::new()), x, map).unwrap()
}

#[test]
fn the_network_is_the_references() {
    let golden = Golden::open("rad");
    let checkpoint = checkpoint(&golden);
    for path in Path::available() {
        let cx = Context::new(path);
        let net = network(&cx, &checkpoint);
        for kind in ["binary", "soft"] {
            let t = |name: &str| golden.tensor(&format!("net.{kind}.{name}"));
            let (x, levels, want) = (t("x"), map(&t("levels")), t("out"));
            for force in ALGORITHMS {
                let cx = Context::new(path).by(force);
                let of = |threads| {
                    pool(threads).install(|| {
                        let arena = Arena::new();
                        let run = Run::new(&cx, &arena);
                        let out = net.forward(&run, &x, &levels).unwrap();
                        assert_eq!(arena.live(), 0);
                        let (h, w) = levels.size();
                        let cost = net.cost(&cx, h, w, levels.values().len()).unwrap();
                        assert_eq!((cost.flops, cost.bytes), (run.flops(), arena.peak()));
                        out
                    })
                };
                let (one, two) = (of(1), of(2));
                assert_eq!(floats(&one), floats(&two), "threads");
                within(&format!("{kind} {path:?} {force:?}"), &one, &want, 1e-4);
            }
        }
    }
}

#[test]
fn the_embedding_and_the_blocks_are_the_references() {
    let golden = Golden::open("rad");
    let checkpoint = checkpoint(&golden);
    let cx = Context::new(Path::best());
    let net = network(&cx, &checkpoint);
    let arena = Arena::new();
    let run = Run::new(&cx, &arena);
    let given = golden.tensor("embedding.levels");
    let (levels, size) = (map(&given), (12, 10));
    // A level's row, at each pixel that has it.
    let spread = |rows: &Tensor| {
        let (rows, channels) = (floats(rows), rows.dims()[1]);
        let pixels = levels.scaled(size.0, size.1).unwrap();
        let all = pixels.iter().flat_map(|p| {
            let row = p.rows[0] as usize * channels;
            rows[row..row + channels].to_vec()
        });
        planes(&from_vec(all.collect(), &[1, size.0, size.1, channels]).unwrap())
    };
    let sines = net.time_proj.forward(&run, levels.values()).unwrap();
    let want = golden.tensor("embedding.sines");
    within("sines", &spread(&sines), &want, 1e-5);
    let embedded = net.embed(&run, levels.values(), Activation::None).unwrap();
    let want = golden.tensor("embedding.out");
    within("embedding", &spread(&embedded), &want, 1e-5);

    let embedding = net.embed(&run, levels.values(), Activation::Silu).unwrap();
    let given = Conditioning::new(&embedding, &levels);
    let config = &checkpoint.config;
    let picture = |x: &Tensor| to_channels_last(&run, x).unwrap();
    for (name, place, resample) in [
        ("plain", "mid_block.resnets.0", Resample::Keep),
        ("shortcut", "down_blocks.1.resnets.0", Resample::Keep),
        ("down", "down_blocks.0.downsamplers.0", Resample::Down),
        ("up", "up_blocks.0.upsamplers.0", Resample::Up),
    ] {
        let scope = checkpoint.weights.root().pp(place);
        let x = golden.tensor(&format!("resblock.{name}.x"));
        let want = golden.tensor(&format!("resblock.{name}.out"));
        let (from, to) = (x.dims()[1], want.dims()[1]);
        let block = ResBlock::new(&cx, &scope, config, resample, from, to).unwrap();
        let out = block.forward(&run, &picture(&x), &given).unwrap();
        within(name, &planes(&out), &want, 1e-4);

        // Scale and shift alone, mixed as they are for the block.
        let want = golden.tensor(&format!("resblock.{name}.time"));
        let (height, width) = (want.dims()[2], want.dims()[3]);
        let time = &scope.pp("time_emb_proj");
        let layer = crate::nn::Linear::precise(&cx, time, 2 * to, config.time_embed_dim()).unwrap();
        let rows = layer.forward(&run, &embedding, Extra::NONE).unwrap();
        let rows = values(&rows).unwrap();
        let mixed = |pixel: &Mixed| -> Vec<f32> {
            let sum = |c: usize| {
                let parts = pixel.rows.iter().zip(&pixel.weights);
                parts.map(|(r, w)| rows[*r as usize * 2 * to + c] * w).sum()
            };
            (0..2 * to).map(sum).collect()
        };
        let pixels = levels.scaled(height, width).unwrap();
        let all: Vec<f32> = pixels.iter().flat_map(mixed).collect();
        let all = from_vec(all, &[1, height, width, 2 * to]).unwrap();
        within(&format!("{name}'s time"), &planes(&all), &want, 1e-5);
    }
    let scope = checkpoint.weights.root().pp("down_blocks.1.attentions.0");
    let x = golden.tensor("attention.x");
    let attention = Attends::new(&cx, &scope, config, x.dims()[1]).unwrap();
    let out = attention.forward(&run, picture(&x)).unwrap();
    within(
        "attention",
        &planes(&out),
        &golden.tensor("attention.out"),
        1e-4,
    );
}

/// Two rows for a mask of two levels, against each pixel's level on its own way through the layers.
#[test]
fn two_levels_take_the_short_way_to_the_same_picture() {
    let golden = Golden::open("rad");
    let cx = Context::new(Path::best());
    let net = network(&cx, &checkpoint(&golden));
    let (x, levels) = (
        golden.tensor("net.binary.x"),
        golden.tensor("net.binary.levels"),
    );
    let short = map(&levels);
    assert_eq!(
        short.values(),
        [0.0, floats(&golden.tensor("net.binary.hole"))[0]]
    );
    let long = LevelMap::each(short.size().0, short.size().1, &floats(&levels)).unwrap();
    assert_eq!(long.values().len(), x.elem_count() / 3);
    let (short, long) = (pass(&cx, &net, &x, &short), pass(&cx, &net, &x, &long));
    within("short and long", &short, &long, 1e-5);
}

#[test]
fn every_layout_is_the_same_network() {
    let golden = Golden::open("rad");
    let cx = Context::new(Path::best());
    let open = |prefix: &str| Checkpoint::of(under(&golden.0, prefix), config(&golden), vec![]);
    let (x, levels) = (
        golden.tensor("net.soft.x"),
        map(&golden.tensor("net.soft.levels")),
    );
    let plain = network(&cx, &open("").unwrap());
    let adm = network(&cx, &open("adm.").unwrap());
    let want = pass(&cx, &plain, &x, &levels);
    assert_eq!(floats(&pass(&cx, &adm, &x, &levels)), floats(&want));
    within("plain", &want, &golden.tensor("net.soft.out"), 1e-4);

    // With a LoRA inside, and beside. What is merged is rounded to what the weights are stored in.
    let want = golden.tensor("lora.out");
    let inside = network(&cx, &open("lora.injected.").unwrap());
    within("inside", &pass(&cx, &inside, &x, &levels), &want, 5e-3);
    let joined = under(&golden.0, "").joined(under(&golden.0, "lora.adapter."));
    let beside = Checkpoint::of(joined, config(&golden), vec![]).unwrap();
    let beside = network(&cx, &beside);
    let beside = pass(&cx, &beside, &x, &levels);
    within("beside", &beside, &want, 5e-3);
    assert!(error(&pass(&cx, &plain, &x, &levels), &want) > 0.1);

    // The same with half of each B, and twice the strength in peft's configuration.
    let folder = std::env::temp_dir().join(format!("mend-rad-adapter-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let put = |name: &str, prefix: &str, scale: f32| {
        let weights = under(&golden.0, prefix);
        let tensors = weights.names().map(|name| {
            let shape = weights.shape(name).unwrap().to_vec();
            let values = weights.root().get(name, &shape).unwrap();
            let scale = if name.contains("lora_B") { scale } else { 1.0 };
            let values = values.into_f32().unwrap().into_iter();
            let bytes: Vec<u8> = values.flat_map(|v| (v * scale).to_le_bytes()).collect();
            (name, shape, bytes)
        });
        let tensors: Vec<_> = tensors.collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(Dtype::F32, shape.clone(), bytes);
            (*name, view.unwrap())
        });
        safetensors::serialize_to_file(views, None, &folder.join(name)).unwrap();
    };
    put("diffusion_pytorch_model.safetensors", "", 1.0);
    put("adapter_model.safetensors", "lora.adapter.", 0.5);
    let (_, text) = config(&golden).unwrap();
    std::fs::write(folder.join("config.json"), text).unwrap();
    let says =
        r#"{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "modules_to_save": ["x"], "x": NaN}"#;
    std::fs::write(folder.join("adapter_config.json"), says).unwrap();
    let checkpoint = Checkpoint::open(&folder).unwrap();
    assert_eq!(checkpoint.files.len(), 4);
    let twice = network(&cx, &checkpoint);
    within("configured", &pass(&cx, &twice, &x, &levels), &want, 5e-3);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Names and shapes of the FFHQ model's tensors: diffusers' and ADM's.
fn published() -> [Vec<(String, Vec<usize>)>; 2] {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/rad.txt");
    let text = std::fs::read_to_string(file).unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::<(String, Vec<usize>)>::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let shape: Vec<usize> = words[2].split(',').map(|n| n.parse().unwrap()).collect();
        ours.push((words[0].to_owned(), shape.clone()));
        let mut shape = shape;
        if words[1].contains("qkv") {
            shape[0] *= 3;
        }
        if shape.len() == 2 && (words[1].contains("qkv") || words[1].contains("proj_out")) {
            shape.push(1);
        }
        if words[1].contains("time_embed") || words[1].contains("emb_layers") {
            shape.truncate(2);
        }
        if theirs.iter().all(|(name, _)| name != words[1]) {
            theirs.push((words[1].to_owned(), shape));
        }
    }
    [ours, theirs]
}

#[test]
fn the_published_size_is_told_by_its_tensors() {
    let cx = Context::new(Path::best());
    let mut made = Vec::new();
    for (i, keys) in published().into_iter().enumerate() {
        let weights = full_size(&format!("rad-{i}"), &keys);
        let checkpoint = Checkpoint::of(weights, None, vec![]).unwrap();
        let c = &checkpoint.config;
        assert_eq!(c.block_out_channels, [128, 128, 256, 256, 512, 512]);
        assert_eq!((c.sample_size, c.layers_per_block), (256, 1));
        assert_eq!(c.down_attention, [false, false, false, false, true, false]);
        assert_eq!(c.up_attention, [false, true, false, false, false, false]);
        made.push(c.clone());
        let net = pool(2).install(|| network(&cx, &checkpoint));
        let bytes = weights_bytes(&checkpoint.weights, cx.width());
        let off = net.bytes() as f64 / bytes - 1.0;
        assert!(off.abs() < 0.02, "{} {bytes}", net.bytes());
        for (height, width, levels) in [(256, 256, 2), (64, 96, 40)] {
            let cost = net.cost(&cx, height, width, levels).unwrap();
            let predicted = predicted(c, height, width, levels);
            println!("{height}×{width}: {cost:?}, predicted {predicted:?}");
            assert_eq!(cost.flops, predicted.flops);
            assert_eq!(cost.bytes, predicted.bytes);
        }
    }
    assert_eq!(made[0], made[1]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let golden = Golden::open("rad");
    let text = golden.0.metadata("config").unwrap();
    let of = |text: &str| {
        let weights = under(&golden.0, "");
        let checkpoint = Checkpoint::of(weights, Some(("config.json", text)), vec![])?;
        let cx = Context::new(Path::best());
        let scope = checkpoint.weights.root();
        RadUnet::new(&cx, &scope, checkpoint.config.clone(), &|| Ok(()))
    };
    assert!(of(text).is_ok());
    for (from, to, says) in [
        (
            "\"out_channels\": 6",
            "\"out_channels\": 3",
            "'out_channels' is 3, expected 6",
        ),
        (
            "\"in_channels\": 3",
            "\"in_channels\": 4",
            "'in_channels' is 4, expected 3",
        ),
        (
            "\"scale_shift\"",
            "\"default\"",
            "'resnet_time_scale_shift'",
        ),
        (
            "\"resnet_time_scale_shift\"",
            "\"other\"",
            "'resnet_time_scale_shift' is nothing",
        ),
        ("[4, 8, 12]", "[4, 8, 13]", "'norm_num_groups'"),
        ("[4, 8, 12]", "[4, 8, 16]", "mid_block"),
        ("[4, 8, 12]", "[4, 8]", "'down_block_types'"),
        ("[4, 8, 12]", "[]", "'block_out_channels'"),
        (
            "\"attention_head_dim\": 4",
            "\"attention_head_dim\": 5",
            "'attention_head_dim' is 5",
        ),
        (
            "\"sample_size\": 16",
            "\"sample_size\": 18",
            "a multiple of 4",
        ),
        (
            "\"downsample_type\": \"resnet\"",
            "\"downsample_type\": \"conv\"",
            "\"resnet\"",
        ),
        ("AttnDownBlock2D", "DownBlock2D", "'down_block_types'"),
        (
            "\"layers_per_block\": 1",
            "\"layers_per_block\": 2",
            "resnets.1",
        ),
        ("{", "[", "damaged"),
    ] {
        assert!(text.contains(from), "{from}");
        let e = of(&text.replacen(from, to, 1)).err().expect(to);
        assert_eq!(e.kind(), ErrorKind::Model, "{to}");
        assert!(e.to_string().contains(says), "{to}: {e}");
    }
    // Another network's file.
    for other in ["unet_sd15", "migan", "lama", "vae"] {
        let weights = Golden::open(other).0;
        let opened = Checkpoint::of(weights, None, vec![]);
        let e = opened.expect_err(other);
        assert_eq!(e.kind(), ErrorKind::Model, "{other}: {e}");
    }
    // Pictures of another size.
    let cx = Context::new(Path::best());
    let net = network(&cx, &checkpoint(&golden));
    let run = Run::new(&cx, &Arena::new());
    for (height, width, levels) in [(16, 18, 16 * 18), (16, 16, 16 * 12), (2, 16, 32)] {
        let x = from_vec(vec![0.0; 3 * height * width], &[1, 3, height, width]).unwrap();
        let map = LevelMap::new(16, levels / 16, &vec![1.0; levels]).unwrap();
        let e = net.forward(&run, &x, &map).err().unwrap();
        assert_eq!(e.kind(), ErrorKind::Argument);
    }
}
