#![forbid(unsafe_code)]

use super::*;
use crate::pixels::PixelFormat;
use crate::progress::Silent;
use std::path::Path;

const GRAY: PixelFormat = PixelFormat::new(Layout::Gray, Depth::U8);
const RGB: PixelFormat = PixelFormat::new(Layout::Rgb, Depth::U8);

/// A disk of `colour` with darker stripes on ground that is not quite even, with some grain.
fn disk(w: u32, h: u32, centre: (f64, f64), radius: f64, colour: [u8; 3]) -> Vec<u8> {
    let mut state = 7u32;
    let mut pixels = Vec::new();
    for y in 0..h {
        for x in 0..w {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (state >> 29) as u8;
            let (dx, dy) = (f64::from(x) - centre.0, f64::from(y) - centre.1);
            let inside = dx * dx + dy * dy <= radius * radius;
            let slope = (x * 30 / w) as u8;
            for c in colour {
                pixels.push(match inside {
                    true => c - 20 * u8::from(x / 8 % 2 == 0) + grain,
                    false => 50 + slope + grain,
                });
            }
        }
    }
    pixels
}

fn selector(threads: usize, models: Option<PathBuf>) -> Selector {
    Selector::new(Options {
        threads,
        max_memory: None,
        catalog: None,
        models: Some(models.unwrap_or_else(|| "/no/such/folder".into())),
    })
}

fn click(x: f64, y: f64, wanted: bool) -> Click {
    Click { x, y, wanted }
}

/// Intersection over union of a mask and a disk.
fn overlap(selected: &Selected, centre: (f64, f64), radius: f64) -> f64 {
    let (w, h) = selected.size();
    let (mut both, mut either) = (0, 0);
    for y in 0..h {
        for (x, v) in selected.row(y).iter().enumerate().take(w as usize) {
            let (dx, dy) = (x as f64 - centre.0, f64::from(y) - centre.1);
            let inside = dx * dx + dy * dy <= radius * radius;
            both += u32::from(inside && *v > 0);
            either += u32::from(inside || *v > 0);
        }
    }
    f64::from(both) / f64::from(either.max(1))
}

#[test]
fn a_distinct_object_on_plain_ground_is_selected_without_a_model() {
    for (w, h, scale) in [(320u32, 200u32, 1.0), (1900, 1300, 5.0)] {
        let (centre, radius) = ((120.0 * scale, 90.0 * scale), 45.0 * scale);
        let pixels = disk(w, h, centre, radius, [200, 90, 60]);
        let view = ImageView::new(&pixels, w, h, w as usize * 3, RGB).unwrap();
        let selector = selector(2, None);
        let seen = selector
            .picture(&view, &mut Silent, &Cancel::new())
            .unwrap();
        let around = Area {
            x0: 60.0 * scale,
            y0: 30.0 * scale,
            x1: 180.0 * scale,
            y1: 150.0 * scale,
        };
        let on = click(centre.0 + 10.0, centre.1, true);
        let off = click(10.0, 10.0, false);
        let cases = [
            (vec![on], None),
            (vec![on, off], None),
            (vec![], Some(around)),
            (vec![on, off], Some(around)),
        ];
        for (clicks, area) in cases {
            let made = seen.select(&clicks, area, Some(0)).unwrap();
            let found = overlap(&made, centre, radius);
            assert!(
                found > 0.93,
                "{w} {clicks:?} {area:?}: {found} {:?}",
                made.report
            );
            assert_eq!(made.report.way, "plain");
            assert!(
                made.report
                    .notes
                    .iter()
                    .any(|n| n.contains("mend models fetch mobile-sam"))
            );
        }
    }
}

#[test]
fn an_object_that_leaves_the_picture_and_the_ground_itself_are_selected() {
    let (w, h) = (300u32, 200u32);
    let pixels = disk(w, h, (150.0, 200.0), 70.0, [190, 190, 80]);
    let view = ImageView::new(&pixels, w, h, w as usize * 3, RGB).unwrap();
    let selector = selector(1, None);
    let seen = selector
        .picture(&view, &mut Silent, &Cancel::new())
        .unwrap();
    let made = seen
        .select(&[click(150.0, 190.0, true)], None, Some(0))
        .unwrap();
    assert!(overlap(&made, (150.0, 200.0), 70.0) > 0.92);
    let ground = seen
        .select(&[click(20.0, 20.0, true)], None, Some(0))
        .unwrap();
    let all = u64::from(w) * u64::from(h);
    assert!(ground.report.pixels.abs_diff(all - made.report.pixels) < all / 50);
}

