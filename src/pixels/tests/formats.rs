//! Every pixel format, read and written, against plain f64 arithmetic.
#![forbid(unsafe_code)]

use super::Random;
use super::picture::{
    DEPTHS, Picture, even, formats, random_fill, read_reference, top, write_reference,
};
use crate::error::ErrorKind;
use crate::pixels::{Depth, Layout, PixelFormat, Plane, Rect, RgbImage, Working};
use half::f16;

#[test]
fn reads_as_the_format_says() {
    let mut random = Random(20);
    for format in formats() {
        let picture = Picture::random(format, 41, 5, &mut random);
        let rect = Rect::new(3, 1, 37, 3);
        let working = picture.read(rect, &even(rect, 0.0)).unwrap();
        assert_eq!(working.alpha.is_some(), format.layout.has_alpha());
        for y in 0..3 {
            for x in 0..37 {
                let (colour, alpha) = read_reference(&picture.pixel(x + 3, y + 1), format);
                let got = &working.rgb.row(y)[x * 3..x * 3 + 3];
                for (got, want) in got.iter().zip(colour) {
                    let off = (f64::from(*got) - want).abs();
                    assert!(
                        off <= 2e-6 * want.abs().max(1e-3),
                        "{format:?} {got} {want}"
                    );
                }
                if let Some(a) = &working.alpha {
                    assert!((f64::from(a.row(y)[x]) - alpha).abs() < 1e-7);
                }
            }
        }
    }
}

#[test]
fn what_is_read_and_written_has_the_same_bits() {
    let mut random = Random(21);
    for format in formats() {
        let picture = Picture::random(format, 150, 40, &mut random);
        let mut copy = Picture {
            data: picture.data.clone(),
            ..picture
        };
        let rect = picture.all();
        let working = picture.read(rect, &even(rect, 0.0)).unwrap();
        copy.write(rect, &working, &even(rect, 1.0)).unwrap();
        // Singles keep every bit unless there is arithmetic between, then all but the last few.
        let arithmetic = format.linear || (format.premultiplied && format.layout.has_alpha());
        if format.depth == Depth::F32 && arithmetic {
            for y in 0..40 {
                for x in 0..150 {
                    for (a, b) in picture.pixel(x, y).iter().zip(copy.pixel(x, y)) {
                        assert!((a - b).abs() <= 1.5e-6 * a.abs(), "{format:?} {a} {b}");
                    }
                }
            }
        } else {
            assert!(picture.data == copy.data, "{format:?}");
        }
    }
}

/// Not a sample but all of them: every 8- and 16-bit value, encoded and linear, with every 8-bit
/// alpha and with some 16-bit ones.
#[test]
fn every_integer_and_every_half_survives() {
    for depth in [Depth::U8, Depth::U16, Depth::F16] {
        for linear in [false, true] {
            let format = PixelFormat {
                linear,
                ..PixelFormat::new(Layout::Gray, depth)
            };
            let count = if depth == Depth::U8 { 256 } else { 65536 };
            let mut picture = Picture::new(format, count, 1, |_, _| vec![0.0]);
            for i in 0..count {
                let n = depth.bytes();
                let mut bits = (i as u16).to_ne_bytes();
                if n == 1 {
                    bits[0] = i as u8;
                }
                // Infinities and NaN are refused; here zeros stand for them.
                if depth == Depth::F16 && !f16::from_ne_bytes(bits).is_finite() {
                    continue;
                }
                picture.data[i * n..(i + 1) * n].copy_from_slice(&bits[..n]);
            }
            let before = picture.data.clone();
            let rect = picture.all();
            let working = picture.read(rect, &even(rect, 0.0)).unwrap();
            assert!(
                working
                    .rgb
                    .data
                    .as_chunks::<3>()
                    .0
                    .iter()
                    .all(|c| c[0] == c[1] && c[1] == c[2])
            );
            picture.write(rect, &working, &even(rect, 1.0)).unwrap();
            assert!(before == picture.data, "{format:?}");
        }
    }
    for (depth, linear) in [
        (Depth::U8, false),
        (Depth::U8, true),
        (Depth::U16, false),
        (Depth::U16, true),
    ] {
        let format = PixelFormat {
            premultiplied: true,
            linear,
            ..PixelFormat::new(Layout::GrayA, depth)
        };
        let step = if depth == Depth::U8 { 1.0 } else { 257.0 };
        for alpha in 1..=255 {
            let alpha = f64::from(alpha) * step;
            let width = (alpha / step) as usize + 1;
            let mut picture = Picture::new(format, width, 1, |x, _| vec![x as f64 * step, alpha]);
            let before = picture.data.clone();
            let rect = picture.all();
            let working = picture.read(rect, &even(rect, 0.0)).unwrap();
            picture.write(rect, &working, &even(rect, 1.0)).unwrap();
            assert!(before == picture.data, "{format:?} alpha {alpha}");
        }
    }
}

