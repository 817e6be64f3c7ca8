//! Classifier-free guidance.
#![forbid(unsafe_code)]

/// `cond` becomes uncond + `scale`·(cond − uncond), of the model's outputs with and without the prompt
/// (arXiv 2207.12598, in the form of diffusers' pipelines). A scale of 1 leaves it as it is. Elements
/// past the shorter slice are left alone.
pub fn guidance(uncond: &[f32], cond: &mut [f32], scale: f64) {
    for (c, u) in cond.iter_mut().zip(uncond) {
        let (with, without) = (f64::from(*c), f64::from(*u));
        *c = (without + scale * (with - without)) as f32;
    }
}
