//! `mend_plan` and `mend_inpaint`.

use super::callback::goes_on;
use super::cancel::mend_cancel;
use super::error::mend_error;
use super::guard::guard_out;
use super::handle::shared;
use super::image::{Checked, MEND_DEPTH_U8, MEND_LAYOUT_RGB, mend_image};
use super::inpainter::mend_inpainter;
use super::request::mend_request;
use super::status::mend_status;
use super::text::lossless;
use crate::error::Result;
use crate::pixels::MaskView;
use crate::plan::Canvas;
use crate::progress::{Cancel, Preview, Progress, Step};
use std::ffi::{c_char, c_void};
use std::ptr;

/// The progress of a fill. The library makes the struct; it and what it points to live only during
/// the callback. Later versions may add members at its end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct mend_progress {
    /// What is being done, in English, such as "fill". Never NULL.
    pub stage: *const c_char,
    /// Steps done, 0 to 'steps'.
    pub step: u32,
    /// All steps, at least 1.
    pub steps: u32,
    /// Estimated seconds left; below 0 while there is no estimate.
    pub seconds_left: f64,
    /// A small, rough picture of the region that is being filled (MEND_LAYOUT_RGB | MEND_DEPTH_U8;
    /// do not write to it). It is there in the first call after an engine has made a new one, and
    /// NULL otherwise; engines without previews always give NULL. Copy it to keep it.
    pub preview: *const mend_image,
    /// Where in 'dst' the region is, over which a preview is to be stretched: its left column.
    /// This and the next three are 0 without a preview.
    pub preview_x: u32,
    /// Its top row.
    pub preview_y: u32,
    /// Its columns.
    pub preview_width: u32,
    /// Its rows.
    pub preview_height: u32,
}

/// Receives progress, at most some ten times a second, on the thread that called mend_inpaint or
/// mend_inpaint_variations.
///
/// 'user' is what the call was given. Return exactly 1 to continue; anything else cancels the
/// fill. The callback must return: no longjmp, no C++ exception. A thread that is ended inside it, as
/// Python ends its daemon threads when it exits, sleeps there until the process ends.
///
/// It may call the library: it may plan or fill, even with the same inpainter (the outer fill waits),
/// trim, or raise a cancel. It must not free or set what the running call uses, nor change the
/// pictures.
pub type mend_progress_fn =
    Option<unsafe extern "C" fn(progress: *const mend_progress, user: *mut c_void) -> i32>;

/// Says what mend_inpaint would do, without doing it, as a JSON object in UTF-8: "engine", "reason"
/// (why this engine), "canvas" ({"width", "height", "x", "y"} as from mend_expanded_size, on which the
/// regions lie, or null where the picture keeps its size), "variations" ({"made", "kept"}: how many fills
/// are made and kept), "regions" (an array, in the order they are filled, of {"rect", "hole": {"x", "y",
/// "width", "height"}, "hole_pixels", "scale"}), "stages" (an array of {"name", "bytes",
/// "way"}: what an engine with several parts holds, and how each is done to keep the memory budget),
/// "peak_bytes" (predicted memory), "seconds" (predicted time) and "notes" (an array of strings for the
/// user, such as which parameters the engine will not use). An empty mask has no regions.
///
/// 'image' and 'mask' are as for mend_inpaint. 'image' may be NULL: the plan is then made from the
/// mask alone, which may not be NULL then. *json receives the string; free it with mend_string_free. On
/// failure *json is NULL. No other pointer but 'err' may be NULL. Any number of threads may use one inpainter and one
/// request at once.
///
/// Errors as mend_inpaint.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_plan(
    inpainter: *const mend_inpainter,
    request: *const mend_request,
    image: *const mend_image,
    mask: *const mend_image,
    json: *mut *mut c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: live handles and images that nobody changes now, pointers to write, or null.
    unsafe {
        guard_out(json, Some("json"), err, || {
            plan(
                shared(inpainter, "inpainter")?,
                shared(request, "request")?,
                image,
                mask,
            )
        })
    }
}

