//! A guess at the light takes part in the choice, by how sure it is.
#![forbid(unsafe_code)]

use super::plane;
use crate::blend;
use crate::r#match::random::Random;
use crate::r#match::{Guess, Scene, complete};
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;
use crate::workers::Workers;

const SIDE: usize = 120;

/// Blobs of dark and bright grain, as likely one as the other.
fn spots() -> RgbImage {
    let mut image = RgbImage::black(SIDE, SIDE, "a test").unwrap();
    let mut random = Random::new(7, 1);
    let mut blobs = [0f32; 144];
    blobs.fill_with(|| random.below(2) as f32);
    for (i, pixel) in image.data.chunks_exact_mut(3).enumerate() {
        let (x, y) = (i % SIDE, i / SIDE);
        let grain = random.below(100) as f32 / 1000.0;
        pixel.fill(0.25 + 0.4 * blobs[y / 10 * 12 + x / 10] + grain);
    }
    image
}

/// The mean of the fill's hole, for a guess of one brightness and variance.
fn filled(guess: Option<(f32, f32)>) -> f32 {
    let mut image = spots();
    let hole = plane(SIDE, SIDE, |x, y| {
        (35..85).contains(&x) && (40..80).contains(&y)
    });
    let source = plane(SIDE, SIDE, |x, y| hole.row(y)[x] == 0);
    let cancel = Cancel::new();
    blend::extend(&mut image.data, 3, SIDE, SIDE, &source.data, &cancel).unwrap();
    // Half as large, as a network's answer is.
    let mut soft = RgbImage::black(SIDE / 2, SIDE / 2, "a test").unwrap();
    soft.data.fill(guess.map_or(0.0, |g| g.0));
    let variance = guess.map_or(1.0, |g| g.1);
    let variance = Plane::filled(SIDE / 2, SIDE / 2, variance, "a test").unwrap();
    let light = guess.is_some().then_some(Guess {
        image: &soft,
        variance: &variance,
    });
    let scene = Scene {
        light,
        ..Scene::new(&image, &hole, &source)
    };
    let pool = Workers::new(2).unwrap();
    let filled = complete(&scene, 3, &pool, &cancel, &mut |_| Ok(())).unwrap();
    let mut sum = 0.0;
    for (i, _) in hole.data.iter().enumerate().filter(|(_, h)| **h != 0) {
        // Nothing of the guess is laid over what was found.
        let value = filled.data[i * 3];
        assert!((0.2..=0.8).contains(&value), "{value}");
        sum += value;
    }
    sum / hole.data.iter().filter(|h| **h != 0).count() as f32
}

#[test]
fn the_light_of_a_sure_guess_is_kept_to() {
    let (dark, bright) = (filled(Some((0.3, 0.0005))), filled(Some((0.7, 0.0005))));
    assert!(dark < 0.4 && bright > 0.6, "{dark} {bright}");
    // One that says it knows nothing changes next to nothing.
    let (none, unsure) = (filled(None), filled(Some((2.5, 1e6))));
    assert!((none - unsure).abs() < 0.1, "{none} {unsure}");
}
