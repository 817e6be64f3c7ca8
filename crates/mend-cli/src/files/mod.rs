//! Picture files: what a decoded picture is, and the way in and out of every format.
//!
//! A picture stays at its own depth and layout as raw bytes, so that pixels nobody asked to change
//! go through a lossless format bit by bit. Files are hostile until their headers were checked.
#![forbid(unsafe_code)]

mod bmp;
mod carry;
mod cmyk;
mod convert;
mod density;
mod dropped;
mod exif;
mod exif_tags;
mod exr;
mod foreign;
mod gif;
mod hidden;
mod jpeg;
mod jpeg_bits;
mod jpeg_markers;
mod jpeg_pixels;
mod jpeg_scan;
mod jpeg_segments;
#[cfg(test)]
mod matrix;
mod meta;
mod photoshop;
mod plain;
mod png;
mod png_chunks;
mod source;
mod tga;
mod tiff;
mod tiff_chunks;
mod tiff_entries;
mod tiff_pixels;
mod tiff_stored;
mod tiff_write;
mod webp;
mod xmp;

pub use self::png::{Compression, rows as png_rows};
pub use carry::Carry;
pub use convert::{check, fit};
pub use dropped::Dropped;
pub use foreign::Foreign;
pub use hidden::holds_picture;
pub use meta::Meta;
pub use source::{Cancellable, Source, io_text};

use mend::pixels::{ImageView, ImageViewMut, PixelFormat};
use mend::{Error, ErrorKind, Result};
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Png,
    Jpeg,
    Tiff,
    WebP,
    Bmp,
    Pnm,
    Tga,
    Qoi,
    /// Only read.
    Gif,
    /// Only read.
    Exr,
    /// Only read.
    Hdr,
}

/// Every format with its usual name and the extensions it is known by.
const KINDS: &[(Kind, &str, &[&str])] = &[
    (Kind::Png, "PNG", &["png"]),
    (Kind::Jpeg, "JPEG", &["jpg", "jpeg", "jpe", "jfif"]),
    (Kind::Tiff, "TIFF", &["tif", "tiff"]),
    (Kind::WebP, "WebP", &["webp"]),
    (Kind::Bmp, "BMP", &["bmp", "dib"]),
    (Kind::Pnm, "PNM", &["ppm", "pgm", "pbm", "pnm", "pam"]),
    (Kind::Tga, "TGA", &["tga"]),
    (Kind::Qoi, "QOI", &["qoi"]),
    (Kind::Gif, "GIF", &["gif"]),
    (Kind::Exr, "OpenEXR", &["exr"]),
    (Kind::Hdr, "Radiance", &["hdr", "rgbe"]),
];

/// Reads an extension that a format is known by, of the command line: in small letters.
pub fn extension(text: &str) -> Result<String, String> {
    let name = text.trim_start_matches('.').to_ascii_lowercase();
    match Kind::of_extension(Path::new(&format!("x.{name}"))) {
        Some(kind) if kind.writable() => Ok(name),
        _ => Err(format!(
            "give an extension of one of {}",
            Kind::written_names()
        )),
    }
}

impl Kind {
    /// The format that `path`'s extension stands for.
    pub fn of_extension(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        KINDS
            .iter()
            .find(|(_, _, names)| names.contains(&extension.as_str()))
            .map(|(kind, _, _)| *kind)
    }

