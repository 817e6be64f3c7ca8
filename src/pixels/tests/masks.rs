//! Masks: runs and coverage against the plainest code that says what they mean.
#![forbid(unsafe_code)]

use super::{Random, mask_u8};
use crate::error::ErrorKind;
use crate::pixels::{Depth, ImageView, Layout, MaskView, PixelFormat, Rect, RunMask};

fn gray(depth: Depth) -> PixelFormat {
    PixelFormat::new(Layout::Gray, depth)
}

/// Bytes of values `0 ..= 1` at `depth`, rows `stride` bytes apart with 0xA5 between them.
fn bytes(values: &[f32], width: usize, stride: usize, depth: Depth) -> Vec<u8> {
    let mut out = Vec::new();
    for row in values.chunks(width) {
        let start = out.len();
        for v in row {
            match depth {
                Depth::U8 => out.push((v * 255.0).round() as u8),
                Depth::U16 | Depth::F16 => {
                    out.extend(((v * 65535.0).round() as u16).to_ne_bytes());
                }
                Depth::F32 => out.extend(v.to_ne_bytes()),
            }
        }
        out.resize(start + stride, 0xA5);
    }
    out
}

#[test]
fn only_gray_integers_and_singles_are_masks() {
    let data = [0u8; 64];
    for (format, good) in [
        (gray(Depth::U8), true),
        (gray(Depth::U16), true),
        (gray(Depth::F32), true),
        (gray(Depth::F16), false),
        (PixelFormat::new(Layout::GrayA, Depth::U8), false),
        (PixelFormat::new(Layout::Rgba, Depth::U8), false),
        (
            PixelFormat {
                linear: true,
                premultiplied: true,
                ..gray(Depth::U8)
            },
            true,
        ),
    ] {
        let view = ImageView::new(&data, 2, 2, 16, format).unwrap();
        let mask = MaskView::new(view);
        assert_eq!(mask.is_ok(), good, "{format:?}");
        if let Err(e) = mask {
            assert_eq!(e.kind(), ErrorKind::Mask);
        }
    }
}

/// Runs of every depth, at every density, with gaps and stretches that cross the scan's blocks.
#[test]
fn runs_are_the_selected_pixels() {
    let mut random = Random(1);
    for round in 0..200 {
        let (w, h) = (1 + random.below(300) as usize, 1 + random.below(4) as usize);
        let mut values = vec![0.0f32; w * h];
        // Stretches of one value, short or long.
        let longest = [1, 3, 40, 300][round % 4];
        let mut x = 0;
        while x < w * h {
            let n = (1 + random.below(longest) as usize).min(w * h - x);
            let v = [0.0, 1.0, 128.0 / 255.0][random.below(3) as usize];
            values[x..x + n].fill(v);
            x += n;
        }
        for depth in [Depth::U8, Depth::U16, Depth::F32] {
            let stride = w * depth.bytes() + random.below(5) as usize;
            let data = bytes(&values, w, stride, depth);
            let view = ImageView::new(&data, w as u32, h as u32, stride, gray(depth)).unwrap();
            let runs = RunMask::of(&MaskView::new(view).unwrap()).unwrap();
            let mut got = vec![0u8; w * h];
            let mut last = (0, 0);
            for y in 0..h {
                for &(x, end) in runs.row(y as u32) {
                    assert!(x < end && end as usize <= w, "{x}..{end}");
                    // Apart from the one before by at least a pixel.
                    assert!(last.0 != y || x > last.1 || last.1 == 0);
                    last = (y, end);
                    got[y * w + x as usize..y * w + end as usize].fill(1);
                }
            }
            let want: Vec<u8> = values.iter().map(|v| u8::from(*v > 0.0)).collect();
            assert_eq!(got, want, "{depth:?} {w}×{h}");
            assert_eq!(
                runs.count(),
                want.iter().map(|v| u64::from(*v)).sum::<u64>()
            );
            let all = Rect::new(0, 0, w as u32, h as u32);
            assert_eq!(runs.crop(all).unwrap().data, want);
            let selected = |x: usize, y: usize| want[y * w + x] != 0;
            let columns: Vec<_> = (0..w).filter(|x| (0..h).any(|y| selected(*x, y))).collect();
            let rows: Vec<_> = (0..h).filter(|y| (0..w).any(|x| selected(x, *y))).collect();
            let bounds = runs.bounds();
            match (columns.first(), rows.first()) {
                (Some(&x), Some(&y)) => assert_eq!(
                    bounds,
                    Rect::new(
                        x as u32,
                        y as u32,
                        (columns[columns.len() - 1] + 1 - x) as u32,
                        (rows[rows.len() - 1] + 1 - y) as u32
                    )
                ),
                _ => assert!(bounds.is_empty()),
            }
        }
    }
}