/// Fills the pixels of 'src' that 'mask' selects, and writes the picture to 'dst'.
///
/// 'src': the picture, in any format. Pixels where the mask is full may hold anything (values that
/// are not finite are replaced entirely there, whatever the parameter "feather"); elsewhere near the
/// hole they must be finite.
///
/// 'mask': one gray channel (MEND_LAYOUT_GRAY) of u8, u16 or f32, with the size of 'src'. 0 keeps the
/// pixel, the largest value (255, 65535, 1.0) replaces it, and a value between replaces it in part.
/// It may be NULL if the parameter "expand" was set, and then selects nothing.
///
/// If the parameter "expand" makes the picture larger, all that is new is filled together with what the
/// mask selects. 'dst' then has the size that mend_expanded_size gives, and the format of 'src', and is
/// memory that does not overlap 'src' and 'mask': it receives 'src' at its place, with the same bits, and
/// the fill around it. Since version 1.3 of the C interface. Otherwise:
///
/// 'dst': the size and format of 'src', and either exactly the same memory (same 'data', same
/// 'stride') or memory that does not overlap 'src' and 'mask'. Separate memory receives a copy of
/// every pixel of 'src', and the fill. Every pixel whose mask is 0 (after the parameter "grow" has
/// widened it) has the same bits in 'dst' as in 'src'; bytes between the rows are not touched. If the
/// parameter "result" is "layer", 'dst' receives only the fill, as a layer to put over the picture:
/// its alpha is that of the fill times how much of the pixel is replaced, and every other pixel is
/// zero. On any failure, and when cancelled, 'dst' is not touched at all.
///
/// An empty mask is not a failure: nothing is filled, and the report says so. The same request on
/// the same picture gives the same bits, on any number of threads. Where the parameters "variations" and
/// "best-of" ask for several fills, 'dst' receives the best of them; mend_inpaint_variations gives more.
///
/// 'progress' is called with the progress of the fill and with 'user', which may be anything; see
/// mend_progress_fn. 'cancel' stops the fill when it is raised. *report receives a JSON object in
/// UTF-8: "engine" (which ran), "regions" and "pixels" (how many were filled), "seconds", "stages"
/// (an array of {"name", "seconds"}, in the order in which they began), "scores" (an array with the
/// scores of the fills that were made, the best first, if there were several; see
/// mend_variations_score) and "notes" (an array of strings for the user, such as that the mask was
/// empty). Free it with mend_string_free; on failure
/// it is NULL.
///
/// The library keeps nothing that it was given after the call. 'progress', 'user', 'cancel', 'report'
/// and 'err' may be NULL. Any number of threads may use one inpainter, one request and one cancel at
/// once, each with a 'dst' of its own. Nobody may change 'src' or 'mask', or use 'dst', during the
/// call.
///
/// MEND_ERR_IMAGE, MEND_ERR_MASK: one of the three cannot be used; the message says which and why.
/// MEND_ERR_MASK also if the hole is the whole image. MEND_ERR_BUDGET: "max-memory" is too small.
/// MEND_ERR_PARAMETER: the engine does not accept a value of the request. MEND_ERR_MEMORY,
/// MEND_ERR_MODEL, MEND_ERR_ENGINE, MEND_ERR_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mend_inpaint(
    inpainter: *const mend_inpainter,
    request: *const mend_request,
    src: *const mend_image,
    mask: *const mend_image,
    dst: *const mend_image,
    progress: mend_progress_fn,
    user: *mut c_void,
    cancel: *const mend_cancel,
    report: *mut *mut c_char,
    err: *mut *mut mend_error,
) -> mend_status {
    // SAFETY: live handles and images used as the header says, pointers to write, or null.
    unsafe {
        guard_out(report, None, err, || {
            Call {
                inpainter: shared(inpainter, "inpainter")?,
                request: shared(request, "request")?,
                cancel: cancel.as_ref(),
                pictures: Pictures::of(shared(request, "request")?, src, mask, dst)?,
            }
            .run(Callback { progress, user })
        })
    }
}

/// A plan as text.
///
/// # Safety
/// Both images are null or live, and nobody writes their pixels now.
unsafe fn plan(
    inpainter: &mend_inpainter,
    request: &mend_request,
    image: *const mend_image,
    mask: *const mend_image,
) -> Result<String> {
    // SAFETY: as this function's.
    let (image, mask) = unsafe {
        if image.is_null() {
            (None, Checked::mask_of(mask, "mask")?.mask()?)
        } else {
            let mask = selection(request, mask)?;
            let image = Checked::image_of(image, "image")?;
            (Some(image.view()?), selected(mask.as_ref(), &image)?)
        }
    };
    let plan = inpainter.0.plan(&request.0, image.as_ref(), &mask)?;
    Ok(plan.to_json().to_string())
}

