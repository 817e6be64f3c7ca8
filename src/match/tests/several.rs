//! Several fills: the first is the single one, the others are other ones.
#![forbid(unsafe_code)]

use super::plane;
use crate::blend;
use crate::r#match::random::Random;
use crate::r#match::{Scene, complete, complete_several};
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;

const SIDE: usize = 160;

/// Bushes of many kinds on a meadow, with a hole.
fn meadow() -> (RgbImage, Plane<u8>, Plane<u8>) {
    let mut image = RgbImage::black(SIDE, SIDE, "a test").unwrap();
    let mut random = Random::new(3, 5);
    for pixel in image.data.chunks_exact_mut(3) {
        let grain = random.below(100) as f32 / 1000.0;
        pixel.copy_from_slice(&[0.3 + grain, 0.6 + grain, 0.2 + grain]);
    }
    for bush in 0..40 {
        let (cx, cy) = (random.below(160) as i32, random.below(160) as i32);
        let r = 5 + random.below(6) as i32;
        let shade = 0.1 + (bush % 5) as f32 * 0.15;
        for y in (cy - r).max(0)..(cy + r).min(160) {
            for x in (cx - r).max(0)..(cx + r).min(160) {
                if (x - cx).pow(2) + (y - cy).pow(2) < r * r {
                    let pixel = &mut image.row_mut(y as usize)[x as usize * 3..][..3];
                    pixel.copy_from_slice(&[shade, 0.3, shade]);
                }
            }
        }
    }
    let hole = plane(SIDE, SIDE, |x, y| {
        (50..110).contains(&x) && (50..110).contains(&y)
    });
    let source = plane(SIDE, SIDE, |x, y| hole.row(y)[x] == 0);
    blend::extend(&mut image.data, 3, SIDE, SIDE, &source.data, &Cancel::new()).unwrap();
    (image, hole, source)
}

fn fills(
    scene: &Scene<'_>,
    count: u32,
    seeds: impl Fn(u32) -> u64,
    threads: usize,
) -> Vec<RgbImage> {
    let pool = Workers::new(threads).unwrap();
    let (mut made, mut shares) = (Vec::new(), Vec::new());
    let steps = &mut |share| {
        shares.push(share);
        Ok(())
    };
    let each = &mut |fill| {
        made.push(fill);
        Ok(())
    };
    complete_several(scene, count, seeds, &pool, &Cancel::new(), steps, each).unwrap();
    assert!(
        shares.is_sorted() && *shares.last().unwrap() == 1.0,
        "{shares:?}"
    );
    made
}

/// The root mean square by which two fills differ, at a quarter of their size.
fn apart(a: &RgbImage, b: &RgbImage) -> f64 {
    let mean = |image: &RgbImage, x: usize, y: usize| {
        let at = |i: usize| image.row(y + i / 4)[(x + i % 4) * 3 + 1];
        (0..16).map(at).sum::<f32>() / 16.0
    };
    let mut sum = 0.0;
    for (x, y) in (0..225).map(|i| (50 + i % 15 * 4, 50 + i / 15 * 4)) {
        sum += f64::from(mean(a, x, y) - mean(b, x, y)).powi(2);
    }
    (sum / 225.0).sqrt()
}

#[test]
fn further_fills_are_other_ones_and_the_first_is_the_single_one() {
    let (image, hole, source) = meadow();
    let scene = Scene::new(&image, &hole, &source);
    let made = fills(&scene, 4, |n| u64::from(n) + 7, 2);
    let pool = Workers::new(1).unwrap();
    let single = complete(&scene, 7, &pool, &Cancel::new(), &mut |_| Ok(())).unwrap();
    assert_eq!(made[0].data, single.data);
    let same = fills(&scene, 4, |n| u64::from(n) + 7, 3);
    for (n, (a, b)) in made.iter().zip(&same).enumerate() {
        assert_eq!(a.data, b.data, "fill {n} on other threads");
    }
    for fill in &made {
        for (i, _) in hole.data.iter().enumerate().filter(|(_, h)| **h == 0) {
            assert_eq!(fill.data[i * 3..i * 3 + 3], image.data[i * 3..i * 3 + 3]);
        }
    }
    for (a, b) in [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)] {
        let by = apart(&made[a], &made[b]);
        assert!(by > 0.05, "fills {a} and {b} are {by} apart");
    }
    // Even of one seed: what was taken is not taken again.
    let alike = fills(&scene, 2, |_| 7, 2);
    assert!(apart(&alike[0], &alike[1]) > 0.05);
}

#[test]
fn an_error_of_the_receiver_ends_it() {
    let (image, hole, source) = meadow();
    let scene = Scene::new(&image, &hole, &source);
    let pool = Workers::new(1).unwrap();
    let mut made = 0;
    let each = &mut |_| {
        made += 1;
        Err(crate::Error::cancelled())
    };
    let steps = &mut |_| Ok(());
    let result = complete_several(&scene, 3, u64::from, &pool, &Cancel::new(), steps, each);
    assert_eq!(result.unwrap_err().kind(), crate::ErrorKind::Cancelled);
    assert_eq!(made, 1);
}
