#![forbid(unsafe_code)]

use super::{Guide, transfer, upscale};
use crate::error::{ErrorKind, Result};
use crate::pixels::resample::resize_rgb;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;

const W: usize = 192;
const H: usize = 144;
const SCALE: usize = 4;
const HOLE: (std::ops::Range<usize>, std::ops::Range<usize>) = (64..128, 48..96);

/// Fine stripes over a slope of light that a reduction by four keeps, and no stripes.
fn truth() -> RgbImage {
    let mut image = RgbImage::black(W, H, "a test").unwrap();
    for y in 0..H {
        for x in 0..W {
            let light = 0.3 + 0.3 * x as f32 / W as f32 + 0.1 * (y as f32 / 20.0).sin();
            let stripe = if (x + y / 2) % 3 == 0 { 0.12 } else { -0.06 };
            let value = light + stripe;
            image.row_mut(y)[x * 3..x * 3 + 3].copy_from_slice(&[value, value * 0.8, 0.4]);
        }
    }
    image
}

fn hole() -> Plane<u8> {
    let mut hole = Plane::filled(W, H, 0u8, "a test").unwrap();
    for y in HOLE.1 {
        hole.row_mut(y)[HOLE.0].fill(1);
    }
    hole
}

/// The truth, with the hole as a quarter of the resolution shows it.
fn guided() -> RgbImage {
    let mut image = truth();
    let answer = resize_rgb(&image, W / SCALE, H / SCALE).unwrap();
    let answer = upscale(&answer, W, H).unwrap();
    for y in HOLE.1 {
        let row = HOLE.0.start * 3..HOLE.0.end * 3;
        image.row_mut(y)[row.clone()].copy_from_slice(&answer.row(y)[row]);
    }
    image
}

fn filled(image: &RgbImage, threads: usize, cancel: &Cancel) -> Result<RgbImage> {
    let (guide, hole) = (
        Guide {
            scale: SCALE as f64,
            weight: 1.0,
        },
        hole(),
    );
    let mut source = hole.clone();
    source.data.iter_mut().for_each(|s| *s = 1 - *s);
    let pool = crate::nn::tests::pool(threads);
    let steps = &mut |share: f64| {
        assert!((0.0..=1.0).contains(&share));
        cancel.check()
    };
    transfer(&guide, image, &hole, &source, 3, &pool, cancel, steps)
}

/// Energy of the differences between neighbours in the hole.
fn texture(image: &RgbImage) -> f32 {
    let rows = HOLE.1.clone();
    rows.flat_map(|y| HOLE.0.clone().map(move |x| (x, y)))
        .map(|(x, y)| (image.row(y)[x * 3 + 3] - image.row(y)[x * 3]).abs())
        .sum()
}

#[test]
fn what_the_answer_lacks_comes_back_and_what_it_says_stays() {
    let (truth, guide, hole) = (truth(), guided(), hole());
    let made = filled(&guide, 2, &Cancel::new()).unwrap();
    for (i, hole) in hole.data.iter().enumerate() {
        let at = i * 3..i * 3 + 3;
        assert!(
            *hole != 0 || made.data[at.clone()] == truth.data[at],
            "pixel {i}"
        );
    }
    let (before, after) = (texture(&guide), texture(&made));
    let right = texture(&truth);
    assert!(before < 0.4 * right, "{before} of {right}");
    assert!((0.8..1.2).contains(&(after / right)), "{after} of {right}");
    // The answer's own pixels, away from the rim.
    let low = |image: &RgbImage| resize_rgb(image, W / SCALE, H / SCALE).unwrap();
    let (a, b) = (low(&guide), low(&made));
    for y in HOLE.1.start / SCALE + 2..HOLE.1.end / SCALE - 2 {
        for x in (HOLE.0.start / SCALE + 2) * 3..(HOLE.0.end / SCALE - 2) * 3 {
            let (a, b) = (a.row(y)[x], b.row(y)[x]);
            assert!((a - b).abs() < 0.03, "{x} {y}: {a} {b}");
        }
    }
}

#[test]
fn threads_change_nothing_and_a_raised_flag_ends_it() {
    let guide = guided();
    let one = filled(&guide, 1, &Cancel::new()).unwrap();
    assert_eq!(one.data, filled(&guide, 3, &Cancel::new()).unwrap().data);
    let cancel = Cancel::new();
    cancel.cancel();
    let error = filled(&guide, 2, &cancel).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
