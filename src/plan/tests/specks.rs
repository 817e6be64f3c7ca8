//! What is a speck, and the regions that fill specks.
#![forbid(unsafe_code)]

use super::{mask, random, runs};
use crate::pixels::{Rect, RunMask};
use crate::plan::specks;

#[test]
fn thin_parts_are_specks_and_strokes_are_not() {
    type Case<'a> = (&'a str, &'a [(u32, u32, u32, u32)], u64, u64);
    let cases: &[Case<'_>] = &[
        ("a pixel", &[(50, 50, 1, 1)], 1, 0),
        ("a dot", &[(50, 50, 4, 4)], 16, 0),
        ("a larger dot", &[(50, 50, 5, 5)], 0, 25),
        ("a dot in the corner", &[(0, 0, 4, 4)], 16, 0),
        ("a thin line", &[(10, 50, 300, 2)], 600, 0),
        ("a line", &[(10, 50, 300, 3)], 0, 900),
        ("a thin frame", &[(10, 10, 90, 2), (10, 12, 2, 80)], 340, 0),
        (
            "a blob with a hair",
            &[(50, 50, 30, 30), (80, 60, 60, 1)],
            0,
            960,
        ),
        // The blob stays what it is; the hair that leads to it is interpolated.
        (
            "a hair with a blob",
            &[(10, 20, 380, 2), (200, 22, 5, 5)],
            750,
            35,
        ),
        ("both", &[(50, 50, 30, 30), (200, 60, 1, 1)], 1, 900),
    ];
    for (name, holes, thin, rest) in cases {
        let mask = mask(400, 150, holes);
        let found = specks(&mask).unwrap();
        let got = found.as_ref().map_or((0, mask.count()), |found| {
            (found.specks.count(), found.rest.count())
        });
        assert_eq!(got, (*thin, *rest), "{name}");
        assert_eq!(found.is_some(), *thin > 0, "{name}");
    }
}

/// The plane of a mask.
fn plane(mask: &RunMask) -> Vec<u8> {
    let all = Rect::new(0, 0, mask.width(), mask.height());
    mask.crop(all).unwrap().data
}

#[test]
fn specks_and_the_rest_are_the_mask_and_regions_hold_each_speck_once() {
    let mut state = 3;
    for density in [1, 5, 20, 40, 60, 90] {
        for (w, h) in [(1, 1), (3, 200), (90, 70), (700, 530), (1100, 20)] {
            let data: Vec<u8> = (0..w * h)
                .map(|_| u8::from(random(&mut state, 100) < density) * 255)
                .collect();
            let mask = runs(&data, w, h);
            let Some(found) = specks(&mask).unwrap() else {
                continue;
            };
            let (thin, rest) = (plane(&found.specks), plane(&found.rest));
            for (i, v) in data.iter().enumerate() {
                assert_eq!(thin[i] + rest[i], v / 255, "{w}×{h}, {density} %");
            }
            let mut owned = vec![0u8; data.len()];
            let regions = found.regions(16).unwrap();
            for r in &regions {
                assert!(r.specks && r.work >= r.hole_pixels);
                assert_eq!(r.rect, r.hole.grown_within(16, w, h));
                assert_eq!(found.specks.count_in(r.hole), r.hole_pixels);
                assert!(r.rect.width.max(r.rect.height) <= 512 + 32);
                for y in r.hole.y..r.hole.bottom() {
                    for x in r.hole.x..r.hole.right() {
                        owned[(y * w + x) as usize] += thin[(y * w + x) as usize];
                    }
                }
            }
            assert_eq!(owned, thin, "{w}×{h}, {density} %");
        }
    }
}

/// Grain so dense that it hangs together is still grain.
#[test]
fn dense_grain_is_specks_nearly_everywhere() {
    let mut state = 9;
    for (density, least) in [(30, 99), (50, 90), (60, 75)] {
        let data: Vec<u8> = (0..400 * 300)
            .map(|_| u8::from(random(&mut state, 100) < density) * 255)
            .collect();
        let mask = runs(&data, 400, 300);
        let found = specks(&mask).unwrap().unwrap();
        let share = 100 * found.specks.count() / mask.count();
        assert!(share >= least, "{density} %: {share} % are specks");
    }
}