#[test]
fn crops_of_runs_end_where_the_mask_ends() {
    let mut data = vec![0u8; 10 * 6];
    for y in 1..5 {
        data[y * 10 + 2..y * 10 + 9].fill(255);
    }
    let runs = RunMask::of(&mask_u8(&data, 10, 6)).unwrap();
    for (rect, want) in [
        (Rect::new(0, 0, 3, 2), "000 001"),
        (Rect::new(7, 3, 5, 5), "11000 11000 00000 00000 00000"),
        (Rect::new(3, 2, 2, 1), "11"),
        (Rect::new(9, 0, 1, 3), "0 0 0"),
        (Rect::new(0, 5, 4, 2), "0000 0000"),
        (Rect::new(40, 50, 2, 1), "00"),
    ] {
        let crop = runs.crop(rect).unwrap();
        let rows: Vec<String> = (0..crop.height)
            .map(|y| crop.row(y).iter().map(u8::to_string).collect())
            .collect();
        assert_eq!(rows.join(" "), want, "{rect:?}");
    }
}

#[test]
fn floats_clamp_and_nan_is_named() {
    let mut values = vec![0.0f32; 12];
    (values[0], values[1], values[2]) = (-3.0, 7.0, f32::INFINITY);
    (values[3], values[4]) = (-0.0, 0.25);
    let data = bytes(&values, 4, 16, Depth::F32);
    let mask = MaskView::new(ImageView::new(&data, 4, 3, 16, gray(Depth::F32)).unwrap()).unwrap();
    let coverage = mask.coverage(Rect::new(0, 0, 4, 2), 0, 0).unwrap();
    assert_eq!(coverage.data, [0.0, 1.0, 1.0, 0.0, 0.25, 0.0, 0.0, 0.0]);
    assert_eq!(RunMask::of(&mask).unwrap().row(0), [(1, 3)]);
    values[9] = f32::NAN;
    let data = bytes(&values, 4, 16, Depth::F32);
    let mask = MaskView::new(ImageView::new(&data, 4, 3, 16, gray(Depth::F32)).unwrap()).unwrap();
    for error in [
        RunMask::of(&mask).unwrap_err(),
        mask.coverage(Rect::new(0, 0, 4, 3), 1, 1).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Mask);
        assert!(error.message().contains("(1, 2)"), "{error}");
    }
    let outside = mask.coverage(Rect::new(2, 0, 3, 1), 0, 0).unwrap_err();
    assert_eq!(outside.kind(), ErrorKind::Argument);
    let huge = Rect::new(u32::MAX, 0, 2, 1);
    assert_eq!(
        mask.coverage(huge, 0, 0).unwrap_err().kind(),
        ErrorKind::Argument
    );
}

