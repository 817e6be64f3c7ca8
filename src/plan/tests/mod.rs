//! Tests of the plan.
#![forbid(unsafe_code)]

mod specks;

use super::{Costs, Needs, Region, regions};
use crate::params::Extent;
use crate::pixels::{Depth, ImageView, Layout, MaskView, PixelFormat, Rect, RunMask};
use std::time::Instant;

const NEEDS: Needs = Needs {
    min_context: 48,
    context_share: 1.0,
    max_context: 1024,
    ..Needs::ANY
};

/// Those of the exemplar engine, roughly.
const COSTS: Costs = Costs {
    bytes: 4e6,
    bytes_per_pixel: 60.0,
    bytes_per_hole_pixel: 40.0,
    seconds: 0.005,
    seconds_per_pixel: 1e-7,
    seconds_per_hole_pixel: 4e-6,
    variation: 1.0,
};

/// No fixed cost: two regions are merged only for the pixels that they share.
const BY_PIXELS: Costs = Costs {
    seconds: 0.0,
    ..COSTS
};

/// A mask with these rectangles selected.
fn mask(width: u32, height: u32, holes: &[(u32, u32, u32, u32)]) -> RunMask {
    let mut data = vec![0u8; width as usize * height as usize];
    for &(x, y, w, h) in holes {
        for row in y..y + h {
            let start = (row * width + x) as usize;
            data[start..start + w as usize].fill(255);
        }
    }
    runs(&data, width, height)
}

fn runs(data: &[u8], width: u32, height: u32) -> RunMask {
    let format = PixelFormat::new(Layout::Gray, Depth::U8);
    let view = ImageView::new(data, width, height, width as usize, format).unwrap();
    RunMask::of(&MaskView::new(view).unwrap()).unwrap()
}

/// splitmix64.
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % below
}

#[test]
fn contexts() {
    let hole = (400, 300, 100, 60);
    let m = mask(1000, 800, &[hole]);
    for (context, grow, want) in [
        (Extent::Pixels(64), 0, Rect::new(336, 236, 228, 188)),
        (Extent::Pixels(0), 0, Rect::new(392, 292, 116, 76)),
        (Extent::Pixels(64), 10, Rect::new(326, 226, 248, 208)),
        (Extent::Pixels(60000), 0, Rect::new(0, 0, 1000, 800)),
        (Extent::Share(0.5), 0, Rect::new(350, 250, 200, 160)),
        (Extent::Share(0.0), 0, Rect::new(392, 292, 116, 76)),
        (Extent::Share(10.0), 0, Rect::new(0, 0, 1000, 800)),
        (Extent::Auto, 0, Rect::new(300, 200, 300, 260)),
    ] {
        let plan = regions(&m, grow, context, &NEEDS, &COSTS).unwrap();
        assert_eq!(plan.len(), 1);
        assert_eq!(plan[0].rect, want, "{context:?} grow {grow}");
        assert_eq!(plan[0].hole_pixels, 6000);
        let grown = Rect::new(400 - grow, 300 - grow, 100 + 2 * grow, 60 + 2 * grow);
        assert_eq!(plan[0].hole, grown);
    }
    // What an engine wants at the least and at the most, with Auto.
    let tiny = mask(1000, 800, &[(500, 400, 2, 2)]);
    let plan = regions(&tiny, 0, Extent::Auto, &NEEDS, &COSTS).unwrap();
    assert_eq!(plan[0].rect, Rect::new(452, 352, 98, 98));
    let large = mask(4000, 3000, &[(1500, 1000, 1200, 900)]);
    let needs = Needs {
        max_context: 300,
        ..NEEDS
    };
    let plan = regions(&large, 0, Extent::Auto, &needs, &COSTS).unwrap();
    assert_eq!(plan[0].rect, Rect::new(1200, 700, 1800, 1500));
}

