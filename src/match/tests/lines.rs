//! Edges that enter the hole on both sides go straight through it.
#![forbid(unsafe_code)]

use super::{fill, plane};
use crate::r#match::complete::{coarse, pyramid};
use crate::r#match::lines::{Line, lines};
use crate::r#match::random::Random;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;

const SIDE: usize = 160;

/// A picture of `colour(x, y)` with a little noise.
fn noisy(colour: impl Fn(f32, f32) -> [f32; 3]) -> RgbImage {
    let mut image = RgbImage::black(SIDE, SIDE, "a test").unwrap();
    let mut random = Random::new(7, 3);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let noise = (random.below(1000) as f32 - 500.0) * 2e-5;
            let value = colour(x as f32 + 0.5, y as f32 + 0.5);
            image.row_mut(y)[x * 3..x * 3 + 3].copy_from_slice(&value.map(|v| v + noise));
        }
    }
    image
}

/// How far below the line through (0, `start`) of this slope a point lies.
fn below(x: f32, y: f32, start: f32, slope: f32) -> f32 {
    (y - start - slope * x) / (1.0 + slope * slope).sqrt()
}

/// From `a` above an edge to `b` below it, within a pixel.
fn step(at: f32, a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    let share = (at + 0.5).clamp(0.0, 1.0);
    [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * share)
}

fn round_hole(radius: f32) -> Plane<u8> {
    let middle = SIDE as f32 / 2.0;
    plane(SIDE, SIDE, |x, y| {
        let (x, y) = (x as f32 - middle, y as f32 - middle);
        x * x + y * y < radius * radius
    })
}

fn found(image: &RgbImage, hole: &Plane<u8>) -> Vec<Line> {
    let source = plane(SIDE, SIDE, |x, y| hole.row(y)[x] == 0);
    let levels = pyramid(image, hole, &source, coarse, &Cancel::new()).unwrap();
    lines(&levels, &Cancel::new()).unwrap()
}

/// How far the fill's edge lies from the line through (0, `start`) of this slope, at most: where each column's
/// green crosses the middle.
fn strays(truth: &RgbImage, hole: &Plane<u8>, start: f32, slope: f32) -> f32 {
    let filled = fill(truth, hole, 0, 2);
    let mut most = 0.0f32;
    for x in 0..SIDE {
        let wanted = start + slope * (x as f32 + 0.5);
        let at = |y: usize| filled.row(y)[x * 3 + 1];
        let crossed = (1..SIDE).find(|y| (at(y - 1) > 0.55) != (at(*y) > 0.55));
        most = most.max(crossed.map_or(f32::INFINITY, |y| (y as f32 - wanted).abs()));
    }
    most / (1.0 + slope * slope).sqrt()
}

#[test]
fn a_slanted_edge_is_found_where_it_is() {
    for slope in [-0.7f32, -0.1, 0.35, 1.4] {
        let start = 80.0 - slope * 80.0;
        let truth =
            noisy(|x, y| step(below(x, y, start, slope), [0.7, 0.8, 0.9], [0.3, 0.35, 0.2]));
        let lines = found(&truth, &round_hole(36.0));
        let norm = (1.0 + slope * slope).sqrt();
        let wanted = [-slope / norm, 1.0 / norm];
        assert_eq!(lines.len(), 1, "slope {slope}: {lines:?}");
        let line = lines[0];
        let along = line.normal[0] * wanted[0] + line.normal[1] * wanted[1];
        assert!(along.abs() > 0.9998, "slope {slope}: {line:?}");
        assert!(line.place([80.0, 80.0]).0.abs() < 0.5, "{line:?}");
        let length = line.span.1 - line.span.0;
        assert!((length - 72.0).abs() < 3.0, "slope {slope}: {line:?}");
    }
}

#[test]
fn what_is_seen_on_one_side_alone_is_no_line() {
    // Half an edge, an edge whose other half is of other colours, and noise.
    let half = noisy(|x, y| match x < 80.0 {
        true => step(y - 80.0, [0.8; 3], [0.3; 3]),
        false => [0.8; 3],
    });
    let other = noisy(|x, y| match x < 80.0 {
        true => step(y - 80.0, [0.9, 0.1, 0.1], [0.1, 0.9, 0.1]),
        false => step(y - 80.0, [0.5, 0.5, 0.9], [0.9, 0.5, 0.4]),
    });
    for image in [half, other, noisy(|_, _| [0.5; 3])] {
        let lines = found(&image, &round_hole(36.0));
        let level = |l: &&Line| l.normal[1].abs() > 0.9;
        assert_eq!(lines.iter().filter(level).count(), 0, "{lines:?}");
    }
}

#[test]
fn an_edge_goes_straight_through() {
    for slope in [-0.55f32, 0.2, 0.8] {
        let start = 80.0 - slope * 80.0;
        let truth = noisy(|x, y| {
            step(
                below(x, y, start, slope),
                [0.75, 0.8, 0.9],
                [0.35, 0.3, 0.2],
            )
        });
        let off = strays(&truth, &round_hole(36.0), start, slope);
        assert!(off < 1.5, "slope {slope}: {off} pixels");
    }
}

#[test]
fn a_wire_before_the_sky_is_not_cut() {
    let slope = 0.17;
    let truth = noisy(|x, y| {
        let off = below(x, y, 66.0, slope).abs();
        let sky = [0.45 + y * 5e-4, 0.6 + y * 5e-4, 0.85];
        step(off - 1.2, [0.12; 3], sky)
    });
    let hole = round_hole(34.0);
    let filled = fill(&truth, &hole, 0, 2);
    for x in 50..110 {
        let darkest = (0..SIDE)
            .filter(|y| hole.row(*y)[x] != 0)
            .min_by(|a, b| {
                let at = |y: usize| filled.row(y)[x * 3];
                at(*a).total_cmp(&at(*b))
            })
            .unwrap();
        let wanted = 66.0 + slope * (x as f32 + 0.5);
        assert!(filled.row(darkest)[x * 3] < 0.3, "the wire is cut at {x}");
        assert!(
            (darkest as f32 + 0.5 - wanted).abs() < 2.0,
            "the wire strays at {x}: {darkest} and not {wanted}"
        );
    }
}
