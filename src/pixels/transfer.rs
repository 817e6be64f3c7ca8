//! Between scene-linear and display-encoded values: the sRGB transfer function.
//!
//! Source: IEC 61966-2-1, extended beyond 1 by the same power law and below 0 by odd symmetry, as
//! scRGB and the float modes of image editors do. The powers are taken by roots and Halley's method
//! rather than by the system's `powf`: the loops vectorise, and every machine gives the same bits.
#![forbid(unsafe_code)]

/// Keeps `6 * x` finite inside Halley's step.
const LARGEST: f32 = 1e37;

/// First guess of an n-th root by dividing the exponent: the magic is `(1 - 1/n) (127 - 0.045) 2^23`.
const THIRD: u32 = (2.0 / 3.0 * 126.955 * 8_388_608.0) as u32;
const FIFTH: u32 = (4.0 / 5.0 * 126.955 * 8_388_608.0) as u32;

/// Cube root of a positive `x`, to about one unit in the last place.
#[inline(always)]
fn root3(x: f32) -> f32 {
    let mut t = f32::from_bits(x.to_bits() / 3 + THIRD);
    for _ in 0..2 {
        let c = t * t * t;
        t *= (c + 2.0 * x) / (2.0 * c + x);
    }
    t
}

/// Fifth root of a positive `x`, to about one unit in the last place.
#[inline(always)]
fn root5(x: f32) -> f32 {
    let mut t = f32::from_bits(x.to_bits() / 5 + FIFTH);
    for _ in 0..2 {
        let s = t * t;
        let f = s * s * t;
        t *= (2.0 * f + 3.0 * x) / (3.0 * f + 2.0 * x);
    }
    t
}

/// Display-encoded value of a scene-linear one.
#[inline(always)]
pub(super) fn encode(linear: f32) -> f32 {
    let x = linear.abs();
    let x = if x < LARGEST { x } else { LARGEST };
    // x^(1/2.4) = x^(5/12) = x^(1/4) x^(1/6).
    let power = x.sqrt().sqrt() * root3(x).sqrt();
    let curved = 1.055 * power - 0.055;
    let e = if x <= 0.003_130_8 { 12.92 * x } else { curved };
    e.copysign(linear)
}

/// Scene-linear value of a display-encoded one.
#[inline(always)]
pub(super) fn decode(encoded: f32) -> f32 {
    let x = encoded.abs();
    let x = if x < LARGEST { x } else { LARGEST };
    let y = (x + 0.055) * (1.0 / 1.055);
    // y^2.4 = (y y^(1/5))^2.
    let r = y * root5(y);
    let l = if x <= 0.040_45 {
        x * (1.0 / 12.92)
    } else {
        r * r
    };
    l.copysign(encoded)
}

/// [`encode`] of every value.
pub(super) fn encode_all(values: &mut [f32]) {
    for v in values {
        *v = encode(*v);
    }
}

/// [`decode`] of every value.
pub(super) fn decode_all(values: &mut [f32]) {
    for v in values {
        *v = decode(*v);
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    fn encode_reference(l: f64) -> f64 {
        let x = l.abs();
        let e = if x <= 0.0031308 {
            12.92 * x
        } else {
            1.055 * x.powf(1.0 / 2.4) - 0.055
        };
        e * l.signum()
    }

    fn decode_reference(e: f64) -> f64 {
        let x = e.abs();
        let l = if x <= 0.04045 {
            x / 12.92
        } else {
            ((x + 0.055) / 1.055).powf(2.4)
        };
        l * e.signum()
    }

    #[test]
    fn follows_the_standard_over_the_whole_range() {
        for i in -4000i32..=4000 {
            // From 2^-40 to 2^40, both signs.
            let x = (f64::from(i.abs()) / 50.0 - 40.0).exp2() * f64::from(i.signum());
            let x32 = x as f32;
            for (name, got, want) in [
                ("encode", encode(x32), encode_reference(f64::from(x32))),
                ("decode", decode(x32), decode_reference(f64::from(x32))),
            ] {
                let error = (f64::from(got) - want).abs();
                assert!(
                    error <= 1e-6 * want.abs(),
                    "{name}({x32}) = {got}, not {want}"
                );
            }
        }
        assert_eq!(encode(0.0).to_bits(), 0.0f32.to_bits());
        assert_eq!(encode(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!(decode(-0.0).to_bits(), (-0.0f32).to_bits());
        assert!(encode(f32::MAX).is_finite() && decode(1e15).is_finite());
    }
}
