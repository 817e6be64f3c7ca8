//! The C API as one of the two surfaces, called as C would, by pointers.

use crate::agreement::{Ask, Failure, Surface};
use crate::picture::Picture;
use mend::capi::*;
use serde_json::Value as Json;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};

pub struct C;

/// A handle with the function that frees it.
pub struct Handle<T>(pub *mut T, pub unsafe extern "C" fn(*mut T));

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: a live handle that is not used again.
        unsafe { (self.1)(self.0) }
    }
}

pub fn inpainter() -> Handle<mend_inpainter> {
    let mut out = null_mut();
    // SAFETY: `out` may be written.
    assert_eq!(unsafe { mend_inpainter_new(&mut out, null_mut()) }, MEND_OK);
    Handle(out, mend_inpainter_free)
}

pub fn request() -> Handle<mend_request> {
    let mut out = null_mut();
    // SAFETY: `out` may be written.
    assert_eq!(unsafe { mend_request_new(&mut out, null_mut()) }, MEND_OK);
    Handle(out, mend_request_free)
}

pub fn cancel() -> Handle<mend_cancel> {
    let mut out = null_mut();
    // SAFETY: `out` may be written.
    assert_eq!(unsafe { mend_cancel_new(&mut out, null_mut()) }, MEND_OK);
    Handle(out, mend_cancel_free)
}

/// A picture as C sees it. C may write through it only where Rust holds the picture mutably.
pub fn image(p: &Picture) -> mend_image {
    mend_image {
        data: p.bytes.as_ptr().cast_mut().cast(),
        length: p.bytes.len(),
        stride: p.stride,
        width: p.width,
        height: p.height,
        format: p.format.to_bits(),
    }
}

/// A picture as C sees it, to be written.
pub fn image_mut(p: &mut Picture) -> mend_image {
    mend_image {
        data: p.bytes.as_mut_ptr().cast(),
        ..image(p)
    }
}

/// A status and its error, checked to go together and freed.
pub fn outcome(status: mend_status, err: *mut mend_error) -> Result<(), Failure> {
    if status == MEND_OK {
        assert!(err.is_null(), "an error on success");
        return Ok(());
    }
    assert!(!err.is_null(), "status {status} without an error");
    // SAFETY: a live error.
    unsafe {
        assert_eq!(mend_error_status(err), status);
        let message = CStr::from_ptr(mend_error_message(err))
            .to_str()
            .expect("UTF-8")
            .to_owned();
        mend_error_free(err);
        assert!(!message.is_empty());
        Err(Failure { status, message })
    }
}

/// JSON that the library gave, freed.
pub fn taken(json: *mut c_char) -> Json {
    // SAFETY: a live string of the library's.
    unsafe {
        let text = CStr::from_ptr(json).to_str().expect("UTF-8").to_owned();
        mend_string_free(json);
        serde_json::from_str(&text).expect("JSON")
    }
}

fn prepare(ask: &Ask<'_>) -> Result<(Handle<mend_inpainter>, Handle<mend_request>), Failure> {
    let (inpainter, request) = (inpainter(), request());
    // SAFETY, here and below: everything passed is live, and strings end in NUL.
    unsafe {
        for (name, value) in ask.options {
            let (name, value) = (CString::new(*name).unwrap(), CString::new(*value).unwrap());
            let mut err = null_mut();
            let status = mend_inpainter_set(inpainter.0, name.as_ptr(), value.as_ptr(), &mut err);
            outcome(status, err)?;
        }
        for (name, value) in ask.params {
            let (name, value) = (CString::new(*name).unwrap(), CString::new(*value).unwrap());
            let mut err = null_mut();
            outcome(
                mend_request_set(request.0, name.as_ptr(), value.as_ptr(), &mut err),
                err,
            )?;
        }
        for (name, mask) in [(c"source", ask.source), (c"guide", ask.guide)] {
            let Some(mask) = mask else { continue };
            let mut err = null_mut();
            let status = mend_request_set_mask(request.0, name.as_ptr(), &image(mask), &mut err);
            outcome(status, err)?;
        }
    }
    Ok((inpainter, request))
}

/// What the callback is given.
struct Calls {
    count: u32,
    stop_at: Option<u32>,
}

unsafe extern "C" fn count(progress: *const mend_progress, user: *mut c_void) -> i32 {
    // SAFETY: the library passes a live struct, and back what it was given.
    let (progress, calls) = unsafe { (&*progress, &mut *user.cast::<Calls>()) };
    assert!(progress.step <= progress.steps && progress.steps >= 1);
    assert!(progress.seconds_left.is_finite());
    // Those that there are have a test of their own.
    assert_eq!(progress.preview.is_null(), progress.preview_width == 0);
    // SAFETY: never null.
    assert!(!unsafe { CStr::from_ptr(progress.stage) }.is_empty());
    calls.count += 1;
    if calls.stop_at == Some(calls.count) {
        0
    } else {
        1
    }
}

