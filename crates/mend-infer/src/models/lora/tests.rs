//! Against diffusers (`tests/golden/lora.safetensors`), and files that are no LoRA for the model.
#![forbid(unsafe_code)]

use super::*;
use crate::kernels::{Context, Path as Instructions};
use crate::models::{CLIPTextModel, UNet2DConditionModel, clip, unet_2d_condition};
use crate::nn::tests::{Golden, error, floats};
use crate::nn::{Arena, Run, Tensor};
use crate::weights::Values;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value as Json;
use std::collections::HashMap;

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn file(tensors: &Tensors, metadata: &[(&str, &str)]) -> Weights {
    let bytes: BTreeMap<&String, Vec<u8>> = tensors
        .iter()
        .map(|(name, (_, v))| (name, v.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = tensors.iter().map(|(name, (shape, _))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap();
        (name.clone(), view)
    });
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let metadata: HashMap<_, _> = metadata.iter().map(own).collect();
    Weights::from_bytes(
        "lora.safetensors",
        serialize(views, Some(metadata)).unwrap(),
    )
    .unwrap()
}

/// The tensors of a golden whose names begin with `prefix`, in single precision.
fn under(golden: &Golden, prefix: &str) -> Tensors {
    let weights = &golden.0;
    let own = weights.names().filter_map(|n| n.strip_prefix(prefix));
    own.filter(|n| !n.starts_with("golden."))
        .map(|name| {
            let full = format!("{prefix}{name}");
            let shape = weights.shape(&full).unwrap().to_vec();
            let values = weights.root().get(&full, &shape).unwrap();
            (name.to_owned(), (shape, values.into_f32().unwrap()))
        })
        .collect()
}

fn lora(golden: &Golden, name: &str, weight: f64) -> Lora {
    let tensors = under(golden, &format!("{name}/"));
    let key = "lora_adapter_metadata";
    let metadata = [(key, golden.0.metadata(key).unwrap())];
    let metadata = if name == "peft" { &metadata[..] } else { &[] };
    Lora::with(file(&tensors, metadata), weight, None).unwrap()
}

fn loras(golden: &Golden, case: &Json) -> Loras {
    // In the order of the golden; JSON's own is by name, which is the same.
    let all = case.as_object().unwrap().iter();
    let all = all.map(|(name, weight)| lora(golden, name, weight.as_f64().unwrap()));
    Loras::new(all.collect())
}

fn unet(cx: &Context, weights: &Weights, golden: &Golden) -> Tensor {
    let config = golden.0.metadata("config").unwrap();
    let config = unet_2d_condition::Config::parse("config.json", config).unwrap();
    let net = UNet2DConditionModel::new(cx, &weights.root(), config).unwrap();
    let t = |name: &str| golden.tensor(&format!("a.{name}"));
    let arena = Arena::new();
    let run = Run::new(cx, &arena);
    let times = floats(&t("timestep"));
    net.forward(&run, &t("sample"), &times, &t("encoder_hidden_states"))
        .unwrap()
}

fn text(cx: &Context, weights: &Weights, golden: &Golden) -> Tensor {
    let all: Json = serde_json::from_str(golden.0.metadata("config").unwrap()).unwrap();
    let config = clip::Config::parse("config.json", &all["quick"].to_string()).unwrap();
    let net = CLIPTextModel::new(cx, &weights.root(), config).unwrap();
    let name = "golden.quick.tokens";
    let shape = golden.0.shape(name).unwrap().to_vec();
    let tokens = golden.0.root().integers(name, &shape).unwrap();
    let texts = tokens.chunks_exact(shape[1]);
    let texts: Vec<Vec<u32>> = texts
        .map(|t| t.iter().map(|i| *i as u32).collect())
        .collect();
    let arena = Arena::new();
    net.forward(&Run::new(cx, &arena), &texts).unwrap()
}

#[test]
fn networks_with_loras_are_the_references() {
    let golden = Golden::open("lora");
    let (unets, texts) = (Golden::open("unet_sd15"), Golden::open("clip"));
    let cases: Json = serde_json::from_str(golden.0.metadata("cases").unwrap()).unwrap();
    let cx = Context::new(Instructions::best());
    for (name, case) in cases.as_object().unwrap() {
        let loras = loras(&golden, case);
        let base = file(&under(&unets, ""), &[]);
        let weights = loras.onto(Net::Unet, base).unwrap();
        let made = unet(&cx, &weights, &unets);
        let e = error(&made, &golden.tensor(&format!("{name}.unet")));
        let base = file(&under(&texts, "quick."), &[]);
        let weights = loras.onto(Net::Text, base).unwrap();
        let made = text(&cx, &weights, &texts);
        let t = error(&made, &golden.tensor(&format!("{name}.text")));
        println!("{name}: unet {e:.1e}, text {t:.1e}");
        assert!(e <= 1e-4 && t <= 1e-4, "{name}: unet {e:.1e}, text {t:.1e}");
        for own in &loras.0 {
            assert_eq!(own.weights.unused(), [""; 0], "{name}");
        }
    }
}

/// A layer of three outputs and two inputs, a change of rank one.
fn small() -> (Tensors, Tensors) {
    let tensor =
        |name: &str, shape: &[usize], v: &[f32]| (name.to_owned(), (shape.to_vec(), v.to_vec()));
    let model = [
        tensor(
            "mid_block.conv.weight",
            &[3, 2],
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        ),
        tensor("mid_block.norm.weight", &[2], &[1.0, 1.0]),
    ];
    let change = [
        tensor(
            "lora_unet_mid_block_conv.lora_down.weight",
            &[1, 2],
            &[1.0, 10.0],
        ),
        tensor(
            "lora_unet_mid_block_conv.lora_up.weight",
            &[3, 1],
            &[1.0, 0.0, -1.0],
        ),
    ];
    (model.into(), change.into())
}

fn merged(model: &Weights) -> Values {
    model.root().get("mid_block.conv.weight", &[3, 2]).unwrap()
}

#[test]
fn a_change_is_scaled_by_alpha_over_rank_and_rounded_once() {
    let (model, change) = small();
    let with = |change: &Tensors, weight: f64, half: bool| {
        let loras = Loras::new(vec![Lora::with(file(change, &[]), weight, None).unwrap()]);
        let model = match half {
            false => file(&model, &[]),
            true => {
                let (shape, v) = &model["mid_block.conv.weight"];
                let bytes: Vec<u8> = v
                    .iter()
                    .flat_map(|v| half::f16::from_f32(*v).to_le_bytes())
                    .collect();
                let view = TensorView::new(Dtype::F16, shape.clone(), &bytes).unwrap();
                let bytes = serialize([("mid_block.conv.weight", view)], None).unwrap();
                Weights::from_bytes("model", bytes).unwrap()
            }
        };
        merged(&loras.onto(Net::Unet, model).unwrap())
    };
    let want = |s: f32| vec![1.0 + s, 2.0 + 10.0 * s, 3.0, 4.0, 5.0 - s, 6.0 - 10.0 * s];
    assert_eq!(with(&change, 1.0, false), Values::F32(want(1.0)));
    assert_eq!(with(&change, -0.5, false), Values::F32(want(-0.5)));
    let mut scaled = change.clone();
    let alpha = "lora_unet_mid_block_conv.alpha".to_owned();
    scaled.insert(alpha, (vec![], vec![0.25]));
    assert_eq!(with(&scaled, 2.0, false), Values::F32(want(0.5)));
    let half = want(0.3).iter().map(|v| half::f16::from_f32(*v)).collect();
    assert_eq!(with(&change, 0.3, true), Values::F16(half));
}

#[test]
fn what_is_no_lora_for_the_model_is_named() {
    let (model, change) = small();
    let said = |edit: &dyn Fn(&mut Tensors)| {
        let mut change = change.clone();
        edit(&mut change);
        let made = Lora::with(file(&change, &[]), 1.0, None)
            .and_then(|lora| Loras::new(vec![lora]).onto(Net::Unet, file(&model, &[])));
        let e = made.err().unwrap();
        assert!(e.message().starts_with("lora.safetensors: "), "{e}");
        (e.kind(), e.message().to_owned())
    };
    let rename = |from: &'static str, to: &'static str| {
        move |t: &mut Tensors| {
            let all = std::mem::take(t).into_iter();
            t.extend(all.map(|(name, v)| (name.replace(from, to), v)));
        }
    };
    let one = vec![1usize];
    for (kind, part, (k, message)) in [
        (
            ErrorKind::Model,
            "2 tensors",
            said(&rename("lora_unet_mid", "other_mid")),
        ),
        (
            ErrorKind::Model,
            "lora_down",
            said(&|t| {
                t.remove("lora_unet_mid_block_conv.lora_up.weight");
            }),
        ),
        (
            ErrorKind::Model,
            "does not have",
            said(&rename("mid_block_conv", "mid_block_conv2")),
        ),
        (
            ErrorKind::Model,
            "shapes [1, 2] and [2, 1]",
            said(&|t| {
                let up = t
                    .get_mut("lora_unet_mid_block_conv.lora_up.weight")
                    .unwrap();
                *up = (vec![2, 1], vec![0.0; 2]);
            }),
        ),
        (
            ErrorKind::Unsupported,
            "SDXL",
            said(&rename("lora_unet_", "lora_te1_")),
        ),
        (
            ErrorKind::Unsupported,
            "DoRA",
            said(&|t| {
                t.insert("lora_unet_x.dora_scale".into(), (one.clone(), vec![1.0]));
            }),
        ),
        (
            ErrorKind::Unsupported,
            "LoKr",
            said(&|t| {
                t.insert("lora_unet_x.lokr_w1".into(), (one.clone(), vec![1.0]));
            }),
        ),
    ] {
        assert_eq!(k, kind, "{message}");
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn every_writers_names_are_read() {
    let unet = |layer: &str, role| Key::Of(Net::Unet, layer.to_owned(), role);
    let text = |layer: &str, role| Key::Of(Net::Text, layer.to_owned(), role);
    let (q, out) = ("mid_block_attn1_to_q", "mid_block_attn1_to_out_0");
    for (name, key) in [
        (
            "lora_unet_mid_block_attn1_to_q.lora_down.weight",
            unet(q, Role::Down),
        ),
        (
            "lora_unet_mid_block_attn1_to_out_0.alpha",
            unet(out, Role::Alpha),
        ),
        ("unet.mid_block.attn1.to_q.lora_B.weight", unet(q, Role::Up)),
        (
            "base_model.model.unet.mid_block.attn1.to_q.lora_B.default.weight",
            unet(q, Role::Up),
        ),
        (
            "mid_block.attn1.processor.to_out_lora.up.weight",
            unet(out, Role::Up),
        ),
        (
            "unet.mid_block.attn1.to_out.0.lora.down.weight",
            unet(out, Role::Down),
        ),
        (
            "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight",
            text("encoder_layers_0_mlp_fc1", Role::Up),
        ),
        (
            "text_encoder.text_model.encoder.layers.0.self_attn.to_out_lora.down.weight",
            text("encoder_layers_0_self_attn_out_proj", Role::Down),
        ),
        (
            "base_model.model.text_model.encoder.layers.0.mlp.fc1.lora_A.weight",
            text("encoder_layers_0_mlp_fc1", Role::Down),
        ),
        (
            "base_model.model.encoder.layers.0.mlp.fc1.lora_A.my_adapter.weight",
            text("encoder_layers_0_mlp_fc1", Role::Down),
        ),
        (
            "base_model.model.conv_in.lora_B.weight",
            unet("conv_in", Role::Up),
        ),
        (
            "text_encoder.encoder.layers.0.self_attn.k_proj.lora_linear_layer.up.weight",
            text("encoder_layers_0_self_attn_k_proj", Role::Up),
        ),
    ] {
        assert_eq!(keys::key(name), key, "{name}");
    }
    for name in [
        "base_model.model.conv_in.weight",
        "base_model.model.conv_in.modules_to_save.weight",
        "base_model.model.mid_block.attn1.to_q.lora_B.bias",
        "base_model.model.embeddings.token_embedding.lora_embedding_A",
    ] {
        assert!(matches!(keys::key(name), Key::Other(_)), "{name}");
    }
    for name in ["conv_in.weight", "lora_unet_x", ".alpha", "emb_params"] {
        assert_eq!(keys::key(name), Key::Unknown, "{name}");
    }
}

/// `tests/golden/peft_scales.json`: what peft makes of its own configurations.
#[test]
fn a_configuration_says_what_peft_reads_in_it() {
    let golden = include_str!("../../../../../tests/golden/peft_scales.json");
    let golden: Json = serde_json::from_str(golden).unwrap();
    let cases = golden["cases"].as_object().unwrap();
    assert!(cases.len() >= 8);
    for (name, case) in cases {
        let text = case["config"].as_str().unwrap();
        let adapter = Adapter::parse("adapter_config.json", text.as_bytes()).unwrap();
        for (layer, told) in case["layers"].as_object().unwrap() {
            let (rank, scale) = (told[0].as_u64().unwrap(), told[1].as_f64().unwrap());
            let found = adapter.scale(Net::Unet, layer, rank as usize);
            assert!(
                (found - scale).abs() < 1e-5,
                "{name} {layer}: {found} {scale}"
            );
        }
    }
}

#[test]
fn what_a_configuration_cannot_mean_here_is_told() {
    let parse = |text: &str| Adapter::parse("peft/adapter_config.json", text.as_bytes());
    for (text, kind, says) in [
        (
            r#"{"use_dora": true}"#,
            ErrorKind::Unsupported,
            "'use_dora' is true: this is a DoRA",
        ),
        (
            r#"{"peft_type": "LOHA"}"#,
            ErrorKind::Unsupported,
            "'peft_type' is LOHA",
        ),
        (r#"{"lora_bias": true}"#, ErrorKind::Unsupported, "biases"),
        (
            r#"{"init_lora_weights": "pissa"}"#,
            ErrorKind::Unsupported,
            "pissa",
        ),
        (
            r#"{"layer_replication": [[0, 1]]}"#,
            ErrorKind::Unsupported,
            "repeats layers",
        ),
        (
            r#"{"alpha_pattern": {"(?=x)": 1}}"#,
            ErrorKind::Unsupported,
            "(?=x)",
        ),
        (
            r#"{"lora_alpha": "8"}"#,
            ErrorKind::Model,
            "'lora_alpha' is 8, expected a number",
        ),
        (
            r#"{"lora_alpha": Infinity}"#,
            ErrorKind::Model,
            "'lora_alpha' is Infinity",
        ),
        (r#"{"use_rslora": 1}"#, ErrorKind::Model, "true or false"),
        (
            r#"{"alpha_pattern": {"x": NaN}}"#,
            ErrorKind::Model,
            "no number for 'x'",
        ),
        (
            r#"{"alpha_pattern": [1]}"#,
            ErrorKind::Model,
            "'alpha_pattern' is a list",
        ),
        ("[]", ErrorKind::Model, "is damaged"),
        ("", ErrorKind::Model, "is damaged"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(
            error.message().starts_with("peft/adapter_config.json: "),
            "{error}"
        );
        assert!(error.message().contains(says), "{text}: {error}");
    }
    let fine = r#"{"peft_type": "LORA", "use_dora": false, "init_lora_weights": "gaussian", "r": NaN,
        "layer_replication": null, "loftq_config": {}, "modules_to_save": ["conv_in"]}"#;
    assert!(parse(fine).is_ok());
}

#[test]
fn an_alpha_is_a_number_of_any_type() {
    let (model, change) = small();
    let with_alpha = |dtype, bytes: &[u8], shape: &[usize]| {
        let floats: Vec<(String, Vec<usize>, Vec<u8>)> = change
            .iter()
            .map(|(name, (shape, v))| {
                let bytes = v.iter().flat_map(|v| v.to_le_bytes()).collect();
                (name.clone(), shape.clone(), bytes)
            })
            .collect();
        let views = floats.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
            (name.clone(), view)
        });
        let alpha = TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
        let alpha = [("lora_unet_mid_block_conv.alpha".to_owned(), alpha)];
        let file = serialize(views.chain(alpha), None).unwrap();
        let lora = Lora::with(Weights::from_bytes("l", file).unwrap(), 1.0, None).unwrap();
        let merged_model = Loras::new(vec![lora]).onto(Net::Unet, file_of(&model));
        merged_model.map(|weights| merged(&weights))
    };
    let want = Values::F32(vec![3.0, 22.0, 3.0, 4.0, 3.0, -14.0]);
    for (dtype, bytes) in [
        (Dtype::I64, 2i64.to_le_bytes().to_vec()),
        (Dtype::I32, 2i32.to_le_bytes().to_vec()),
        (Dtype::U8, vec![2]),
        (Dtype::F64, 2f64.to_le_bytes().to_vec()),
        (
            Dtype::BF16,
            half::bf16::from_f32(2.0).to_le_bytes().to_vec(),
        ),
    ] {
        assert_eq!(with_alpha(dtype, &bytes, &[]).unwrap(), want, "{dtype}");
        assert_eq!(with_alpha(dtype, &bytes, &[1]).unwrap(), want, "{dtype}");
    }
    for (dtype, bytes, shape) in [
        (Dtype::F32, f32::NAN.to_le_bytes().to_vec(), vec![]),
        (Dtype::U8, vec![2, 2], vec![2]),
        (Dtype::U8, vec![], vec![0]),
        (Dtype::BOOL, vec![1], vec![]),
    ] {
        let error = with_alpha(dtype, &bytes, &shape).unwrap_err();
        assert!(error.message().contains("conv.alpha'"), "{error}");
    }
}

fn file_of(tensors: &Tensors) -> Weights {
    file(tensors, &[])
}

/// Metadata is read once, however many layers there are: what the layers take is no multiple of it.
#[test]
fn long_metadata_is_read_once() {
    let one = |name: String, shape: &[usize]| {
        (name, (shape.to_vec(), vec![0.5f32; shape.iter().product()]))
    };
    let layers = 0..200;
    let model: Tensors = layers
        .clone()
        .map(|i| one(format!("mid_block.{i}.weight"), &[2, 2]))
        .collect();
    let parts = layers.flat_map(|i| {
        let name = |part: &str| format!("unet.mid_block.{i}.lora_{part}.weight");
        [one(name("A"), &[1, 2]), one(name("B"), &[2, 1])]
    });
    let change: Tensors = parts.collect();
    let targets: Vec<String> = (0..200_000).map(|i| format!("\"layer.{i}\"")).collect();
    let text = format!(
        "{{\"unet.lora_alpha\": 2, \"unet.target_modules\": [{}]}}",
        targets.join(",")
    );
    let weights = file(&change, &[(METADATA, &text)]);
    let base = file_of(&model);
    let begin = std::time::Instant::now();
    let lora = Lora::with(weights, 1.0, None).unwrap();
    let opened = begin.elapsed();
    let begin = std::time::Instant::now();
    let weights = Loras::new(vec![lora]).onto(Net::Unet, base).unwrap();
    // It was two hundred times as long.
    assert!(
        begin.elapsed() < 20 * opened,
        "{:?}, {opened:?}",
        begin.elapsed()
    );
    let made = weights.root().get("mid_block.7.weight", &[2, 2]).unwrap();
    assert_eq!(made, Values::F32(vec![1.0; 4]));
}
