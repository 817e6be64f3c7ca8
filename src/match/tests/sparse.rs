//! Pictures with hardly a whole patch, or none.
#![forbid(unsafe_code)]

use super::{bricks, fill, plane};
use crate::blend;
use crate::r#match::complete::{Scene, complete};
use crate::r#match::guided::{Guide, guided};
use crate::r#match::random::Random;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;

/// Edges, texture and light, none of which a plain mean brings back.
fn picture(width: usize, height: usize) -> RgbImage {
    let mut image = RgbImage::black(width, height, "a test").unwrap();
    for (i, p) in image.data.chunks_exact_mut(3).enumerate() {
        let (x, y) = ((i % width) as f32, (i / width) as f32);
        let stripes = 0.15 * (0.9 * x + 0.5 * y).sin();
        let edge = if 3.0 * x + y > 1.7 * width as f32 {
            0.3
        } else {
            0.0
        };
        let value = 0.3 + stripes + edge + 0.1 * y / height as f32;
        p.copy_from_slice(&[value, value * 0.8, 0.9 - value]);
    }
    image
}

fn random_plane(width: usize, height: usize, percent: u32, random: &mut Random) -> Plane<u8> {
    let data = (0..width * height).map(|_| u8::from(random.below(1000) < percent * 10));
    Plane {
        width,
        height,
        data: data.collect(),
    }
}

/// Root mean square error over `hole`.
fn error(a: &RgbImage, b: &RgbImage, hole: &Plane<u8>) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for (i, _) in hole.data.iter().enumerate().filter(|(_, h)| **h != 0) {
        for c in i * 3..i * 3 + 3 {
            sum += f64::from(a.data[c] - b.data[c]).powi(2);
            count += 1;
        }
    }
    (sum / f64::from(count)).sqrt()
}

#[test]
fn specks_come_back_better_than_by_smoothness() {
    let truth = picture(120, 120);
    let mut random = Random::new(3, 7);
    // Dots of 10 %: a few whole patches are left; of 20 and more none.
    for (percent, most, against_smooth) in [(20, 0.02, 0.3), (30, 0.025, 0.35), (50, 0.05, 0.6)] {
        let hole = random_plane(120, 120, percent, &mut random);
        let source = plane(120, 120, |x, y| hole.row(y)[x] == 0);
        let mut smooth = truth.clone();
        blend::extend(&mut smooth.data, 3, 120, 120, &source.data, &Cancel::new()).unwrap();
        let filled = fill(&truth, &hole, 0, 2);
        let (is, smooth) = (error(&filled, &truth, &hole), error(&smooth, &truth, &hole));
        assert!(
            is < most && is < against_smooth * smooth,
            "{percent} %: {is:.4}, smooth {smooth:.4}"
        );
        assert_eq!(filled, fill(&truth, &hole, 0, 3), "threads");
    }
}

#[test]
fn a_box_is_filled_from_dots() {
    let truth = bricks(160, 120);
    let hole = plane(160, 120, |x, y| {
        (60..96).contains(&x) && (40..72).contains(&y)
    });
    let mut random = Random::new(1, 1);
    let scattered = random_plane(160, 120, 40, &mut random);
    type Dots<'a> = &'a dyn Fn(usize, usize) -> bool;
    let dotted: [(&str, Dots<'_>); 4] = [
        ("every second", &|x, y| (x + y) % 2 == 0),
        ("every second both ways", &|x, y| x % 2 == 0 && y % 2 == 0),
        ("scattered", &|x, y| scattered.row(y)[x] != 0),
        ("columns", &|x, _| x % 2 == 0),
    ];
    for (name, dots) in dotted {
        let source = plane(160, 120, |x, y| hole.row(y)[x] == 0 && dots(x, y));
        let mut image = truth.clone();
        // What may not be sampled is red, and none of it may come into the hole.
        for (i, p) in image.data.chunks_exact_mut(3).enumerate() {
            if source.data[i] == 0 {
                p.copy_from_slice(&[5.0, 0.0, 0.0]);
            }
        }
        for (p, _) in (image.data.chunks_exact_mut(3).zip(&hole.data)).filter(|p| *p.1 != 0) {
            p.fill(0.4);
        }
        let pool = Workers::new(2).unwrap();
        let filled = complete(
            &Scene::new(&image, &hole, &source),
            0,
            &pool,
            &Cancel::new(),
            &mut |_| Ok(()),
        )
        .unwrap();
        for (i, h) in hole.data.iter().enumerate() {
            let (own, was) = (
                &filled.data[i * 3..i * 3 + 3],
                &image.data[i * 3..i * 3 + 3],
            );
            match *h {
                0 => assert_eq!(own, was, "{name}: a pixel outside the hole changed"),
                _ => assert!(own[0] < 1.0, "{name}: what may not be sampled came in"),
            }
        }
        let rms = error(&filled, &truth, &hole);
        // Bricks that stand half a brick aside are bricks, too; a smooth fill is off by 0.2.
        assert!(rms < 0.15, "{name}: {rms:.3}");
    }
}

/// Any size, any share of specks, any source: no defect, no pixel changed that is known, no value that
/// is not one.
#[test]
fn any_sparse_picture_is_filled() {
    let pool = Workers::new(2).unwrap();
    let mut random = Random::new(11, 5);
    for round in 0..400u32 {
        let most = [12, 40, 90][(round % 3) as usize];
        let (w, h) = (
            1 + random.below(most) as usize,
            1 + random.below(most) as usize,
        );
        let mut image = picture(w, h);
        let percent = [1, 4, 9, 15, 20, 30, 50, 70, 90, 99][random.below(10) as usize];
        let mut hole = random_plane(w, h, percent, &mut random);
        if random.below(3) == 0 {
            // A box as well.
            let (x, y) = (
                random.below(w as u32) as usize,
                random.below(h as u32) as usize,
            );
            for row in y..h.min(y + 20) {
                hole.row_mut(row)[x..w.min(x + 20)].fill(1);
            }
        }
        let dots = random_plane(
            w,
            h,
            [100, 50, 20, 3][random.below(4) as usize],
            &mut random,
        );
        let source = plane(w, h, |x, y| hole.row(y)[x] == 0 && dots.row(y)[x] != 0);
        let known = plane(w, h, |x, y| hole.row(y)[x] == 0);
        for (p, h) in image.data.chunks_exact_mut(3).zip(&hole.data) {
            if *h != 0 {
                p.fill(0.4);
            }
        }
        blend::extend(&mut image.data, 3, w, h, &known.data, &Cancel::new()).unwrap();
        let cancel = Cancel::new();
        let mut steps = |_: f64| Ok(());
        let filled = match round % 2 {
            0 => complete(
                &Scene::new(&image, &hole, &source),
                1,
                &pool,
                &cancel,
                &mut steps,
            ),
            _ => {
                let guide = Guide {
                    level: 1,
                    weight: 1.0,
                };
                guided(&image, &hole, &source, guide, 1, &pool, &cancel, &mut steps)
            }
        };
        let filled = filled.unwrap_or_else(|e| panic!("{w}×{h}, {percent} %: {e}"));
        for (i, h) in hole.data.iter().enumerate() {
            let own = &filled.data[i * 3..i * 3 + 3];
            assert!(
                *h != 0 || own == &image.data[i * 3..i * 3 + 3],
                "{w}×{h}, {percent} %"
            );
            assert!(
                own.iter().all(|v| v.abs() < 2.0),
                "{w}×{h}, {percent} %: {own:?}"
            );
        }
    }
}
