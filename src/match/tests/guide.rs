//! Lines painted over picture and hole go on through the hole.
#![forbid(unsafe_code)]

use super::{fill_along, plane};
use crate::r#match::complete::{coarse, pyramid};
use crate::r#match::guide::{Course, courses};
use crate::r#match::random::Random;
use crate::pixels::{Plane, RgbImage};
use crate::progress::Cancel;

const SIDE: usize = 200;
/// The arc's middle and radius: it runs from left to right, up and down again.
const MIDDLE: [f32; 2] = [100.0, 170.0];
const RADIUS: f32 = 90.0;

fn from(at: [f32; 2], x: f32, y: f32) -> f32 {
    ((x - at[0]) * (x - at[0]) + (y - at[1]) * (y - at[1])).sqrt()
}

/// A picture of `colour(x, y)` with grain.
fn grainy(colour: impl Fn(f32, f32) -> [f32; 3]) -> RgbImage {
    let mut image = RgbImage::black(SIDE, SIDE, "a test").unwrap();
    let mut random = Random::new(5, 4);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let grain = (random.below(1000) as f32 - 500.0) * 1e-4;
            let value = colour(x as f32 + 0.5, y as f32 + 0.5).map(|v| v + grain);
            image.row_mut(y)[x * 3..x * 3 + 3].copy_from_slice(&value);
        }
    }
    image
}

/// Two textures on either side of an arc: sky above, stripes below.
fn arc() -> RgbImage {
    grainy(|x, y| {
        let below = (RADIUS - from(MIDDLE, x, y) + 0.5).clamp(0.0, 1.0);
        let stripes = if ((x as usize + y as usize) / 4).is_multiple_of(2) {
            0.05
        } else {
            -0.05
        };
        let (sky, earth) = ([0.55, 0.65, 0.85], [0.5, 0.3 + stripes, 0.15]);
        [0, 1, 2].map(|c| sky[c] + (earth[c] - sky[c]) * below)
    })
}

fn disc(at: [f32; 2], radius: f32) -> Plane<u8> {
    plane(SIDE, SIDE, |x, y| {
        from(at, x as f32 + 0.5, y as f32 + 0.5) < radius
    })
}

/// A stroke `width` wide along the arc, `off` outside it, between two columns.
fn along_arc(off: f32, width: f32, columns: std::ops::Range<usize>) -> Plane<u8> {
    plane(SIDE, SIDE, |x, y| {
        let out = from(MIDDLE, x as f32 + 0.5, y as f32 + 0.5) - RADIUS - off;
        columns.contains(&x) && y < 170 && out.abs() < 0.5 * width
    })
}

/// How far the fill's border lies from the arc, at most and on average, between these columns; and the greatest
/// difference of a mean colour from what belongs there, right beside the border.
fn strays(filled: &RgbImage, columns: std::ops::Range<usize>) -> (f32, f32, f32) {
    let (mut most, mut sum, mut colour) = (0.0f32, 0.0f32, 0.0f32);
    let n = columns.len() as f32;
    let mut means = [[0.0f32; 3]; 2];
    for x in columns {
        let at = |y: usize| &filled.row(y)[x * 3..x * 3 + 3];
        let dx = x as f32 + 0.5 - MIDDLE[0];
        let wanted = MIDDLE[1] - (RADIUS * RADIUS - dx * dx).sqrt();
        // The border is where what is above and what is below fit best.
        let blue = |y: usize| at(y)[2] > 0.5;
        let wrong = |border: usize| {
            let above = (wanted as usize - 20..border).filter(|y| !blue(*y)).count();
            above + (border..wanted as usize + 20).filter(|y| blue(*y)).count()
        };
        let border = (wanted as usize - 20..wanted as usize + 20).min_by_key(|b| wrong(*b));
        let off = (border.unwrap() as f32 - wanted).abs()
            * RADIUS.recip()
            * -(dx * dx - RADIUS * RADIUS).abs().sqrt();
        most = most.max(off.abs());
        sum += off.abs();
        for (mean, dy) in means.iter_mut().zip([-6.0, 6.0]) {
            let p = at((wanted + dy) as usize);
            *mean = [0, 1, 2].map(|c| mean[c] + p[c] / n);
        }
    }
    for (mean, wanted) in means.iter().zip([[0.55, 0.65, 0.85], [0.5, 0.3, 0.15]]) {
        for c in 0..3 {
            colour = colour.max((mean[c] - wanted[c]).abs());
        }
    }
    (most, sum / n, colour)
}

