//! Soft masks with UNets that are not told the mask: thresholds that fall from step to step.
#![forbid(unsafe_code)]

use super::super::pipeline::{put_back, showing, soft_mask};
use super::*;

#[test]
fn what_is_replaced_by_half_is_free_from_half_of_the_steps_on() {
    // Two channels of five latents.
    let mask = [0.0, 0.1, 0.5, 0.75, 1.0];
    let known = [7.0; 10];
    let mut held = [0; 5];
    for done in [0.25, 0.5, 0.75, 1.0] {
        let mut latents = [1.0; 10];
        put_back(&mut latents, &known, &mask, done);
        assert_eq!(latents[..5], latents[5..]);
        for (held, x) in held.iter_mut().zip(latents) {
            *held += u32::from(x == 7.0);
        }
    }
    // Of four steps: always, but for the last, the first half but the middle, none, none.
    assert_eq!(held, [4, 3, 1, 0, 0]);
}

#[test]
fn the_latents_mask_is_what_covers_the_hole_the_most() {
    let mut hole = Plane::filled(32, 16, 0u8, "").unwrap();
    let mut coverage = Plane::filled(32, 16, 0.0f32, "").unwrap();
    hole.row_mut(9)[9..25].fill(1);
    let plain = latent_mask(&hole, 8, false).unwrap();
    assert_eq!(soft_mask(&hole, None, 8).unwrap(), plain);
    coverage.row_mut(9)[9..25].fill(1.0);
    assert_eq!(soft_mask(&hole, Some(&coverage), 8).unwrap(), plain);
    coverage.row_mut(9)[9..25].fill(0.25);
    coverage.row_mut(9)[11] = 0.5;
    // Of another region's hole.
    coverage.row_mut(12)[17] = 1.0;
    let soft = soft_mask(&hole, Some(&coverage), 8).unwrap();
    assert_eq!(soft, [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.25, 0.25]);

    // What shows through is the original's, and nothing else is.
    let image = RgbImage::black(32, 16, "").unwrap();
    let mut original = image.clone();
    original.data.fill(1.0);
    coverage.row_mut(9)[20] = 1.0;
    let made = showing(&image, &original, &hole, &coverage)
        .unwrap()
        .unwrap();
    for (i, pixel) in made.data.chunks_exact(3).enumerate() {
        let soft = i / 32 == 9 && (9..25).contains(&(i % 32)) && i % 32 != 20;
        assert_eq!(pixel, [f32::from(u8::from(soft)); 3], "{i}");
    }
    coverage.row_mut(9)[9..25].fill(1.0);
    let whole = showing(&image, &original, &hole, &coverage).unwrap();
    assert_eq!(whole, None);
}

#[test]
fn a_whole_mask_fills_as_without_coverage_and_a_soft_one_otherwise() {
    let temporary = Temporary::new("soft");
    let models = temporary.0.as_path();
    let (engine, cancel) = (Diffusion::default(), Cancel::new());
    for channels in [4, 9] {
        let name = channels.to_string();
        tiny::model(&models.join(&name), channels);
        for content in ["noise", "exemplar"] {
            let params = [
                ("model", name.as_str()),
                ("masked-content", content),
                ("steps", "4"),
            ];
            let made = |coverage: Option<f32>| {
                fill_crop(&engine, models, &cancel, &params, coverage).unwrap()
            };
            let plain = made(None);
            assert_eq!(made(Some(1.0)), plain, "{channels} {content}");
            let (half, little) = (made(Some(0.5)), made(Some(0.2)));
            // UNets that are told the mask are told it whole.
            assert_eq!(half == plain, channels == 9, "{channels} {content}");
            assert_eq!(half == little, channels == 9, "{channels} {content}");
        }
    }
}
