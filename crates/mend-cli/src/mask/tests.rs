//! Masks from pixels: what each kind selects, to the value.
#![forbid(unsafe_code)]

use super::*;
use crate::files::Kind;
use mend::Cancel;
use std::path::Path;

fn picture(layout: Layout, depth: Depth, data: Vec<u8>) -> Picture {
    let format = PixelFormat::new(layout, depth);
    let width = data.len() / format.bytes();
    Picture::new(Kind::Png, width as u32, 1, format, data)
}

/// The mask that `picture` makes.
fn read(picture: &Picture, how: How) -> Mask {
    let cancel = Cancel::new();
    let source = Source {
        path: Path::new("m.png"),
        at: None,
        cancel: &cancel,
        max_bytes: 1 << 20,
    };
    by_what_is_there(&source, how, &mut |way, survey| {
        of_picture(picture, way, survey).map(Some)
    })
    .unwrap()
    .unwrap()
}

fn of(layout: Layout, data: &[u8]) -> Mask {
    read(&picture(layout, Depth::U8, data.to_vec()), How::default())
}

const INVERTED: How = How {
    invert: true,
    threshold: None,
};

fn u16s(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_ne_bytes()).collect()
}

#[test]
fn gray_is_its_own_value_in_every_layout_and_its_complement_inverted() {
    let all: Vec<u8> = (0..=255).collect();
    let complement: Vec<u8> = (0..=255).rev().collect();
    for (layout, spread) in [
        (Layout::Gray, 1),
        (Layout::Rgb, 3),
        (Layout::GrayA, 1),
        (Layout::Rgba, 3),
    ] {
        let alpha = layout.has_alpha();
        let data: Vec<u8> = all
            .iter()
            .flat_map(|v| {
                let mut pixel = vec![*v; spread];
                pixel.extend(alpha.then_some(255));
                pixel
            })
            .collect();
        let mut p = picture(layout, Depth::U8, data);
        for premultiplied in [false, true] {
            p.format.premultiplied = premultiplied && alpha;
            assert_eq!(read(&p, How::default()).data, all, "{layout:?}");
            assert_eq!(read(&p, INVERTED).data, complement, "{layout:?}");
        }
    }
}

#[test]
fn white_inverted_is_nothing_at_every_depth() {
    for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba] {
        let n = layout.channels();
        let black = |one: &[u8], zero: &[u8]| {
            let mut p = [one.repeat(n), zero.repeat(n)].concat();
            if layout.has_alpha() {
                let at = p.len() - one.len();
                p[at..].copy_from_slice(one);
            }
            p
        };
        for (depth, one, zero) in [
            (Depth::U8, vec![255], vec![0]),
            (Depth::U16, vec![255; 2], vec![0; 2]),
            (
                Depth::F16,
                half::f16::ONE.to_ne_bytes().to_vec(),
                vec![0; 2],
            ),
            (Depth::F32, 1f32.to_ne_bytes().to_vec(), vec![0; 4]),
        ] {
            let mask = read(&picture(layout, depth, black(&one, &zero)), INVERTED);
            let half = mask.data.len() / 2;
            assert!(
                mask.data[..half].iter().all(|b| *b == 0),
                "{layout:?} {depth:?}"
            );
            assert!(mask.data[half..].iter().any(|b| *b != 0));
            assert!(mask.notes.is_empty(), "{:?}", mask.notes);
        }
    }
}

#[test]
fn a_stencil_selects_by_its_opacity_and_a_picture_by_its_light() {
    // Black strokes on nothing.
    let black = of(Layout::GrayA, &[0, 0, 0, 255, 0, 128]);
    assert_eq!(black.data, [0, 255, 128]);
    // White on opaque black, with one clear pixel.
    assert_eq!(
        of(Layout::GrayA, &[0, 255, 255, 255, 9, 0]).data,
        [0, 255, 0]
    );
    // All opaque and all white: everything is selected.
    assert_eq!(of(Layout::GrayA, &[255, 255, 255, 255]).data, [255, 255]);
    // Two colours on nothing, one of them dark.
    let two = [0, 0, 0, 0, 255, 0, 255, 255, 0, 0, 40, 255, 90, 0, 0, 128];
    assert_eq!(of(Layout::Rgba, &two).data, [0, 255, 255, 128]);
    let inverted = read(&picture(Layout::Rgba, Depth::U8, two.to_vec()), INVERTED);
    assert_eq!(inverted.data, [255, 0, 0, 127]);
    // Premultiplied: the soft edge of a white stroke is white.
    let mut soft = picture(Layout::GrayA, Depth::U8, vec![0, 0, 255, 255, 64, 64]);
    soft.format.premultiplied = true;
    assert_eq!(read(&soft, How::default()).data, [0, 255, 64]);
}

