//! What the diffusion engine shows on its way, as C sees it.

use crate::c::{Handle, image, image_mut, inpainter, outcome, request};
use crate::picture::{GRAY8, Picture, RGB8};
use mend::capi::*;
use mend_fixtures::tiny;
use std::ffi::{CStr, CString, c_void};
use std::ptr::{null, null_mut};

/// Previews that came: columns, rows and pixels of each, and where each lies.
type Shown = Vec<(u32, u32, Vec<u8>, [u32; 4])>;

unsafe extern "C" fn look(progress: *const mend_progress, user: *mut c_void) -> i32 {
    // SAFETY: the library passes a live struct, and back what it was given.
    let (p, shown) = unsafe { (&*progress, &mut *user.cast::<Shown>()) };
    let place = [p.preview_x, p.preview_y, p.preview_width, p.preview_height];
    // SAFETY: null or live during the call.
    match unsafe { p.preview.as_ref() } {
        None => assert_eq!(place, [0; 4]),
        Some(image) => {
            assert_eq!(image.format, MEND_LAYOUT_RGB | MEND_DEPTH_U8);
            assert_eq!(image.stride, 3 * image.width as usize);
            assert_eq!(image.length, image.stride * image.height as usize);
            // SAFETY: as many bytes as the struct says.
            let pixels = unsafe { std::slice::from_raw_parts(image.data.cast(), image.length) };
            shown.push((image.width, image.height, pixels.to_vec(), place));
        }
    }
    1
}

#[test]
fn steps_show_a_small_picture_of_their_region() {
    let folder = std::env::temp_dir().join(format!("mend-previews-{}", std::process::id()));
    tiny::model(&folder.join("tiny"), 9);
    let model = folder.join("tiny");
    let (inpainter, request): (_, Handle<mend_request>) = (inpainter(), request());
    for (name, value) in [
        ("engine", "diffusion"),
        ("model", model.to_str().unwrap()),
        ("prompt", "a cat"),
        ("steps", "3"),
    ] {
        let (name, value) = (CString::new(name).unwrap(), CString::new(value).unwrap());
        // SAFETY: a live request, strings that end in NUL.
        let status =
            unsafe { mend_request_set(request.0, name.as_ptr(), value.as_ptr(), null_mut()) };
        assert_eq!(status, MEND_OK);
    }
    let mut picture = Picture::textured((200, 90), RGB8, 0);
    let mask = Picture::new((200, 90), GRAY8, 0, |x, y, _| {
        f32::from(u8::from((140..160).contains(&x) && (30..60).contains(&y)))
    });
    let mut shown = Shown::new();
    let (mut report, mut err) = (null_mut(), null_mut());
    let (dst, mask) = (image_mut(&mut picture), image(&mask));
    // SAFETY: everything passed is live, and the picture is not looked at meanwhile.
    let status = unsafe {
        mend_inpaint(
            inpainter.0,
            request.0,
            &dst,
            &mask,
            &dst,
            Some(look),
            (&raw mut shown).cast(),
            null(),
            &mut report,
            &mut err,
        )
    };
    let _ = std::fs::remove_dir_all(&folder);
    outcome(status, err).unwrap();
    // SAFETY: the library's string, freed once.
    unsafe {
        assert!(
            CStr::from_ptr(report)
                .to_str()
                .unwrap()
                .contains("diffusion")
        );
        mend_string_free(report);
    }
    // The last step's is told at the latest when the steps end.
    assert!((1..=3).contains(&shown.len()), "{}", shown.len());
    for (width, height, pixels, [x, y, across, down]) in &shown {
        assert_eq!((*width, *height), (8, 8));
        assert!(pixels.iter().any(|p| *p != pixels[0]));
        // The hole lies in the region, and that in the picture.
        assert!(*x <= 140 && x + across >= 160 && x + across <= 200);
        assert!(*y <= 30 && y + down >= 60 && y + down <= 90);
        assert!(*x > 0, "the region is the whole picture");
    }
}
