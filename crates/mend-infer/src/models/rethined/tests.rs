//! The network against `training/rethined/network.py`: `tests/golden/rethined.safetensors`.
#![forbid(unsafe_code)]

use super::*;
use crate::error::ErrorKind;
use crate::kernels::Path;
use crate::models::tests::{Blocks, compare};
use crate::nn::tests::{Golden, floats, planes};

fn channels_last(x: &Tensor) -> Tensor {
    x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap()
}

/// The picture, its hole and what is known of it.
fn inputs(golden: &Golden) -> [Tensor; 3] {
    let extended = channels_last(&golden.tensor("extended"));
    let hole = channels_last(&golden.tensor("hole"));
    let known = (1.0 - &hole).unwrap();
    [extended, hole, known]
}

fn case(cx: &Context, run: &Run, golden: &Golden) -> (Blocks, Vec<Alike>) {
    let net = Rethined::new(cx, &golden.0).unwrap();
    let [extended, hole, known] = inputs(golden);
    let coarse = net.fill_coarse(run, &extended, &hole).unwrap();
    let high = high::high(run, &coarse.answer).unwrap();
    let matched = net.fill_matched(run, &coarse, &hole, &known).unwrap();
    let made = [
        ("coarse", &coarse.answer),
        ("features", &coarse.features),
        ("sure", &coarse.sure),
        ("high", &high),
        ("mixed", &matched.mixed),
        ("refined", &matched.refined),
    ];
    let made = made.map(|(name, x)| (name.to_owned(), planes(x)));
    (made.into(), matched.alike)
}

#[test]
fn network_is_that_of_the_training() {
    let golden = Golden::open("rethined");
    // Other tests'.
    let _ = ["image", "best"].map(|name| golden.tensor(name));
    compare(&golden, 6, |cx, run| case(cx, run, &golden).0);
}

#[test]
fn tokens_most_alike_are_those_of_the_training() {
    let golden = Golden::open("rethined");
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let (_, alike) = case(&cx, &Run::new(&cx, &arena), &golden);
    let best = golden.tensor("best");
    let count = best.dims()[1];
    let best = floats(&best);
    assert_eq!(alike.len(), count);
    // The attention alone is the same.
    let run = Run::new(&cx, &arena);
    let net = Rethined::new(&cx, &golden.0).unwrap();
    let [extended, hole, known] = inputs(&golden);
    let coarse = net.fill_coarse(&run, &extended, &hole).unwrap();
    assert_eq!(net.alike(&run, &coarse, &hole, &known).unwrap(), alike);
    for (i, found) in alike.iter().enumerate() {
        assert_eq!(found.token as f32, best[i]);
        let shares: Vec<f32> = found.known.iter().map(|k| k.1).collect();
        assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
        assert_eq!(shares.len(), 8);
        assert!((shares[0] - best[2 * count + i]).abs() < 1e-5);
        // Two may be as good as each other.
        if shares[0] > shares[1] + 1e-5 {
            assert_eq!(found.known[0].0 as f32, best[count + i]);
        }
    }
}

#[test]
fn what_is_not_known_is_not_taken() {
    let golden = Golden::open("rethined");
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let run = Run::new(&cx, &arena);
    let net = Rethined::new(&cx, &golden.0).unwrap();
    let [extended, hole, known] = inputs(&golden);
    let coarse = net.fill_coarse(&run, &extended, &hole).unwrap();
    // The left half may not be taken from.
    let mut left = floats(&known);
    let w = hole.dims()[2];
    for (i, v) in left.iter_mut().enumerate() {
        if i % w < w / 2 {
            *v = 0.0;
        }
    }
    let known = picture(left, hole.dims()[1], w, 1).unwrap();
    let matched = net.fill_matched(&run, &coarse, &hole, &known).unwrap();
    assert!(!matched.alike.is_empty());
    let columns = (w / PATCH) as u32;
    let taken = matched.alike.iter().flat_map(|a| &a.known);
    assert!(
        taken
            .into_iter()
            .all(|(token, _)| token % columns >= columns / 2)
    );
    // Where nothing may be taken, the coarse answer stands.
    let none = picture(vec![0.0; floats(&hole).len()], hole.dims()[1], w, 1).unwrap();
    let matched = net.fill_matched(&run, &coarse, &hole, &none).unwrap();
    assert!(matched.alike.is_empty());
    assert_eq!(floats(&matched.mixed), floats(&coarse.answer));
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let golden = Golden::open("rethined");
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let run = Run::new(&cx, &arena);
    let net = Rethined::new(&cx, &golden.0).unwrap();
    let blank = |h, w, c| picture(vec![0.5; h * w * c], h, w, c).unwrap();
    for (h, w, mask) in [(96, 100, (96, 100)), (96, 96, (96, 64))] {
        let e = net.fill_coarse(&run, &blank(h, w, 3), &blank(mask.0, mask.1, 1));
        assert_eq!(e.err().unwrap().kind(), ErrorKind::Argument);
    }
}

#[test]
fn the_built_in_weights_are_one_network() {
    let weights = Rethined::built_in().unwrap();
    let cx = Context::new(Path::best());
    let net = Rethined::new(&cx, &weights).unwrap();
    assert_eq!(weights.unused(), [""; 0]);
    // Numbers in half precision: what the model card says.
    assert_eq!(weights.bytes(), 2 * (6_361_840 + 14_145));
    assert!(net.bytes() as u64 >= weights.bytes());
    // Each part fits into a package.
    for part in WEIGHTS {
        assert!(part.len() < 10 << 20, "{}", part.len());
    }
}
