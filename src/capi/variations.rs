//! `mend_inpaint_variations`, and `mend_variations` with its methods.

use super::cancel::mend_cancel;
use super::error::mend_error;
use super::guard::{Give, emptied, guard, guard_out};
use super::handle::{free, shared};
use super::image::{Checked, mend_image};
use super::inpainter::mend_inpainter;
use super::request::mend_request;
use super::run::{Callback, mend_progress_fn, selected, selection};
use super::shield::shield;
use super::status::mend_status;
use crate::error::{Error, Result};
use crate::inpainter::Variations;
use crate::progress::Cancel;
use std::ffi::{c_char, c_void};

/// Different fills of one hole, the best first, to choose from. They hold the pixels that they fill and
/// nothing of what they were made with, which may all be freed before them.
pub struct mend_variations(Variations);

impl Give for mend_variations {
    type Out = Self;
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }
}

/// Fills the pixels of 'src' that 'mask' selects several times over, and holds the best fills.
///
/// The parameter "variations" says how many are held, 1 to 8. If "best-of" is larger, so many are made,
/// and the best of these are held. They are ordered by their score, the best first, and numbered from 0.
/// The fill that is made first, whatever its number, is what mend_inpaint gives where both parameters
/// are 1; the others have other seeds. An engine that leaves nothing to chance makes the same fill
/// each time, which the report says.
///
/// *out receives them; free it with mend_variations_free. *report receives a JSON object as from
/// mend_inpaint, whose "scores" has one for each fill that was made; free it with mend_string_free. On
/// failure both are NULL. An empty mask is not a failure: each variation is 'src' as it is.
///
/// The images, 'progress', 'user' and 'cancel' are as for mend_inpaint; nothing is written to 'src'.
/// 'progress', 'user', 'cancel', 'report' and 'err' may be NULL. Any number of threads may use one
/// inpainter, one request and one cancel at once. Nobody may change 'src' or 'mask' during the call.
/// Since version 1.2 of the C interface.
///
/// Errors as mend_inpaint.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_inpaint_variations(
    inpainter: *const mend_inpainter,
    request: *const mend_request,
    src: *const mend_image,
    mask: *const mend_image,
    progress: mend_progress_fn,
    user: *mut c_void,
    cancel: *const mend_cancel,
    out: *mut *mut mend_variations,
    report: *mut *mut c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: live handles and images used as the header says, pointers to write, or null.
    unsafe {
        let report = emptied(report);
        guard_out(out, Some("out"), err, || {
            Call {
                inpainter: shared(inpainter, "inpainter")?,
                request: shared(request, "request")?,
                cancel: cancel.as_ref(),
                src: Checked::image_of(src, "src")?,
                mask: selection(shared(request, "request")?, mask)?,
            }
            .run(Callback { progress, user }, report)
        })
    }
}

/// How many variations there are: what the parameter "variations" said. 0 for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_variations_count(variations: *const mend_variations) -> usize {
    // SAFETY: null or live variations.
    shield(0, || {
        unsafe { variations.as_ref() }.map_or(0, |v| v.0.len())
    })
}

/// How well variation 'number' goes with what is around the hole, judged without knowing what was
/// there: from 0 on, and the lower the better. Only scores of one call can be compared. NaN for NULL and
/// for a number that is not below mend_variations_count.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_variations_score(
    variations: *const mend_variations,
    number: usize,
) -> f64 {
    // SAFETY: null or live variations.
    shield(f64::NAN, || {
        unsafe { variations.as_ref() }
            .and_then(|v| v.0.score(number))
            .unwrap_or(f64::NAN)
    })
}

/// Writes variation 'number' to 'dst', as mend_inpaint does.
///
/// 'src' is the picture that was filled. 'dst' has its format and its size, or the size that
/// mend_expanded_size gives if the parameter "expand" made it larger. It is memory that does not overlap
/// 'src' or, if it has the size of 'src', exactly the same memory (same 'data', same 'stride'). Separate
/// memory receives a copy of every pixel of 'src', and the fill; the same memory receives the fill, also where it holds
/// another variation by now. Every pixel whose mask was 0 has the same bits in 'dst' as in 'src'; with the
/// parameter "result" at "layer" it is zero instead. Bytes between the rows are not touched. On any
/// failure 'dst' is not touched at all. Any variation may be taken any number of times.
///
/// No pointer but 'err' may be NULL. Any number of threads may take from the same variations at once, each
/// with a 'dst' of its own. Nobody may change 'src', or use 'dst', during the call. Since version 1.2 of
/// the C interface.
///
/// MEND_ERR_ARGUMENT: 'number' is not below mend_variations_count. MEND_ERR_IMAGE: an image cannot be
/// used, or has not the size and format of the picture that was filled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_variations_take(
    variations: *const mend_variations,
    number: usize,
    src: *const mend_image,
    dst: *const mend_image,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: live variations and images used as the header says, an error to write, or null.
    unsafe {
        guard(err, || {
            shared(variations, "variations")?.take(
                number,
                Checked::image_of(src, "src")?,
                Checked::image_of(dst, "dst")?,
            )
        })
    }
}

/// Frees variations. NULL does nothing. No call may be using them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_variations_free(variations: *mut mend_variations) {
    // SAFETY: null or variations that were not freed.
    shield((), || unsafe { free(variations) })
}

/// A call of `mend_inpaint_variations`, parsed.
struct Call<'a> {
    inpainter: &'a mend_inpainter,
    request: &'a mend_request,
    cancel: Option<&'a mend_cancel>,
    src: Checked,
    mask: Option<Checked>,
}

impl Call<'_> {
    /// Makes the fills, and gives the report as text to `report` where that is asked for.
    ///
    /// # Safety
    /// The pictures' memories are live, and nobody writes them meanwhile; `report` is null or may be
    /// written.
    unsafe fn run(
        self,
        mut progress: Callback,
        report: *mut *mut c_char,
    ) -> Result<mend_variations> {
        let cancel = self.cancel.map_or_else(Cancel::new, |c| c.0.clone());
        // SAFETY: as this function's.
        let (image, mask) = unsafe { (self.src.view()?, selected(self.mask.as_ref(), &self.src)?) };
        let inpainter = &self.inpainter.0;
        let made = inpainter.vary(&self.request.0, &image, &mask, &mut progress, &cancel)?;
        if !report.is_null() {
            let text = made.report.to_json().to_string();
            // SAFETY: not null, so it may be written. Nothing fails after it.
            unsafe { report.write(text.give()) };
        }
        Ok(mend_variations(made))
    }
}

impl mend_variations {
    /// Writes one of them. Until everything that can fail is done, the destination is not touched.
    ///
    /// # Safety
    /// The pictures' memories are live; nobody writes `src` or uses `dst` meanwhile.
    unsafe fn take(&self, number: usize, src: Checked, dst: Checked) -> Result<()> {
        let tell = |e: Error| Error::new(e.kind(), format!("'src': {}", e.message()));
        let canvas = self.0.canvas();
        dst.check_copy(&src, &canvas)?;
        self.0.check_number(number)?;
        // SAFETY: as this function's; the view ends here.
        self.0
            .check_picture(&unsafe { src.view()? })
            .map_err(tell)?;
        // SAFETY: no other view is alive, and `dst` is the caller's to be written.
        let mut view = unsafe {
            dst.copy_from(&src, &canvas);
            dst.view_mut()?
        };
        self.0.apply(number, &mut view)
    }
}
