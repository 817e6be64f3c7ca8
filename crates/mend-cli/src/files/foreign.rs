//! Kinds of pictures that people have and Mend cannot read: what they are called and how to turn
//! them into something it reads.
//!
//! Source: the formats' own specifications for the signatures; ISO/IEC 14496-12, section 4.3, and
//! the registry of brands for the family of HEIF.
#![forbid(unsafe_code)]

use super::Source;
use mend::{Error, ErrorKind};
use std::path::Path;

/// A kind of picture that Mend cannot read.
#[derive(Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is, with its article.
    pub what: &'static str,
    /// How to turn it into something that can be read: an order to the reader.
    pub convert: &'static str,
    /// Extensions in lower case.
    extensions: &'static [&'static str],
    /// Where in the file which bytes stand; any of them will do.
    signatures: &'static [(usize, &'static [u8])],
    /// Brands of files made of boxes.
    brands: &'static [&'static [u8; 4]],
}

/// Pictures from a camera's sensor: most of them begin like a TIFF.
pub const RAW: Foreign = Foreign {
    what: "a camera raw file",
    convert: "develop it into a 16-bit TIFF first, for example with darktable, RawTherapee or the \
              camera's own program",
    extensions: &[
        "3fr", "ari", "arw", "bay", "cr2", "cr3", "crw", "cap", "dcr", "dcs", "dng", "drf", "eip",
        "erf", "fff", "gpr", "iiq", "k25", "kdc", "mdc", "mef", "mos", "mrw", "nef", "nrw", "orf",
        "pef", "ptx", "pxn", "r3d", "raf", "raw", "rw2", "rwl", "rwz", "sr2", "srf", "srw", "x3f",
    ],
    signatures: &[
        (0, b"FUJIFILMCCD-RAW"),
        (0, b"FOVb"),
        (0, b"II\x1a\0\0\0HEAPCCDR"),
        (0, b"IIRO"),
        (0, b"IIRS"),
        (0, b"MMOR"),
        (0, b"IIU\0"),
        (0, b"\0MRM"),
        // Canon's CR2 is a TIFF that says so behind its header.
        (8, b"CR\x02\0"),
    ],
    brands: &[b"crx "],
};

