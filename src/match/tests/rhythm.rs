//! What repeats goes on in step.
#![forbid(unsafe_code)]

use super::{fill, plane};
use crate::r#match::complete::{coarse, pyramid};
use crate::r#match::random::Random;
use crate::r#match::rhythm::rhythm;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;

const WIDTH: usize = 256;
const HEIGHT: usize = 224;

/// A wall with windows every 38 × 46 pixels, in light that falls off, with noise.
fn windows() -> RgbImage {
    let mut image = RgbImage::black(WIDTH, HEIGHT, "a test").unwrap();
    let mut random = Random::new(11, 5);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let (u, v) = (x % 38, y % 46);
            let inside = |margin: usize| {
                (8 + margin..28 - margin).contains(&u) && (10 + margin..36 - margin).contains(&v)
            };
            let base = match (inside(0), inside(2)) {
                (_, true) if u == 18 || v == 22 => [0.85, 0.85, 0.8],
                (_, true) => [0.15, 0.18, 0.25],
                (true, _) => [0.85, 0.85, 0.8],
                _ => [0.7, 0.4, 0.3],
            };
            let light = 1.0 - 0.1 * x as f32 / WIDTH as f32;
            let noise = (random.below(1000) as f32 - 500.0) * 2e-5;
            image.row_mut(y)[x * 3..x * 3 + 3].copy_from_slice(&base.map(|b| b * light + noise));
        }
    }
    image
}

fn hole() -> Plane<u8> {
    plane(WIDTH, HEIGHT, |x, y| {
        (80..172).contains(&x) && (66..154).contains(&y)
    })
}

fn searched(image: &RgbImage) -> Option<crate::r#match::rhythm::Rhythm> {
    let hole = hole();
    let source = plane(WIDTH, HEIGHT, |x, y| hole.row(y)[x] == 0);
    let levels = pyramid(image, &hole, &source, coarse, &Cancel::new()).unwrap();
    rhythm(&levels, &Cancel::new()).unwrap()
}

#[test]
fn windows_go_on_in_step() {
    let (truth, hole) = (windows(), hole());
    let filled = fill(&truth, &hole, 0, 2);
    let (mut sum, mut count) = (0.0f64, 0.0);
    for (i, _) in hole.data.iter().enumerate().filter(|(_, h)| **h != 0) {
        for c in 0..3 {
            let e = f64::from(filled.data[i * 3 + c] - truth.data[i * 3 + c]);
            sum += e * e;
            count += 1.0;
        }
    }
    let psnr = -10.0 * (sum / count).log10();
    assert!(psnr > 30.0, "{psnr} dB");
}

#[test]
fn offsets_are_whole_periods() {
    let rhythm = searched(&windows()).unwrap();
    let step = 1 << rhythm.number;
    let mut seen = 0;
    for (y, x) in (66..154).flat_map(|y| (80..172).map(move |x| (y / step, x / step))) {
        if let Some((sx, sy)) = rhythm.first(x, y) {
            let (dx, dy) = ((sx - x as i32) * step as i32, (sy - y as i32) * step as i32);
            let off = |d: i32, period: i32| (d + period / 2).rem_euclid(period) - period / 2;
            assert!(off(dx, 38).abs() < 2 * step as i32, "{dx}");
            assert!(off(dy, 46).abs() < 2 * step as i32, "{dy}");
            seen += 1;
        }
    }
    assert!(seen > 92 * 88 * 8 / 10, "{seen}");
}

#[test]
fn nothing_repeats_in_noise_nor_along_an_edge_alone() {
    let mut random = Random::new(3, 1);
    let mut noise = RgbImage::black(WIDTH, HEIGHT, "a test").unwrap();
    let mut edge = noise.clone();
    for (i, (n, e)) in noise.data.iter_mut().zip(&mut edge.data).enumerate() {
        *n = random.below(1000) as f32 / 1000.0;
        let above = i / 3 / WIDTH < HEIGHT / 2;
        *e = if above { 0.8 } else { 0.3 } + *n * 0.02;
    }
    for image in [noise, edge] {
        assert!(searched(&image).is_none());
    }
}