    /// The format's usual name.
    pub fn name(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, _, _)| *kind == self)
            .map_or("", |(_, name, _)| name)
    }

    /// Whether Mend writes it too.
    pub fn writable(self) -> bool {
        !matches!(self, Self::Gif | Self::Exr | Self::Hdr)
    }

    /// The format itself, or one that is written and holds what it does.
    pub fn written(self) -> Self {
        match self {
            Self::Exr | Self::Hdr => Self::Tiff,
            Self::Gif => Self::Png,
            kind => kind,
        }
    }

    /// The usual extension of [`Kind::written`].
    pub fn instead(self) -> &'static str {
        let written = self.written();
        let mut named = KINDS.iter().filter(|(kind, _, _)| *kind == written);
        named.next().map_or("png", |(_, _, names)| names[0])
    }

    /// The usual names of all formats that are read, for messages.
    pub fn all_names() -> String {
        let names: Vec<_> = KINDS.iter().map(|(_, name, _)| *name).collect();
        names.join(", ")
    }

    /// The usual names of all formats that are written, for messages.
    pub fn written_names() -> String {
        let written = KINDS.iter().filter(|(kind, _, _)| kind.writable());
        let names: Vec<_> = written.map(|(_, name, _)| *name).collect();
        names.join(", ")
    }

    /// The format that a file starting with `head` has; `path` decides only where a format has no
    /// signature. Else the kind of file that it is and that Mend cannot read, if it is known.
    fn of_content(head: &[u8], path: &Path) -> Result<Self, Option<&'static Foreign>> {
        if let Some(foreign) = Foreign::of_content(head) {
            return Err(Some(foreign));
        }
        let starts = |magic: &[u8]| head.starts_with(magic);
        if starts(b"\x89PNG\r\n\x1a\n") {
            return Ok(Self::Png);
        }
        if starts(b"\xff\xd8") {
            return Ok(Self::Jpeg);
        }
        if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") {
            // Most cameras' raw files begin like a TIFF, with a small picture in front.
            return match Foreign::of_extension(path) {
                Some(foreign) if foreign.is_raw() => Err(Some(foreign)),
                _ => Ok(Self::Tiff),
            };
        }
        if starts(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
            return Ok(Self::WebP);
        }
        if starts(b"BM") {
            return Ok(Self::Bmp);
        }
        if starts(b"GIF87a") || starts(b"GIF89a") {
            return Ok(Self::Gif);
        }
        if starts(b"v/1\x01") {
            return Ok(Self::Exr);
        }
        if starts(b"#?RADIANCE") || starts(b"#?RGBE") {
            return Ok(Self::Hdr);
        }
        if starts(b"qoif") {
            return Ok(Self::Qoi);
        }
        if let [b'P', b'1'..=b'7', next, ..] = head
            && (next.is_ascii_whitespace() || *next == b'#')
        {
            return Ok(Self::Pnm);
        }
        // TGA begins with anything.
        if Self::of_extension(path) == Some(Self::Tga) {
            return Ok(Self::Tga);
        }
        // What has no signature at all, or another one, may still be known by its name.
        Err(Foreign::of_extension(path))
    }
}

/// A decoded picture.
#[derive(Debug)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub format: PixelFormat,
    /// Tight rows, native byte order; empty when only the header was asked for.
    pub data: Vec<u8>,
    /// The format it was read from.
    pub kind: Kind,
    /// Whether that file was compressed with loss, so that its values ring around edges.
    pub lossy: bool,
    /// What goes along with the pixels into any format.
    pub meta: Meta,
    /// What goes along only into the same format.
    pub carry: Carry,
    /// What does not go on, for it may show an earlier state of the picture.
    pub dropped: Dropped,
    /// What the user should know of the way this file was read.
    pub notes: Vec<String>,
    /// Bytes that reading its pixels takes besides them, where it takes many.
    pub reading: u64,
}

impl Picture {
    /// A picture without metadata.
    pub fn new(kind: Kind, width: u32, height: u32, format: PixelFormat, data: Vec<u8>) -> Self {
        Self {
            width,
            height,
            format,
            data,
            kind,
            lossy: false,
            meta: Meta::default(),
            carry: Carry::None,
            dropped: Dropped::default(),
            notes: Vec::new(),
            reading: 0,
        }
    }

