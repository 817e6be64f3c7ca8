//! Rows of channel values between the caller's number type and f32.
#![forbid(unsafe_code)]

use super::Depth;
use half::f16;
use half::slice::HalfFloatSliceExt;

/// Halves converted at a time.
const BLOCK: usize = 64;

/// Reads `out.len()` values: integers as `0.0 ..= 1.0`, floats as they are.
pub(super) fn load(depth: Depth, bytes: &[u8], out: &mut [f32]) {
    match depth {
        Depth::U8 => {
            for (v, &b) in out.iter_mut().zip(bytes) {
                *v = f32::from(b) / 255.0;
            }
        }
        Depth::U16 => {
            for (v, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *v = f32::from(u16::from_ne_bytes(*b)) / 65535.0;
            }
        }
        Depth::F16 => {
            let mut halves = [f16::ZERO; BLOCK];
            for (out, bytes) in out.chunks_mut(BLOCK).zip(bytes.chunks(BLOCK * 2)) {
                for (h, b) in halves.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *h = f16::from_ne_bytes(*b);
                }
                halves[..out.len()].convert_to_f32_slice(out);
            }
        }
        Depth::F32 => {
            for (v, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *v = f32::from_ne_bytes(*b);
            }
        }
    }
}

/// Writes `values`, rounded to the nearest that the type has; what it cannot hold becomes the
/// nearest finite value, NaN 0.
pub(super) fn store(depth: Depth, values: &[f32], bytes: &mut [u8]) {
    match depth {
        Depth::U8 => {
            for (b, &v) in bytes.iter_mut().zip(values) {
                *b = quantise(v, 255.0) as u8;
            }
        }
        Depth::U16 => {
            for (b, &v) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(values) {
                *b = (quantise(v, 65535.0) as u16).to_ne_bytes();
            }
        }
        Depth::F16 => {
            let mut halves = [f16::ZERO; BLOCK];
            let mut floats = [0.0f32; BLOCK];
            for (values, bytes) in values.chunks(BLOCK).zip(bytes.chunks_mut(BLOCK * 2)) {
                let n = values.len();
                for (f, &v) in floats.iter_mut().zip(values) {
                    *f = finite(v, 65504.0);
                }
                halves[..n].convert_from_f32_slice(&floats[..n]);
                for (b, h) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(&halves) {
                    *b = h.to_ne_bytes();
                }
            }
        }
        Depth::F32 => {
            for (b, &v) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
                *b = finite(v, f32::MAX).to_ne_bytes();
            }
        }
    }
}

/// `v` between 0 and 1 as an integer between 0 and `top`, rounded to nearest. Comparisons and the
/// addition of 2^23 instead of a cast, for they vectorise.
#[inline(always)]
fn quantise(v: f32, top: f32) -> u32 {
    let v = v * top;
    let v = if v > 0.0 { v } else { 0.0 };
    let v = if v < top { v } else { top };
    (v + 8_388_608.0).to_bits() & 0xffff
}

/// `v` between `-top` and `top`, NaN as 0.
#[inline(always)]
fn finite(v: f32, top: f32) -> f32 {
    if v.is_nan() { 0.0 } else { v.clamp(-top, top) }
}
