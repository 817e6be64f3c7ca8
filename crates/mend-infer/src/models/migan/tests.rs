//! MI-GAN against PyTorch: `tests/golden/migan.safetensors`, see `tests/golden/README.md`.
#![forbid(unsafe_code)]

use super::*;
use crate::kernels::Path as Instructions;
use crate::models::testing::{full_size, keys, within};
use crate::nn::Arena;
use crate::nn::tests::{Golden, planes, pool};

const TOLERANCE: f64 = 1e-4;

#[test]
fn layers_are_equal_to_pytorchs() {
    let golden = Golden::open("migan");
    let root = golden.0.root();
    for path in Instructions::available() {
        let cx = Context::new(path);
        let layer = |name: &str, sizes, resample, noise| {
            SeparableConv2d::new(&cx, &root.pp(name), sizes, resample, noise).unwrap()
        };
        let down = layer("encoder.b32.conv2", [16, 32], Resample::Down, None);
        let up = layer("synthesis.b16.conv1", [32, 32], Resample::Up, Some(16));
        let plain = layer("synthesis.b16.conv2", [32, 32], Resample::None, Some(16));
        for case in ["small", "large"] {
            let run = Run::new(&cx, &Arena::new());
            let given = |name: &str| {
                to_channels_last(&run, &golden.tensor(&format!("{case}.{name}.x"))).unwrap()
            };
            let same = |name: &str, got: &Act, side: usize, channels: usize| {
                let got = got.reshape((1, side, side, channels)).unwrap();
                let want = golden.tensor(&format!("{case}.{name}.out"));
                let top = crate::nn::tests::floats(&want)
                    .into_iter()
                    .fold(0f32, |a, b| a.max(b.abs()));
                assert_eq!(top == 256.0, case == "large", "{case} {name}: {top}");
                let what = format!("{path:?} {case} {name}");
                within(&what, &planes(&got), &want, TOLERANCE);
            };
            // In bands of every height.
            for step in [1, 3, 32] {
                let (x, mut all) = (given("down"), vec![0f32; 16 * 16 * 32]);
                let x = values(&x).unwrap();
                let x = Band::whole(&x, [32, 32, 16]);
                for (i, y) in all.chunks_mut(step * 16 * 32).enumerate() {
                    let rows = i * step..i * step + y.len() / (16 * 32);
                    down.down_rows(&run, &x, rows, y).unwrap();
                }
                let got = run
                    .write(&[16, 16, 32], |out| {
                        out.copy_from_slice(&all);
                        Ok(())
                    })
                    .unwrap();
                same("down", &got, 16, 32);
                let x = given("up");
                let before = up
                    .before_up(&run, &Band::whole(&values(&x).unwrap(), [8, 8, 32]))
                    .unwrap();
                let before = values(&before).unwrap();
                let before = Band::whole(&before, [8, 8, 32]);
                let got = run
                    .write(&[16, 16, 32], |out| {
                        for (i, y) in out.chunks_mut(step * 16 * 32).enumerate() {
                            let rows = i * step..i * step + y.len() / (16 * 32);
                            up.up_rows(&run, &before, rows, None, y)?;
                        }
                        Ok(())
                    })
                    .unwrap();
                same("up", &got, 16, 32);
                let x = given("plain");
                let x = values(&x).unwrap();
                let x = Band::whole(&x, [16, 16, 32]);
                let got = run
                    .write(&[16, 16, 32], |out| {
                        for (i, y) in out.chunks_mut(step * 16 * 32).enumerate() {
                            let rows = i * step..i * step + y.len() / (16 * 32);
                            plain.plain_rows(&run, &x, rows, None, y)?;
                        }
                        Ok(())
                    })
                    .unwrap();
                same("plain", &got, 16, 32);
            }
        }
    }
}

