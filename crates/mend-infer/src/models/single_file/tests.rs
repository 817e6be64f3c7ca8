//! Names against diffusers' (`tests/golden/single_file.txt`), and checkpoints of the true names with
//! small shapes.
#![forbid(unsafe_code)]

use super::*;
use crate::kernels::{Context, Path as Instructions};
use crate::models::{AutoencoderKL, CLIPTextModel, UNet2DConditionModel};
use crate::nn::{Arena, Run, Tensor, from_vec, values};
use mend_fixtures::checkpoint::{DOWN, SD1, SD2, Tensors, UP, bytes, checkpoint, golden, numbers};
use serde_json::json;
use std::collections::HashMap;

fn file(tensors: &Tensors, metadata: &[(&str, &str)]) -> Weights {
    Weights::from_bytes("checkpoint.safetensors", bytes(tensors, metadata)).unwrap()
}

#[test]
fn names_are_those_that_the_reference_makes() {
    for (section, lines) in golden() {
        for line in &lines {
            let made = match section.as_str() {
                "unet.1" | "unet.2" => names::unet(&line.name, 2),
                "vae" => names::vae(&line.name, 4),
                "text.1" => Is::One(line.name.clone()),
                _ => names::open_clip(&line.name, 23),
            };
            match (made, &line.here) {
                (Is::One(made), Some((name, shape, 0))) => {
                    assert_eq!(&made, name);
                    assert_eq!(flat(&made, &line.shape), shape);
                }
                (Is::InProj(attention, which), Some((name, shape, first))) => {
                    let i = 3 * first / line.shape[0];
                    let proj = ["q_proj", "k_proj", "v_proj"][i];
                    assert_eq!(&format!("{attention}.{proj}.{which}"), name);
                    assert_eq!((shape[0] * 3, i * shape[0]), (line.shape[0], *first));
                }
                (Is::Nothing, None) => {}
                (made, _) => panic!("{}: {made:?}", line.full),
            }
        }
    }
    for odd in [
        "input_blocks.0.1.in_layers.0.weight",
        "output_blocks.x.0.op",
        "out",
        "label_emb.weight",
    ] {
        assert_eq!(names::unet(odd, 2), Is::Nothing, "{odd}");
    }
    assert_eq!(
        names::vae("decoder.up.4.block.0.conv1.weight", 4),
        Is::Nothing
    );
    assert_eq!(names::vae("loss.logvar", 4), Is::Nothing);
    let most = format!("decoder.up.{}.block.0.conv1.weight", usize::MAX);
    assert_eq!(names::vae(&most, 4), Is::Nothing);
}

#[test]
fn configurations_are_the_published_ones() {
    let golden = golden();
    let shapes = |section: &str| {
        let all = golden[section].iter();
        all.map(|l| (l.name.clone(), l.shape.clone()))
            .collect::<HashMap<_, _>>()
    };
    for (section, channels, heads, text, linear) in [
        ("unet.1", 9, json!(8), 768, false),
        ("unet.2", 4, json!([5, 10, 20, 20]), 1024, true),
    ] {
        let published = json!({
            "_class_name": "UNet2DConditionModel", "in_channels": channels, "out_channels": 4,
            "block_out_channels": [320, 640, 1280, 1280], "down_block_types": DOWN,
            "up_block_types": UP, "layers_per_block": 2, "attention_head_dim": heads,
            "cross_attention_dim": text, "use_linear_projection": linear, "norm_num_groups": 32,
        });
        let shapes = shapes(section);
        let (found, layers) = config::unet(&|name| shapes.get(name).cloned(), &Hints::default());
        let parse = |json: &serde_json::Value| {
            unet_2d_condition::Config::parse("config.json", &json.to_string()).unwrap()
        };
        assert_eq!((parse(&found), layers), (parse(&published), 2));
    }
    let vae = shapes("vae");
    let (found, levels) = config::vae(&|name| vae.get(name).cloned());
    let published = json!({
        "_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512],
        "down_block_types": vec!["DownEncoderBlock2D"; 4],
        "up_block_types": vec!["UpDecoderBlock2D"; 4], "layers_per_block": 2,
        "in_channels": 3, "out_channels": 3, "latent_channels": 4,
    });
    let parse = |json: &serde_json::Value| {
        autoencoder_kl::Config::parse("config.json", &json.to_string()).unwrap()
    };
    assert_eq!((parse(&found), levels), (parse(&published), 4));
    let parse =
        |json: &serde_json::Value| clip::Config::parse("config.json", &json.to_string()).unwrap();
    let text = shapes("text.1");
    let found = config::clip(&|name| text.get(&format!("text_model.{name}")).cloned());
    assert_eq!(
        parse(&found),
        parse(
            &json!({"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
            "num_attention_heads": 12, "hidden_act": "quick_gelu"})
        )
    );
    let text = shapes("text.2");
    let (found, layers) = config::open_clip(&|name| text.get(name).cloned());
    assert_eq!(
        parse(&found),
        parse(
            &json!({"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
            "num_attention_heads": 16, "hidden_act": "gelu"})
        )
    );
    assert_eq!(layers, 23);
}

fn input(shape: &[usize]) -> Tensor {
    let count = shape.iter().product();
    let all = (0..count).map(|i: usize| (i * 37 % 101) as f32 / 50.0 - 1.0);
    from_vec(all.collect(), shape).unwrap()
}