/// The three pictures of a fill, checked against each other.
struct Pictures {
    src: Checked,
    mask: Option<Checked>,
    dst: Checked,
    /// What 'src' grows to.
    canvas: Canvas,
}

impl Pictures {
    /// # Safety
    /// As [`Checked::image_of`], for each.
    unsafe fn of(
        request: &mend_request,
        src: *const mend_image,
        mask: *const mend_image,
        dst: *const mend_image,
    ) -> Result<Self> {
        // SAFETY: as this function's.
        let (src, mask, dst) = unsafe {
            (
                Checked::image_of(src, "src")?,
                selection(request, mask)?,
                Checked::image_of(dst, "dst")?,
            )
        };
        let (width, height) = src.size();
        let canvas = request.0.canvas(width, height)?;
        dst.check_destination(&src, mask.as_ref(), &canvas)?;
        Ok(Self {
            src,
            mask,
            dst,
            canvas,
        })
    }
}

/// The mask of a fill; none where a picture is only to grow.
///
/// # Safety
/// As [`Checked::image_of`].
pub(super) unsafe fn selection(
    request: &mend_request,
    mask: *const mend_image,
) -> Result<Option<Checked>> {
    if mask.is_null() && request.0.expands() {
        return Ok(None);
    }
    // SAFETY: as this function's.
    unsafe { Checked::mask_of(mask, "mask") }.map(Some)
}

/// The mask of `src` as a view.
///
/// # Safety
/// As [`Checked::view`].
pub(super) unsafe fn selected<'a>(mask: Option<&Checked>, src: &Checked) -> Result<MaskView<'a>> {
    let (width, height) = src.size();
    match mask {
        // SAFETY: as this function's.
        Some(mask) => unsafe { mask.mask() },
        None => MaskView::nothing(width, height),
    }
}

/// A call of `mend_inpaint`, parsed.
struct Call<'a> {
    inpainter: &'a mend_inpainter,
    request: &'a mend_request,
    cancel: Option<&'a mend_cancel>,
    pictures: Pictures,
}

impl Call<'_> {
    /// Fills and gives the report as text. Until everything that can fail is done, the destination
    /// is not touched.
    ///
    /// # Safety
    /// The pictures' memories are live; nobody writes 'src' and 'mask' or uses 'dst' meanwhile.
    unsafe fn run(self, mut progress: Callback) -> Result<String> {
        let Pictures {
            src,
            mask,
            dst,
            canvas,
        } = self.pictures;
        let cancel = self.cancel.map_or_else(Cancel::new, |c| c.0.clone());
        let filled = {
            // SAFETY: nothing is written while these views are alive, which is in this block.
            let (image, mask) = unsafe { (src.view()?, selected(mask.as_ref(), &src)?) };
            self.inpainter
                .0
                .fill(&self.request.0, &image, &mask, &mut progress, &cancel)?
        };
        let report = filled.report.to_json().to_string();
        // SAFETY: no other view is alive, and `dst` is the caller's to be written.
        let mut view = unsafe {
            dst.copy_from(&src, &canvas);
            dst.view_mut()?
        };
        filled.apply(&mut view)?;
        Ok(report)
    }
}

/// C's progress callback.
pub(super) struct Callback {
    pub progress: mend_progress_fn,
    pub user: *mut c_void,
}

impl Progress for Callback {
    fn report(&mut self, step: &Step) -> bool {
        let Some(progress) = self.progress else {
            return true;
        };
        let stage = lossless(step.stage.to_owned());
        let preview = step.preview.as_ref();
        let picture = preview.map(image);
        let [x, y, width, height] = preview.map_or([0; 4], |p| p.region);
        let told = mend_progress {
            stage: stage.as_ptr(),
            step: step.step,
            steps: step.steps,
            seconds_left: step.seconds_left.unwrap_or(-1.0),
            preview: picture.as_ref().map_or(ptr::null(), ptr::from_ref),
            preview_x: x,
            preview_y: y,
            preview_width: width,
            preview_height: height,
        };
        // SAFETY: C gave the function for this, with its `user`; the struct lives until it returns.
        unsafe { goes_on(progress, &told, self.user) }
    }
}

/// A preview as C reads it, as long as it lives.
fn image(preview: &Preview) -> mend_image {
    mend_image {
        data: preview.pixels.as_ptr().cast_mut().cast(),
        length: preview.pixels.len(),
        stride: preview.width as usize * 3,
        width: preview.width,
        height: preview.height,
        format: MEND_LAYOUT_RGB | MEND_DEPTH_U8,
    }
}
