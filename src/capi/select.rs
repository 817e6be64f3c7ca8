//! `mend_selector`, `mend_seen` and `mend_select`.

use super::cancel::mend_cancel;
use super::error::mend_error;
use super::guard::{Give, emptied, guard, guard_out};
use super::handle::{exclusive, free, null, shared};
use super::image::{Checked, mend_image};
use super::run::{Callback, mend_progress_fn};
use super::shield::shield;
use super::status::mend_status;
use super::text::text;
use crate::error::{Error, ErrorKind, Result};
use crate::inpainter::Options;
use crate::progress::Cancel;
use crate::select::{Area, Click, MOST_CLICKS, Seen, Selector};
use std::ffi::{c_char, c_void};
use std::slice;

/// A place that the user pointed at.
///
/// Its layout is frozen.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mend_click {
    /// Column of the picture: 0 is the middle of the leftmost pixel.
    pub x: f64,
    /// Row of the picture: 0 is the middle of the top pixel.
    pub y: f64,
    /// 1 if the object is there; 0 if what is there does not belong to it.
    pub wanted: u32,
}

/// A box around an object: the pixels of two of its corners, which both lie inside.
///
/// Its layout is frozen.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mend_box {
    /// Left column.
    pub x0: f64,
    /// Top row.
    pub y0: f64,
    /// Right column, at least x0.
    pub x1: f64,
    /// Bottom row, at least y0.
    pub y1: f64,
}

/// Finds objects in pictures. Making one costs nothing; threads start and the network loads with the
/// first picture and stay for the next. Make one and keep it.
pub struct mend_selector(Selector);

/// A picture that a selector has looked at. It holds nothing of the picture's memory and nothing of the
/// selector, which may both be freed before it.
pub struct mend_seen(Seen);

impl Give for mend_selector {
    type Out = Self;
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }
}

impl Give for mend_seen {
    type Out = Self;
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }
}

impl mend_selector {
    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let mut options = self.0.options().clone();
        options.set(name, value)?;
        if options != *self.0.options() {
            self.0 = Selector::new(options);
        }
        Ok(())
    }
}

/// Makes a selector with every option at its default.
///
/// *out receives it; free it with mend_selector_free. On failure *out is NULL. 'err' may be NULL. Any
/// thread. Since version 1.4 of the C interface.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_selector_new(
    out: *mut *mut mend_selector,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: both are null or may be written.
    unsafe {
        guard_out(out, Some("out"), err, || {
            Ok(mend_selector(Selector::new(Options::default())))
        })
    }
}

/// Sets an option by name, those of mend_inpainter_set: "threads", "max-memory" and "models". If
/// "max-memory" is less than the network needs, the plain selection serves.
///
/// Both strings are copied. No pointer but 'err' may be NULL. No other thread may use the selector
/// during the call. Since version 1.4 of the C interface.
///
/// Errors as mend_inpainter_set. The selector stays as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_selector_set(
    selector: *mut mend_selector,
    name: *const c_char,
    value: *const c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: a live selector for this call alone, strings that end in NUL, or null.
    unsafe {
        guard(err, || {
            exclusive(selector, "selector")?.set(text(name, "name")?, text(value, "value")?)
        })
    }
}

/// Looks at a picture, so that clicks on it cost some hundredths of a second each.
///
/// If MobileSAM is in the models folder ('mend models fetch mobile-sam'), its network looks, for about a
/// second; otherwise the selection is a plain one by colour and edges, which finds a distinct object on
/// plain ground. 'image' is a picture in any format; transparent pixels count as black. *out receives what
/// was seen; free it with mend_seen_free. On failure *out is NULL.
///
/// 'progress', 'user' and 'cancel' are as for mend_inpaint. 'progress', 'user', 'cancel' and 'err' may be
/// NULL. Any number of threads may use one selector at once. Nobody may change 'image' during the call.
/// Since version 1.4 of the C interface.
///
/// MEND_ERR_IMAGE: the picture cannot be used, or has a pixel that is no number. MEND_ERR_MODEL,
/// MEND_ERR_IO: the model cannot be used. MEND_ERR_MEMORY, MEND_ERR_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_selector_picture(
    selector: *const mend_selector,
    image: *const mend_image,
    progress: mend_progress_fn,
    user: *mut c_void,
    cancel: *const mend_cancel,
    out: *mut *mut mend_seen,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: live handles and an image that nobody changes now, pointers to write, or null.
    unsafe {
        guard_out(out, Some("out"), err, || {
            let selector = shared(selector, "selector")?;
            let view = Checked::image_of(image, "image")?.view()?;
            let cancel = cancel.as_ref().map_or_else(Cancel::new, |c| c.0.clone());
            let mut progress = Callback { progress, user };
            selector
                .0
                .picture(&view, &mut progress, &cancel)
                .map(mend_seen)
        })
    }
}

