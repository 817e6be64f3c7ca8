//! The C ABI: parse, call, convert. Floor 6.
//!
//! Every function here is one line of body: its pointers and numbers are parsed into Rust values,
//! the Rust API is called, and the answer is converted. `include/mend.h` is generated from the
//! comments and signatures of this room (`MEND_BLESS=1 cargo test --test capi header`), so a comment
//! on a public item here is written for a C programmer, in one order: meaning, shapes and units and
//! ranges, ownership, nullability, threads, errors.
//!
//! # Safety
//! What C promises is written in the header, at its top and at each function: a pointer is NULL or
//! points to a live object of its type, a handle came from its `*_new` and was not freed, a string
//! ends in a NUL byte, and an image's memory is as long as it says. What can be checked is checked;
//! the `SAFETY` comments here rest on the rest.
#![allow(non_camel_case_types)] // C's names.
#![allow(clippy::too_many_arguments)] // C has no others to give.
#![allow(clippy::missing_safety_doc)] // Said once, above, and in the header.

mod version;

mod status;

mod shield;

mod guard;

mod error;

mod image;

mod text;

mod handle;

mod inpainter;

mod request;

mod cancel;

mod callback;

mod run;

mod variations;

mod models;
mod select;

#[cfg(test)]
mod tests;

pub use cancel::{
    mend_cancel, mend_cancel_finish, mend_cancel_free, mend_cancel_new, mend_cancel_trigger,
};
pub use error::{mend_error, mend_error_free, mend_error_message, mend_error_status};
pub use image::{
    MEND_DEPTH_F16, MEND_DEPTH_F32, MEND_DEPTH_U8, MEND_DEPTH_U16, MEND_LAYOUT_BGR,
    MEND_LAYOUT_BGRA, MEND_LAYOUT_GRAY, MEND_LAYOUT_GRAYA, MEND_LAYOUT_RGB, MEND_LAYOUT_RGBA,
    MEND_LINEAR, MEND_PREMULTIPLIED, mend_image,
};
pub use inpainter::{
    mend_describe, mend_inpainter, mend_inpainter_free, mend_inpainter_new, mend_inpainter_set,
    mend_inpainter_trim,
};
pub use models::{
    mend_models, mend_models_fetch, mend_models_import, mend_models_remove, mend_transfer,
    mend_transfer_fn,
};
pub use request::{
    mend_expanded_size, mend_request, mend_request_free, mend_request_new, mend_request_set,
    mend_request_set_mask,
};
pub use run::{mend_inpaint, mend_plan, mend_progress, mend_progress_fn};
pub use select::{
    mend_box, mend_click, mend_seen, mend_seen_free, mend_select, mend_selector,
    mend_selector_free, mend_selector_new, mend_selector_picture, mend_selector_set,
};
pub use status::{
    MEND_ERR_ARGUMENT, MEND_ERR_BUDGET, MEND_ERR_CANCELLED, MEND_ERR_ENGINE, MEND_ERR_IMAGE,
    MEND_ERR_INTERNAL, MEND_ERR_IO, MEND_ERR_MASK, MEND_ERR_MEMORY, MEND_ERR_MODEL, MEND_ERR_NULL,
    MEND_ERR_PARAMETER, MEND_ERR_UNSUPPORTED, MEND_OK, mend_status,
};
pub use text::mend_string_free;
pub use variations::{
    mend_inpaint_variations, mend_variations, mend_variations_count, mend_variations_free,
    mend_variations_score, mend_variations_take,
};
pub use version::{MEND_ABI_VERSION, mend_abi_version, mend_version};
