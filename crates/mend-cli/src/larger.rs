//! A picture that grows: the sides that the user sees, and the larger picture with what goes along.
#![forbid(unsafe_code)]

use crate::args::SelectArgs;
use crate::files::{Picture, zeroed};
use crate::orient::stored_sides;
use mend::{Canvas, Request, Result};

/// Sets what the picture grows by to its stored sides; the command line's are those that are shown.
///
/// # Errors
/// Those of [`Request::set`].
pub fn set_sides(request: &mut Request, select: &SelectArgs, picture: &Picture) -> Result<()> {
    let orientation = picture.meta.orientation().unwrap_or(1);
    match select.sides() {
        // What was given is told in the user's own words where it is refused.
        Some(sides) if orientation != 1 => {
            request.set("expand", &stored_sides(orientation, &sides).to_string())
        }
        _ => Ok(()),
    }
}

/// Lays the picture on its canvas; what is around it is zero. Its metadata says the new size.
///
/// # Errors
/// [`mend::ErrorKind::Memory`].
pub fn lay(picture: &mut Picture, canvas: &Canvas) -> Result<()> {
    let pixels = canvas.width as usize * canvas.height as usize;
    let data = zeroed(pixels * picture.format.bytes(), "the larger picture")?;
    let mut larger = Picture::new(
        picture.kind,
        canvas.width,
        canvas.height,
        picture.format,
        data,
    );
    canvas.lay(&picture.view()?, &mut larger.view_mut()?)?;
    picture.carry.grow(canvas)?;
    picture.meta.set_size(canvas.width, canvas.height);
    picture.data = larger.data;
    (picture.width, picture.height) = (canvas.width, canvas.height);
    Ok(())
}
