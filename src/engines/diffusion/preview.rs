//! What the steps have come to, as a small picture: latents to colours without the decoder.
#![forbid(unsafe_code)]

use crate::memory;
use crate::pixels::RgbImage;

/// Red, green and blue, −1 to 1, of each of the four latents of Stable Diffusion 1.x and 2.x, which
/// share an encoder. Whatever else has four channels comes out in wrong colours.
///
/// Source: keturn, "Decoding latents to RGB without upscaling", 2022,
/// <https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204/2>: fitted to
/// Stable Diffusion 1.4's autoencoder. `latent_rgb_factors` of other programs' first versions are these.
const FACTORS: [[f32; 3]; 4] = [
    [0.298, 0.207, 0.208],
    [0.187, 0.286, 0.173],
    [-0.158, 0.189, 0.264],
    [-0.184, -0.271, -0.473],
];

/// The picture, a pixel for each latent, of clean latents as the UNet has them,
/// `[4][height][width]`; its values may lie beyond 0 to 1. `None` for another number of channels, and
/// where there is no memory: nobody's fill is to fail for a preview.
pub fn preview(latents: &[f32], height: usize, width: usize) -> Option<RgbImage> {
    let pixels = height * width;
    if pixels == 0 || latents.len() != FACTORS.len() * pixels {
        return None;
    }
    let mut data = memory::with_capacity(3 * pixels, "a preview").ok()?;
    for i in 0..pixels {
        data.extend([0, 1, 2].map(|c| {
            let planes = latents.chunks_exact(pixels).zip(&FACTORS);
            let sum: f32 = planes.map(|(plane, factors)| plane[i] * factors[c]).sum();
            sum / 2.0 + 0.5
        }));
    }
    Some(RgbImage {
        width,
        height,
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latents_are_mixed_pixel_by_pixel() {
        // Two columns, three rows; the second pixel has a one in the first and the last channel.
        let mut latents = vec![0.0; 4 * 6];
        (latents[1], latents[3 * 6 + 1]) = (1.0, 1.0);
        let made = preview(&latents, 3, 2).unwrap();
        assert_eq!((made.width, made.height), (2, 3));
        assert_eq!(made.data[..3], [0.5; 3]);
        let want = [0.5 + 0.057, 0.5 - 0.032, 0.5 - 0.1325];
        for (got, want) in made.data[3..6].iter().zip(want) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
        assert!(preview(&latents, 2, 2).is_none() && preview(&[], 0, 0).is_none());
    }
}
