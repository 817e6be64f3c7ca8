//! What C may do wrong, and what only C can do: NULLs, overlaps, odd strings, odd callbacks, threads.

use crate::agreement::Failure;
use crate::c::{Handle, cancel, image, image_mut, inpainter, outcome, request, taken};
use crate::picture::{Picture, RGB8};
use mend::capi::*;
use mend::pixels::{Depth, Layout, PixelFormat};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

const SIZE: (u32, u32) = (32, 24);

fn picture() -> Picture {
    Picture::textured(SIZE, RGB8, 0)
}

fn hole() -> Picture {
    Picture::mask(SIZE, Depth::U8, 0, 10..16, 8..14)
}

/// A fill with nothing but the three images, which must be live.
unsafe fn fill(src: &mend_image, mask: &mend_image, dst: &mend_image) -> Result<(), Failure> {
    let (inpainter, request) = (inpainter(), request());
    let mut err = null_mut();
    // SAFETY: the images are live by this function's contract, the rest is.
    let status = unsafe {
        mend_inpaint(
            inpainter.0,
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
}

/// Two variations, of live images.
unsafe fn variations(src: &mend_image, mask: &mend_image) -> Handle<mend_variations> {
    let (inpainter, request) = (inpainter(), request());
    let (mut out, mut err) = (null_mut(), null_mut());
    // SAFETY: the images are live by this function's contract, the rest is.
    let status = unsafe {
        let two = c"2".as_ptr();
        let set = mend_request_set(request.0, c"variations".as_ptr(), two, null_mut());
        assert_eq!(set, MEND_OK);
        mend_inpaint_variations(
            inpainter.0,
            request.0,
            src,
            mask,
            None,
            null_mut(),
            null(),
            &mut out,
            null_mut(),
            &mut err,
        )
    };
    outcome(status, err).expect("variations");
    Handle(out, mend_variations_free)
}

/// They outlive what they were made with, and nothing is written before all is well.
#[test]
fn variations_are_taken_by_number_into_a_picture_of_their_size() {
    let (mut pixels, mask) = (picture(), hole());
    let before = pixels.clone();
    // SAFETY: the images are live.
    let made = unsafe { variations(&image(&pixels), &image(&mask)) };
    drop(mask);
    let mut other = Picture::textured((SIZE.0 + 1, SIZE.1), RGB8, 0);
    let bgr = PixelFormat::new(Layout::Bgr, Depth::U8);
    let mut bgr = Picture::textured(SIZE, bgr, 0);
    let good = image_mut(&mut pixels);
    let shifted = mend_image {
        // SAFETY: within the picture's memory.
        data: unsafe { good.data.byte_add(3) },
        length: good.length - 3,
        width: SIZE.0 - 1,
        ..good
    };
    let (wider, bgr) = (image_mut(&mut other), image_mut(&mut bgr));
    let take = |number, src: &mend_image, dst: &mend_image| {
        let mut err = null_mut();
        // SAFETY: the images and the variations are live.
        let status = unsafe { mend_variations_take(made.0, number, src, dst, &mut err) };
        outcome(status, err)
    };
    for (number, src, dst, status, said) in [
        (2, &good, &good, MEND_ERR_ARGUMENT, "from 0 to 1"),
        (usize::MAX, &good, &good, MEND_ERR_ARGUMENT, "no variation"),
        (0, &good, &wider, MEND_ERR_IMAGE, "'dst' is 33×24"),
        (0, &wider, &wider, MEND_ERR_IMAGE, "'src': "),
        (0, &bgr, &bgr, MEND_ERR_IMAGE, "format"),
        (0, &good, &bgr, MEND_ERR_IMAGE, "format"),
        (0, &shifted, &good, MEND_ERR_IMAGE, "'dst' is 32×24"),
    ] {
        let failed = take(number, src, dst).expect_err(said);
        assert_eq!(failed.status, status, "{}", failed.message);
        assert!(failed.message.contains(said), "{}", failed.message);
    }
    assert_eq!(pixels, before);
    assert_eq!(other, Picture::textured((SIZE.0 + 1, SIZE.1), RGB8, 0));
    // SAFETY: live variations.
    unsafe {
        assert_eq!(mend_variations_count(made.0), 2);
        assert!(mend_variations_score(made.0, 1) >= mend_variations_score(made.0, 0));
        assert!(mend_variations_score(made.0, 2).is_nan());
    }
    let src = image(&before);
    let mut taken = Vec::new();
    for padding in [0, 7] {
        let mut apart = before.repadded(padding);
        apart.bytes.fill(0xa5);
        take(1, &src, &image_mut(&mut apart)).unwrap();
        apart.assert_fill_of(&before, &hole());
        taken.push(apart.repadded(0));
    }
    // In place, one over the other.
    let good = image_mut(&mut pixels);
    take(0, &good, &good).unwrap();
    assert_ne!(pixels, taken[0]);
    let good = image_mut(&mut pixels);
    take(1, &good, &good).unwrap();
    assert_eq!([&pixels, &pixels], [&taken[0], &taken[1]]);
}

#[test]
fn every_null_is_named_and_nothing_crashes() {
    let (inp, req) = (inpainter(), request());
    let (mut pixels, mask) = (picture(), hole());
    let before = pixels.clone();
    let dst = image_mut(&mut pixels);
    let mask = image(&mask);
    let no_data = mend_image {
        data: null_mut(),
        ..dst
    };
    let (s, n) = (c"seed".as_ptr(), null::<c_char>());
    // What a variable of C may hold that nobody set.
    let dangling = std::ptr::dangling_mut::<c_char>();
    let mut out = dangling;
    type Fill = (
        *const mend_inpainter,
        *const mend_request,
        [*const mend_image; 3],
    );
    // SAFETY: everything that is not null is live.
    unsafe {
        let check = |name: &str, call: &mut dyn FnMut(*mut *mut mend_error) -> mend_status| {
            let mut err = null_mut();
            let failed = outcome(call(&mut err), err).expect_err(name);
            assert_eq!(failed.status, MEND_ERR_NULL, "{}", failed.message);
            assert!(
                failed.message.contains(&format!("'{name}'")),
                "{}",
                failed.message
            );
            // And where the caller does not want the error:
            assert_eq!(call(null_mut()), MEND_ERR_NULL);
        };
        check("out", &mut |e| mend_inpainter_new(null_mut(), e));
        check("out", &mut |e| mend_request_new(null_mut(), e));
        check("out", &mut |e| mend_cancel_new(null_mut(), e));
        check("inpainter", &mut |e| {
            mend_inpainter_set(null_mut(), s, s, e)
        });
        check("inpainter", &mut |e| mend_inpainter_trim(null(), e));
        check("name", &mut |e| mend_inpainter_set(inp.0, n, s, e));
        check("value", &mut |e| mend_inpainter_set(inp.0, s, n, e));
        check("request", &mut |e| mend_request_set(null_mut(), s, s, e));
        check("name", &mut |e| mend_request_set(req.0, n, s, e));
        check("value", &mut |e| mend_request_set(req.0, s, n, e));
        let source = c"source".as_ptr();
        check("request", &mut |e| {
            mend_request_set_mask(null_mut(), source, &mask, e)
        });
        check("name", &mut |e| mend_request_set_mask(req.0, n, &mask, e));
        check("mask", &mut |e| {
            mend_request_set_mask(req.0, source, null(), e)
        });
        check("mask->data", &mut |e| {
            mend_request_set_mask(req.0, source, &no_data, e)
        });
        check("inpainter", &mut |e| mend_describe(null(), &mut out, e));
        assert!(std::mem::replace(&mut out, dangling).is_null());
        check("json", &mut |e| mend_describe(inp.0, null_mut(), e));
        check("inpainter", &mut |e| {
            mend_plan(null(), req.0, &dst, &mask, &mut out, e)
        });
        assert!(std::mem::replace(&mut out, dangling).is_null());
        check("request", &mut |e| {
            mend_plan(inp.0, null(), &dst, &mask, &mut out, e)
        });
        check("mask", &mut |e| {
            mend_plan(inp.0, req.0, &dst, null(), &mut out, e)
        });
        check("image->data", &mut |e| {
            mend_plan(inp.0, req.0, &no_data, &mask, &mut out, e)
        });
        check("json", &mut |e| {
            mend_plan(inp.0, req.0, &dst, &mask, null_mut(), e)
        });
        let fills: [(&str, Fill); 8] = [
            ("inpainter", (null(), req.0, [&dst, &mask, &dst])),
            ("request", (inp.0, null(), [&dst, &mask, &dst])),
            ("src", (inp.0, req.0, [null(), &mask, &dst])),
            ("mask", (inp.0, req.0, [&dst, null(), &dst])),
            ("dst", (inp.0, req.0, [&dst, &mask, null()])),
            ("src->data", (inp.0, req.0, [&no_data, &mask, &dst])),
            ("mask->data", (inp.0, req.0, [&dst, &no_data, &dst])),
            ("dst->data", (inp.0, req.0, [&dst, &mask, &no_data])),
        ];
        for (name, (i, r, [src, mask, to])) in fills {
            out = dangling;
            check(name, &mut |e| {
                let no = null_mut();
                mend_inpaint(i, r, src, mask, to, None, no, null(), &mut out, e)
            });
            assert!(out.is_null(), "{name}");
        }
        let made = variations(&dst, &mask);
        let vary: [(&str, *const mend_inpainter, *const mend_request, [_; 2]); 6] = [
            (
                "inpainter",
                null(),
                req.0,
                [&raw const dst, &raw const mask],
            ),
            ("request", inp.0, null(), [&dst, &mask]),
            ("src", inp.0, req.0, [null(), &mask]),
            ("mask", inp.0, req.0, [&dst, null()]),
            ("src->data", inp.0, req.0, [&no_data, &mask]),
            ("mask->data", inp.0, req.0, [&dst, &no_data]),
        ];
        for (name, i, r, [src, mask]) in vary {
            let mut made = std::ptr::dangling_mut();
            out = dangling;
            check(name, &mut |e| {
                let no = null_mut();
                mend_inpaint_variations(i, r, src, mask, None, no, null(), &mut made, &mut out, e)
            });
            assert!(made.is_null() && out.is_null(), "{name}");
        }
        out = dangling;
        check("out", &mut |e| {
            let no = null_mut();
            let (i, r, to) = (inp.0, req.0, null_mut());
            mend_inpaint_variations(i, r, &dst, &mask, None, no, null(), to, &mut out, e)
        });
        assert!(out.is_null());
        check("variations", &mut |e| {
            mend_variations_take(null(), 0, &dst, &dst, e)
        });
        check("src", &mut |e| {
            mend_variations_take(made.0, 0, null(), &dst, e)
        });
        check("dst", &mut |e| {
            mend_variations_take(made.0, 0, &dst, null(), e)
        });
        assert_eq!(mend_variations_count(null()), 0);
        assert!(mend_variations_score(null(), 0).is_nan());
        mend_variations_free(null_mut());
        assert_eq!(mend_cancel_trigger(null()), MEND_ERR_NULL);
        assert_eq!(mend_cancel_finish(null()), MEND_ERR_NULL);
        assert_eq!(mend_error_status(null()), MEND_ERR_NULL);
        assert!(CStr::from_ptr(mend_error_message(null())).is_empty());
        mend_inpainter_free(null_mut());
        mend_request_free(null_mut());
        mend_cancel_free(null_mut());
        mend_error_free(null_mut());
        mend_string_free(null_mut());
    }
    assert_eq!(pixels, before);
}

#[test]
fn images_that_cannot_be_are_refused_by_name() {
    let (mut pixels, selected) = (picture(), hole());
    let before = pixels.clone();
    let good = image_mut(&mut pixels);
    let mask = image(&selected);
    type Spoil = fn(mend_image) -> mend_image;
    let spoils: [(&str, Spoil); 10] = [
        ("no column", |i| mend_image { width: 0, ..i }),
        ("no row", |i| mend_image { height: 0, ..i }),
        ("too wide", |i| mend_image {
            width: u32::MAX,
            ..i
        }),
        ("too high", |i| mend_image {
            height: u32::MAX,
            ..i
        }),
        ("a short stride", |i| mend_image {
            stride: i.stride - 1,
            ..i
        }),
        ("a stride that overflows", |i| mend_image {
            stride: usize::MAX / 2,
            ..i
        }),
        ("a short length", |i| mend_image {
            length: i.length - 1,
            ..i
        }),
        ("a length beyond memory", |i| mend_image {
            length: usize::MAX,
            ..i
        }),
        ("no format", |i| mend_image { format: 0, ..i }),
        ("an unknown flag", |i| mend_image {
            format: i.format | 0x8000_0000,
            ..i
        }),
    ];
    for (what, spoil) in spoils {
        let (bad, bad_mask) = (spoil(good), spoil(mask));
        // SAFETY: the memory is live; what the structs say beyond it must be refused unread.
        let [src, masked, dst] = unsafe {
            [
                fill(&bad, &mask, &good),
                fill(&good, &bad_mask, &good),
                fill(&good, &mask, &bad),
            ]
        };
        for (name, status, result) in [
            ("src", MEND_ERR_IMAGE, src),
            ("mask", MEND_ERR_MASK, masked),
            ("dst", MEND_ERR_IMAGE, dst),
        ] {
            let failed = result.expect_err(what);
            assert_eq!(failed.status, status, "{what}: {}", failed.message);
            assert!(
                failed.message.contains(&format!("'{name}'")),
                "{what}: {}",
                failed.message
            );
        }
    }
    assert_eq!(pixels, before);
}

#[test]
fn destinations_lie_on_the_source_or_apart() {
    let row = SIZE.0 as usize * 3;
    let bytes = row * SIZE.1 as usize;
    // One stretch of memory for all, so that its parts can lie in each other's way.
    let mut memory = vec![0u8; bytes * 3];
    memory[..bytes].copy_from_slice(&picture().bytes);
    let before = memory.clone();
    let base = memory.as_mut_ptr();
    let at = |offset: usize, stride: usize| mend_image {
        // SAFETY: within `memory`.
        data: unsafe { base.add(offset) }.cast(),
        length: stride * (SIZE.1 as usize - 1) + row,
        stride,
        width: SIZE.0,
        height: SIZE.1,
        format: RGB8.to_bits(),
    };
    let selected = hole();
    let mask = image(&selected);
    let src = at(0, row);
    let mask_in_dst = mend_image {
        data: at(bytes + 5, row).data,
        ..mask
    };
    for (what, mask, dst) in [
        ("a byte on", mask, at(1, row)),
        ("a row on", mask, at(row, row)),
        ("the last byte", mask, at(bytes - 1, row)),
        ("another stride", mask, at(0, row + 2)),
        ("a mask in the destination", mask_in_dst, at(bytes, row)),
        (
            "another width",
            mask,
            mend_image {
                width: SIZE.0 - 1,
                ..at(0, row)
            },
        ),
        (
            "another height",
            mask,
            mend_image {
                height: SIZE.1 - 1,
                ..at(bytes, row)
            },
        ),
        (
            "another layout",
            mask,
            mend_image {
                format: 0x15,
                ..at(0, row)
            },
        ),
        (
            "another flag",
            mask,
            mend_image {
                format: 0x213,
                ..at(bytes, row)
            },
        ),
    ] {
        // SAFETY: all within `memory`, which is live.
        let failed = unsafe { fill(&src, &mask, &dst) }.expect_err(what);
        assert_eq!(failed.status, MEND_ERR_IMAGE, "{what}: {}", failed.message);
        assert!(
            failed.message.contains("'dst'"),
            "{what}: {}",
            failed.message
        );
    }
    // SAFETY: as above.
    unsafe { assert_eq!(std::slice::from_raw_parts(base, before.len()), before) };
    // Right behind the source is apart, and so is memory that the length counts but no row reaches.
    let long = mend_image {
        length: bytes + 7,
        ..src
    };
    // SAFETY: as above.
    unsafe { fill(&long, &mask, &at(bytes, row)) }.expect("apart");
    assert_eq!(memory[..bytes], before[..bytes]);
    assert_eq!(memory[bytes * 2..], before[bytes * 2..]);
    let filled = Picture {
        bytes: memory[bytes..bytes * 2].to_vec(),
        ..picture()
    };
    filled.assert_fill_of(&picture(), &hole());
}

#[test]
fn text_that_is_no_utf8_is_an_argument_error() {
    let (inp, req) = (inpainter(), request());
    let (bad, good) = (c"se\xffed".as_ptr(), c"seed".as_ptr());
    let mask = hole();
    let mask = image(&mask);
    for (name, bad_name) in [("name", true), ("value", false)] {
        let (n, v) = if bad_name { (bad, good) } else { (good, bad) };
        let mut errs = [null_mut(); 2];
        // SAFETY: everything passed is live.
        let statuses = unsafe {
            [
                mend_inpainter_set(inp.0, n, v, &mut errs[0]),
                mend_request_set(req.0, n, v, &mut errs[1]),
            ]
        };
        for (status, err) in statuses.into_iter().zip(errs) {
            let failed = outcome(status, err).expect_err(name);
            assert_eq!(failed.status, MEND_ERR_ARGUMENT);
            assert!(
                failed.message.contains(&format!("'{name}'")),
                "{}",
                failed.message
            );
        }
    }
    let mut err = null_mut();
    // SAFETY: everything passed is live.
    let status = unsafe { mend_request_set_mask(req.0, c"sauce".as_ptr(), &mask, &mut err) };
    let failed = outcome(status, err).expect_err("sauce");
    assert_eq!(failed.status, MEND_ERR_PARAMETER);
    assert!(
        failed.message.contains("did you mean 'source'?"),
        "{}",
        failed.message
    );
}

/// A callback's instructions and what it saw.
struct Watch {
    says: i32,
    calls: u32,
    thread: Option<ThreadId>,
}

unsafe extern "C" fn watch(_: *const mend_progress, user: *mut c_void) -> i32 {
    // SAFETY: what the fill was given.
    let watch = unsafe { &mut *user.cast::<Watch>() };
    watch.calls += 1;
    watch.thread = Some(thread::current().id());
    watch.says
}

#[test]
fn only_exactly_one_goes_on_and_the_callback_stays_on_its_thread() {
    let selected = hole();
    let (inp, req) = (inpainter(), request());
    for says in [1, 0, 2, -1, 256, i32::MIN, i32::MAX] {
        let mut pixels = picture();
        let (dst, mask) = (image_mut(&mut pixels), image(&selected));
        let mut seen = Watch {
            says,
            calls: 0,
            thread: None,
        };
        let mut err = null_mut();
        // SAFETY: everything passed is live.
        let status = unsafe {
            let user = (&raw mut seen).cast();
            let no_report = null_mut();
            mend_inpaint(
                inp.0,
                req.0,
                &dst,
                &mask,
                &dst,
                Some(watch),
                user,
                null(),
                no_report,
                &mut err,
            )
        };
        assert_eq!(seen.thread, Some(thread::current().id()));
        if says == 1 {
            outcome(status, err).expect("a fill");
            pixels.assert_fill_of(&picture(), &selected);
        } else {
            assert_eq!(
                outcome(status, err).expect_err("a cancel").status,
                MEND_ERR_CANCELLED
            );
            assert_eq!(seen.calls, 1);
            assert_eq!(pixels, picture());
        }
    }
}

/// Lets another thread raise the flag while the fill is inside its first callback.
struct Button {
    pressed: AtomicBool,
    running: AtomicBool,
}

unsafe extern "C" fn wait_for_press(_: *const mend_progress, user: *mut c_void) -> i32 {
    // SAFETY: what the fill was given; only its atomics are touched.
    let button = unsafe { &*user.cast::<Button>() };
    button.running.store(true, Ordering::SeqCst);
    while !button.pressed.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    1
}

#[test]
fn another_thread_cancels_and_nothing_changes() {
    struct Shared(*const mend_cancel);
    // SAFETY: the header lets any thread trigger it.
    unsafe impl Sync for Shared {}
    let (inp, req, flag) = (inpainter(), request(), cancel());
    let selected = hole();
    let mut pixels = picture();
    let (dst, mask) = (image_mut(&mut pixels), image(&selected));
    let button = Button {
        pressed: AtomicBool::new(false),
        running: AtomicBool::new(false),
    };
    let shared = Shared(flag.0);
    let mut err = null_mut();
    let status = thread::scope(|scope| {
        scope.spawn(|| {
            while !button.running.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            let shared = &shared;
            // SAFETY: live until the scope ends.
            assert_eq!(unsafe { mend_cancel_trigger(shared.0) }, MEND_OK);
            button.pressed.store(true, Ordering::SeqCst);
        });
        let user = (&raw const button).cast_mut().cast();
        let press = Some(wait_for_press as unsafe extern "C" fn(_, _) -> _);
        let no_report = null_mut();
        // SAFETY: everything passed is live.
        unsafe {
            mend_inpaint(
                inp.0, req.0, &dst, &mask, &dst, press, user, flag.0, no_report, &mut err,
            )
        }
    });
    assert_eq!(
        outcome(status, err).expect_err("a cancel").status,
        MEND_ERR_CANCELLED
    );
    // It stays raised.
    let mut err = null_mut();
    // SAFETY: everything passed is live.
    let status = unsafe {
        let no = null_mut();
        mend_inpaint(
            inp.0,
            req.0,
            &dst,
            &mask,
            &dst,
            None,
            no,
            flag.0,
            null_mut(),
            &mut err,
        )
    };
    assert_eq!(
        outcome(status, err).expect_err("a cancel").status,
        MEND_ERR_CANCELLED
    );
    assert_eq!(pixels, picture());
}

#[test]
fn one_inpainter_serves_several_threads_at_once() {
    struct Shared(Handle<mend_inpainter>, Handle<mend_request>);
    // SAFETY: the header lets any number of threads use const handles at once.
    unsafe impl Sync for Shared {}
    const THREADS: usize = 4;
    let shared = Shared(inpainter(), request());
    let start = Barrier::new(THREADS);
    let selected = hole();
    let results: Vec<Picture> = thread::scope(|scope| {
        let fill = || {
            let shared = &shared;
            let mut last = None;
            start.wait();
            for _ in 0..5 {
                let mut pixels = picture();
                let (dst, mask) = (image_mut(&mut pixels), image(&selected));
                let (mut report, mut err) = (null_mut(), null_mut());
                // SAFETY: everything passed is live, and the destination this thread's own.
                let status = unsafe {
                    let no = null_mut();
                    let (inp, req) = (shared.0.0, shared.1.0);
                    mend_inpaint(
                        inp,
                        req,
                        &dst,
                        &mask,
                        &dst,
                        None,
                        no,
                        null(),
                        &mut report,
                        &mut err,
                    )
                };
                outcome(status, err).expect("a fill");
                assert_eq!(taken(report)["regions"], 1);
                if let Some(last) = last.replace(pixels.clone()) {
                    assert_eq!(last, pixels);
                }
            }
            last.expect("five fills")
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(fill)).collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("a thread"))
            .collect()
    });
    results[0].assert_fill_of(&picture(), &selected);
    assert!(results.iter().all(|r| *r == results[0]));
}

#[test]
fn success_leaves_err_alone_and_failure_needs_none() {
    let dangling = std::ptr::dangling_mut::<mend_error>();
    let mut err = dangling;
    let req = request();
    // SAFETY: everything passed is live.
    unsafe {
        assert_eq!(
            mend_request_set(req.0, c"seed".as_ptr(), c"1".as_ptr(), &mut err),
            MEND_OK
        );
        assert_eq!(err, dangling);
        let status = mend_request_set(req.0, c"seed".as_ptr(), c"x".as_ptr(), null_mut());
        assert_eq!(status, MEND_ERR_PARAMETER);
    }
}

/// What a callback calls the library with, and on which inpainter.
struct Nested {
    inpainter: *const mend_inpainter,
    request: *const mend_request,
    depth: u32,
    calls: u32,
}

/// At every call of the outer fill: what its inpainter keeps is let go, a plan is made, and a fill.
unsafe extern "C" fn nest(_: *const mend_progress, user: *mut c_void) -> i32 {
    // SAFETY: what the fill was given; the outer call does not touch it now.
    let nested = unsafe { &mut *user.cast::<Nested>() };
    if nested.depth > 0 {
        return 1;
    }
    nested.calls += 1;
    nested.depth += 1;
    let (mut pixels, selected) = (picture(), hole());
    let (dst, mask) = (image_mut(&mut pixels), image(&selected));
    let (inp, req, mut json) = (nested.inpainter, nested.request, null_mut());
    // SAFETY: everything passed is live.
    unsafe {
        assert_eq!(mend_inpainter_trim(inp, null_mut()), MEND_OK);
        let planned = mend_plan(inp, req, &dst, &mask, &mut json, null_mut());
        assert_eq!(planned, MEND_OK);
        mend_string_free(json);
        let (no, none) = (null_mut(), null());
        let status = mend_inpaint(
            inp,
            req,
            &dst,
            &mask,
            &dst,
            Some(nest),
            user,
            none,
            no,
            null_mut(),
        );
        assert_eq!(status, MEND_OK);
    }
    pixels.assert_fill_of(&picture(), &selected);
    nested.depth -= 1;
    1
}

#[test]
fn a_callback_may_plan_fill_and_trim() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/migan.pt");
    for (engine, model) in [("exemplar", ""), ("rethined", ""), ("migan", model)] {
        let (inp, req) = (inpainter(), request());
        for (name, value) in [(c"engine", engine), (c"model", model)] {
            let value = std::ffi::CString::new(value).unwrap();
            // SAFETY: live, and strings that end in NUL.
            let set = unsafe { mend_request_set(req.0, name.as_ptr(), value.as_ptr(), null_mut()) };
            assert_eq!(set, MEND_OK);
        }
        let (mut pixels, selected) = (picture(), hole());
        let (dst, mask) = (image_mut(&mut pixels), image(&selected));
        let mut nested = Nested {
            inpainter: inp.0,
            request: req.0,
            depth: 0,
            calls: 0,
        };
        let mut err = null_mut();
        // SAFETY: everything passed is live.
        let status = unsafe {
            let user = (&raw mut nested).cast();
            let (no, none) = (null_mut(), null());
            mend_inpaint(
                inp.0,
                req.0,
                &dst,
                &mask,
                &dst,
                Some(nest),
                user,
                none,
                no,
                &mut err,
            )
        };
        outcome(status, err).expect(engine);
        assert!(nested.calls >= 2, "{engine}: {}", nested.calls);
        pixels.assert_fill_of(&picture(), &selected);
    }
}