/// Selects the object that clicks and a box mean, and writes its mask to 'dst'.
///
/// 'clicks' are 'count' places, 0 to 1024; 'area' is a box, or NULL for none. At least one click that is
/// wanted or a box is needed. A single click may mean a thing or a part of it; the network's best guess is
/// taken. 'grow' widens the mask by so many pixels, 0 to 4096; below 0, by 0.4 % of the object's longer
/// side, and 2 pixels at the least.
///
/// 'dst' is one gray channel of u8 (MEND_LAYOUT_GRAY | MEND_DEPTH_U8) with the size of the picture: it
/// receives 255 where the object is and 0 elsewhere, as mend_inpaint takes it. Bytes between the rows are not
/// touched. On any failure 'dst' is not touched at all. The same clicks give the same mask, on any number
/// of threads.
///
/// *report receives a JSON object in UTF-8: "way" ("mobile-sam", or "plain" for the selection by colour
/// and edges), "quality" (how well the network takes its mask and the object to agree, about 0 to 1, or
/// null), "pixels" (how many are selected), "rect" ({"x", "y", "width", "height"}, around them), "grow"
/// (pixels by which the mask was grown), "looking" and "seconds" (what mend_selector_picture and this
/// call took) and "notes" (an array of strings for the user, such as that nothing was found, which is
/// no failure). Free it with mend_string_free; on failure it is NULL.
///
/// 'clicks' may be NULL if 'count' is 0. 'area', 'report' and 'err' may be NULL. Any number of threads may use
/// what was seen at once, each with a 'dst' of its own. Since version 1.4 of the C interface.
///
/// MEND_ERR_ARGUMENT: nothing says where the object is, a place is not in the picture, the box is turned
/// about, or 'grow' or 'count' is too large. MEND_ERR_MASK: 'dst' cannot be used. MEND_ERR_MODEL,
/// MEND_ERR_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_select(
    seen: *const mend_seen,
    clicks: *const mend_click,
    count: usize,
    area: *const mend_box,
    grow: i32,
    dst: *const mend_image,
    report: *mut *mut c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: live handles, clicks, a box and an image used as the header says, pointers to write, or null.
    unsafe {
        let report = emptied(report);
        guard_out(report, None, err, || {
            let seen = shared(seen, "seen")?;
            let clicks = clicks_of(clicks, count)?;
            let dst = Checked::mask_of(dst, "dst")?;
            select(seen, &clicks, area.as_ref(), grow, &dst)
        })
    }
}

/// Frees what was seen of a picture. NULL does nothing. No call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_seen_free(seen: *mut mend_seen) {
    // SAFETY: null or what was seen and not freed.
    shield((), || unsafe { free(seen) })
}

/// Frees a selector. NULL does nothing. No call may be using it. Its threads and its network end with
/// the last of what it has seen.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_selector_free(selector: *mut mend_selector) {
    // SAFETY: null or a selector that was not freed.
    shield((), || unsafe { free(selector) })
}

/// C's clicks.
///
/// # Safety
/// `clicks` is null or points to `count` of them.
unsafe fn clicks_of(clicks: *const mend_click, count: usize) -> Result<Vec<Click>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if clicks.is_null() {
        return Err(null("clicks"));
    }
    if count > MOST_CLICKS {
        return Err(Error::new(
            ErrorKind::Argument,
            format!("'count' is {count}: give at most {MOST_CLICKS} clicks"),
        ));
    }
    // SAFETY: not null, and as this function's; the length was bounded.
    let clicks = unsafe { slice::from_raw_parts(clicks, count) };
    let click = |c: &mend_click| match c.wanted {
        0 | 1 => Ok(Click {
            x: c.x,
            y: c.y,
            wanted: c.wanted == 1,
        }),
        other => Err(Error::new(
            ErrorKind::Argument,
            format!("a click's 'wanted' is {other}: give 1 or 0"),
        )),
    };
    clicks.iter().map(click).collect()
}

/// Selects, and gives the report as text.
///
/// # Safety
/// The destination is live and nobody else uses it.
unsafe fn select(
    seen: &mend_seen,
    clicks: &[Click],
    area: Option<&mend_box>,
    grow: i32,
    dst: &Checked,
) -> Result<String> {
    if dst.size() != seen.0.size() {
        let ((w, h), (width, height)) = (dst.size(), seen.0.size());
        return Err(Error::new(
            ErrorKind::Mask,
            format!("'dst' is {w}×{h} and the picture {width}×{height}: give a mask of its size"),
        ));
    }
    let area = area.map(|a| Area {
        x0: a.x0,
        y0: a.y0,
        x1: a.x1,
        y1: a.y1,
    });
    let selected = seen.0.select(clicks, area, u32::try_from(grow).ok())?;
    // SAFETY: no other view is alive, and `dst` is the caller's to be written.
    selected.write(&mut unsafe { dst.view_mut() }?)?;
    Ok(selected.report.to_json().to_string())
}