#[test]
fn blends_as_the_format_says() {
    let mut random = Random(22);
    for format in formats() {
        let mut picture = Picture::random(format, 47, 9, &mut random);
        let before = Picture {
            data: picture.data.clone(),
            ..picture
        };
        let rect = Rect::new(2, 1, 40, 7);
        let filled = random_fill(rect, format, &mut random);
        let mut coverage = even(rect, 0.0);
        for c in &mut coverage.data {
            *c = [0.0, 1.0, random.unit() as f32][random.below(3) as usize];
        }
        picture.write(rect, &filled, &coverage).unwrap();
        for y in 0..7 {
            for x in 0..40 {
                let share = coverage.row(y)[x];
                let old = before.pixel(x + 2, y + 1);
                let got = picture.pixel(x + 2, y + 1);
                let colour = [0, 1, 2].map(|c| f64::from(filled.rgb.row(y)[x * 3 + c]));
                let alpha = filled
                    .alpha
                    .as_ref()
                    .map_or(1.0, |a| f64::from(a.row(y)[x]));
                let want = write_reference(&old, colour, alpha, f64::from(share), format);
                let want = if share > 0.0 { want } else { old };
                for (got, want) in got.iter().zip(want) {
                    let quantum = match format.depth {
                        Depth::U8 | Depth::U16 => 0.51,
                        Depth::F16 => want.abs() * 4.95e-4 + 3e-8,
                        Depth::F32 => 0.0,
                    };
                    let arithmetic = 2e-6 * want.abs().max(0.1) * f64::from(u8::from(share > 0.0));
                    assert!(
                        (got - want).abs() <= quantum + arithmetic,
                        "{format:?} coverage {share}: {got} is not {want}"
                    );
                }
            }
        }
    }
}

/// Random bytes are every value there is: NaN of any kind, colours above their alpha, alphas above 1.
#[test]
fn uncovered_bits_stay() {
    let mut random = Random(23);
    for format in formats() {
        let mut picture = Picture::random(format, 33, 8, &mut random);
        for b in &mut picture.data {
            *b = random.next() as u8;
        }
        let before = picture.data.clone();
        let rect = Rect::new(1, 2, 30, 4);
        let filled = random_fill(rect, format, &mut random);
        let mut coverage = even(rect, 0.0);
        for c in &mut coverage.data {
            *c = [0.0, -0.0, 1.0, 0.5][random.below(4) as usize];
        }
        picture.write(rect, &filled, &coverage).unwrap();
        let mut changed = 0;
        for (at, (a, b)) in before.iter().zip(&picture.data).enumerate() {
            let (y, x) = (at / picture.stride, at % picture.stride / format.bytes());
            let inside = (2..6).contains(&y) && (1..31).contains(&x);
            if inside && coverage.row(y - 2)[x - 1] > 0.0 {
                changed += usize::from(a != b);
            } else {
                assert_eq!(a, b, "{format:?} ({x}, {y})");
            }
        }
        assert!(changed > 0);
    }
}

#[test]
fn nan_is_refused_unless_it_is_to_be_replaced() {
    for depth in [Depth::F16, Depth::F32] {
        for layout in [Layout::Gray, Layout::Rgb, Layout::Bgra] {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let format = PixelFormat::new(layout, depth);
                let n = layout.channels();
                let picture = Picture::new(format, 9, 6, |x, y| {
                    let mut p = vec![0.5; n];
                    if (x, y) == (5, 4) {
                        p[n - 1] = bad;
                    }
                    p
                });
                let rect = Rect::new(2, 1, 6, 5);
                for coverage in [0.0, 0.5] {
                    let error = picture.read(rect, &even(rect, coverage)).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Image);
                    assert!(error.message().contains("(5, 4)"), "{error}");
                }
                let mut hole = even(rect, 0.0);
                hole.data[3 * 6 + 3] = 1.0;
                let working = picture.read(rect, &hole).unwrap();
                assert_eq!(working.rgb.row(3)[9..12], [0.0; 3]);
                assert_eq!(working.rgb.row(3)[6..9], [0.5; 3]);
                if let Some(alpha) = working.alpha {
                    assert_eq!(alpha.row(3)[3], 1.0);
                }
                // Outside the rectangle it is nobody's business.
                let rect = Rect::new(0, 0, 5, 6);
                assert!(picture.read(rect, &even(rect, 0.0)).is_ok());
            }
        }
    }
}

