//! Tests of the search.
#![forbid(unsafe_code)]

mod cancel;
mod forecast;
mod guide;
mod light;
mod lines;
mod rhythm;
mod several;
mod sparse;

use super::complete::{Scene, complete};
use super::maps;
use crate::blend;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;

fn plane(width: usize, height: usize, set: impl Fn(usize, usize) -> bool) -> Plane<u8> {
    let at = |i: usize| u8::from(set(i % width, i / width));
    Plane {
        width,
        height,
        data: (0..width * height).map(at).collect(),
    }
}

/// The fill of `truth` where `hole` says so, from the rest.
fn fill(truth: &RgbImage, hole: &Plane<u8>, seed: u64, threads: usize) -> RgbImage {
    fill_along(truth, hole, None, seed, threads)
}

/// The same, along the lines painted in `guide`.
fn fill_along(
    truth: &RgbImage,
    hole: &Plane<u8>,
    guide: Option<&Plane<u8>>,
    seed: u64,
    threads: usize,
) -> RgbImage {
    let source = plane(hole.width, hole.height, |x, y| hole.row(y)[x] == 0);
    let mut image = truth.clone();
    for (p, h) in image.data.chunks_exact_mut(3).zip(&hole.data) {
        if *h != 0 {
            p.fill(7.0);
        }
    }
    blend::extend(
        &mut image.data,
        3,
        hole.width,
        hole.height,
        &source.data,
        &Cancel::new(),
    )
    .unwrap();
    let pool = Workers::new(threads).unwrap();
    let scene = Scene {
        guide,
        ..Scene::new(&image, hole, &source)
    };
    complete(&scene, seed, &pool, &Cancel::new(), &mut |_| Ok(())).unwrap()
}

/// Bricks: structure and texture that repeat, so that there is one right answer.
fn bricks(width: usize, height: usize) -> RgbImage {
    let mut image = RgbImage::black(width, height, "a test").unwrap();
    for y in 0..height {
        for x in 0..width {
            let shifted = x + (y / 8) % 2 * 8;
            let mortar = y % 8 == 0 || shifted % 16 == 0;
            let grain = ((shifted % 16) * 5 + (y % 8) * 3) % 7;
            let value = if mortar {
                0.8
            } else {
                0.3 + grain as f32 * 0.02
            };
            image.row_mut(y)[x * 3..x * 3 + 3].copy_from_slice(&[value, value * 0.6, 0.2]);
        }
    }
    image
}

