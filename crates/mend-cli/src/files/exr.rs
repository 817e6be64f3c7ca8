//! OpenEXR, read: one layer of red, green, blue and perhaps alpha, as scene-linear float.
//!
//! Source: Academy Software Foundation, "Technical Introduction to OpenEXR": alpha, layers.
#![forbid(unsafe_code)]

use super::{Kind, Picture, Source, Want, plain};
use image::codecs::openexr::OpenExrDecoder;
use mend::Result;

/// Reads an OpenEXR picture.
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let meta = exr::meta::MetaData::read_from_buffered(source.reader()?, false);
    let meta = meta.map_err(|e| match e {
        exr::error::Error::Io(e) => source.io(&e),
        exr::error::Error::NotSupported(what) => source.unsupported(format!(
            "is a kind of OpenEXR that is not supported ({what}): turn it into a float TIFF first"
        )),
        e => source.damaged(e),
    })?;
    let unsupported = |what: &str| {
        source.unsupported(format!(
            "{what}, which is not supported: turn the one that you want into a float TIFF first, \
             as `oiiotool` does"
        ))
    };
    let [header] = meta.headers.as_slice() else {
        return Err(unsupported("has several parts"));
    };
    if header.deep {
        return Err(unsupported("holds depths with each pixel"));
    }
    let names: Vec<String> = header
        .channels
        .list
        .iter()
        .map(|c| c.name.to_string())
        .collect();
    if !["R", "G", "B"].iter().all(|c| names.iter().any(|n| n == c)) {
        return Err(unsupported("has no red, green and blue channels"));
    }
    let decoder = OpenExrDecoder::new(source.reader()?);
    let decoder = decoder.map_err(|e| plain::decode_error(source, e))?;
    let mut picture = plain::decode(source, Kind::Exr, want, decoder)?;
    picture.format.premultiplied = picture.format.layout.has_alpha();
    let others: Vec<_> = names
        .iter()
        .filter(|n| !["R", "G", "B", "A"].contains(&n.as_str()))
        .map(String::as_str)
        .collect();
    if !others.is_empty() {
        picture.notes.push(format!(
            "{} has channels besides colour and transparency; they are left out: {}",
            source.path.display(),
            others.join(", ")
        ));
    }
    Ok(picture)
}
