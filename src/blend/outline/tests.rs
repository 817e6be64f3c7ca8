//! Tests of outlines.
#![forbid(unsafe_code)]

use super::*;
use crate::progress::Cancel;

const SIZE: (usize, usize) = (96, 80);

/// What comes of `truth` where `hole` is, and whether the outline was found. Values are means over
/// a pixel, or those at its middle.
fn drawn(
    truth: impl Fn(f64, f64) -> bool,
    smooth: bool,
    hole: impl Fn(usize, usize) -> bool,
) -> (Plane<f32>, Plane<f32>, Vec<u32>, bool) {
    let (w, h) = SIZE;
    let mut all = Plane::filled(w, h, 0.0f32, "").unwrap();
    let mut known = Plane::filled(w, h, 1u8, "").unwrap();
    let mut pixels = Vec::new();
    for y in 0..h {
        for x in 0..w {
            let parts = if smooth { 8 } else { 1 };
            let mut inside = 0;
            for i in 0..parts * parts {
                let at = |i: usize| (i as f64 + 0.5) / parts as f64 - 0.5;
                let (dx, dy) = (at(i % parts), at(i / parts));
                inside += usize::from(truth(x as f64 + dx, y as f64 + dy));
            }
            all.row_mut(y)[x] = inside as f32 / (parts * parts) as f32;
            if hole(x, y) {
                known.row_mut(y)[x] = 0;
                pixels.push((y * w + x) as u32);
            }
        }
    }
    let mut values = all.clone();
    for i in &pixels {
        values.data[*i as usize] = 0.3;
    }
    let found = outline(&mut values, &known, &pixels, &Cancel::new()).unwrap();
    (all, values, pixels, found)
}

/// Pixels of the hole that are off by half or more.
fn wrong(all: &Plane<f32>, got: &Plane<f32>, pixels: &[u32]) -> usize {
    let off = |i: &&u32| (all.data[**i as usize] - got.data[**i as usize]).abs() >= 0.5;
    pixels.iter().filter(off).count()
}

fn square(x: usize, y: usize) -> bool {
    (30..66).contains(&x) && (22..58).contains(&y)
}

#[test]
fn what_is_straight_goes_on_straight() {
    // Across the hole, along each of its sides, and where the picture ends.
    let beside = |x: usize, y: usize| (20..50).contains(&x) && (22..58).contains(&y);
    let below = |x: usize, y: usize| (30..66).contains(&x) && y >= 50;
    for (name, hole) in [
        ("across", &square as &dyn Fn(usize, usize) -> bool),
        ("beside", &beside),
        ("below", &below),
    ] {
        let (all, got, pixels, found) = drawn(|x, _| x < 49.5, false, hole);
        assert!(found, "{name}");
        assert_eq!(all, got, "{name}");
        let (all, got, _, found) = drawn(|x, _| x >= 49.5, false, hole);
        assert!(found && all == got, "{name}");
        for (slope, at) in [(0.4, 30.0), (-1.1, 95.0), (0.1, 45.0)] {
            for smooth in [false, true] {
                let truth = |x: f64, y: f64| x < at + slope * y;
                let (all, got, _, found) = drawn(truth, smooth, hole);
                let off = wrong(&all, &got, &pixels);
                // Of 36 rows.
                assert!(!found || off <= 36, "{name} {slope} {smooth}: {off}");
                assert!(found || hole(0, 0) || name != "across", "{name} {slope}");
                let partial = |p: &Plane<f32>| {
                    let of = |i: &&u32| (0.01..0.99).contains(&p.data[**i as usize]);
                    pixels.iter().filter(of).count()
                };
                if found {
                    let (have, want) = (partial(&got), partial(&all));
                    assert!(have <= 2 * want + 4, "{name} {slope}: {have} of {want}");
                }
            }
        }
    }
}

#[test]
fn arcs_corners_and_lines_go_on() {
    type Truth = fn(f64, f64) -> bool;
    let cases: [(&str, Truth, usize); 4] = [
        ("disk", |x, y| length((x - 30.0, y - 40.0)) < 25.0, 40),
        ("corner", |x, y| x < 50.0 && y < 44.0, 40),
        ("line", |x, y| (0.3 * x - y + 25.0).abs() < 2.0, 40),
        (
            "two lines",
            |x, _| (x - 40.0).abs() < 3.0 || (x - 55.0).abs() < 4.0,
            8,
        ),
    ];
    for (name, truth, most) in cases {
        let (all, got, pixels, found) = drawn(truth, true, square);
        assert!(found, "{name}");
        let off = wrong(&all, &got, &pixels);
        assert!(off <= most, "{name}: {off} of {}", pixels.len());
    }
}

