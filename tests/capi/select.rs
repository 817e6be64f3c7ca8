//! Selecting through C: the mask is that of Rust, NULLs and what does not fit change nothing.

use crate::agreement::Failure;
use crate::c::{Handle, image, image_mut, outcome, taken};
use crate::picture::{Picture, RGB8};
use mend::capi::*;
use mend::pixels::{Depth, Layout, PixelFormat};
use mend::progress::Silent;
use mend::select::{Area, Click, Selector};
use mend::{Cancel, Options};
use serde_json::Value as Json;
use std::ptr::{null, null_mut};

const SIZE: (u32, u32) = (48, 36);
const MASK: PixelFormat = PixelFormat::new(Layout::Gray, Depth::U8);

/// A light rectangle on dark ground.
fn picture() -> Picture {
    let mut made = Picture::textured(SIZE, RGB8, 0);
    for y in 0..SIZE.1 {
        for x in 0..SIZE.0 {
            let inside = (12..30).contains(&x) && (8..24).contains(&y);
            made.set_pixel(
                x,
                y,
                if inside {
                    &[220, 180, 90]
                } else {
                    &[40, 50, 60]
                },
            );
        }
    }
    made
}

/// A selector that has no network.
fn selector() -> Handle<mend_selector> {
    let mut out = null_mut();
    // SAFETY: `out` may be written; live, and strings that end in NUL.
    unsafe {
        assert_eq!(mend_selector_new(&mut out, null_mut()), MEND_OK);
        let folder = c"/no/such/folder".as_ptr();
        let set = mend_selector_set(out, c"models".as_ptr(), folder, null_mut());
        assert_eq!(set, MEND_OK);
    }
    Handle(out, mend_selector_free)
}

fn seen(picture: &Picture) -> Handle<mend_seen> {
    let selector = selector();
    let (mut out, mut err) = (null_mut(), null_mut());
    // SAFETY: a live selector and image, pointers to write.
    let status = unsafe {
        mend_selector_picture(
            selector.0,
            &image(picture),
            None,
            null_mut(),
            null(),
            &mut out,
            &mut err,
        )
    };
    outcome(status, err).expect("it is looked at");
    // The selector goes before what it has seen.
    Handle(out, mend_seen_free)
}

fn select(
    seen: *const mend_seen,
    clicks: &[mend_click],
    area: Option<&mend_box>,
    dst: &mut Picture,
) -> Result<Json, Failure> {
    let (mut report, mut err) = (null_mut(), null_mut());
    let area = area.map_or(null(), std::ptr::from_ref);
    // SAFETY: live, or null where C may be so wrong.
    let status = unsafe {
        let (at, count) = (clicks.as_ptr(), clicks.len());
        mend_select(
            seen,
            at,
            count,
            area,
            0,
            &image_mut(dst),
            &mut report,
            &mut err,
        )
    };
    outcome(status, err)?;
    Ok(taken(report))
}

const ON: mend_click = mend_click {
    x: 20.0,
    y: 15.0,
    wanted: 1,
};

#[test]
fn the_mask_is_that_of_rust() {
    let picture = picture();
    let seen = seen(&picture);
    let options = Options {
        models: Some("/no/such/folder".into()),
        ..Options::default()
    };
    let rust = Selector::new(options);
    let rust = rust
        .picture(&picture.view(), &mut Silent, &Cancel::new())
        .expect("it is looked at");
    let around = mend_box {
        x0: 8.0,
        y0: 4.0,
        x1: 34.0,
        y1: 28.0,
    };
    let area = Area {
        x0: 8.0,
        y0: 4.0,
        x1: 34.0,
        y1: 28.0,
    };
    let click = Click {
        x: 20.0,
        y: 15.0,
        wanted: true,
    };
    for (clicks, boxed) in [(1, false), (0, true), (1, true)] {
        let mut dst = Picture::textured(SIZE, MASK, 5);
        let before = dst.clone();
        let report = select(seen.0, &[ON][..clicks], boxed.then_some(&around), &mut dst);
        let report = report.expect("it is selected");
        let made = rust
            .select(&[click][..clicks], boxed.then_some(area), Some(0))
            .expect("it is selected");
        assert_eq!(report["way"], "plain");
        assert_eq!(report["pixels"], made.report.pixels);
        for y in 0..SIZE.1 {
            let row = dst.stride * y as usize;
            let own = SIZE.0 as usize;
            assert_eq!(dst.bytes[row..row + own], made.row(y));
            // What is between the rows stays.
            let end = (row + dst.stride).min(dst.bytes.len());
            assert_eq!(dst.bytes[row + own..end], before.bytes[row + own..end]);
        }
        let inside = dst.bytes[15 * dst.stride + 20];
        assert_eq!((inside, dst.bytes[0]), (255, 0));
    }
}

#[test]
fn what_is_wrong_is_told_and_changes_nothing() {
    let seen = seen(&picture());
    let mut dst = Picture::textured(SIZE, MASK, 0);
    let before = dst.clone();
    let odd = mend_click { wanted: 2, ..ON };
    let out = mend_click { x: 48.0, ..ON };
    let cases: [(&[mend_click], mend_status); 4] = [
        (&[], MEND_ERR_ARGUMENT),
        (&[odd], MEND_ERR_ARGUMENT),
        (&[out], MEND_ERR_ARGUMENT),
        (&[mend_click { wanted: 0, ..ON }], MEND_ERR_ARGUMENT),
    ];
    for (clicks, status) in cases {
        let failed = select(seen.0, clicks, None, &mut dst).expect_err("wrong");
        assert_eq!(failed.status, status, "{}", failed.message);
    }
    let failed = select(null(), &[ON], None, &mut dst).expect_err("nothing seen");
    assert_eq!(failed.status, MEND_ERR_NULL);
    let mut small = Picture::textured((47, 36), MASK, 0);
    let failed = select(seen.0, &[ON], None, &mut small).expect_err("too small");
    assert_eq!(failed.status, MEND_ERR_MASK);
    let mut colour = Picture::textured(SIZE, RGB8, 0);
    let failed = select(seen.0, &[ON], None, &mut colour).expect_err("no mask");
    assert_eq!(failed.status, MEND_ERR_MASK);
    assert_eq!(dst.bytes, before.bytes);
    // SAFETY: a count without clicks is what C may get wrong; the rest is live or may be null.
    let status = unsafe {
        let dst = image_mut(&mut dst);
        mend_select(seen.0, null(), 1, null(), 0, &dst, null_mut(), null_mut())
    };
    assert_eq!(status, MEND_ERR_NULL);
    // SAFETY: a live selector, and no picture.
    let status = unsafe {
        let (selector, mut out) = (selector(), null_mut());
        let none = null_mut();
        mend_selector_picture(selector.0, null(), None, none, null(), &mut out, null_mut())
    };
    assert_eq!(status, MEND_ERR_NULL);
}