#[test]
fn what_a_format_cannot_hold_becomes_the_nearest_that_it_can() {
    for depth in DEPTHS {
        let format = PixelFormat::new(Layout::Rgba, depth);
        let mut picture = Picture::new(format, 2, 1, |_, _| vec![0.0; 4]);
        let rect = picture.all();
        let rgb = vec![
            1e30,
            -1e30,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            0.25,
        ];
        let filled = Working {
            rgb: RgbImage {
                width: 2,
                height: 1,
                data: rgb,
            },
            alpha: Some(Plane {
                width: 2,
                height: 1,
                data: vec![7.0, f32::NAN],
            }),
        };
        picture.write(rect, &filled, &even(rect, 1.0)).unwrap();
        let single = f64::from(f32::MAX);
        let (want, quarter) = match depth {
            Depth::U8 => ([255.0, 0.0, 0.0, 255.0], 64.0),
            Depth::U16 => ([65535.0, 0.0, 0.0, 65535.0], 16384.0),
            Depth::F16 => ([65504.0, -65504.0, 0.0, 1.0], 0.25),
            Depth::F32 => ([f64::from(1e30f32), f64::from(-1e30f32), 0.0, 1.0], 0.25),
        };
        assert_eq!(picture.pixel(0, 0), want, "{depth:?}");
        let second = match depth {
            Depth::F32 => [single, -single, quarter, 0.0],
            _ => [want[0], want[1], quarter, 0.0],
        };
        assert_eq!(picture.pixel(1, 0), second, "{depth:?}");
    }
}

/// Transparent pixels hold any colour in files; none of it may reach the engine or the mix.
#[test]
fn transparent_pixels_give_no_colour() {
    for depth in DEPTHS {
        for premultiplied in [false, true] {
            let format = PixelFormat {
                premultiplied,
                ..PixelFormat::new(Layout::Rgba, depth)
            };
            let t = top(depth);
            let mut picture = Picture::new(format, 1, 1, |_, _| vec![t, t, t, 0.0]);
            let rect = picture.all();
            let mut working = picture.read(rect, &even(rect, 0.0)).unwrap();
            assert_eq!(working.rgb.data, [0.0; 3], "{format:?}");
            if !premultiplied {
                working.rgb.data = vec![0.5, 0.25, 0.0];
                working.alpha = None;
                picture.write(rect, &working, &even(rect, 0.5)).unwrap();
                for (got, want) in picture.pixel(0, 0).iter().zip([0.5, 0.25, 0.0, 0.5]) {
                    assert!((got / t - want).abs() < 0.003, "{format:?} {got}");
                }
            }
        }
    }
}

#[test]
fn sizes_that_do_not_match_are_refused() {
    let format = PixelFormat::new(Layout::Rgb, Depth::U8);
    let mut picture = Picture::new(format, 8, 6, |_, _| vec![9.0; 3]);
    let before = picture.data.clone();
    let good = Rect::new(2, 1, 4, 3);
    let fill = |w, h| Working {
        rgb: RgbImage::black(w, h, "a test").unwrap(),
        alpha: None,
    };
    for (rect, cover, filled) in [
        (Rect::new(5, 1, 4, 3), good, fill(4, 3)),
        (Rect::new(2, 4, 4, 3), good, fill(4, 3)),
        (Rect::new(u32::MAX, u32::MAX, 4, 3), good, fill(4, 3)),
        (good, Rect::new(0, 0, 3, 4), fill(4, 3)),
        (good, good, fill(3, 4)),
    ] {
        let cover = even(cover, 1.0);
        let error = picture.write(rect, &filled, &cover).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(picture.data == before);
        if rect != good || cover.width != 4 {
            let error = picture.read(rect, &cover).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument);
        }
    }
}