impl Surface for C {
    fn describe(&self) -> Json {
        let inpainter = inpainter();
        let (mut json, mut err) = (null_mut(), null_mut());
        // SAFETY: everything passed is live.
        let status = unsafe { mend_describe(inpainter.0, &mut json, &mut err) };
        outcome(status, err).expect("describe");
        taken(json)
    }

    fn plan(&self, ask: &Ask<'_>) -> Result<Json, Failure> {
        let (inpainter, request) = prepare(ask)?;
        let (mut json, mut err) = (null_mut(), null_mut());
        let (picture, mask) = (image(ask.image), image(ask.mask));
        let picture: *const mend_image = if ask.mask_alone { null() } else { &picture };
        // SAFETY: everything passed is live.
        let status =
            unsafe { mend_plan(inpainter.0, request.0, picture, &mask, &mut json, &mut err) };
        outcome(status, err)?;
        Ok(taken(json))
    }

    fn fill(&self, ask: &Ask<'_>, padding: Option<usize>) -> Result<(Json, Picture), Failure> {
        let (inpainter, request) = prepare(ask)?;
        let mut filled = match padding {
            // Nothing of the source: all of it must be copied.
            Some(padding) => {
                let mut apart = ask.image.repadded(padding);
                let row = apart.width as usize * apart.format.bytes();
                for y in 0..apart.height as usize {
                    apart.bytes[y * apart.stride..][..row].fill(0x5a);
                }
                apart
            }
            None => ask.image.clone(),
        };
        let before = filled.clone();
        let dst = image_mut(&mut filled);
        let src = if padding.is_some() {
            image(ask.image)
        } else {
            dst
        };
        let mask = image(ask.mask);
        let mut calls = Calls {
            count: 0,
            stop_at: ask.stop_at,
        };
        let (mut report, mut err) = (null_mut(), null_mut());
        // SAFETY: everything passed is live, and `filled` is not looked at meanwhile.
        let status = unsafe {
            mend_inpaint(
                inpainter.0,
                request.0,
                &src,
                &mask,
                &dst,
                Some(count),
                (&raw mut calls).cast(),
                null(),
                &mut report,
                &mut err,
            )
        };
        if let Err(e) = outcome(status, err) {
            assert_eq!(
                filled, before,
                "a failure changed the picture: {}",
                e.message
            );
            assert!(report.is_null());
            return Err(e);
        }
        Ok((taken(report), filled))
    }

    fn expand(&self, ask: &Ask<'_>, mask: bool) -> Result<(Json, Picture, (u32, u32)), Failure> {
        let (inpainter, request) = prepare(ask)?;
        let (src, selected) = (image(ask.image), image(ask.mask));
        let selected: *const mend_image = if mask { &selected } else { null() };
        let [mut w, mut h, mut x, mut y] = [0; 4];
        let mut err = null_mut();
        // SAFETY, here and below: everything passed is live.
        let status = unsafe {
            let (width, height) = (src.width, src.height);
            mend_expanded_size(
                request.0, width, height, &mut w, &mut h, &mut x, &mut y, &mut err,
            )
        };
        outcome(status, err)?;
        let mut larger = Picture::new((w, h), ask.image.format, 5, |_, _, _| 0.4);
        let before = larger.clone();
        let dst = image_mut(&mut larger);
        let (mut report, mut err) = (null_mut(), null_mut());
        let status = unsafe {
            mend_inpaint(
                inpainter.0,
                request.0,
                &src,
                selected,
                &dst,
                None,
                null_mut(),
                null(),
                &mut report,
                &mut err,
            )
        };
        if let Err(e) = outcome(status, err) {
            assert_eq!(larger, before, "a failure wrote: {}", e.message);
            return Err(e);
        }
        Ok((taken(report), larger, (x, y)))
    }

    fn vary(&self, ask: &Ask<'_>) -> Result<(Json, Vec<(f64, Picture)>), Failure> {
        let (inpainter, request) = prepare(ask)?;
        let (src, mask) = (image(ask.image), image(ask.mask));
        let mut calls = Calls {
            count: 0,
            stop_at: ask.stop_at,
        };
        let (mut out, mut report, mut err) = (null_mut(), null_mut(), null_mut());
        // SAFETY: everything passed is live.
        let status = unsafe {
            mend_inpaint_variations(
                inpainter.0,
                request.0,
                &src,
                &mask,
                Some(count),
                (&raw mut calls).cast(),
                null(),
                &mut out,
                &mut report,
                &mut err,
            )
        };
        if let Err(e) = outcome(status, err) {
            assert!(out.is_null() && report.is_null());
            return Err(e);
        }
        let made = Handle(out, mend_variations_free);
        drop((inpainter, request));
        let mut all = Vec::new();
        // SAFETY: everything passed is live.
        unsafe {
            for number in 0..mend_variations_count(made.0) {
                let mut picture = ask.image.repadded(0);
                picture.bytes.fill(0x5a);
                let mut err = null_mut();
                let dst = image_mut(&mut picture);
                let status = mend_variations_take(made.0, number, &src, &dst, &mut err);
                outcome(status, err)?;
                all.push((mend_variations_score(made.0, number), picture));
            }
        }
        Ok((taken(report), all))
    }
}