#[test]
fn a_soft_edge_goes_on_as_soft() {
    let (w, h) = SIZE;
    let soft = |x: usize| 0.5 + 0.5 * ((48.0 - x as f32) / 6.0).tanh();
    let mut values = Plane::filled(w, h, 0.0f32, "").unwrap();
    let mut known = Plane::filled(w, h, 1u8, "").unwrap();
    let mut pixels = Vec::new();
    for y in 0..h {
        for x in 0..w {
            // As a file of 8 bits has it.
            values.row_mut(y)[x] = (255.0 * soft(x)).round() / 255.0;
            if (20..76).contains(&x) && (22..58).contains(&y) {
                known.row_mut(y)[x] = 0;
                values.row_mut(y)[x] = 0.3;
                pixels.push((y * w + x) as u32);
            }
        }
    }
    assert!(outline(&mut values, &known, &pixels, &Cancel::new()).unwrap());
    for i in pixels {
        let x = i as usize % w;
        let off = (values.data[i as usize] - soft(x)).abs();
        assert!(off < 0.01, "{x}: {off}");
    }
}

#[test]
fn what_is_no_outline_is_left() {
    type Truth = fn(f64, f64) -> bool;
    let cases: [(&str, Truth); 3] = [
        ("even", |_, _| true),
        ("noise", |x, y| {
            ((x * 7.3).sin() * (y * 5.1).cos() * 43.7).fract() > 0.0
        }),
        ("teeth", |x, y| x < 48.0 + 4.0 * ((y / 6.0).fract() - 0.5)),
    ];
    for (name, truth) in cases {
        let (_, got, pixels, found) = drawn(truth, false, square);
        assert!(!found, "{name}");
        assert!(
            pixels.iter().all(|i| got.data[*i as usize] == 0.3),
            "{name}"
        );
    }
}

/// Fills a box of a picture of 8 bits; the largest and the mean error there, and whether it was found.
fn refilled(
    truth: impl Fn(f64, f64) -> f64,
    (left, top, right, bottom): (usize, usize, usize, usize),
) -> (f32, f32, bool) {
    let (w, h) = (260, 220);
    let mut all = Plane::filled(w, h, 0.0f32, "").unwrap();
    let mut known = Plane::filled(w, h, 1u8, "").unwrap();
    let mut pixels = Vec::new();
    for y in 0..h {
        for x in 0..w {
            all.row_mut(y)[x] = (255.0 * truth(x as f64, y as f64)).round() as f32 / 255.0;
            if (left..right).contains(&x) && (top..bottom).contains(&y) {
                known.row_mut(y)[x] = 0;
                pixels.push((y * w + x) as u32);
            }
        }
    }
    let mut values = all.clone();
    for i in &pixels {
        values.data[*i as usize] = 0.3;
    }
    let found = outline(&mut values, &known, &pixels, &Cancel::new()).unwrap();
    let off = |i: &u32| (values.data[*i as usize] - all.data[*i as usize]).abs();
    let most = pixels.iter().map(off).fold(0.0, f32::max);
    (
        most,
        pixels.iter().map(off).sum::<f32>() / pixels.len() as f32,
        found,
    )
}

/// A large circle without half tones bends too little for what is next to the hole to show it.
#[test]
fn a_slight_bend_is_no_corner() {
    for (radius, x, y) in [
        (100.0, 100.0, 110.0),
        (140.0, 60.0, 120.0),
        (60.0, 140.0, 110.0),
    ] {
        let disk = |px: f64, py: f64| f64::from(u8::from(length((px - x, py - y)) < radius));
        let (_, mean, found) = refilled(disk, (145, 60, 245, 160));
        assert!(found && mean < 0.02, "{radius}: {found}, {mean}");
        // A narrow hole along the edge.
        let edge = (x + radius) as usize;
        let (_, mean, found) = refilled(disk, (edge - 9, 70, edge + 6, 170));
        assert!(!found || mean < 0.1, "{radius}: {mean}");
    }
}

/// A thing and its soft shadow: the thing's edge stays sharp, and the shadow soft.
#[test]
fn sides_may_vary() {
    let soft = |d: f64| (0.5 - d / 30.0).clamp(0.0, 1.0);
    let disk = |x: f64, y: f64| length((x - 110.0, y - 100.0)) - 70.0;
    let shadow = |x: f64, y: f64| 0.5 * soft(length((x - 120.0, y - 115.0)) - 70.0);
    let both = |x: f64, y: f64| match disk(x, y) < 0.0 {
        true => 1.0,
        false => shadow(x, y),
    };
    for hole in [
        (150, 80, 220, 150),
        (90, 140, 160, 210),
        (150, 60, 190, 100),
    ] {
        let (_, mean, found) = refilled(both, hole);
        assert!(found && mean < 0.03, "{hole:?}: {found}, {mean}");
    }
    // The shadow alone is an edge as wide as it is.
    let (_, mean, found) = refilled(shadow, (150, 80, 220, 150));
    assert!(found && mean < 0.03, "{found}, {mean}");
    // Three things in one hole are no two sides.
    let three = |x: f64, _: f64| match x {
        ..120.0 => 1.0,
        ..170.0 => 0.5,
        _ => 0.0,
    };
    assert!(!refilled(three, (100, 80, 200, 150)).2);
}