    /// A copy.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn try_clone(&self) -> Result<Self> {
        let mut data = mend_infer::memory::with_capacity(self.data.len(), "a copy of the picture")?;
        data.extend_from_slice(&self.data);
        Ok(Self {
            data,
            meta: self.meta.clone(),
            carry: self.carry.clone(),
            dropped: self.dropped.clone(),
            notes: self.notes.clone(),
            ..*self
        })
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.width as usize * self.format.bytes()
    }

    /// The picture, for the library to read.
    pub fn view(&self) -> Result<ImageView<'_>> {
        ImageView::new(
            &self.data,
            self.width,
            self.height,
            self.row_bytes(),
            self.format,
        )
    }

    /// The picture, for the library to write.
    pub fn view_mut(&mut self) -> Result<ImageViewMut<'_>> {
        let stride = self.row_bytes();
        ImageViewMut::new(&mut self.data, self.width, self.height, stride, self.format)
    }
}

/// How much of a file to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Size, format and metadata; no pixels.
    Header,
    /// Everything.
    Pixels,
}

/// Reads the picture in `source`.
///
/// # Errors
/// [`ErrorKind::Io`] when the file cannot be read, [`ErrorKind::Image`] when it is no picture, is
/// damaged or too large, [`ErrorKind::Unsupported`] for a picture that Mend cannot fill,
/// [`ErrorKind::Memory`], [`ErrorKind::Cancelled`].
pub fn read(source: &Source<'_>, want: Want) -> Result<Picture> {
    let kind = kind_of(source)?;
    let mut picture = shielded(source, || match kind {
        Kind::Png => png::read(source, want),
        Kind::Jpeg => jpeg::read(source, want),
        Kind::Tiff => tiff::read(source, want),
        Kind::WebP => webp::read(source, want),
        Kind::Bmp => bmp::read(source, want),
        Kind::Tga => tga::read(source, want),
        Kind::Pnm | Kind::Qoi | Kind::Hdr => plain::read(source, kind, want),
        Kind::Gif => gif::read(source, want),
        Kind::Exr => exr::read(source, want),
    })?;
    picture.meta.clean(&mut picture.dropped);
    let name = source.path.display().to_string();
    picture.notes.extend(picture.dropped.note(&name));
    Ok(picture)
}

/// How many decoders are at work, for the one hook that all panics of the process go through.
static DECODERS: AtomicUsize = AtomicUsize::new(0);

/// Whether a panic may come from a decoder, where it is a file's error: nothing is to be printed.
pub fn is_decoding() -> bool {
    DECODERS.load(Ordering::Relaxed) > 0
}

/// Runs a decoder of other people's making on a file that may be hostile: whatever goes wrong inside
/// is this file's error and not the end of the program.
pub fn shielded<T>(source: &Source<'_>, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    DECODERS.fetch_add(1, Ordering::Relaxed);
    let decoded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode));
    DECODERS.fetch_sub(1, Ordering::Relaxed);
    source.cancel.check()?;
    decoded.unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("it gave no reason");
        Err(source.unsupported(format!(
            "cannot be read: its decoder failed ({said}). It may be of a kind that is not \
             supported, or damaged: save it again from a program that opens it, and please report \
             it"
        )))
    })
}

/// The format of the file in `source`, by its content.
pub fn kind_of(source: &Source<'_>) -> Result<Kind> {
    let head = source.head()?;
    if head.is_empty() {
        return Err(source.error(ErrorKind::Image, "is empty"));
    }
    Kind::of_content(&head, source.path).map_err(|foreign| match foreign {
        Some(foreign) => foreign.refusal(source),
        None => source.error(
            ErrorKind::Image,
            format!(
                "is not a picture that Mend knows: it reads {}",
                Kind::all_names()
            ),
        ),
    })
}

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    /// For PNG.
    pub png: Compression,
    /// For JPEG, 1–100; used only where there are no quantisation tables to keep.
    pub jpeg_quality: u8,
}

/// A file being written.
pub trait Output: Write + Seek {}
impl<T: Write + Seek> Output for T {}

