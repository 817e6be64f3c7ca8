//! A fill through the C interface, by a caller who may have got every number wrong. The one thing
//! that C must tell truly, and does here, is how many bytes its memory has.

use super::Bytes;
use super::masks::Drawn;
use mend::capi::*;
use mend::pixels::PixelFormat;
use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};

/// Parameters with values that are right, odd and wrong.
const PARAMS: &[(&str, &[&str])] = &[
    ("engine", &["auto", "exemplar", "exemplary"]),
    ("seed", &["0", "1", "4294967295", "-1"]),
    (
        "context",
        &["auto", "0", "9px", "65536", "0%", "1000%", "NaN%"],
    ),
    ("grow", &["0", "1", "7", "256", "257"]),
    ("feather", &["0", "1", "7", "256", "0.5"]),
    ("result", &["image", "layer", "both"]),
    ("best-of", &["1", "2", "9"]),
    ("variations", &["1", "2", "0"]),
];

const OPTIONS: &[(&str, &[&str])] = &[("max-memory", &["0", "1", "900K", "64M", "lots"])];

struct Case {
    picture: Vec<u8>,
    mask: Vec<u8>,
    image: mend_image,
    mask_image: mend_image,
    source: bool,
    params: Vec<(&'static str, &'static str)>,
    options: Vec<(&'static str, &'static str)>,
    in_place: bool,
}

/// What a run ended with.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: mend_status,
    destination: Vec<u8>,
}

fn case(b: &mut Bytes<'_>) -> (Case, Drawn) {
    let (width, height) = (1 + b.upto(47), 1 + b.upto(39));
    let depth = b.one_of(&[0x10, 0x20, 0x30, 0x40]);
    let flags = b.one_of(&[0, 0, 0, 0x100, 0x200, 0x300]);
    let sound = b.one_of(&[1, 2, 3, 4, 5, 6]) | depth | flags;
    let format = if b.rarely() { b.u32() } else { sound };
    let row = width * PixelFormat::from_bits(sound).expect("sound").bytes();
    let stride = row + b.one_of(&[0, 0, 1, 3, 16]);
    let bytes = stride * (height - 1) + row;
    let drawn = Drawn::new(b, width, height);
    let mask_row = width * drawn.depth.bytes();
    // Values as pictures have them, or any bits at all.
    let mut picture = b.spread(bytes);
    if !b.rarely() {
        sane(&mut picture, depth);
    }
    let mut mask = drawn.bytes.clone();
    let mut image = mend_image {
        data: picture.as_mut_ptr().cast(),
        length: bytes,
        stride,
        width: width as u32,
        height: height as u32,
        format,
    };
    let mut mask_image = mend_image {
        data: mask.as_mut_ptr().cast(),
        length: mask.len(),
        stride: mask_row,
        width: width as u32,
        height: height as u32,
        format: 1 | (drawn.depth as u32) << 4,
    };
    for image in [&mut image, &mut mask_image] {
        if b.rarely() {
            match b.upto(4) {
                0 => image.width = b.u32(),
                1 => image.height = b.u32(),
                2 => image.stride = b.u32() as usize,
                3 => image.stride = usize::MAX - b.upto(70000),
                _ => image.length -= b.upto(image.length),
            }
        }
    }
    let mut chosen = |table: &[(&'static str, &[&'static str])], most: usize| {
        (0..b.upto(most))
            .map(|_| {
                let (name, values) = b.one_of(table);
                (name, b.one_of(values))
            })
            .collect::<Vec<_>>()
    };
    let (params, options) = (chosen(PARAMS, 3), chosen(OPTIONS, 1));
    let case = Case {
        picture,
        mask,
        image,
        mask_image,
        source: b.rarely(),
        params,
        options,
        in_place: b.u8().is_multiple_of(2),
    };
    (case, drawn)
}

/// Turns any bytes into values within the usual range of `depth`.
fn sane(bytes: &mut [u8], depth: u32) {
    match depth {
        0x30 => {
            for pair in bytes.chunks_exact_mut(2) {
                let v = half::f16::from_f32(f32::from(pair[0]) / 255.0);
                pair.copy_from_slice(&v.to_ne_bytes());
            }
        }
        0x40 => {
            for four in bytes.chunks_exact_mut(4) {
                let v = f32::from(four[0]) / 255.0;
                four.copy_from_slice(&v.to_ne_bytes());
            }
        }
        _ => {}
    }
}