#[test]
fn the_network_is_equal_to_pytorchs() {
    let golden = Golden::open("migan");
    let scope = find(&golden.0).unwrap();
    for path in Instructions::available() {
        let cx = Context::new(path);
        let net = Generator::new(&cx, &scope).unwrap();
        assert_eq!(
            (net.config.resolution, &net.config.channels[..]),
            (32, &[16, 32, 32, 32][..])
        );
        let mut before: Option<Vec<f32>> = None;
        for threads in [1, 3] {
            pool(threads).install(|| {
                let run = Run::new(&cx, &Arena::new());
                let x = golden.tensor("x");
                let last = to_channels_last(&run, &x).unwrap();
                let (low, feats) = net.encode(&run, &last).unwrap();
                let picture = |x: &Act| {
                    let [h, w, c] = *x.dims() else {
                        panic!("{:?}", x.dims())
                    };
                    planes(&x.reshape((1, h, w, c)).unwrap())
                };
                within(
                    "encoder",
                    &picture(&low),
                    &golden.tensor("encoder"),
                    TOLERANCE,
                );
                for (feat, side) in feats.iter().zip([16, 8, 4]) {
                    let want = golden.tensor(&format!("feat.{side}"));
                    within(&format!("feature {side}"), &picture(feat), &want, TOLERANCE);
                }
                let image = values(&last).unwrap();
                let image = Band::whole(&image, [32, 32, 4]);
                let feat = net.first_feature(&run, &image, 0..32).unwrap();
                within(
                    "feature 32",
                    &picture(&feat),
                    &golden.tensor("feat.32"),
                    TOLERANCE,
                );
                let got = net.forward(&run, &x).unwrap();
                within(&format!("{path:?}"), &got, &golden.tensor("out"), TOLERANCE);
                let got = crate::nn::tests::floats(&got);
                assert!(
                    before.as_ref().is_none_or(|b| *b == got),
                    "{threads} threads"
                );
                before = Some(got);
            });
        }
    }
}

/// The file that the state dict is, the traced module and the ONNX file give the same picture.
#[test]
fn every_published_form_is_the_same_network() {
    let golden = Golden::open("migan");
    let cx = Context::new(Instructions::chosen());
    let run = Run::new(&cx, &Arena::new());
    let picture = |weights: &Weights| {
        let net = Generator::new(&cx, &find(weights).unwrap()).unwrap();
        crate::nn::tests::floats(&net.forward(&run, &golden.tensor("x")).unwrap())
    };
    let want = picture(&golden.0);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    for (file, tolerance) in [
        ("migan.pt", 0.0),
        ("migan_traced.pt", 0.0),
        ("migan.onnx", 1e-5),
    ] {
        let got = picture(&Weights::open(&folder.join(file)).unwrap());
        let worst = got
            .iter()
            .zip(&want)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst <= tolerance, "{file}: {worst}");
    }
}

#[test]
fn the_published_networks_names_are_known() {
    let cx = Context::new(Instructions::Portable);
    for (name, side) in [("migan512", 512), ("migan256", 256)] {
        let keys = keys(name);
        let weights = full_size(name, &keys);
        // The filters, which a file of zeros has wrong, are told.
        let error = Generator::new(&cx, &find(&weights).unwrap()).err().unwrap();
        assert!(error.message().contains("is not the filter"), "{error}");
        let fixed = |name: &str| name.ends_with("filter.weight") || name.ends_with("zeros.weight");
        let keys: Vec<_> = keys.into_iter().filter(|(name, _)| !fixed(name)).collect();
        let weights = full_size(name, &keys);
        let scope = find(&weights).unwrap();
        let net = Generator::new(&cx, &scope).unwrap();
        assert_eq!(net.config.resolution, side);
        assert_eq!(net.config.channels.last(), Some(&512));
        assert_eq!(weights.unused(), Vec::<String>::new());
        let gone = "synthesis.b64.conv2.noise_strength";
        let fewer: Vec<_> = keys
            .iter()
            .filter(|(name, _)| name != gone)
            .cloned()
            .collect();
        let weights = full_size("fewer", &fewer);
        let error = Generator::new(&cx, &find(&weights).unwrap()).err().unwrap();
        assert!(error.message().contains(gone), "{error}");
        let more = ("synthesis.b64.conv2.affine.weight".to_owned(), vec![2, 4]);
        let weights = full_size("more", &[&keys[..], &[more]].concat());
        let error = Generator::new(&cx, &find(&weights).unwrap()).err().unwrap();
        assert!(error.message().contains("no use for"), "{error}");
    }
}