fn painted(guide: &Plane<u8>, image: &RgbImage, hole: &Plane<u8>) -> Vec<Course> {
    courses(guide, image, hole, &Cancel::new()).unwrap()
}

#[test]
fn a_border_follows_a_rough_stroke_round_a_bend() {
    let truth = arc();
    let hole = disc([100.0, 85.0], 42.0);
    let columns = 60..140;
    let free = strays(&fill_along(&truth, &hole, None, 0, 2), columns.clone());
    assert!(free.0 > 4.0, "this needs no guide: {free:?}");
    for (name, guide) in [
        ("outside", along_arc(3.0, 7.0, 30..170)),
        ("inside", along_arc(-3.0, 7.0, 30..170)),
        ("thin", along_arc(2.0, 1.5, 40..160)),
        ("broad", along_arc(-2.0, 20.0, 30..170)),
        ("short", along_arc(0.0, 7.0, 59..141)),
        ("short and outside", along_arc(3.0, 7.0, 59..141)),
        ("short and inside", along_arc(-3.0, 7.0, 59..141)),
    ] {
        let (most, mean, colour) = strays(
            &fill_along(&truth, &hole, Some(&guide), 0, 2),
            columns.clone(),
        );
        assert!(
            most < 2.2 && mean < 1.0 && colour < 0.06,
            "{name}: {most} {mean} {colour}, and {free:?} without"
        );
    }
}

#[test]
fn strokes_of_any_pen_are_traced_and_moved_to_the_edge() {
    let truth = arc();
    let hole = disc([100.0, 85.0], 42.0);
    for (off, width) in [
        (0.0, 1.5),
        (3.0, 3.0),
        (-4.0, 7.0),
        (2.0, 15.0),
        (-3.0, 30.0),
    ] {
        let guide = along_arc(off, width, 25..175);
        let found = painted(&guide, &truth, &hole);
        assert_eq!(found.len(), 1, "{off} {width}");
        let course = &found[0];
        assert_eq!(course.stops, [false; 2]);
        let off_at = |p: &[f32; 2]| (from(MIDDLE, p[0], p[1]) - RADIUS).abs();
        let inner = course
            .points
            .iter()
            .filter(|p| (50.0..150.0).contains(&p[0]));
        let worst = inner.map(off_at).fold(0.0, f32::max);
        assert!(worst < 1.3, "{off} {width}: {worst}");
        let steps = course.points.windows(2);
        let mut steps = steps.map(|p| from(p[0], p[1][0], p[1][1]));
        assert!(steps.all(|s| s < 1.01));
    }
}

#[test]
fn what_ends_in_the_hole_ends_there() {
    // A pole that comes into the hole from below.
    let truth = grainy(|x, y| match (x - 100.0).abs() < 2.5 && y > 100.0 {
        true => [0.1; 3],
        false => [0.7, 0.75, 0.8],
    });
    let hole = disc([100.0, 100.0], 40.0);
    for end in [76, 88, 100, 112] {
        // The pen's middle is as far from the stroke's end as the pen is broad.
        let guide = plane(SIDE, SIDE, |x, y| {
            (97..104).contains(&x) && (end - 3..190).contains(&y)
        });
        let found = painted(&guide, &truth, &hole);
        assert_eq!(found.len(), 1);
        assert!(found[0].stops.contains(&true) && found[0].stops.contains(&false));
        let filled = fill_along(&truth, &hole, Some(&guide), 0, 2);
        let dark = |y: &usize| (94..107).any(|x| filled.row(*y)[x * 3] < 0.35);
        let gaps = (end + 5..140).filter(|y| !dark(y)).count();
        assert_eq!(gaps, 0, "the pole is cut below {end}");
        let on: Vec<usize> = (61..end - 4).filter(dark).collect();
        assert!(on.is_empty(), "the pole goes on above {end}: {on:?}");
    }
}

