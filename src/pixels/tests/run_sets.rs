//! Sets of runs against planes of pixels.
#![forbid(unsafe_code)]

use super::{Random, mask_u8};
use crate::pixels::{Plane, Rect, RunMask};

fn plane(mask: &RunMask) -> Plane<u8> {
    mask.crop(Rect::new(0, 0, mask.width(), mask.height()))
        .unwrap()
}

fn of(width: usize, height: usize, set: impl Fn(usize, usize) -> bool) -> Plane<u8> {
    let data = (0..width * height).map(|i| u8::from(set(i % width, i / width)));
    Plane {
        width,
        height,
        data: data.collect(),
    }
}

/// Runs are in order and apart, as every reader of them expects.
fn tidy(mask: &RunMask) {
    for y in 0..mask.height() {
        let row = mask.row(y);
        assert!(
            row.iter().all(|(x, end)| x < end && *end <= mask.width()),
            "{row:?}"
        );
        assert!(row.windows(2).all(|w| w[0].1 < w[1].0), "{row:?}");
    }
}

#[test]
fn sets_of_runs_are_what_pixels_say() {
    let mut random = Random(17);
    for round in 0..300 {
        let (w, h) = (1 + random.below(40) as usize, 1 + random.below(30) as usize);
        let density = [3, 20, 50, 80, 100][round % 5];
        let mut draw = || {
            let data: Vec<u8> = (0..w * h)
                .map(|_| u8::from(random.below(100) < density) * 255)
                .collect();
            RunMask::of(&mask_u8(&data, w as u32, h as u32)).unwrap()
        };
        let (mask, other) = (draw(), draw());
        let (a, b) = (plane(&mask), plane(&other));
        let by = random.below(5) as usize;
        let at = |x: i64, y: i64| {
            let inside = x >= 0 && y >= 0 && (x as usize) < w && (y as usize) < h;
            inside.then(|| a.row(y as usize)[x as usize] != 0)
        };
        let square = |x: usize, y: usize, by: usize| {
            let (x, y, by) = (x as i64, y as i64, by as i64);
            (-by..=by).flat_map(move |dy| (-by..=by).map(move |dx| (x + dx, y + dy)))
        };
        let rect = Rect::new(
            random.below(w as u64) as u32,
            random.below(h as u64) as u32,
            random.below(w as u64) as u32,
            random.below(h as u64) as u32,
        );
        let rect = rect.intersect(&Rect::new(0, 0, w as u32, h as u32));
        let disk = |x: usize, y: usize| {
            square(x, y, by).any(|(nx, ny)| {
                let (dx, dy) = (nx - x as i64, ny - y as i64);
                dx * dx + dy * dy <= (by * by) as i64 && at(nx, ny) == Some(true)
            })
        };
        let cases: [(&str, RunMask, Plane<u8>); 7] = [
            ("grown", mask.grown(by as u32).unwrap(), of(w, h, disk)),
            (
                "widened",
                mask.widened(by as u32).unwrap(),
                of(w, h, |x, y| {
                    square(x, y, by).any(|(x, y)| at(x, y) == Some(true))
                }),
            ),
            (
                "core",
                mask.core(by as u32).unwrap(),
                of(w, h, |x, y| {
                    square(x, y, by).all(|(x, y)| at(x, y) == Some(true))
                }),
            ),
            (
                "or",
                mask.or(&other).unwrap(),
                of(w, h, |x, y| a.row(y)[x] | b.row(y)[x] != 0),
            ),
            (
                "without",
                mask.without(&other).unwrap(),
                of(w, h, |x, y| a.row(y)[x] & (1 - b.row(y)[x]) != 0),
            ),
            (
                "halved",
                mask.halved().unwrap(),
                of(w.div_ceil(2), h.div_ceil(2), |x, y| {
                    let four = [(0, 0), (1, 0), (0, 1), (1, 1)];
                    let near = four.map(|(dx, dy)| at((2 * x + dx) as i64, (2 * y + dy) as i64));
                    let set = near.iter().filter(|v| **v == Some(true)).count();
                    2 * set > near.iter().flatten().count()
                }),
            ),
            (
                "cut",
                mask.cut(Rect::new(0, 0, w as u32, h as u32), rect).unwrap(),
                of(w, h, |x, y| {
                    let inside = Rect::new(x as u32, y as u32, 1, 1).intersect(&rect);
                    !inside.is_empty() && a.row(y)[x] != 0
                }),
            ),
        ];
        for (name, got, want) in &cases {
            tidy(got);
            assert_eq!(&plane(got), want, "{name} of {w}×{h} by {by}");
        }
        let cut = mask.cut(rect, rect).unwrap();
        assert_eq!(cut.count(), mask.count_in(rect));
        assert_eq!(plane(&cut), mask.crop(rect).unwrap());
        let deep = (0..w * h).any(|i| {
            let mut near = square(i % w, i / w, by);
            near.all(|(x, y)| at(x, y) != Some(false))
        });
        assert_eq!(mask.deeper(by as u32).unwrap(), deep, "{w}×{h} by {by}");
    }
}