#[test]
fn alignment_and_scale() {
    for (size, hole, alignment, max_side, want, scale) in [
        // Widened evenly.
        (
            (1000, 800),
            (400, 300, 90, 60),
            64,
            None,
            Rect::new(349, 234, 192, 192),
            1.0,
        ),
        // Shifted at the edges.
        (
            (1000, 800),
            (0, 790, 30, 10),
            64,
            None,
            Rect::new(0, 736, 128, 64),
            1.0,
        ),
        (
            (1000, 800),
            (970, 0, 30, 10),
            64,
            None,
            Rect::new(872, 0, 128, 64),
            1.0,
        ),
        // An image that is too small for the next multiple keeps the crop as it is.
        (
            (100, 60),
            (40, 20, 10, 10),
            64,
            None,
            Rect::new(0, 0, 98, 60),
            1.0,
        ),
        (
            (1000, 800),
            (400, 300, 160, 60),
            1,
            Some(128),
            Rect::new(352, 252, 256, 156),
            0.5,
        ),
        (
            (1000, 800),
            (400, 300, 32, 20),
            1,
            Some(128),
            Rect::new(352, 252, 128, 116),
            1.0,
        ),
    ] {
        let needs = Needs {
            alignment,
            max_side,
            ..NEEDS
        };
        let m = mask(size.0, size.1, &[hole]);
        let plan = regions(&m, 0, Extent::Pixels(48), &needs, &COSTS).unwrap();
        assert_eq!(
            (plan[0].rect, plan[0].scale),
            (want, scale),
            "{size:?} {hole:?}"
        );
    }
}

#[test]
fn parts_merge_when_one_region_is_cheaper() {
    type Case<'a> = (&'a str, &'a [(u32, u32, u32, u32)], u32, Costs, usize);
    let cases: &[Case<'_>] = &[
        (
            "far apart",
            &[(100, 100, 50, 50), (3000, 2000, 50, 50)],
            0,
            COSTS,
            2,
        ),
        (
            "side by side",
            &[(100, 100, 50, 50), (180, 100, 50, 50)],
            0,
            COSTS,
            1,
        ),
        (
            "corner to corner",
            &[(100, 100, 50, 50), (150, 150, 50, 50)],
            0,
            BY_PIXELS,
            1,
        ),
        (
            "a gap that the fixed cost pays",
            &[(100, 100, 50, 50), (400, 100, 50, 50)],
            0,
            COSTS,
            1,
        ),
        (
            "the same gap without",
            &[(100, 100, 50, 50), (400, 100, 50, 50)],
            0,
            BY_PIXELS,
            2,
        ),
        (
            "grown together",
            &[(100, 100, 50, 50), (570, 100, 50, 50)],
            210,
            BY_PIXELS,
            1,
        ),
        (
            "a frame around a speck",
            &[
                (100, 100, 900, 10),
                (100, 110, 10, 900),
                (1000, 100, 10, 910),
                (100, 1010, 910, 10),
                (550, 550, 2, 2),
            ],
            0,
            BY_PIXELS,
            1,
        ),
        (
            "a column that would need a large square",
            &[(100, 100, 20, 20), (2000, 180, 20, 20), (100, 1900, 20, 20)],
            0,
            COSTS,
            3,
        ),
    ];
    for (name, holes, grow, costs, want) in cases {
        let m = mask(4000, 3000, holes);
        let plan = regions(&m, *grow, Extent::Pixels(48), &NEEDS, costs).unwrap();
        assert_eq!(plan.len(), *want, "{name}: {plan:#?}");
    }
    // Two that an engine can do at full size do not become one that it must scale down.
    let m = mask(2000, 800, &[(200, 200, 100, 100), (500, 200, 100, 100)]);
    let needs = Needs {
        max_side: Some(400),
        ..NEEDS
    };
    let plan = regions(&m, 0, Extent::Auto, &needs, &COSTS).unwrap();
    assert_eq!(plan.len(), 2, "{plan:#?}");
}

/// Results are kept by box: boxes that touch are one, whatever it costs.
#[test]
fn boxes_that_touch_are_one_at_any_cost() {
    let (w, h) = (3200, 1400);
    for (gap, want) in [(0, 1), (1, 2)] {
        let mut holes: Vec<_> = (0..100).map(|i| (1000 + i, 1000 + i, 1, 1)).collect();
        // Far from every pixel of the diagonal but for its box.
        holes.push((1100 + gap, 1000, 1900, 1));
        let m = mask(w, h, &holes);
        let plan = regions(&m, 0, Extent::Pixels(0), &NEEDS, &BY_PIXELS).unwrap();
        assert_eq!(plan.len(), want, "{plan:#?}");
    }
}

