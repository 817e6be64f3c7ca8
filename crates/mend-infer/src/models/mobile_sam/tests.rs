//! The network against the reference: `tests/golden/mobile_sam.safetensors`, and the published file's names.
#![forbid(unsafe_code)]

use super::*;
use crate::kernels::Path;
use crate::models::testing::{full_size, list};
use crate::models::tests::{Blocks, compare};
use crate::nn::from_vec;
use crate::nn::tests::{Golden, floats, planes};

const FRAME: usize = 96;

fn picture(golden: &Golden) -> Tensor {
    let image = golden.tensor("image");
    image.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap()
}

/// The clicks and boxes of `mobile_sam.py`.
fn cases() -> [(&'static str, Vec<Point>, Option<Corners>); 4] {
    let point = |x, y, wanted| Point { x, y, wanted };
    let corners = Corners {
        from: (11.0, 20.5),
        to: (70.0, 64.0),
    };
    let first = point(40.0, 31.0, true);
    let three = vec![first, point(12.5, 60.0, false), point(80.0, 5.0, true)];
    let both = vec![first, point(90.0, 66.0, false)];
    [
        ("point", vec![first], None),
        ("points", three, None),
        ("box", Vec::new(), Some(corners)),
        ("both", both, Some(corners)),
    ]
}

fn case(cx: &Context, run: &Run, golden: &Golden) -> Blocks {
    let net = MobileSam::new(cx, &golden.0).unwrap();
    let picture = picture(golden);
    let mut made = Blocks::new();
    let x = framed(run, &picture, FRAME).unwrap();
    let mut x = net.encoder.patched(run, x).unwrap();
    made.insert("patch".into(), planes(&x));
    for i in 0..4 {
        x = net.encoder.stage(run, i, x).unwrap();
        made.insert(format!("layer.{i}"), planes(&x));
    }
    let embedding = net.encoder.neck(run, x).unwrap();
    made.insert("embedding".into(), planes(&embedding));
    let embedded = net.embed(run, &picture, FRAME).unwrap();
    assert_eq!(floats(&embedded.features), floats(&embedding));
    for (name, points, corners) in cases() {
        let masks = net.masks(run, &embedded, &points, corners).unwrap();
        let side = masks.side();
        let logits = (0..4).flat_map(|i| masks.logits(i).to_vec()).collect();
        let logits = from_vec(logits, &[1, 4, side, side]).unwrap();
        made.insert(format!("{name}.masks"), logits);
        let quality = from_vec(masks.quality().to_vec(), &[1, 4]).unwrap();
        made.insert(format!("{name}.quality"), quality);
    }
    made
}

#[test]
fn network_is_the_reference() {
    let golden = Golden::open("mobile_sam");
    let _ = golden.tensor("image");
    compare(&golden, 14, |cx, run| case(cx, run, &golden));
}

#[test]
fn the_best_mask_of_one_click_is_one_of_three_and_else_the_first() {
    let masks = |quality| Masks::of(quality);
    let made = masks([9.0, 0.2, 0.7, 0.5]);
    assert_eq!(made.best(1, false), 2);
    for (clicks, boxed) in [(2, false), (0, true), (1, true)] {
        assert_eq!(made.best(clicks, boxed), 0);
    }
    // Of equals the first.
    assert_eq!(masks([0.0, 0.5, 0.5, 0.5]).best(1, false), 1);
}

#[test]
fn the_published_files_tensors_are_read() {
    let keys = list("mobile_sam.txt");
    let weights = full_size("mobile-sam", &keys);
    assert!(MobileSam::is(&weights));
    let cx = Context::new(Path::best());
    let net = MobileSam::new(&cx, &weights).unwrap();
    // What masks by clicks have no use for.
    let unused: Vec<String> = weights.unused().iter().map(|n| n.to_string()).collect();
    for name in unused {
        let known = ["head.", "mask_downscaling.", "num_batches_tracked"];
        assert!(known.iter().any(|k| name.contains(k)), "{name}");
    }
    // 9.7 M parameters of 16 bits here, and the windows' biases laid out in full.
    assert!(
        (19 << 20..40 << 20).contains(&net.bytes()),
        "{}",
        net.bytes()
    );
    let cost = net.cost(&cx, SIDE).unwrap();
    assert!(
        (60_000_000_000..90_000_000_000).contains(&cost.flops),
        "{}",
        cost.flops
    );
    assert!(cost.bytes < 160 << 20, "{} MiB", cost.bytes >> 20);
}

#[test]
fn what_does_not_fit_is_refused() {
    let golden = Golden::open("mobile_sam");
    let (cx, arena) = (Context::new(Path::best()), Arena::new());
    let run = Run::new(&cx, &arena);
    let net = MobileSam::new(&cx, &golden.0).unwrap();
    let blank = |h: usize, w: usize| from_vec(vec![0.5; h * w * 3], &[1, h, w, 3]).unwrap();
    for (h, w, side) in [(96, 100, 96), (97, 20, 96), (20, 20, 40)] {
        let e = net.embed(&run, &blank(h, w), side).err().unwrap();
        assert_eq!(e.kind(), ErrorKind::Argument, "{e}");
    }
    let embedded = net.embed(&run, &blank(30, 96), FRAME).unwrap();
    let e = net.masks(&run, &embedded, &[], None).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Argument, "{e}");
    // Another network's file.
    let other = Golden::open("rethined");
    assert!(!MobileSam::is(&other.0));
    let e = MobileSam::new(&cx, &other.0).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Model, "{e}");
}
