#![forbid(unsafe_code)]

use super::{Attention, Guide, attend, transfer, upscale};
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
    let pool = crate::workers::Workers::new(threads).unwrap();
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

/// Where a token points, its detail is taken from, and nothing else.
#[test]
fn attention_carries_the_detail_of_what_it_points_at() {
    // Repeats every token's 32 pixels, finely.
    let (patch, side) = (8, 8 * SCALE);
    let (w, h) = (6 * side, 4 * side);
    let mut truth = RgbImage::black(w, h, "a test").unwrap();
    for (i, pixel) in truth.data.chunks_exact_mut(3).enumerate() {
        let (x, y) = (i % w % side, i / w % side);
        let value = 0.5 + 0.2 * ((x * 7 + y * 13) % 11) as f32 / 10.0;
        pixel.copy_from_slice(&[value, 1.0 - value, 0.3]);
    }
    let answer = resize_rgb(&truth, w / SCALE, h / SCALE).unwrap();
    // Tokens (1..3, 2..4) are the hole; each is like the one two to the right or left of it.
    let (mut hole, mut alike) = (Plane::filled(w, h, 0u8, "a test").unwrap(), Vec::new());
    for (row, column, like) in [(1, 2, 4), (1, 3, 1), (2, 2, 0), (2, 3, 5)] {
        for y in row * side..(row + 1) * side {
            hole.row_mut(y)[column * side..(column + 1) * side].fill(1);
        }
        alike.push(((row * 6 + column) as u32, (row * 6 + like) as u32));
    }
    let mut source = hole.clone();
    source.data.iter_mut().for_each(|s| *s = 1 - *s);
    let mut crop = truth.clone();
    for (pixel, hole) in crop.data.chunks_exact_mut(3).zip(&hole.data) {
        if *hole != 0 {
            pixel.fill(f32::NAN);
        }
    }
    let attention = Attention {
        answer: &answer,
        patch,
        columns: 6,
        alike: &alike,
    };
    let filled = attend(&attention, &crop, &hole, &source).unwrap();
    let mut worst = 0.0f32;
    for (i, (f, t)) in filled.data.iter().zip(&truth.data).enumerate() {
        if hole.data[i / 3] == 0 {
            assert_eq!(f.to_bits(), t.to_bits());
        }
        // Where tokens meet two are mixed at the energy of one, which is not for what is the same.
        let (x, y) = (i / 3 % w % side, i / 3 / w % side);
        let inner = side / 4..side - side / 4;
        if inner.contains(&x) && inner.contains(&y) {
            worst = worst.max((f - t).abs());
        }
        assert!(f.is_finite());
    }
    assert!(worst < 0.02, "{worst}");
    // Nothing is taken from where nothing may be: the answer's low frequencies are left.
    source.data.fill(0);
    let filled = attend(&attention, &crop, &hole, &source).unwrap();
    let (x, y) = (2 * side + side / 2, side + side / 2);
    let steps = (0..8).map(|i| filled.row(y)[(x + i) * 3] - filled.row(y)[(x + i + 1) * 3]);
    assert!(steps.map(f32::abs).fold(0.0, f32::max) < 0.02);
}