#[test]
fn masks_grow_by_what_is_asked_for_or_by_a_little() {
    let (w, h) = (320u32, 200u32);
    let pixels = disk(w, h, (120.0, 90.0), 45.0, [200, 90, 60]);
    let view = ImageView::new(&pixels, w, h, w as usize * 3, RGB).unwrap();
    let seen = selector(1, None)
        .picture(&view, &mut Silent, &Cancel::new())
        .unwrap();
    let on = [click(120.0, 90.0, true)];
    let grown = |grow| seen.select(&on, None, grow).unwrap();
    let (none, some, own) = (grown(Some(0)), grown(Some(9)), grown(None));
    assert_eq!(
        (none.report.grow, some.report.grow, own.report.grow),
        (0, 9, 2)
    );
    let plain = overlap(&none, (120.0, 90.0), 45.0);
    assert!(overlap(&some, (120.0, 90.0), 54.0) > plain - 0.02);
    // The rectangle is that of the pixels.
    let rect = some.report.rect;
    for y in 0..h {
        for (x, v) in some.row(y).iter().enumerate() {
            let x = x as u32;
            let inside =
                (rect.x..rect.right()).contains(&x) && (rect.y..rect.bottom()).contains(&y);
            assert!(inside || *v == 0);
        }
    }
    assert!(none.report.pixels < own.report.pixels && own.report.pixels < some.report.pixels);
    // Up to the picture's edge and no further.
    let all = grown(Some(field::MOST));
    assert_eq!(all.report.pixels, u64::from(w * h));
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let pixels = disk(64, 48, (30.0, 20.0), 10.0, [200, 90, 60]);
    let view = ImageView::new(&pixels, 64, 48, 192, RGB).unwrap();
    let seen = selector(1, None)
        .picture(&view, &mut Silent, &Cancel::new())
        .unwrap();
    let area = |x0, y0, x1, y1| Some(Area { x0, y0, x1, y1 });
    let many = vec![click(1.0, 1.0, true); MOST_CLICKS + 1];
    type Case<'a> = (&'a [Click], Option<Area>, Option<u32>, &'a str);
    let cases: [Case; 8] = [
        (&[], None, None, "a point on it, or a box"),
        (
            &[click(1.0, 1.0, false)],
            None,
            None,
            "a point on it, or a box",
        ),
        (
            &[click(64.0, 1.0, true)],
            None,
            None,
            "columns go from 0 to 63",
        ),
        (
            &[click(1.0, f64::NAN, true)],
            None,
            None,
            "rows from 0 to 47",
        ),
        (
            &[],
            area(0.0, 0.0, 70.0, 3.0),
            None,
            "is not in the picture",
        ),
        (&[], area(9.0, 0.0, 3.0, 3.0), None, "turned about"),
        (&[click(1.0, 1.0, true)], None, Some(5000), "at most 4096"),
        (&many, None, None, "at most 1024"),
    ];
    for (clicks, area, grow, said) in cases {
        let e = seen.select(clicks, area, grow).err().unwrap();
        assert_eq!(e.kind(), ErrorKind::Argument);
        assert!(e.message().contains(said), "{e}");
    }
    // A destination that does not fit stays as it was.
    let made = seen.select(&[click(30.0, 20.0, true)], None, None).unwrap();
    let mut small = vec![7u8; 63 * 48];
    let mut dst = ImageViewMut::new(&mut small, 63, 48, 63, GRAY).unwrap();
    assert_eq!(made.write(&mut dst).err().unwrap().kind(), ErrorKind::Mask);
    assert!(small.iter().all(|v| *v == 7));
}

/// The tiny network of the goldens, in a models folder.
fn folder(name: &str) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mobile_sam.safetensors");
    let folder = std::env::temp_dir().join(format!("mend-select-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(golden, folder.join("some sam.safetensors")).unwrap();
    folder
}

#[test]
fn the_network_is_found_and_selects_the_same_on_any_number_of_threads() {
    let folder = folder("threads");
    let (w, h) = (300u32, 200u32);
    let pixels = disk(w, h, (120.0, 90.0), 45.0, [200, 90, 60]);
    let view = ImageView::new(&pixels, w, h, w as usize * 3, RGB).unwrap();
    let on = [click(120.0, 90.0, true), click(20.0, 90.0, false)];
    let area = Area {
        x0: 60.0,
        y0: 30.0,
        x1: 180.0,
        y1: 150.0,
    };
    let all = |threads: usize| {
        let selector = selector(threads, Some(folder.clone()));
        let seen = selector
            .picture(&view, &mut Silent, &Cancel::new())
            .unwrap();
        // The network may go meanwhile.
        drop(selector);
        [(&on[..1], None), (&on[..], None), (&on[..0], Some(area))].map(|(clicks, area)| {
            let made = seen.select(clicks, area, None).unwrap();
            assert_eq!(made.report.way, "mobile-sam");
            assert!(made.report.quality.is_some());
            (
                made.report.pixels,
                made.report.rect,
                (0..h).map(|y| made.row(y)).collect::<Vec<_>>(),
            )
        })
    };
    let one = all(1);
    assert_eq!(one, all(2));
    assert!(one.iter().any(|(pixels, ..)| *pixels > 0));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn too_little_memory_and_a_cancel_are_heeded_and_a_model_that_is_none_is_told() {
    let folder = folder("little");
    let pixels = disk(64, 48, (30.0, 20.0), 10.0, [200, 90, 60]);
    let view = ImageView::new(&pixels, 64, 48, 192, RGB).unwrap();
    let mut options = Options {
        models: Some(folder.clone()),
        ..Options::default()
    };
    options.max_memory = Some(50 << 20);
    let little = Selector::new(options.clone());
    let seen = little.picture(&view, &mut Silent, &Cancel::new()).unwrap();
    let made = seen.select(&[click(30.0, 20.0, true)], None, None).unwrap();
    assert_eq!(made.report.way, "plain");
    assert!(
        made.report.notes[0].contains("max-memory"),
        "{:?}",
        made.report.notes
    );
    options.max_memory = None;
    let cancel = Cancel::new();
    cancel.cancel();
    let selector = Selector::new(options.clone());
    let e = selector.picture(&view, &mut Silent, &cancel).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Cancelled);
    let e = selector
        .picture(&view, &mut |_: &Step| false, &Cancel::new())
        .err()
        .unwrap();
    assert_eq!(e.kind(), ErrorKind::Cancelled);
    let named = |model: &str| Selector::with_model(options.clone(), model.into());
    let e = named("nothing there").picture(&view, &mut Silent, &Cancel::new());
    assert_eq!(e.err().unwrap().kind(), ErrorKind::Model);
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lama.safetensors");
    let e =
        Selector::with_model(options.clone(), other).picture(&view, &mut Silent, &Cancel::new());
    let e = e.err().unwrap();
    assert!(e.message().contains("MobileSAM"), "{e}");
    std::fs::remove_dir_all(&folder).unwrap();
}
