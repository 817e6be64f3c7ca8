//! Which tags of EXIF and TIFF are known to hold no picture. What is not known here does not go on.
//!
//! Source: CIPA DC-008-2019 (EXIF 2.32) and DC-008-2023 (EXIF 3.0), tables 4 to 17; TIFF 6.0; OGC
//! GeoTIFF 1.1, annex A; Microsoft, Windows Imaging: photo metadata policies.
#![forbid(unsafe_code)]

use super::dropped::Dropped;
use super::exif::{self, Entry, Tree};
use super::hidden::{is_plain_text, is_plain_wide_text};

/// Tags of the first directory that describe the picture and not how it is stored: description,
/// make, model, orientation, resolution, software, date, artist, rating, copyright, Windows' titles.
const DESCRIPTIVE: &[u16] = &[
    269, 270, 271, 272, 274, 282, 283, 285, 286, 287, 296, 297, 305, 306, 315, 316, 18246, 18249,
    33432, 0x9c9b, 0x9c9c, 0x9c9d, 0x9c9e, 0x9c9f,
];
/// Other numbers and words that may stand in EXIF's first directory: processing software, size,
/// depth, how colours are meant.
const FIRST: &[u16] = &[
    11, 254, 256, 257, 258, 259, 262, 266, 277, 284, 301, 318, 319, 529, 530, 531, 532,
];
/// The tags of EXIF's own directory, without those whose content is the maker's affair.
const EXIF: &[u16] = &[
    0x829a, 0x829d, 0x8822, 0x8824, 0x8827, 0x8828, 0x8830, 0x8831, 0x8832, 0x8833, 0x8834, 0x8835,
    0x9000, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9101, 0x9102, 0x9201, 0x9202, 0x9203, 0x9204,
    0x9205, 0x9206, 0x9207, 0x9208, 0x9209, 0x920a, 0x9214, 0x9286, 0x9290, 0x9291, 0x9292, 0x9400,
    0x9401, 0x9402, 0x9403, 0x9404, 0x9405, 0xa000, 0xa001, 0xa002, 0xa003, 0xa004, 0xa20b, 0xa20c,
    0xa20e, 0xa20f, 0xa210, 0xa214, 0xa215, 0xa217, 0xa300, 0xa301, 0xa302, 0xa401, 0xa402, 0xa403,
    0xa404, 0xa405, 0xa406, 0xa407, 0xa408, 0xa409, 0xa40a, 0xa40c, 0xa420, 0xa430, 0xa431, 0xa432,
    0xa433, 0xa434, 0xa435, 0xa436, 0xa437, 0xa438, 0xa439, 0xa43a, 0xa43b, 0xa43c, 0xa460, 0xa461,
    0xa462, 0xa500,
];
const INTEROP: &[u16] = &[1, 2, 0x1000, 0x1001, 0x1002];
/// GeoTIFF's and GDAL's: where on earth the picture is. Their tables may be long.
const PLACES: &[u16] = &[33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113];
/// Other words and numbers of a TIFF: image and target printer, what a value of light is worth.
const TIFF: &[u16] = &[32781, 337, 37439];

const MAKER_NOTE: u16 = 0x927c;
const USER_COMMENT: u16 = 0x9286;
/// A curve of three times 256 numbers.
const TRANSFER: u16 = 301;
/// Bytes of numbers that are too few for a picture, and more than any tag here needs.
const NUMBERS: usize = 256;

/// What becomes of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Kept,
    /// Left out without a word: offsets into the old file, padding, how the pixels were stored.
    Void,
    /// Left out; the name of what it is.
    Dropped(&'static str),
}

/// Whether `tag` of a first directory describes the picture.
pub fn is_descriptive(tag: u16) -> bool {
    DESCRIPTIVE.contains(&tag)
}

/// What becomes of an entry of TIFF's own directory that is neither profile, XMP, IPTC nor
/// Photoshop's.
pub fn of_tiff(e: &Entry) -> Fate {
    let known = [DESCRIPTIVE, EXIF, TIFF].iter().any(|l| l.contains(&e.tag));
    if PLACES.contains(&e.tag) {
        let text = [2, 7].contains(&e.kind);
        return kept_if(!text || is_plain_text(&e.data));
    }
    if known {
        kept_if(is_harmless(e))
    } else {
        unknown(e.tag)
    }
}

/// `blob` without what may show the past; the block itself where there is nothing of that in it.
pub fn cleaned(blob: Vec<u8>, dropped: &mut Dropped) -> Option<Vec<u8>> {
    let Some(mut tree) = exif::parse(&blob) else {
        dropped.add("EXIF that cannot be read");
        return None;
    };
    let mut whole = exif::is_covered(&blob);
    if exif::has_thumbnail(&blob) {
        dropped.add("the thumbnail in the EXIF");
        whole = false;
    } else if !whole {
        dropped.add("data in the EXIF that no tag refers to");
    }
    let count =
        |tree: &Tree| tree.main.len() + tree.exif.len() + tree.gps.len() + tree.interop.len();
    let before = count(&tree);
    sift(&mut tree.main, &[DESCRIPTIVE, FIRST, EXIF], dropped);
    sift(&mut tree.exif, &[EXIF], dropped);
    // GPS counts its tags from 0 to 31.
    let gps: Vec<u16> = (0..32).collect();
    sift(&mut tree.gps, &[&gps], dropped);
    sift(&mut tree.interop, &[INTEROP], dropped);
    whole &= count(&tree) == before;
    if whole {
        Some(blob)
    } else {
        exif::build(&tree)
    }
}