#[test]
fn faint_masks_are_taken_as_meant_and_told() {
    for (depth, data, want) in [
        (Depth::U8, vec![0, 1, 1, 0], vec![0, 255, 255, 0]),
        (Depth::U8, vec![0, 9, 0, 0], vec![0, 255, 0, 0]),
        // Labels; labels that begin at 1; a background that is not quite black.
        (Depth::U8, vec![0, 1, 2, 3], vec![0, 255, 255, 255]),
        (Depth::U8, vec![1, 2, 1, 1], vec![0, 255, 0, 0]),
        (Depth::U8, vec![1, 255, 1, 2], vec![0, 255, 0, 0]),
        (
            Depth::U16,
            u16s(&[0, 255, 0, 255]),
            u16s(&[0, 0xffff, 0, 0xffff]),
        ),
        (Depth::U16, u16s(&[0, 1, 0, 0]), u16s(&[0, 0xffff, 0, 0])),
        (Depth::U16, u16s(&[0, 4095, 0, 0]), u16s(&[0, 0xffff, 0, 0])),
    ] {
        let mask = read(&picture(Layout::Gray, depth, data.clone()), How::default());
        assert_eq!(mask.data, want, "{data:?}");
        assert_eq!(mask.notes.len(), 1, "{data:?}");
        assert!(mask.notes[0].contains("m.png"), "{:?}", mask.notes);
    }
    // Inverted, what is faintly marked is left alone; so is what is not quite white.
    for (data, want) in [
        (vec![0, 1, 1, 0], vec![255, 0, 0, 255]),
        (vec![254, 0, 254, 128], vec![0, 255, 0, 127]),
    ] {
        let mask = read(&picture(Layout::Gray, Depth::U8, data.clone()), INVERTED);
        assert_eq!(mask.data, want, "{data:?}");
        assert_eq!(mask.notes.len(), 1, "{data:?}");
    }
    // Eight bits of softness in sixteen stay soft.
    let ramp: Vec<u16> = (0..=255).collect();
    let mask = read(
        &picture(Layout::Gray, Depth::U16, u16s(&ramp)),
        How::default(),
    );
    let want: Vec<u16> = (0..=255).map(|v| v * 257).collect();
    assert_eq!(mask.data, u16s(&want));
}

#[test]
fn soft_masks_keep_their_values_and_doubt_is_told() {
    let half = of(Layout::Gray, &[0, 64, 128, 0]);
    assert_eq!(half.data, [0, 64, 128, 0]);
    assert!(half.notes[0].contains("128 of 255"), "{:?}", half.notes);
    assert!(half.notes[0].contains("--mask-threshold"));
    // One strong pixel hides that the others are labels.
    let few = of(Layout::Gray, &[0, 1, 1, 1, 255]);
    assert_eq!(few.data, [0, 1, 1, 1, 255]);
    assert!(
        few.notes[0].contains("3 of the 4 pixels"),
        "{:?}",
        few.notes
    );
    let good = of(Layout::Gray, &[0, 30, 128, 255, 255]);
    assert_eq!(
        (good.data, good.notes),
        (vec![0, 30, 128, 255, 255], vec![])
    );
}

#[test]
fn colours_on_black_are_full_and_on_white_when_inverted() {
    for colour in [[255, 0, 0], [0, 0, 255], [128, 0, 0], [0, 200, 90]] {
        let data = [[0; 3], colour, colour, [0; 3]].concat();
        assert_eq!(of(Layout::Rgb, &data).data, [0, 255, 255, 0], "{colour:?}");
        let inverted = read(&picture(Layout::Rgb, Depth::U8, data), INVERTED);
        assert_eq!(inverted.data, [255, 0, 0, 255], "{colour:?}");
        let white = [[255; 3], colour, [255; 3]].concat();
        let inverted = read(&picture(Layout::Rgb, Depth::U8, white), INVERTED);
        assert_eq!(inverted.data, [0, 255, 0], "{colour:?}");
    }
    // Labels of several colours, with a gray border.
    let labels = [0, 0, 0, 128, 0, 0, 0, 64, 0, 224, 224, 192];
    assert_eq!(of(Layout::Rgb, &labels).data, [0, 255, 255, 255]);
    // A soft edge stays one.
    let soft: Vec<u8> = (0..=255u8).flat_map(|v| [v, 0, 0]).collect();
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(of(Layout::Rgb, &soft).data, all);
}

#[test]
fn a_threshold_makes_it_hard() {
    let how = How {
        invert: false,
        threshold: Some(0.5),
    };
    let mask = read(
        &picture(Layout::Gray, Depth::U8, vec![0, 127, 128, 255]),
        how,
    );
    assert_eq!((mask.data, mask.notes), (vec![0, 0, 255, 255], vec![]));
    let mut lossy = picture(Layout::Gray, Depth::U8, vec![0, 3, 9, 255]);
    lossy.lossy = true;
    let how = How {
        threshold: Some(0.01),
        ..how
    };
    assert_eq!(read(&lossy, how).data, [0, 255, 255, 255]);
}

#[test]
fn ringing_is_no_selection() {
    let mut rings = picture(Layout::Gray, Depth::U8, vec![3, 31, 128, 250]);
    rings.lossy = true;
    assert_eq!(read(&rings, How::default()).data, [0, 0, 128, 255]);
}

#[test]
fn what_covers_everything_says_why() {
    let advice = |layout, data: &[u8]| of(layout, data).advice;
    assert!(
        advice(Layout::Gray, &[80, 255, 80])
            .unwrap()
            .contains("80 of 255")
    );
    assert!(
        advice(Layout::Rgb, &[255, 0, 0, 255, 255, 255])
            .unwrap()
            .contains("--invert-mask")
    );
    assert_eq!(advice(Layout::Gray, &[0, 255]), None);
}