/// Writes `picture` as `kind`, to which [`fit`] has brought it. Its pixels are used up: they may
/// be in another byte order afterwards.
///
/// # Errors
/// [`ErrorKind::Io`] naming no file (the caller knows it), [`ErrorKind::Unsupported`] when the
/// format cannot hold the picture.
pub fn write(
    picture: &mut Picture,
    kind: Kind,
    options: &WriteOptions,
    out: &mut dyn Output,
) -> Result<()> {
    match kind {
        Kind::Png => png::write(picture, options.png, out),
        Kind::Jpeg => jpeg::write(picture, options.jpeg_quality, out),
        Kind::Tiff => tiff_write::write(picture, out),
        Kind::WebP => webp::write(picture, out),
        Kind::Bmp => bmp::write(picture, out),
        Kind::Pnm | Kind::Tga | Kind::Qoi => plain::write(picture, kind, out),
        Kind::Gif | Kind::Exr | Kind::Hdr => {
            let what = format!("{} can be read but not written", kind.name());
            Err(Error::new(ErrorKind::Unsupported, what))
        }
    }
}

/// What the user should know before a JPEG is written.
pub fn jpeg_notes(picture: &Picture, out: &Path) -> Vec<String> {
    let out = out.display();
    let mut notes = vec![match &picture.carry {
        Carry::Jpeg(_) => format!(
            "{out} is a JPEG: its blocks are coded again with the same quantisation tables and \
             subsampling, so pixels outside the mask may change a little"
        ),
        _ => format!("{out} is a JPEG: pixels outside the mask change a little too"),
    }];
    if let Carry::Jpeg(markers) = &picture.carry {
        notes.extend(
            jpeg::losses(markers)
                .into_iter()
                .map(|l| format!("{out}: {l}")),
        );
    }
    notes
}

/// Bytes beyond the pixels that writing `picture` as `kind` takes in this size, about.
pub fn write_bytes((width, height): (u32, u32), picture: &Picture, kind: Kind) -> u64 {
    let pixels = u64::from(width) * u64::from(height);
    let channels = picture.format.layout.channels() as u64;
    match kind {
        // The encoder holds a transformed copy with four channels and the finished file.
        Kind::WebP => pixels * 4 * 2,
        // Quantised coefficients of the whole picture, but for plain baseline files.
        Kind::Jpeg if jpeg::holds_coefficients(picture) => pixels * channels * 2,
        Kind::Qoi => pixels * (channels + 1),
        _ => 8 << 20,
    }
}

/// A buffer of `len` zero bytes that costs memory only where it is written to.
///
/// # Errors
/// [`ErrorKind::Memory`] naming `what` was to be held.
pub fn zeroed(len: usize, what: &str) -> Result<Vec<u8>> {
    // There is no fallible way to ask for zeroed pages. Asking for as much and giving it back tells
    // whether the address space and the limits allow it, without touching a page.
    drop(mend_infer::memory::with_capacity::<u8>(len, what)?);
    Ok(vec![0; len])
}

/// Swaps the two bytes of every 16-bit sample.
fn swap_u16(data: &mut [u8]) {
    for pair in data.chunks_exact_mut(2) {
        pair.swap(0, 1);
    }
}

/// An encoder's failure as an error; the output's name is added by the caller.
fn encode_error(format: &str, error: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Io,
        format!("the {format} could not be written: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_decoder_is_the_files_error() {
        let cancel = mend::Cancel::new();
        let source = Source {
            path: Path::new("some.tif"),
            at: None,
            cancel: &cancel,
            max_bytes: 1,
        };
        let fails = |decode: fn() -> Result<()>| shielded(&source, decode).unwrap_err();
        let e = fails(|| panic!("index {} is out of bounds", 7));
        assert_eq!(e.kind(), ErrorKind::Unsupported);
        for said in ["some.tif", "index 7 is out of bounds", "not supported"] {
            assert!(e.message().contains(said), "{e}");
        }
        assert!(
            fails(|| std::panic::panic_any(3))
                .message()
                .contains("no reason")
        );
        assert!(shielded(&source, || Ok(is_decoding())).unwrap());
    }
}
