//! GIF, read: a single picture; an animation is refused.
#![forbid(unsafe_code)]

use super::{Kind, Picture, Source, Want, plain};
use image::AnimationDecoder;
use image::ImageDecoder;
use image::codecs::gif::GifDecoder;
use mend::Result;

/// Reads a GIF.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let fail = |e| plain::decode_error(source, e);
    let decoder = GifDecoder::new(source.reader()?).map_err(fail)?;
    let (width, height) = decoder.dimensions();
    // Frames are decoded as wholes.
    source.admit(width, height, 4)?;
    // What cannot be read of a second frame is an end that is missing, and no loss.
    if matches!(decoder.into_frames().nth(1), Some(Ok(_))) {
        return Err(source.unsupported(
            "is an animation: Mend fills single pictures; save its frames as pictures first",
        ));
    }
    let decoder = GifDecoder::new(source.reader()?).map_err(fail)?;
    let mut picture = plain::decode(source, Kind::Gif, want, decoder)?;
    picture.notes.push(format!(
        "{} has a palette; the fill may need other colours, so the output is RGB with alpha",
        source.path.display()
    ));
    Ok(picture)
}
