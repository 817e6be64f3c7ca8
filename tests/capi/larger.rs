//! Pictures that grow, as only C can ask for them: NULLs, sizes, overlaps, variations.

use crate::c::{Handle, image, image_mut, inpainter, outcome, request, taken};
use crate::picture::{Picture, RGB8};
use mend::capi::*;
use std::ptr::{null, null_mut};

const SIZE: (u32, u32) = (32, 24);

fn expanding(value: &std::ffi::CStr) -> Handle<mend_request> {
    let made = request();
    // SAFETY: live, and strings that end in NUL.
    let set = unsafe { mend_request_set(made.0, c"expand".as_ptr(), value.as_ptr(), null_mut()) };
    assert_eq!(set, MEND_OK);
    made
}

#[test]
fn the_size_is_told_before_and_no_null_is_written() {
    let (plain, wider) = (request(), expanding(c"10%,6"));
    let of = |request: *const mend_request, width, height, lacks: Option<usize>| {
        let mut n = [7u32; 4];
        let mut to = [null_mut(); 4];
        for (to, n) in to.iter_mut().zip(&mut n) {
            *to = std::ptr::from_mut(n);
        }
        if let Some(i) = lacks {
            to[i] = null_mut();
        }
        let mut err = null_mut();
        // SAFETY: a live request or null, numbers to write or null.
        let status = unsafe {
            mend_expanded_size(request, width, height, to[0], to[1], to[2], to[3], &mut err)
        };
        (outcome(status, err), n)
    };
    assert_eq!(of(plain.0, 30, 20, None), (Ok(()), [30, 20, 0, 0]));
    assert_eq!(of(wider.0, 30, 20, None), (Ok(()), [36, 32, 3, 6]));
    for i in 0..4 {
        let (failed, n) = of(wider.0, 30, 20, Some(i));
        let failed = failed.expect_err("a NULL");
        assert_eq!((failed.status, n), (MEND_ERR_NULL, [7; 4]));
        let name = ["new_width", "new_height", "x", "y"][i];
        assert!(failed.message.contains(name), "{}", failed.message);
    }
    assert_eq!(
        of(null(), 30, 20, None).0.expect_err("no request").status,
        MEND_ERR_NULL
    );
    for (width, height) in [(0, 20), (30, 0), (u32::MAX, 20), (30, (1 << 20) + 1)] {
        let (failed, n) = of(wider.0, width, height, None);
        assert_eq!(
            (failed.expect_err("a size").status, n),
            (MEND_ERR_ARGUMENT, [7; 4])
        );
    }
    let huge = expanding(c"65536");
    let (failed, n) = of(huge.0, 30, 20, None);
    assert_eq!(
        (failed.expect_err("too large").status, n),
        (MEND_ERR_PARAMETER, [7; 4])
    );
}

#[test]
fn a_destination_has_the_new_size_and_lies_apart() {
    let (inp, plain, wider) = (inpainter(), request(), expanding(c"4"));
    let mut memory = Picture::textured((40, 64), RGB8, 0);
    let before = memory.clone();
    let all = image_mut(&mut memory);
    let large = mend_image { height: 32, ..all };
    let small = mend_image {
        width: 32,
        height: 24,
        ..all
    };
    // SAFETY: within the picture's memory.
    let far = mend_image {
        data: unsafe { all.data.byte_add(32 * all.stride) },
        length: all.length - 32 * all.stride,
        ..small
    };
    let none: *const mend_image = null();
    let fill = |request: &Handle<mend_request>, src: &mend_image, mask, dst: &mend_image| {
        let mut err = null_mut();
        // SAFETY: live handles, images in live memory or null.
        let status = unsafe {
            mend_inpaint(
                inp.0,
                request.0,
                src,
                mask,
                dst,
                None,
                null_mut(),
                null(),
                null_mut(),
                &mut err,
            )
        };
        outcome(status, err)
    };
    for (request, src, dst, status, said) in [
        (&wider, &far, &small, MEND_ERR_IMAGE, "40×32"),
        (&wider, &small, &small, MEND_ERR_IMAGE, "mend_expanded_size"),
        (&wider, &small, &large, MEND_ERR_IMAGE, "overlaps 'src'"),
        (&plain, &far, &large, MEND_ERR_NULL, "mask"),
    ] {
        let failed = fill(request, src, none, dst).expect_err(said);
        assert_eq!(failed.status, status, "{}", failed.message);
        assert!(failed.message.contains(said), "{}", failed.message);
    }
    let narrow = Picture::mask((31, 24), mend::pixels::Depth::U8, 0, 3..9, 3..9);
    let failed = fill(&wider, &far, &image(&narrow), &large).expect_err("another size");
    assert_eq!(failed.status, MEND_ERR_MASK);
    let mut json = null_mut();
    // SAFETY: live handles; no image and no mask.
    let status = unsafe { mend_plan(inp.0, wider.0, none, none, &mut json, null_mut()) };
    assert_eq!((status, json.is_null()), (MEND_ERR_NULL, true));
    // SAFETY: live handles and an image in live memory.
    let status = unsafe { mend_plan(inp.0, wider.0, &far, none, &mut json, null_mut()) };
    assert_eq!(status, MEND_OK);
    assert_eq!(taken(json)["canvas"]["width"], 40);
    assert_eq!(memory, before, "a failure wrote");

    let all = image_mut(&mut memory);
    let (large, far) = (
        mend_image {
            data: all.data,
            ..large
        },
        far,
    );
    fill(&wider, &far, none, &large).expect("a larger picture");
    for y in 0..24 {
        for x in 0..32 {
            assert_eq!(
                memory.pixel(x + 4, y + 4),
                before.pixel(x, y + 32),
                "{x},{y}"
            );
        }
    }
}

#[test]
fn variations_are_taken_into_a_larger_picture() {
    let (inp, wider) = (inpainter(), expanding(c"right=8"));
    let original = Picture::textured(SIZE, RGB8, 2);
    let src = image(&original);
    let (mut out, mut err) = (null_mut(), null_mut());
    // SAFETY: everything passed is live.
    let status = unsafe {
        let set = mend_request_set(wider.0, c"variations".as_ptr(), c"2".as_ptr(), null_mut());
        assert_eq!(set, MEND_OK);
        mend_inpaint_variations(
            inp.0,
            wider.0,
            &src,
            null(),
            None,
            null_mut(),
            null(),
            &mut out,
            null_mut(),
            &mut err,
        )
    };
    outcome(status, err).expect("variations");
    let made = Handle(out, mend_variations_free);
    let take = |number, src: &mend_image, dst: &mend_image| {
        let mut err = null_mut();
        // SAFETY: the images and the variations are live.
        let status = unsafe { mend_variations_take(made.0, number, src, dst, &mut err) };
        outcome(status, err)
    };
    let mut same = original.clone();
    let failed = take(0, &src, &image_mut(&mut same)).expect_err("too small");
    assert!(failed.message.contains("40×24"), "{}", failed.message);
    let mut all = Vec::new();
    for number in 0..2 {
        let mut larger = Picture::new((40, 24), RGB8, 3, |_, _, _| 0.2);
        let dst = image_mut(&mut larger);
        let failed = take(number, &dst, &dst).expect_err("no source");
        assert_eq!(failed.status, MEND_ERR_IMAGE);
        take(number, &src, &dst).expect("one of two");
        for (x, y) in (0..24).flat_map(|y| (0..32).map(move |x| (x, y))) {
            assert_eq!(larger.pixel(x, y), original.pixel(x, y), "{x},{y}");
        }
        all.push(larger);
    }
    assert_ne!(all[0], all[1]);
}