/// What must hold for every plan.
fn check(plan: &[Region], data: &[u8], width: u32, height: u32, grow: u32, alignment: u32) {
    let mut owner = vec![usize::MAX; data.len()];
    let mut sum = 0;
    for (i, r) in plan.iter().enumerate() {
        sum += r.hole_pixels;
        for rect in [r.rect, r.hole] {
            assert_eq!(rect.intersect(&Rect::new(0, 0, width, height)), rect);
        }
        assert_eq!(r.rect.union(&r.hole), r.rect);
        for (len, all) in [(r.rect.width, width), (r.rect.height, height)] {
            assert!(len % alignment == 0 || len.next_multiple_of(alignment) > all);
        }
        for y in r.hole.y..r.hole.bottom() {
            for x in r.hole.x..r.hole.right() {
                let o = &mut owner[(y * width + x) as usize];
                assert_eq!(*o, usize::MAX, "two holes at ({x}, {y})");
                *o = i;
            }
        }
    }
    assert!(plan.is_sorted_by_key(|r| (r.hole.y, r.hole.x)));
    assert_eq!(sum, data.iter().filter(|v| **v != 0).count() as u64);
    for (at, _) in data.iter().enumerate().filter(|(_, v)| **v != 0) {
        let (x, y) = (at as u32 % width, at as u32 / width);
        let grown = Rect::new(x, y, 1, 1).grown_within(grow, width, height);
        let hole = plan[owner[at]].hole;
        assert_eq!(hole.union(&grown), hole, "({x}, {y}) grown leaves its hole");
    }
}

#[test]
fn every_selected_pixel_is_in_one_hole_on_any_mask() {
    let mut state = 7;
    for round in 0..150 {
        let (w, h) = (
            1 + random(&mut state, 400) as u32,
            1 + random(&mut state, 300) as u32,
        );
        let mut data = vec![0u8; (w * h) as usize];
        for _ in 0..random(&mut state, [3, 40, 400][round % 3]) {
            // Specks, bars and diagonals.
            let (mut x, mut y) = (random(&mut state, w.into()), random(&mut state, h.into()));
            let kind = random(&mut state, 3);
            for _ in 0..1 + random(&mut state, 30) * u64::from(kind > 0) {
                data[(y * u64::from(w) + x) as usize] = 1 + random(&mut state, 255) as u8;
                x = (x + 1).min(u64::from(w) - 1);
                y = (y + u64::from(kind == 2)).min(u64::from(h) - 1);
            }
        }
        let grow = [0, 0, 3, 20][random(&mut state, 4) as usize];
        let alignment = [1, 8, 32][random(&mut state, 3) as usize];
        let context = [Extent::Auto, Extent::Pixels(0), Extent::Share(0.3)][round % 3];
        let costs = [COSTS, BY_PIXELS][random(&mut state, 2) as usize];
        let needs = Needs { alignment, ..NEEDS };
        let m = runs(&data, w, h);
        let plan = regions(&m, grow, context, &needs, &costs).unwrap();
        check(&plan, &data, w, h, grow, alignment);
    }
}

/// Parts by flood fill, the plainest way; a plan without any reason to merge has these boxes.
#[test]
fn parts_hang_together_over_corners() {
    let mut state = 11;
    for round in 0..200u64 {
        let (w, h) = (
            1 + random(&mut state, 40) as usize,
            1 + random(&mut state, 30) as usize,
        );
        let mut data = vec![0u8; w * h];
        for v in &mut data {
            *v = u8::from(random(&mut state, 100) < 10 + round % 60);
        }
        let mut seen = vec![false; w * h];
        let mut want = Vec::new();
        for start in 0..w * h {
            if data[start] == 0 || seen[start] {
                continue;
            }
            seen[start] = true;
            let (mut stack, mut hole, mut pixels) = (vec![start], Rect::default(), 0);
            while let Some(i) = stack.pop() {
                let (x, y) = (i % w, i / w);
                hole = hole.union(&Rect::new(x as u32, y as u32, 1, 1));
                pixels += 1;
                for ny in y.saturating_sub(1)..(y + 2).min(h) {
                    for nx in x.saturating_sub(1)..(x + 2).min(w) {
                        let n = ny * w + nx;
                        if data[n] != 0 && !seen[n] {
                            seen[n] = true;
                            stack.push(n);
                        }
                    }
                }
            }
            want.push((hole, pixels));
        }
        let got = super::parts::parts(&runs(&data, w as u32, h as u32)).unwrap();
        let got: Vec<_> = got.iter().map(|p| (p.hole, p.pixels)).collect();
        assert_eq!(got, want, "{w}×{h}");
    }
}

