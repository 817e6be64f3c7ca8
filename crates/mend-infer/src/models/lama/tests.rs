//! LaMa against PyTorch: `tests/golden/lama.safetensors`, see `tests/golden/README.md`.
#![forbid(unsafe_code)]

use super::ffc::FourierUnit;
use super::*;
use crate::kernels::Path as Instructions;
use crate::models::testing::{full_size, keys, within};
use crate::nn::Act;
use crate::nn::tests::{ALGORITHMS, Golden, planes, pool};

/// Of torch's error in rounding there is a tenth of this.
const TOLERANCE: f64 = 1e-4;

/// The parts `l` and `g` of a golden.
fn parts(run: &Run, golden: &Golden, case: &str) -> Parts<Act> {
    let part =
        |name: &str| to_channels_last(run, &golden.tensor(&format!("{case}.{name}"))).unwrap();
    (part("l"), part("g"))
}

fn compare(what: &str, got: &Act, golden: &Golden, name: &str) {
    within(what, &planes(got), &golden.tensor(name), TOLERANCE);
}

#[test]
fn blocks_are_equal_to_pytorchs() {
    let golden = Golden::open("lama");
    let scope = find(&golden.0).unwrap().pp(5);
    for path in Instructions::available() {
        let cx = Context::new(path);
        for threads in [1, 3] {
            pool(threads).install(|| {
                let run = Run::new(&cx, &Arena::new());
                let block = FfcResnetBlock::new(&cx, &scope, (16, 48)).unwrap();
                let spectral = scope.pp("conv1.ffc.convg2g");
                let unit = FourierUnit::new(&cx, &spectral.pp("fu"), 24).unwrap();
                let spectral = ffc::SpectralTransform::new(&cx, &spectral, [48, 48], None).unwrap();
                for (case, [h, w]) in [("even", [8, 12]), ("odd", [5, 7])] {
                    let what = format!("{path:?} {threads} {case}");
                    let plan = Plan::new(h, w);
                    let half = golden.tensor(&format!("{case}.half"));
                    let half = to_channels_last(&run, &half).unwrap();
                    // Ours has its input added already.
                    let sum = unit.forward(&run, &plan, &half).unwrap();
                    let own = (&*sum - &*half).unwrap();
                    let want = golden.tensor(&format!("{case}.fu"));
                    within(&format!("{what} unit"), &planes(&own), &want, TOLERANCE);
                    let x = parts(&run, &golden, case);
                    let got = spectral.forward(&run, &plan, &x.1).unwrap();
                    compare(
                        &format!("{what} transform"),
                        &got,
                        &golden,
                        &format!("{case}.convg2g"),
                    );
                    let (l, g) = block.conv1().forward(&run, &plan, &x, None).unwrap();
                    compare(
                        &format!("{what} conv1 l"),
                        &l,
                        &golden,
                        &format!("{case}.conv1.l"),
                    );
                    compare(
                        &format!("{what} conv1 g"),
                        &g,
                        &golden,
                        &format!("{case}.conv1.g"),
                    );
                    let (l, g) = block.forward(&run, &plan, x).unwrap();
                    compare(
                        &format!("{what} block l"),
                        &l,
                        &golden,
                        &format!("{case}.block.l"),
                    );
                    compare(
                        &format!("{what} block g"),
                        &g,
                        &golden,
                        &format!("{case}.block.g"),
                    );
                }
            });
        }
    }
}

/// `x` of a golden's picture and mask.
fn given(golden: &Golden, case: &str) -> Tensor {
    let tensor = |name: &str| golden.tensor(&format!("{case}.{name}"));
    let (image, mask) = (tensor("image"), tensor("mask"));
    let known = mask.affine(-1.0, 1.0).unwrap();
    let image = image.broadcast_mul(&known).unwrap();
    Tensor::cat(&[&image, &mask], 1).unwrap()
}

#[test]
fn the_network_is_equal_to_pytorchs() {
    let golden = Golden::open("lama");
    let scope = find(&golden.0).unwrap();
    assert_eq!(scope.path(""), "generator.model");
    for path in Instructions::available() {
        let cx = Context::new(path);
        let net = Generator::new(&cx, &scope).unwrap();
        let config = Config {
            ngf: 8,
            parts: (16, 48),
            n_blocks: 2,
        };
        assert_eq!(net.config(), config);
        for algorithm in ALGORITHMS {
            for case in ["wide", "square"] {
                let cx = Context::new(path).by(algorithm);
                let run = Run::new(&cx, &Arena::new());
                let got = net.forward(&run, &given(&golden, case)).unwrap();
                let want = golden.tensor(&format!("{case}.out"));
                let what = format!("{path:?} {algorithm:?} {case}");
                within(&what, &got, &want, TOLERANCE);
            }
        }
    }
}

#[test]
fn the_prediction_counts_what_a_pass_takes() {
    let golden = Golden::open("lama");
    let cx = Context::new(Instructions::chosen());
    let net = Generator::new(&cx, &find(&golden.0).unwrap()).unwrap();
    let arena = Arena::new();
    let run = Run::new(&cx, &arena);
    net.forward(&run, &given(&golden, "square")).unwrap();
    let cost = net.cost(&cx, 64, 64).unwrap();
    assert_eq!((cost.flops, cost.bytes), (run.flops(), arena.peak()));
}

#[test]
fn sizes_that_do_not_fit_are_told() {
    let golden = Golden::open("lama");
    let cx = Context::new(Instructions::chosen());
    let net = Generator::new(&cx, &find(&golden.0).unwrap()).unwrap();
    for size in [[8, 64], [64, 8], [60, 64], [64, 0]] {
        let error = net.cost(&cx, size[0], size[1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
    }
}

/// Every name of big-LaMa's, and nothing else, is asked for; with one missing or one more it is refused.
#[test]
fn the_published_networks_names_are_known() {
    let keys = keys("lama");
    assert!(keys.len() > 700, "{}", keys.len());
    let cx = Context::new(Instructions::Portable);
    let weights = full_size("big-lama", &keys);
    let scope = find(&weights).unwrap();
    let config = Config::new(&scope).unwrap();
    assert_eq!(
        (config.ngf, config.parts, config.n_blocks),
        (64, (128, 384), 18)
    );
    Generator::new(&cx, &scope).unwrap();
    let left = weights.unused();
    assert!(
        left.iter()
            .all(|name| name.ends_with("num_batches_tracked")),
        "{left:?}"
    );
    for change in [
        "generator.model.7.conv2.bn_g.running_var",
        "generator.model.34.bias",
    ] {
        let fewer: Vec<_> = keys
            .iter()
            .filter(|(name, _)| name != change)
            .cloned()
            .collect();
        let weights = full_size("fewer", &fewer);
        let error = Generator::new(&cx, &find(&weights).unwrap()).err().unwrap();
        assert!(error.message().contains(change), "{error}");
    }
    let more = (
        "generator.model.5.conv1.ffc.gate.weight".to_owned(),
        vec![2, 4],
    );
    let weights = full_size("more", &[&keys[..], &[more]].concat());
    let error = Generator::new(&cx, &find(&weights).unwrap()).err().unwrap();
    assert!(error.message().contains("no use for"), "{error}");
}