fn worst(a: &RgbImage, b: &RgbImage) -> f32 {
    a.data
        .iter()
        .zip(&b.data)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn bricks_go_on_through_the_hole() {
    let truth = bricks(160, 120);
    type Inside = fn(usize, usize) -> bool;
    let holes: [(&str, Inside); 4] = [
        ("middle", |x, y| {
            (60..96).contains(&x) && (40..72).contains(&y)
        }),
        ("corner", |x, y| x < 30 && y < 24),
        ("edge", |x, y| x >= 130 && (30..70).contains(&y)),
        ("strokes", |x, y| (x + 2 * y) % 50 < 4),
    ];
    for (name, inside) in holes {
        let hole = plane(160, 120, inside);
        let filled = fill(&truth, &hole, 0, 2);
        let mut wrong = 0;
        for (i, h) in hole.data.iter().enumerate() {
            let off = (0..3).any(|c| (filled.data[i * 3 + c] - truth.data[i * 3 + c]).abs() > 0.05);
            assert!(*h != 0 || !off, "{name}: a known pixel changed");
            wrong += usize::from(off);
        }
        let share = wrong as f64 / hole.data.iter().filter(|h| **h != 0).count() as f64;
        assert!(share < 0.02, "{name}: {share:.3} of the hole is wrong");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits_and_another_seed_others() {
    let mut truth = bricks(150, 90);
    let mut s = 1u32;
    for v in &mut truth.data {
        s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *v += (s >> 24) as f32 / 2550.0;
    }
    let hole = plane(150, 90, |x, y| {
        (40..110).contains(&x) && (20..70).contains(&y)
    });
    let one = fill(&truth, &hole, 3, 1);
    assert_eq!(one.data, fill(&truth, &hole, 3, 3).data);
    assert_eq!(one.data, fill(&truth, &hole, 3, 5).data);
    assert_ne!(one.data, fill(&truth, &hole, 4, 2).data);
}

#[test]
fn what_holds_no_patch_keeps_the_smooth_guess() {
    for (w, h) in [(1, 9), (9, 1), (6, 40), (7, 7), (40, 40)] {
        let truth = bricks(w, h);
        // A grid of holes that no whole patch fits between.
        let hole = plane(w, h, |x, y| (x + y) % 5 == 2);
        let filled = fill(&truth, &hole, 0, 1);
        assert!(
            filled.data.iter().all(|v| (0.0..=1.0).contains(v)),
            "{w}×{h}"
        );
        for (i, set) in hole.data.iter().enumerate() {
            assert!(*set != 0 || filled.data[i * 3] == truth.data[i * 3]);
        }
    }
}

#[test]
fn a_slope_of_light_goes_on_without_a_seam() {
    // Grain on a slope: no source has the hole's brightness, so colours must shift.
    let mut truth = RgbImage::black(140, 100, "a test").unwrap();
    for (i, p) in truth.data.chunks_exact_mut(3).enumerate() {
        let (x, y) = (i % 140, i / 140);
        let grain = ((x * 7 + y * 13) % 11) as f32 / 200.0;
        p.fill(0.2 + x as f32 / 280.0 + grain);
    }
    let hole = plane(140, 100, |x, y| {
        (50..90).contains(&x) && (30..70).contains(&y)
    });
    let filled = fill(&truth, &hole, 0, 2);
    let mean = |image: &RgbImage, x: usize| -> f32 {
        (30..70).map(|y| image.row(y)[x * 3]).sum::<f32>() / 40.0
    };
    for x in (50..90).step_by(4) {
        let (is, should) = (mean(&filled, x), mean(&truth, x));
        assert!(
            (is - should).abs() < 0.03,
            "column {x}: {is} instead of {should}"
        );
    }
    assert!(worst(&filled, &truth) < 0.2);
}

#[test]
fn cancel_and_errors_of_the_caller_stop_it() {
    let truth = bricks(120, 90);
    let hole = plane(120, 90, |x, y| {
        (40..80).contains(&x) && (30..60).contains(&y)
    });
    let source = plane(120, 90, |x, y| hole.row(y)[x] == 0);
    let pool = Workers::new(1).unwrap();
    let mut shares = Vec::new();
    let result = complete(
        &Scene::new(&truth, &hole, &source),
        0,
        &pool,
        &Cancel::new(),
        &mut |share| {
            shares.push(share);
            if share > 0.4 {
                Err(crate::Error::cancelled())
            } else {
                Ok(())
            }
        },
    );
    assert_eq!(result.unwrap_err().kind(), crate::ErrorKind::Cancelled);
    assert!(shares.is_sorted() && shares.len() > 5, "{shares:?}");
}

#[test]
fn maps_say_what_their_docs_say() {
    let mut s = 9u32;
    for (w, h, one_in) in [
        (20, 15, 9),
        (7, 7, 50),
        (33, 8, 30),
        (5, 12, 4),
        (40, 30, 200),
    ] {
        let mut draw = || {
            s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (s >> 16).is_multiple_of(one_in)
        };
        let mut hole = plane(w, h, |_, _| false);
        for v in &mut hole.data {
            *v = u8::from(draw());
        }
        let source = plane(w, h, |x, y| hole.row(y)[x] == 0);
        let inside = |x: usize, y: usize| x >= 3 && y >= 3 && x + 3 < w && y + 3 < h;
        let patch = |x: usize, y: usize| {
            (y - 3..=y + 3).flat_map(move |y| (x - 3..=x + 3).map(move |x| (x, y)))
        };
        let whole = maps::whole_patches(&source, &Cancel::new()).unwrap();
        let targets = maps::reaching(&hole, &Cancel::new()).unwrap();
        let depth = maps::depth(&hole, &Cancel::new()).unwrap();
        for y in 0..h {
            for x in 0..w {
                let clear = inside(x, y) && patch(x, y).all(|(x, y)| source.row(y)[x] != 0);
                assert_eq!(whole.row(y)[x] != 0, clear, "{w}×{h} ({x}, {y})");
                let target = targets[y]
                    .iter()
                    .any(|(a, b)| (usize::from(*a)..usize::from(*b)).contains(&x));
                let reaches = inside(x, y) && patch(x, y).any(|(x, y)| hole.row(y)[x] != 0);
                assert_eq!(target, reaches, "{w}×{h} ({x}, {y})");
                let nearest = (0..w * h)
                    .filter(|i| hole.data[*i] == 0)
                    .map(|i| (i % w).abs_diff(x).max((i / w).abs_diff(y)))
                    .min();
                assert_eq!(usize::from(depth.row(y)[x]), nearest.unwrap_or(255));
            }
        }
    }
}