/// The status of a call that may fail, with its error looked at and freed.
fn told(call: impl FnOnce(*mut *mut mend_error) -> mend_status) -> mend_status {
    let mut err = null_mut();
    let status = call(&mut err);
    assert_eq!(status == MEND_OK, err.is_null());
    if !err.is_null() {
        // SAFETY: a live error.
        unsafe {
            assert_eq!(mend_error_status(err), status);
            let message = CStr::from_ptr(mend_error_message(err));
            assert!(message.to_bytes().len() > 20, "{message:?}");
            assert_ne!(status, MEND_ERR_INTERNAL, "{message:?}");
            mend_error_free(err);
        }
    }
    status
}

fn inpaint(case: &mut Case, threads: &CStr) -> Outcome {
    let mut apart = vec![0xa5; case.picture.len()];
    // Not the copy's own memory: pointers may have moved with the case.
    case.image.data = case.picture.as_mut_ptr().cast();
    case.mask_image.data = case.mask.as_mut_ptr().cast();
    let mut dst = case.image;
    if !case.in_place {
        dst.data = apart.as_mut_ptr().cast();
    }
    let (mut inpainter, mut request) = (null_mut(), null_mut());
    // SAFETY: live pointers all; each image has the bytes that it says; strings end in NUL.
    let status = unsafe {
        told(|e| mend_inpainter_new(&mut inpainter, e));
        told(|e| mend_request_new(&mut request, e));
        told(|e| mend_inpainter_set(inpainter, c"threads".as_ptr(), threads.as_ptr(), e));
        for (name, value) in &case.options {
            let (name, value) = (text(name), text(value));
            told(|e| mend_inpainter_set(inpainter, name.as_ptr(), value.as_ptr(), e));
        }
        for (name, value) in &case.params {
            let (name, value) = (text(name), text(value));
            told(|e| mend_request_set(request, name.as_ptr(), value.as_ptr(), e));
        }
        if case.source {
            told(|e| mend_request_set_mask(request, c"source".as_ptr(), &case.mask_image, e));
        }
        let mut json = null_mut();
        let planned = told(|e| {
            mend_plan(
                inpainter,
                request,
                &case.image,
                &case.mask_image,
                &mut json,
                e,
            )
        });
        assert_eq!(planned == MEND_OK, !json.is_null());
        mend_string_free(json);
        let status = told(|e| {
            mend_inpaint(
                inpainter,
                request,
                &case.image,
                &case.mask_image,
                &dst,
                None,
                null_mut(),
                null(),
                null_mut(),
                e,
            )
        });
        mend_request_free(request);
        mend_inpainter_free(inpainter);
        status
    };
    let destination = match case.in_place {
        true => case.picture.clone(),
        false => apart,
    };
    Outcome {
        status,
        destination,
    }
}

fn text(s: &str) -> CString {
    CString::new(s).expect("no NUL in the tables")
}

/// A failure leaves the destination alone; a success leaves every unselected pixel's bits, and every
/// byte between the rows, and depends on no number of threads.
pub fn run(data: &[u8]) {
    let mut b = Bytes(data);
    let (mut case, drawn) = case(&mut b);
    let before = case.picture.clone();
    let one = inpaint(&mut case, c"1");
    let untouched = match case.in_place {
        true => before.clone(),
        false => vec![0xa5; before.len()],
    };
    if one.status != MEND_OK {
        assert_eq!(one.destination, untouched, "status {}", one.status);
        return;
    }
    let format = PixelFormat::from_bits(case.image.format).expect("taken, so sound");
    // Either may have been set back again or refused: then there is only less to check.
    let grown = case.params.iter().any(|(n, v)| *n == "grow" && *v != "0");
    let layer = case.params.contains(&("result", "layer"));
    let size = format.bytes();
    for y in 0..case.image.height as usize {
        let start = y * case.image.stride;
        let row = case.image.width as usize * size;
        let next = (start + case.image.stride).min(before.len());
        assert_eq!(
            one.destination[start + row..next],
            untouched[start + row..next],
            "between rows"
        );
        for x in 0..case.image.width as usize {
            let same_shape = drawn.width == case.image.width as usize;
            if grown || layer || !same_shape || drawn.at(x, y) > 0.0 {
                continue;
            }
            let at = start + x * size;
            assert_eq!(one.destination[at..at + size], before[at..at + size]);
        }
    }
    case.picture = before;
    assert_eq!(inpaint(&mut case, c"3"), one, "three threads");
}
