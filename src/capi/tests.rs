//! A panic in any entry point becomes `MEND_ERR_INTERNAL` and changes nothing.

mod declared;

use super::shield::injection;
use super::*;
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

/// One of everything, ready to be used.
struct World {
    inpainter: *mut mend_inpainter,
    request: *mut mend_request,
    cancel: *mut mend_cancel,
    error: *mut mend_error,
    json: *mut c_char,
    variations: *mut mend_variations,
    selector: *mut mend_selector,
    seen: *mut mend_seen,
    pixels: [u8; 64],
    mask: [u8; 64],
}

impl World {
    fn new() -> Self {
        let mut w = Self {
            inpainter: null_mut(),
            request: null_mut(),
            cancel: null_mut(),
            error: null_mut(),
            json: null_mut(),
            variations: null_mut(),
            selector: null_mut(),
            seen: null_mut(),
            pixels: std::array::from_fn(|i| i as u8),
            mask: [0; 64],
        };
        w.mask[27] = 255;
        // SAFETY: everything passed is live.
        unsafe {
            assert_eq!(mend_inpainter_new(&mut w.inpainter, null_mut()), MEND_OK);
            assert_eq!(mend_request_new(&mut w.request, null_mut()), MEND_OK);
            assert_eq!(mend_cancel_new(&mut w.cancel, null_mut()), MEND_OK);
            assert_eq!(mend_describe(w.inpainter, &mut w.json, null_mut()), MEND_OK);
            let (image, mask) = (Self::image(&mut w.pixels), Self::image(&mut w.mask));
            let status = mend_inpaint_variations(
                w.inpainter,
                w.request,
                &image,
                &mask,
                None,
                null_mut(),
                null(),
                &mut w.variations,
                null_mut(),
                null_mut(),
            );
            assert_eq!(status, MEND_OK);
            assert_eq!(mend_selector_new(&mut w.selector, null_mut()), MEND_OK);
            let (models, folder) = (c"models".as_ptr(), c"/no/such/folder".as_ptr());
            let status = mend_selector_set(w.selector, models, folder, null_mut());
            assert_eq!(status, MEND_OK);
            let (seen, none) = (&raw mut w.seen, null_mut());
            let status =
                mend_selector_picture(w.selector, &image, None, none, null(), seen, null_mut());
            assert_eq!(status, MEND_OK);
            let name = c"nonsense".as_ptr();
            let status = mend_request_set(w.request, name, name, &mut w.error);
            assert_eq!(status, MEND_ERR_PARAMETER);
        }
        w
    }

    fn image(data: &mut [u8; 64]) -> mend_image {
        mend_image {
            data: data.as_mut_ptr().cast(),
            length: 64,
            stride: 8,
            width: 8,
            height: 8,
            format: MEND_LAYOUT_GRAY | MEND_DEPTH_U8,
        }
    }