/// What all three networks make of some input.
fn outputs(model: &SingleFile, [unet, vae, text]: [&Weights; 3]) -> Vec<Vec<f32>> {
    let cx = Context::new(Instructions::best());
    let arena = Arena::new();
    let run = Run::new(&cx, &arena);
    let mut all = Vec::new();
    let mut keep = |t: &Tensor| {
        let v = values(t).unwrap().to_vec();
        assert!(v.iter().all(|x| x.is_finite()) && v.iter().any(|x| x.abs() > 1e-3));
        all.push(v);
    };
    let net = CLIPTextModel::new(&cx, &text.root(), model.text.clone()).unwrap();
    let states = net
        .forward(&run, &[[49406u32, 320, 1125, 49407, 49407]])
        .unwrap();
    keep(&states);
    let net = UNet2DConditionModel::new(&cx, &unet.root(), model.unet.clone()).unwrap();
    let sample = input(&[1, model.unet.in_channels, 8, 8]);
    keep(&net.forward(&run, &sample, &[321.0], &states).unwrap());
    let net = AutoencoderKL::new(&cx, &vae.root(), &model.vae).unwrap();
    keep(&net.encode(&run, &input(&[1, 3, 16, 16])).unwrap().mean);
    keep(&net.decode(&run, &input(&[1, 4, 2, 2])).unwrap());
    all
}

#[test]
fn networks_of_one_file_are_those_of_a_folder() {
    for (sections, heads) in [(SD1, vec![8; 4]), (SD2, vec![1, 1, 2, 2])] {
        let (whole, parts) = checkpoint(sections);
        let model = SingleFile::new(file(&whole, &[]), &Hints::default()).unwrap();
        assert_eq!(model.unet.heads, heads);
        assert_eq!(model.pad_token.is_some(), sections == SD2);
        let own = [
            model.unet_weights(),
            model.vae_weights(),
            model.text_weights(),
        ];
        let own = own.map(Result::unwrap);
        let folder = sections.map(|section| file(&parts[section], &[]));
        for (own, folder) in own.iter().zip(&folder) {
            assert_eq!(own.bytes(), folder.bytes());
            assert!(own.names().eq(folder.names()));
        }
        let made = outputs(&model, own.each_ref());
        assert!(
            own.iter().all(|w| w.unused().is_empty()),
            "{:?}",
            own[2].unused()
        );
        assert_eq!(made, outputs(&model, folder.each_ref()));
    }
}

#[test]
fn what_it_predicts_is_found_or_assumed() {
    use PredictionType::{Epsilon, VPrediction};
    let (mut two, _) = checkpoint(SD2);
    let found = |tensors: &Tensors, metadata: &[(&str, &str)]| {
        let weights = file(tensors, metadata);
        let hints = Hints::new(Path::new("/no/checkpoint.safetensors"), &weights).unwrap();
        let model = SingleFile::new(weights, &hints).unwrap();
        (model.scheduler.prediction_type, model.side)
    };
    assert_eq!(found(&two, &[]), (VPrediction, 768));
    let base = [("modelspec.prediction_type", "epsilon")];
    assert_eq!(found(&two, &base), (Epsilon, 512));
    let base = [("modelspec.architecture", "stable-diffusion-v2-512")];
    assert_eq!(found(&two, &base), (Epsilon, 512));
    let other = [("modelspec.resolution", "640x640")];
    assert_eq!(found(&two, &other), (VPrediction, 640));
    // With a mask it predicts the noise.
    let conv = "model.diffusion_model.input_blocks.0.0.weight";
    let nine = vec![32, 9, 3, 3];
    two.insert(conv.into(), (nine.clone(), numbers(conv, &nine)));
    assert_eq!(found(&two, &[]), (Epsilon, 512));
    let (mut one, _) = checkpoint(SD1);
    assert_eq!(found(&one, &[]), (Epsilon, 512));
    one.insert("v_pred".into(), (vec![0], vec![]));
    assert_eq!(found(&one, &[]), (VPrediction, 512));
}

#[test]
fn what_is_no_whole_checkpoint_is_told() {
    let (whole, _) = checkpoint(SD1);
    let said = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = whole.clone();
        change(&mut tensors);
        let e = SingleFile::new(file(&tensors, &[]), &Hints::default()).unwrap_err();
        (e.kind(), e.message().to_owned())
    };
    for (prefix, part) in [(UNET, "UNet"), (VAE, "VAE"), (CLIP, "text encoder")] {
        let (kind, message) = said(&|t| t.retain(|name, _| !name.starts_with(prefix)));
        assert_eq!(kind, ErrorKind::Model);
        assert!(
            message.contains(&format!("there is no {part}")),
            "{message}"
        );
    }
    let (kind, message) = said(&|t| {
        t.insert(format!("{XL}0.x"), (vec![0], vec![]));
    });
    assert!(kind == ErrorKind::Unsupported && message.contains("SDXL"));
    let (_, message) = said(&|t| {
        t.remove("model.diffusion_model.input_blocks.1.0.in_layers.2.weight");
    });
    assert!(
        message.starts_with("checkpoint.safetensors: 'block_out_channels'"),
        "{message}"
    );
    // A tensor that only the network itself misses, by its name there.
    let mut tensors = whole.clone();
    tensors.remove("first_stage_model.decoder.mid.block_1.norm1.bias");
    let model = SingleFile::new(file(&tensors, &[]), &Hints::default()).unwrap();
    let vae = model.vae_weights().unwrap();
    let cx = Context::new(Instructions::best());
    let e = AutoencoderKL::new(&cx, &vae.root(), &model.vae)
        .err()
        .unwrap();
    assert!(
        e.message()
            .contains("decoder.mid_block.resnets.0.norm1.bias"),
        "{e}"
    );
}
