//! Shares of scores.
#![forbid(unsafe_code)]

use super::*;
use crate::kernels::softmax;

#[test]
fn shares_sum_to_one_on_every_path() {
    let mut noise = Noise::new(7);
    for len in [1, 2, 15, 16, 17, 63, 1000] {
        for (scale, spread) in [(0.3f32, 1.0f32), (1.0, 40.0), (2.0, 300.0)] {
            let line: Vec<f32> = noise.values(len).iter().map(|v| v * spread).collect();
            let most = line.iter().fold(f32::NEG_INFINITY, |m, v| m.max(*v));
            let above = |v: &f32| (f64::from(*v - most) * f64::from(scale)).exp();
            let sum: f64 = line.iter().map(above).sum();
            let expected: Vec<f64> = line.iter().map(|v| above(v) / sum).collect();
            let what = format!("softmax of {len}, times {scale}, to {spread}");
            everywhere(&what, 1e-6, &expected, |cx| {
                let mut line = line.clone();
                softmax(cx, &mut line, scale);
                line
            });
        }
    }
}