#[test]
fn what_says_nothing_changes_nothing() {
    let truth = arc();
    let hole = disc([100.0, 85.0], 30.0);
    let free = fill_along(&truth, &hole, None, 3, 2);
    let dot = disc([100.0, 85.0], 12.0);
    let specks = plane(SIDE, SIDE, |x, y| x % 16 < 2 && y % 16 < 2);
    let outside = plane(SIDE, SIDE, |_, y| (140..147).contains(&y));
    let inside = plane(SIDE, SIDE, |x, y| {
        (90..110).contains(&x) && (84..87).contains(&y)
    });
    let all = plane(SIDE, SIDE, |_, _| true);
    let none = plane(SIDE, SIDE, |_, _| false);
    for (name, guide) in [
        ("dot", dot),
        ("specks", specks),
        ("outside", outside),
        ("inside", inside),
        ("all", all),
        ("none", none),
    ] {
        assert!(painted(&guide, &truth, &hole).is_empty(), "{name}");
        let filled = fill_along(&truth, &hole, Some(&guide), 3, 2);
        assert!(free.data == filled.data, "{name}");
    }
}

#[test]
fn scribbles_loops_and_crossings_are_taken() {
    let truth = arc();
    let hole = disc([100.0, 85.0], 30.0);
    let ring = plane(SIDE, SIDE, |x, y| {
        (from([100.0, 110.0], x as f32, y as f32) - 32.0).abs() < 3.0
    });
    let cross = plane(SIDE, SIDE, |x, y| {
        (95..104).contains(&x) || (80..89).contains(&y)
    });
    let mut random = Random::new(9, 9);
    let mut noise = plane(SIDE, SIDE, |_, _| false);
    noise.data.fill_with(|| u8::from(random.below(2) == 0));
    let scribble = plane(SIDE, SIDE, |x, y| {
        let (x, y) = (x as f32, y as f32);
        (y - 85.0 - 40.0 * libm::sinf(x * 0.15)).abs() < 9.0
    });
    let grid = plane(SIDE, SIDE, |x, y| x % 9 < 3 || y % 9 < 3);
    let found = |guide: &Plane<u8>| painted(guide, &truth, &hole);
    let loops = found(&ring);
    assert!(loops.len() == 1 && loops[0].closed, "{}", loops.len());
    assert_eq!(found(&cross).len(), 2);
    for (name, guide) in [
        ("ring", ring),
        ("cross", cross),
        ("noise", noise),
        ("scribble", scribble),
        ("grid", grid),
    ] {
        let one = fill_along(&truth, &hole, Some(&guide), 1, 1);
        let sound = |v: &f32| (-0.1..1.1).contains(v);
        assert!(one.data.iter().all(sound), "{name}");
        let three = fill_along(&truth, &hole, Some(&guide), 1, 3);
        assert!(one.data == three.data, "{name}");
    }
}

#[test]
fn crops_of_any_size_take_a_guide() {
    for (w, h) in [(9, 9), (7, 60), (64, 8), (33, 47)] {
        let mut truth = RgbImage::black(w, h, "a test").unwrap();
        for (i, v) in truth.data.iter_mut().enumerate() {
            *v = (i % 13) as f32 / 13.0;
        }
        let hole = plane(w, h, |x, y| x.abs_diff(w / 2) < 3 && y.abs_diff(h / 2) < 3);
        let guide = plane(w, h, |_, y| y.abs_diff(h / 2) < 2);
        let filled = fill_along(&truth, &hole, Some(&guide), 0, 2);
        assert!(filled.data.iter().all(|v| v.is_finite()), "{w}×{h}");
        let source = plane(w, h, |x, y| hole.row(y)[x] == 0);
        let cancel = Cancel::new();
        let levels = pyramid(&truth, &hole, &source, coarse, &cancel).unwrap();
        assert!(levels.len() < 9);
    }
}