fn sift(entries: &mut Vec<Entry>, known: &[&[u16]], dropped: &mut Dropped) {
    entries.retain(|e| {
        let fate = match known.iter().any(|list| list.contains(&e.tag)) {
            true => kept_if(is_harmless(e)),
            false => unknown(e.tag),
        };
        if let Fate::Dropped(what) = fate {
            dropped.tag(what, e.tag);
        }
        fate == Fate::Kept
    });
}

fn kept_if(harmless: bool) -> Fate {
    if harmless {
        Fate::Kept
    } else {
        Fate::Dropped("")
    }
}

fn unknown(tag: u16) -> Fate {
    match tag {
        // Strips, tiles and JPEG's old way of being in a TIFF; TIFF's halftones, inks, masks and
        // palettes; the pointers of EXIF; Windows' padding.
        254..=334 | 336 | 338..=347 | 512..=532 | 559 | 32995..=32998 | 34232 | 0xea1c | 0xea1d => {
            match tag {
                330 => Fate::Dropped("further pictures in the file"),
                _ => Fate::Void,
            }
        }
        exif::EXIF_IFD | exif::GPS_IFD | exif::INTEROP_IFD => Fate::Void,
        MAKER_NOTE | 0xc634 => Fate::Dropped("the maker's notes"),
        0xcd41 => Fate::Dropped("the C2PA manifest, which does not apply to the new file"),
        37724 => Fate::Dropped("Photoshop's layers"),
        _ => Fate::Dropped(""),
    }
}

/// Whether a known tag's value is what it is known for: a few numbers, or text.
fn is_harmless(e: &Entry) -> bool {
    let text = [1, 2, 7, 129].contains(&e.kind);
    match e.tag {
        TRANSFER => e.kind == 3 && e.data.len() <= 3 * 256 * 2,
        0x9c9b..=0x9c9f => is_plain_wide_text(&e.data),
        // They begin with the name of their encoding.
        USER_COMMENT | 0x1b | 0x1c if e.data.starts_with(b"UNICODE\0") => {
            is_plain_wide_text(&e.data[8..])
        }
        USER_COMMENT | 0x1b | 0x1c if e.data.len() >= 8 => is_plain_text(&e.data[8..]),
        _ if text && e.data.len() > 64 => is_plain_text(&e.data),
        _ => text || e.data.len() <= NUMBERS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(tag: u16, kind: u16, data: &[u8]) -> Entry {
        Entry {
            tag,
            kind,
            count: (data.len() / exif::unit(kind)) as u32,
            data: data.to_vec(),
        }
    }

    fn tree() -> Tree {
        Tree {
            big: true,
            main: vec![entry(271, 2, b"Maker\0"), entry(274, 3, &[6, 0])],
            exif: vec![entry(0x9003, 2, b"2024:01:02 03:04:05\0")],
            gps: vec![entry(1, 2, b"N\0")],
            interop: vec![entry(1, 2, b"R98\0")],
        }
    }

    #[test]
    fn a_block_without_pictures_stays_as_it_is() {
        let blob = exif::build(&tree()).unwrap();
        let mut dropped = Dropped::default();
        assert_eq!(cleaned(blob.clone(), &mut dropped), Some(blob));
        assert_eq!(dropped, Dropped::default());
    }

    #[test]
    fn what_is_not_known_to_be_harmless_goes() {
        let plain = exif::build(&tree()).unwrap();
        let data: Vec<u8> = (0..600).map(|i| (i * 7 % 256) as u8).collect();
        let coded = "QUJD".repeat(100);
        let wide: Vec<u8> = coded.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let comment = |name: &[u8; 8], text: &[u8]| [&name[..], text].concat();
        for (main, e) in [
            (false, entry(MAKER_NOTE, 7, b"Nikon\0short")),
            (
                false,
                entry(USER_COMMENT, 7, &comment(b"ASCII\0\0\0", coded.as_bytes())),
            ),
            (false, entry(USER_COMMENT, 7, &comment(b"UNICODE\0", &wide))),
            (false, entry(USER_COMMENT, 7, &comment(&[0; 8], &data))),
            (false, entry(0xa20c, 7, &data)),
            (false, entry(0xfde8, 2, b"unknown\0")),
            (true, entry(270, 2, coded.as_bytes())),
            (true, entry(0x9c9c, 1, &wide)),
            (true, entry(318, 5, &data)),
            (true, entry(0xc4a5, 7, &data)),
            (true, entry(330, 4, &[8, 0, 0, 0])),
        ] {
            let mut tree = tree();
            match main {
                true => tree.main.push(e.clone()),
                false => tree.exif.push(e.clone()),
            }
            let blob = exif::build(&tree).unwrap();
            let mut dropped = Dropped::default();
            assert_eq!(cleaned(blob, &mut dropped), Some(plain.clone()), "{e:?}");
            assert_ne!(dropped, Dropped::default(), "{e:?}");
        }
        // What lies between the directories belongs to nobody.
        let loose = [&plain[..], &data].concat();
        assert_eq!(cleaned(loose, &mut Dropped::default()), Some(plain));
    }
}