/// An engine must get the same few regions from a mask of many specks, and soon.
#[test]
fn a_hundred_thousand_specks_are_planned_soon() {
    let (w, h) = (6000u32, 4000u32);
    let mut data = vec![0u8; (w * h) as usize];
    let mut state = 5;
    for _ in 0..100_000 {
        data[random(&mut state, u64::from(w * h)) as usize] = 255;
    }
    let m = runs(&data, w, h);
    for (context, costs) in [
        (Extent::Auto, COSTS),
        (Extent::Auto, BY_PIXELS),
        (Extent::Pixels(0), COSTS),
        (Extent::Pixels(0), BY_PIXELS),
    ] {
        let start = Instant::now();
        let plan = regions(&m, 0, context, &NEEDS, &costs).unwrap();
        let took = start.elapsed().as_secs_f64();
        eprintln!(
            "{context:?}, {} s fixed: {} regions in {took:.3} s",
            costs.seconds,
            plan.len()
        );
        check(&plan, &data, w, h, 0, 1);
        assert!(took < 5.0, "{took} s");
    }
}

#[test]
fn a_model_of_one_size_gets_context_or_another_scale() {
    let needs = Needs {
        alignment: 8,
        max_side: Some(512),
        min_side: 512,
        ..NEEDS
    };
    let region = |size: (u32, u32), hole: (u32, u32, u32, u32)| {
        let mask = mask(size.0, size.1, &[hole]);
        let all = regions(&mask, 0, Extent::Pixels(16), &needs, &COSTS).unwrap();
        assert_eq!(all.len(), 1);
        all[0]
    };
    // A small hole gets context, also at the edge.
    let small = region((2000, 1500), (0, 700, 40, 30));
    assert_eq!(
        (small.rect.width, small.rect.height, small.scale),
        (512, 512, 1.0)
    );
    assert_eq!(small.rect.x, 0);
    assert!(small.rect.y <= 700 - 16 && small.rect.bottom() >= 730 + 16);
    // A large one is scaled down, a small picture up.
    let large = region((2000, 1500), (100, 100, 992, 300));
    assert_eq!((large.rect.width, large.rect.height), (1024, 512));
    assert_eq!(
        (large.scale, needs.working_size(1024, 512)),
        (0.5, (512, 256))
    );
    let whole = region((100, 75), (40, 30, 20, 20));
    assert_eq!((whole.rect.width, whole.rect.height), (100, 75));
    assert!((whole.scale - 5.12).abs() < 1e-9);
    assert_eq!(needs.working_size(100, 75), (512, 384));
    assert_eq!(NEEDS.working_size(99, 7), (99, 7));
}

#[test]
fn nothing_is_scaled_by_a_little() {
    // LaMa's bounds, and those of a model of one size.
    let lama = Needs {
        alignment: 8,
        max_side: Some(512),
        min_side: 256,
        ..NEEDS
    };
    let fixed = Needs {
        min_side: 512,
        ..lama
    };
    for needs in [lama, fixed] {
        for size in [(511, 397), (509, 3), (512, 512), (505, 511), (411, 410)] {
            assert_eq!(needs.working_size(size.0, size.1), size);
            assert_eq!(needs.scale(size.0, size.1), 1.0);
        }
        // Both sides by the same, to a pixel.
        for (width, height) in [(1024, 611), (611, 1300), (2000, 21), (100, 75), (75, 100)] {
            let (w, h) = needs.working_size(width, height);
            let scale = needs.scale(width, height);
            assert_eq!(
                w.max(h),
                if width.max(height) > 512 {
                    512
                } else {
                    needs.min_side
                }
            );
            for (own, native) in [(w, width), (h, height)] {
                assert!((f64::from(own) - f64::from(native) * scale).abs() <= 0.5);
            }
        }
        let region = |size: (u32, u32), hole, context| {
            let mask = mask(size.0, size.1, &[hole]);
            regions(&mask, 0, Extent::Pixels(context), &needs, &COSTS).unwrap()[0]
        };
        // A picture that is a little too large gives up what is furthest from the hole.
        let near = region((517, 390), (400, 200, 60, 50), 2000);
        assert_eq!((near.rect, near.scale), (Rect::new(5, 0, 512, 390), 1.0));
        let both = region((530, 570), (10, 260, 60, 50), 2000);
        assert_eq!((both.rect, both.scale), (Rect::new(0, 29, 512, 512), 1.0));
        // But no more than a ninth, and the hole keeps what the engine asks for.
        let large = region((577, 390), (400, 200, 60, 50), 2000);
        assert!(large.scale < 1.0 && large.rect.width >= 576);
        let hole = region((520, 390), (4, 200, 513, 50), 2000);
        assert!(hole.scale < 1.0 && hole.rect.width == 520);
    }
}