const KINDS: &[Foreign] = &[
    RAW,
    Foreign {
        what: "an AVIF picture",
        convert: "turn it into a PNG first, as `avifdec photo.avif photo.png` does, or export it \
                  from GIMP",
        extensions: &["avif", "avifs"],
        signatures: &[],
        brands: &[b"avif", b"avis"],
    },
    Foreign {
        what: "a HEIC picture",
        convert: "turn it into a PNG first, as `heif-convert photo.heic photo.png` does, or export \
                  it from GIMP; iPhones take JPEG with Settings, Camera, Formats, Most Compatible",
        extensions: &["heic", "heics", "heif", "heifs", "hif"],
        signatures: &[],
        brands: &[
            b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1",
            b"mif2", b"msf1",
        ],
    },
    Foreign {
        what: "a JPEG XL picture",
        convert: "turn it into a PNG first, as `djxl photo.jxl photo.png` does, or export it from \
                  GIMP",
        extensions: &["jxl"],
        signatures: &[(0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL ")],
        brands: &[b"jxl "],
    },
    Foreign {
        what: "a JPEG 2000 picture",
        convert: "turn it into a PNG first, as `opj_decompress -i photo.jp2 -o photo.png` does",
        extensions: &["jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "jpm"],
        signatures: &[(0, b"\0\0\0\x0cjP  "), (0, b"\xff\x4f\xff\x51")],
        brands: &[b"jp2 ", b"jpx "],
    },
    Foreign {
        what: "a JPEG XR picture",
        convert: "turn it into a TIFF first, as `JxrDecApp -i photo.jxr -o photo.tif` does",
        extensions: &["jxr", "wdp", "hdp"],
        signatures: &[(0, b"II\xbc\x01")],
        brands: &[],
    },
    Foreign {
        what: "a Photoshop document",
        convert: "export it as a PNG or TIFF first",
        extensions: &["psd", "psb"],
        signatures: &[(0, b"8BPS")],
        brands: &[],
    },
    Foreign {
        what: "a GIMP document",
        convert: "fill it in GIMP with Mend's plug-in, or export it as a PNG or TIFF first",
        extensions: &["xcf"],
        signatures: &[(0, b"gimp xcf")],
        brands: &[],
    },
    Foreign {
        what: "a Krita document",
        convert: "fill it in Krita with Mend's plug-in, or export it as a PNG or TIFF first",
        extensions: &["kra", "krz"],
        signatures: &[(30, b"mimetypeapplication/x-krita")],
        brands: &[],
    },
    Foreign {
        what: "an OpenRaster document",
        convert: "export it as a PNG or TIFF first",
        extensions: &["ora"],
        signatures: &[(30, b"mimetypeimage/openraster")],
        brands: &[],
    },
    Foreign {
        what: "a DDS texture",
        convert: "export it as a PNG first, from GIMP or with `magick texture.dds texture.png`",
        extensions: &["dds"],
        signatures: &[(0, b"DDS ")],
        brands: &[],
    },
    Foreign {
        what: "an icon",
        convert: "save one of its pictures as a PNG first",
        extensions: &["ico", "cur", "icns"],
        // A cursor's, 00 00 02 00, is also what most TGA files begin with.
        signatures: &[(0, b"\0\0\x01\0"), (0, b"icns")],
        brands: &[],
    },
    Foreign {
        what: "a drawing made of lines and not of pixels",
        convert: "first export it as a PNG in the size that you want",
        extensions: &["svg", "svgz", "eps", "ai", "wmf", "emf"],
        signatures: &[(0, b"<svg"), (0, b"%!PS")],
        brands: &[],
    },
    Foreign {
        what: "a PDF",
        convert: "turn its page into a PNG first, as `pdftoppm -png page.pdf page` does",
        extensions: &["pdf"],
        signatures: &[(0, b"%PDF")],
        brands: &[],
    },
    Foreign {
        what: "a DjVu document",
        convert: "turn its page into a TIFF first, as `ddjvu -format=tiff` does",
        extensions: &["djvu", "djv"],
        signatures: &[(0, b"AT&TFORM")],
        brands: &[],
    },
    Foreign {
        what: "a FITS picture",
        convert: "turn it into a float TIFF first",
        extensions: &["fits", "fit", "fts"],
        signatures: &[(0, b"SIMPLE  =")],
        brands: &[],
    },
    Foreign {
        what: "a DPX or Cineon picture",
        convert: "turn it into a TIFF first, as `oiiotool picture.dpx -o picture.tif` does",
        extensions: &["dpx", "cin"],
        signatures: &[(0, b"SDPX"), (0, b"XPDS"), (0, b"\x80\x2a\x5f\xd7")],
        brands: &[],
    },
    Foreign {
        what: "a picture in an old format",
        convert: "save it as a PNG first, from GIMP or with `magick`",
        extensions: &[
            "pcx", "pic", "pict", "pct", "ras", "rgb", "rgba", "sgi", "sun", "xbm", "xpm", "xwd",
            "iff", "lbm", "ilbm", "mng", "jng", "flif", "bpg",
        ],
        signatures: &[
            (0, b"\x01\xda\0\x01"),
            (0, b"\x01\xda\x01\x01"),
            (0, b"\x59\xa6\x6a\x95"),
            (0, b"\x8aMNG"),
            (0, b"\x8bJNG"),
            (0, b"FLIF"),
            (0, b"BPG\xfb"),
            (0, b"/* XPM */"),
        ],
        brands: &[],
    },
];

impl Foreign {
    /// What a file that starts with `head` is, if it is of a kind that Mend knows of but cannot
    /// read.
    pub fn of_content(head: &[u8]) -> Option<&'static Self> {
        let stands =
            |(at, bytes): &(usize, &[u8])| head.get(*at..).is_some_and(|h| h.starts_with(bytes));
        KINDS
            .iter()
            .find(|k| k.signatures.iter().any(stands))
            .or_else(|| Self::of_brands(head))
    }

    /// What `path`'s extension stands for, if that is a kind of picture that Mend knows of but
    /// cannot read.
    pub fn of_extension(path: &Path) -> Option<&'static Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        KINDS
            .iter()
            .find(|k| k.extensions.contains(&extension.as_str()))
    }

    /// A file made of boxes names its kinds in the first one: the main brand, a version, and all
    /// brands that it may be read as.
    fn of_brands(head: &[u8]) -> Option<&'static Self> {
        if head.get(4..8) != Some(b"ftyp") {
            return None;
        }
        let len = u32::from_be_bytes(head.get(..4)?.try_into().ok()?) as usize;
        let (brands, _) = head.get(8..head.len().min(len))?.as_chunks::<4>();
        let is = |brand: &[u8; 4]| KINDS.iter().find(|k| k.brands.contains(&brand));
        // What HEIF's general brands stand for is said by the others.
        let general = |brand: &[u8; 4]| [b"mif1", b"mif2", b"msf1"].contains(&brand);
        let exact = brands.iter().filter(|b| !general(b)).find_map(is);
        exact.or_else(|| brands.iter().find_map(is))
    }

    /// Whether it is a camera's raw file.
    pub fn is_raw(&self) -> bool {
        *self == RAW
    }

    /// That `source` is of this kind, as an error.
    pub fn refusal(&self, source: &Source<'_>) -> Error {
        source.error(
            ErrorKind::Unsupported,
            format!("is {}, which Mend cannot read: {}", self.what, self.convert),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_and_extensions_name_the_kind() {
        let what = |head: &[u8]| Foreign::of_content(head).map(|k| k.what);
        assert_eq!(
            what(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif"),
            Some("an AVIF picture")
        );
        assert_eq!(
            what(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"),
            Some("a HEIC picture")
        );
        // Brands behind the box's end are none.
        assert_eq!(
            what(b"\0\0\0\x14ftypmif1\0\0\0\0mif1avif"),
            Some("a HEIC picture")
        );
        assert_eq!(what(b"\0\0\0\x18ftypcrx \0\0\0\0"), Some(RAW.what));
        assert_eq!(what(b"II*\0\x10\0\0\0CR\x02\0"), Some(RAW.what));
        assert_eq!(what(b"II*\0\x08\0\0\0"), None);
        assert_eq!(what(b"\x89PNG\r\n\x1a\n"), None);
        for head in [&b"\0\0\0\x18ftyp"[..], b"\0\0\0\x01ftypheic", b""] {
            let _ = what(head);
        }
        let raw = Foreign::of_extension(Path::new("a/DSC_1.NEF")).unwrap();
        assert!(raw.is_raw());
        assert_eq!(Foreign::of_extension(Path::new("a.png")), None);
    }

    #[test]
    fn no_extension_stands_for_two_kinds() {
        let mut all: Vec<_> = KINDS.iter().flat_map(|k| k.extensions).collect();
        all.extend(super::super::KINDS.iter().flat_map(|(_, _, names)| *names));
        let n = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), n);
    }
}