    /// All that a call could have changed.
    fn state(&self) -> String {
        // SAFETY: the handles are live.
        unsafe {
            format!(
                "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                (*self.inpainter).0.options(),
                (*self.request).0,
                (*self.cancel).0,
                CStr::from_ptr(mend_error_message(self.error)),
                CStr::from_ptr(self.json),
                mend_variations_score(self.variations, 0),
                (self.pixels, self.mask),
            )
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // SAFETY: live, and not used again.
        unsafe {
            mend_inpainter_free(self.inpainter);
            mend_request_free(self.request);
            mend_cancel_free(self.cancel);
            mend_error_free(self.error);
            mend_string_free(self.json);
            mend_variations_free(self.variations);
            mend_seen_free(self.seen);
            mend_selector_free(self.selector);
        }
    }
}

/// What a function with a panic in it gave: a status with an error, or something else in its place.
enum Gave {
    Status(mend_status),
    Fallback(bool),
}
use Gave::{Fallback, Status};

type Entry = unsafe fn(&mut World, out: *mut *mut c_void, err: *mut *mut mend_error) -> Gave;

/// Every entry point, called with arguments that it would accept.
const ENTRIES: &[(&str, Entry)] = &[
    // SAFETY, of these six: everything passed is live; a panic before a freeing leaves the object alive.
    ("mend_selector_new", |_, out, err| unsafe {
        Status(mend_selector_new(out.cast(), err))
    }),
    ("mend_selector_set", |w, _, err| unsafe {
        let (name, value) = (c"threads".as_ptr(), c"1".as_ptr());
        Status(mend_selector_set(w.selector, name, value, err))
    }),
    ("mend_selector_picture", |w, out, err| unsafe {
        let image = World::image(&mut w.pixels);
        let (none, out) = (null_mut(), out.cast());
        let status = mend_selector_picture(w.selector, &image, None, none, null(), out, err);
        Status(status)
    }),
    ("mend_select", |w, out, err| unsafe {
        let click = mend_click {
            x: 3.0,
            y: 3.0,
            wanted: 1,
        };
        let dst = World::image(&mut w.mask);
        let status = mend_select(w.seen, &click, 1, null(), 0, &dst, out.cast(), err);
        Status(status)
    }),
    ("mend_seen_free", |w, _, _| unsafe {
        mend_seen_free(w.seen);
        Fallback(true)
    }),
    ("mend_selector_free", |w, _, _| unsafe {
        mend_selector_free(w.selector);
        Fallback(true)
    }),
    ("mend_abi_version", |_, _, _| {
        Fallback(mend_abi_version() == 0)
    }),
    ("mend_version", |_, _, _| {
        // SAFETY: a string of the library's.
        Fallback(
            unsafe { CStr::from_ptr(mend_version()) }.to_str() == Ok(env!("CARGO_PKG_VERSION")),
        )
    }),
    // SAFETY, here and below: everything passed is live.
    ("mend_error_status", |w, _, _| unsafe {
        Fallback(mend_error_status(w.error) == MEND_ERR_INTERNAL)
    }),
    ("mend_error_message", |w, _, _| unsafe {
        Fallback(CStr::from_ptr(mend_error_message(w.error)).is_empty())
    }),
    // A panic before the freeing: the objects live on.
    ("mend_error_free", |w, _, _| unsafe {
        mend_error_free(w.error);
        Fallback(true)
    }),
    ("mend_string_free", |w, _, _| unsafe {
        mend_string_free(w.json);
        Fallback(true)
    }),
    ("mend_inpainter_free", |w, _, _| unsafe {
        mend_inpainter_free(w.inpainter);
        Fallback(true)
    }),
    ("mend_request_free", |w, _, _| unsafe {
        mend_request_free(w.request);
        Fallback(true)
    }),
    ("mend_cancel_free", |w, _, _| unsafe {
        mend_cancel_free(w.cancel);
        Fallback(true)
    }),
    ("mend_variations_free", |w, _, _| unsafe {
        mend_variations_free(w.variations);
        Fallback(true)
    }),
    ("mend_variations_count", |w, _, _| unsafe {
        Fallback(mend_variations_count(w.variations) == 0)
    }),
    ("mend_variations_score", |w, _, _| unsafe {
        Fallback(mend_variations_score(w.variations, 0).is_nan())
    }),
    ("mend_expanded_size", |w, _, err| unsafe {
        let mut n = [0u32; 4];
        let [a, b, c, d] = &mut n;
        let status = mend_expanded_size(w.request, 8, 8, a, b, c, d, err);
        assert_eq!(n, [0; 4]);
        Status(status)
    }),
    ("mend_variations_take", |w, _, err| unsafe {
        let image = World::image(&mut w.pixels);
        Status(mend_variations_take(w.variations, 0, &image, &image, err))
    }),
    ("mend_inpaint_variations", |w, out, err| unsafe {
        let (image, mask) = (World::image(&mut w.pixels), World::image(&mut w.mask));
        // Both that it gives back.
        let mut report = std::ptr::dangling_mut();
        let status = mend_inpaint_variations(
            w.inpainter,
            w.request,
            &image,
            &mask,
            None,
            null_mut(),
            w.cancel,
            out.cast(),
            &mut report,
            err,
        );
        assert!(report.is_null());
        Status(status)
    }),
    ("mend_inpainter_new", |_, out, err| unsafe {
        Status(mend_inpainter_new(out.cast(), err))
    }),
    ("mend_request_new", |_, out, err| unsafe {
        Status(mend_request_new(out.cast(), err))
    }),
    ("mend_cancel_new", |_, out, err| unsafe {
        Status(mend_cancel_new(out.cast(), err))
    }),
    ("mend_inpainter_set", |w, _, err| unsafe {
        Status(mend_inpainter_set(
            w.inpainter,
            c"threads".as_ptr(),
            c"3".as_ptr(),
            err,
        ))
    }),
    ("mend_inpainter_trim", |w, _, err| unsafe {
        Status(mend_inpainter_trim(w.inpainter, err))
    }),
    ("mend_request_set", |w, _, err| unsafe {
        Status(mend_request_set(
            w.request,
            c"seed".as_ptr(),
            c"3".as_ptr(),
            err,
        ))
    }),
    ("mend_request_set_mask", |w, _, err| unsafe {
        let mask = World::image(&mut w.mask);
        Status(mend_request_set_mask(
            w.request,
            c"source".as_ptr(),
            &mask,
            err,
        ))
    }),
    // It has no `err`; its status says it.
    ("mend_cancel_trigger", |w, _, _| unsafe {
        Fallback(mend_cancel_trigger(w.cancel) == MEND_ERR_INTERNAL)
    }),
    ("mend_cancel_finish", |w, _, _| unsafe {
        Fallback(mend_cancel_finish(w.cancel) == MEND_ERR_INTERNAL)
    }),
    ("mend_describe", |w, out, err| unsafe {
        Status(mend_describe(w.inpainter, out.cast(), err))
    }),
    ("mend_models", |w, out, err| unsafe {
        Status(mend_models(w.inpainter, out.cast(), err))
    }),
    ("mend_models_fetch", |w, out, err| unsafe {
        // No such model: nothing is asked of the network even without a panic.
        let (id, none) = (c"none".as_ptr(), null_mut());
        let cancel = w.cancel;
        Status(mend_models_fetch(
            w.inpainter,
            id,
            null(),
            None,
            none,
            cancel,
            out.cast(),
            err,
        ))
    }),
    ("mend_models_import", |w, out, err| unsafe {
        let (path, none) = (c"/no/such/file".as_ptr(), null_mut());
        let cancel = w.cancel;
        Status(mend_models_import(
            w.inpainter,
            path,
            null(),
            None,
            none,
            cancel,
            out.cast(),
            err,
        ))
    }),
    ("mend_models_remove", |w, out, err| unsafe {
        Status(mend_models_remove(
            w.inpainter,
            c"none".as_ptr(),
            out.cast(),
            err,
        ))
    }),
    ("mend_plan", |w, out, err| unsafe {
        let mask = World::image(&mut w.mask);
        Status(mend_plan(
            w.inpainter,
            w.request,
            null(),
            &mask,
            out.cast(),
            err,
        ))
    }),
    ("mend_inpaint", |w, out, err| unsafe {
        let (image, mask) = (World::image(&mut w.pixels), World::image(&mut w.mask));
        Status(mend_inpaint(
            w.inpainter,
            w.request,
            &image,
            &mask,
            &image,
            None,
            null_mut(),
            w.cancel,
            out.cast(),
            err,
        ))
    }),
];

#[test]
fn a_panic_in_any_entry_point_is_an_error_and_changes_nothing() {
    let tested: BTreeSet<_> = ENTRIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let header = declared::functions(include_str!("../../include/mend.h"));
    assert_eq!(
        tested, header,
        "the entry points tested here are not the header's"
    );
    for (name, entry) in ENTRIES {
        let mut world = World::new();
        let before = world.state();
        let mut err = null_mut();
        // What C may have left in a variable; it must not stay there to be freed.
        let dangling = std::ptr::dangling_mut::<c_void>();
        let mut out = dangling;
        injection::arm();
        // SAFETY: `out` and `err` are live.
        let gave = unsafe { entry(&mut world, &mut out, &mut err) };
        assert!(!injection::armed(), "{name} has no guard");
        match gave {
            Fallback(right) => assert!(right, "{name}"),
            Status(status) => {
                assert_eq!(status, MEND_ERR_INTERNAL, "{name}");
                assert!(!err.is_null(), "{name}");
                assert!(out == dangling || out.is_null(), "{name}");
                // SAFETY: an error that was just given.
                unsafe {
                    assert_eq!(mend_error_status(err), status, "{name}");
                    let said = CStr::from_ptr(mend_error_message(err)).to_string_lossy();
                    assert!(said.contains("injected panic"), "{name}: {said}");
                    mend_error_free(err);
                }
            }
        }
        assert_eq!(world.state(), before, "{name}");
    }
}

#[test]
fn formats_in_the_header_are_the_ones_that_are_understood() {
    use crate::pixels::{Depth, Layout, PixelFormat};
    let layouts = [
        (MEND_LAYOUT_GRAY, Layout::Gray),
        (MEND_LAYOUT_GRAYA, Layout::GrayA),
        (MEND_LAYOUT_RGB, Layout::Rgb),
        (MEND_LAYOUT_RGBA, Layout::Rgba),
        (MEND_LAYOUT_BGR, Layout::Bgr),
        (MEND_LAYOUT_BGRA, Layout::Bgra),
    ];
    let depths = [
        (MEND_DEPTH_U8, Depth::U8),
        (MEND_DEPTH_U16, Depth::U16),
        (MEND_DEPTH_F16, Depth::F16),
        (MEND_DEPTH_F32, Depth::F32),
    ];
    for (l, layout) in layouts {
        for (d, depth) in depths {
            for flags in 0..4u32 {
                let (premultiplied, linear) = (flags & 1 != 0, flags & 2 != 0);
                let mut bits = l | d;
                bits |= if premultiplied { MEND_PREMULTIPLIED } else { 0 };
                bits |= if linear { MEND_LINEAR } else { 0 };
                let format = PixelFormat {
                    layout,
                    depth,
                    premultiplied,
                    linear,
                };
                assert_eq!(PixelFormat::from_bits(bits).as_ref(), Ok(&format));
                assert_eq!(format.to_bits(), bits);
            }
        }
    }
}

#[test]
fn every_kind_of_error_has_its_status() {
    use crate::error::ErrorKind;
    for (kind, status) in [
        (ErrorKind::Null, status::MEND_ERR_NULL),
        (ErrorKind::Argument, status::MEND_ERR_ARGUMENT),
        (ErrorKind::Image, status::MEND_ERR_IMAGE),
        (ErrorKind::Mask, status::MEND_ERR_MASK),
        (ErrorKind::Parameter, status::MEND_ERR_PARAMETER),
        (ErrorKind::Engine, status::MEND_ERR_ENGINE),
        (ErrorKind::Model, status::MEND_ERR_MODEL),
        (ErrorKind::Memory, status::MEND_ERR_MEMORY),
        (ErrorKind::Budget, status::MEND_ERR_BUDGET),
        (ErrorKind::Cancelled, status::MEND_ERR_CANCELLED),
        (ErrorKind::Io, status::MEND_ERR_IO),
        (ErrorKind::Unsupported, status::MEND_ERR_UNSUPPORTED),
        (ErrorKind::Internal, status::MEND_ERR_INTERNAL),
    ] {
        assert_eq!(status::status_of(kind), status, "{kind:?}");
    }
}

#[test]
fn const_handles_may_be_shared_and_moved() {
    fn check<T: Send + Sync>() {}
    check::<mend_inpainter>();
    check::<mend_request>();
    check::<mend_cancel>();
    check::<mend_error>();
    check::<mend_variations>();
}