/// What [`MaskView::coverage`] means, over the whole mask, pixel by pixel.
fn reference(values: &[f32], w: i64, h: i64, grow: i64, feather: i64) -> Vec<f32> {
    let pixels: Vec<(i64, i64)> = (0..h).flat_map(|y| (0..w).map(move |x| (x, y))).collect();
    let at = |x: i64, y: i64| (y * w + x) as usize;
    let grown: Vec<f32> = pixels
        .iter()
        .map(|&(x, y)| {
            let near = pixels
                .iter()
                .filter(|(i, j)| (x - i).pow(2) + (y - j).pow(2) <= grow * grow);
            near.map(|&(i, j)| values[at(i, j)]).fold(0.0, f32::max)
        })
        .collect();
    let edge: Vec<_> = pixels
        .iter()
        .filter(|(x, y)| grown[at(*x, *y)] == 0.0)
        .collect();
    let ramp = |&(x, y): &(i64, i64)| {
        let squared = edge
            .iter()
            .map(|(i, j)| (x - i).pow(2) + (y - j).pow(2))
            .min();
        let depth = squared.map_or(f64::INFINITY, |s| (s as f64).sqrt());
        let t = (depth / (feather as f64 + 1.0)).min(1.0);
        (3.0 * t * t - 2.0 * t * t * t) as f32
    };
    let soft = |p| if feather == 0 { 1.0 } else { ramp(p) };
    pixels
        .iter()
        .map(|p| match grown[at(p.0, p.1)] {
            v if v > 0.0 => v * soft(p),
            _ => 0.0,
        })
        .collect()
}

#[test]
fn coverage_grows_by_a_disk_and_feathers_inwards() {
    let mut random = Random(2);
    for round in 0..160 {
        let (w, h) = (1 + random.below(34), 1 + random.below(26));
        let hard = round % 3 == 0;
        let mut values = vec![0.0f32; (w * h) as usize];
        // A few blobs and specks, some at the border.
        for _ in 0..1 + random.below(4) {
            let (x, y) = (random.below(w), random.below(h));
            let (bw, bh) = (1 + random.below(12), 1 + random.below(9));
            for j in y..(y + bh).min(h) {
                for i in x..(x + bw).min(w) {
                    let v = if hard { 255 } else { random.below(256) };
                    values[(j * w + i) as usize] = v as f32 / 255.0;
                }
            }
        }
        let grow = [0, 1, 2, 5, 9, 60][random.below(6) as usize];
        let feather = [0, 1, 3, 8, 70][random.below(5) as usize];
        let want = reference(&values, w as i64, h as i64, grow as i64, feather as i64);
        let (x, y) = (random.below(w), random.below(h));
        let rect = Rect::new(
            x as u32,
            y as u32,
            1 + random.below(w - x) as u32,
            1 + random.below(h - y) as u32,
        );
        for depth in [Depth::U8, Depth::U16, Depth::F32] {
            let stride = w as usize * depth.bytes() + 3;
            let data = bytes(&values, w as usize, stride, depth);
            let view = ImageView::new(&data, w as u32, h as u32, stride, gray(depth)).unwrap();
            let mask = MaskView::new(view).unwrap();
            let got = mask.coverage(rect, grow, feather).unwrap();
            assert_eq!(
                (got.width, got.height),
                (rect.width as usize, rect.height as usize)
            );
            for j in 0..got.height {
                for i in 0..got.width {
                    let want = want[(rect.y as usize + j) * w as usize + rect.x as usize + i];
                    let got = got.data[j * got.width + i];
                    assert!(
                        (got - want).abs() < 1e-6 && (got == 0.0) == (want == 0.0),
                        "round {round} {depth:?} {w}×{h} {rect:?} grow {grow} feather {feather}: \
                         {got} is not {want} at ({i}, {j})"
                    );
                }
            }
        }
    }
}

#[test]
fn absurd_radii_are_no_trouble() {
    let mut data = vec![0u8; 9 * 7];
    data[3 * 9 + 4] = 255;
    let mask = mask_u8(&data, 9, 7);
    let all = mask
        .coverage(Rect::new(0, 0, 9, 7), u32::MAX, u32::MAX)
        .unwrap();
    assert!(all.data.iter().all(|c| *c == 1.0));
    let empty = mask.coverage(Rect::new(9, 7, 0, 0), 5, 5).unwrap();
    assert!(empty.data.is_empty());
}
