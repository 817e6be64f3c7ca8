//! The forecast against the levels that a search builds.
#![forbid(unsafe_code)]

use super::plane;
use crate::r#match::complete::{coarse, pyramid};
use crate::r#match::forecast::levels;
use crate::r#match::random::Random;
use crate::pixels::{Depth, ImageView, Layout, MaskView, PixelFormat, RgbImage, RunMask};
use crate::progress::Cancel;

fn runs(data: &[u8], w: usize, h: usize) -> RunMask {
    let format = PixelFormat::new(Layout::Gray, Depth::U8);
    let view = ImageView::new(data, w as u32, h as u32, w, format).unwrap();
    RunMask::of(&MaskView::new(view).unwrap()).unwrap()
}

#[test]
fn what_is_counted_is_what_is_searched() {
    let mut random = Random::new(2, 9);
    let mut most = 0;
    for round in 0..60 {
        let (w, h) = (
            30 + random.below(230) as usize,
            30 + random.below(170) as usize,
        );
        let mut hole = plane(w, h, |_, _| false);
        // Dots, lines and blobs.
        for _ in 0..1 + random.below([3, 20, 60][round % 3]) {
            let (x, y) = (
                random.below(w as u32) as usize,
                random.below(h as u32) as usize,
            );
            let (across, down) = [(2, 2), (w / 2, 3), (3, h / 2), (w / 3, h / 3)]
                [random.below(4 - u32::from(round % 3 > 0)) as usize];
            for y in y..(y + down).min(h) {
                hole.row_mut(y)[x..(x + across).min(w)].fill(1);
            }
        }
        let source = plane(w, h, |x, y| hole.row(y)[x] == 0);
        let image = RgbImage::black(w, h, "a test").unwrap();
        let searched = pyramid(&image, &hole, &source, coarse, &Cancel::new()).unwrap();
        let counted = levels(&runs(&hole.data, w, h), |hole, targets, _| {
            Ok(!crate::r#match::forecast::deserves_coarser(hole, targets)?)
        })
        .unwrap();
        if searched.is_empty() {
            // No patch to copy from: the gaps are closed first.
            continue;
        }
        assert_eq!(counted.len(), searched.len(), "{w}×{h}, round {round}");
        for (counts, level) in counted.iter().zip(&searched) {
            let count = |plane: &crate::pixels::Plane<u8>| {
                plane.data.iter().filter(|v| **v != 0).count() as u64
            };
            assert_eq!(counts.targets, level.target_count() as u64, "{w}×{h}");
            assert_eq!(counts.texels, count(&level.hole), "{w}×{h}");
            assert_eq!(counts.centres, count(&level.centres), "{w}×{h}");
        }
        most = most.max(counted.len());
    }
    assert!(most > 2, "no picture was searched at several levels");
}
