//! Photoshop's image resources and IPTC's datasets in them: what is known to hold no picture.
//!
//! Source: Adobe, Photoshop File Formats Specification (2019), "Image Resource Blocks"; IPTC, IIM 4.2,
//! chapters 5 to 7.
#![forbid(unsafe_code)]

use super::dropped::Dropped;
use super::hidden::{holds_picture, is_plain_text};

/// IPTC's datasets.
const IPTC: u16 = 1028;
/// The MD5 of those.
const IPTC_DIGEST: u16 = 1061;
/// Clipping and other paths: knots of 26 bytes.
const PATHS: std::ops::RangeInclusive<u16> = 2000..=2997;
/// Settings and short texts: caption, resolution, names of channels, halftones, background, print
/// and colour settings, copyright mark, addresses, grid, angle of light, seeds, version, slices'
/// origin, pixel shape, the clipping path's name.
const SETTINGS: &[u16] = &[
    1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1016, 1017, 1024, 1026, 1032, 1034,
    1035, 1037, 1041, 1043, 1044, 1045, 1046, 1047, 1049, 1053, 1054, 1057, 1062, 1064, 1069, 1072,
    2999, 10000,
];
/// Bytes of a setting, at most.
const SETTING: usize = 2048;

/// Photoshop's resources without what may show the past. What is no resource is left out.
pub fn cleaned(resources: &[u8], dropped: &mut Dropped) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = resources;
    let mut digest = None;
    let mut same = true;
    while let Some(resource) = Resource::first(rest) {
        let (this, next) = rest.split_at(resource.len);
        rest = next;
        match resource.id {
            IPTC => {
                let clean = iptc(resource.data, dropped);
                same &= clean == resource.data;
                put(&mut out, IPTC, &clean);
            }
            IPTC_DIGEST => digest = Some(this),
            1033 | 1036 => dropped.add("Photoshop's thumbnail"),
            id if resource.is_harmless() && (SETTINGS.contains(&id) || PATHS.contains(&id)) => {
                out.extend_from_slice(this);
            }
            _ => dropped.add("Photoshop's resources that Mend does not know"),
        }
    }
    out.extend(digest.filter(|_| same).into_iter().flatten());
    if rest.iter().any(|b| *b != 0) {
        dropped.add("Photoshop's resources that Mend does not know");
    }
    out
}

/// A resource.
struct Resource<'a> {
    id: u16,
    name: &'a [u8],
    data: &'a [u8],
    /// Bytes of the whole of it.
    len: usize,
}

impl<'a> Resource<'a> {
    /// The resource that `data` begins with.
    fn first(data: &'a [u8]) -> Option<Self> {
        let rest = data.strip_prefix(b"8BIM")?;
        let id = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
        // A Pascal string, padded to an even length with its length byte.
        let letters = usize::from(*rest.get(2)?);
        let name = rest.get(3..3 + letters)?;
        let at = 2 + ((letters + 2) & !1);
        let size = u32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?) as usize;
        let data_of = rest.get(at + 4..(at + 4).checked_add(size)?)?;
        // The last one's padding is missing in some files.
        let len = (4 + at + 4 + size + size % 2).min(data.len());
        Some(Self {
            id,
            name,
            data: data_of,
            len,
        })
    }

    fn is_harmless(&self) -> bool {
        let short = match PATHS.contains(&self.id) {
            true => self.data.len().is_multiple_of(26),
            false => self.data.len() <= SETTING,
        };
        short && is_plain_text(self.name) && !holds_picture(self.data)
    }
}

fn put(out: &mut Vec<u8>, id: u16, data: &[u8]) {
    out.extend(b"8BIM");
    out.extend(id.to_be_bytes());
    out.extend([0, 0]);
    out.extend((data.len() as u32).to_be_bytes());
    out.extend_from_slice(data);
    out.extend(vec![0; data.len() % 2]);
}

/// IPTC's datasets without pictures: the envelope's and the application's record, with numbers and
/// text only.
pub fn iptc(datasets: &[u8], dropped: &mut Dropped) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = datasets;
    while let Some((record, number, value, len)) = dataset(rest) {
        let (this, next) = rest.split_at(len);
        rest = next;
        // 2:125 is a caption drawn in bits, 2:200 to 2:202 a preview.
        let barred = matches!((record, number), (2, 125 | 200..=202)) || ![1, 2].contains(&record);
        if barred || (value.len() > 64 && !is_plain_text(value)) {
            dropped.add("pictures in the IPTC data");
        } else {
            out.extend_from_slice(this);
        }
    }
    if rest.iter().any(|b| *b != 0) {
        dropped.add("IPTC data that cannot be read");
    } else {
        // Padding, as it was.
        out.extend_from_slice(rest);
    }
    out
}

/// The dataset that `data` begins with: record, number, value, and bytes of the whole of it.
fn dataset(data: &[u8]) -> Option<(u8, u8, &[u8], usize)> {
    let [0x1c, record, number, a, b, rest @ ..] = data else {
        return None;
    };
    let short = u16::from_be_bytes([*a, *b]);
    let (head, len) = match short & 0x8000 {
        0 => (5, usize::from(short)),
        // The length of a long one has a length of its own.
        _ => {
            let bytes = usize::from(short & 0x7fff);
            let digits = rest.get(..bytes).filter(|_| bytes <= 4)?;
            let len = digits.iter().fold(0, |n, d| n << 8 | usize::from(*d));
            (5 + bytes, len)
        }
    };
    let value = data.get(head..head.checked_add(len)?)?;
    Some((*record, *number, value, head + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(id: u16, data: &[u8]) -> Vec<u8> {
        let mut r = Vec::new();
        put(&mut r, id, data);
        r
    }

    fn set(record: u8, number: u8, value: &[u8]) -> Vec<u8> {
        let len = (value.len() as u16).to_be_bytes();
        [&[0x1c, record, number, len[0], len[1]], value].concat()
    }

    #[test]
    fn only_what_is_known_goes_on() {
        let title = set(2, 5, b"a title");
        let kept = [
            resource(1005, &[0; 16]),
            resource(IPTC, &title),
            resource(2000, &[7; 52]),
            resource(IPTC_DIGEST, &[9; 16]),
        ]
        .concat();
        let mut dropped = Dropped::default();
        assert_eq!(cleaned(&kept, &mut dropped), kept);
        assert_eq!(dropped, Dropped::default());
        let bad = [
            resource(1036, b"faces"),
            resource(1058, b"II*\0"),
            resource(1005, &[1; 5000]),
            resource(2000, &[7; 50]),
        ];
        for bad in bad {
            let all = [&bad, &kept[..]].concat();
            let mut dropped = Dropped::default();
            assert_eq!(cleaned(&all, &mut dropped), kept);
            assert_ne!(dropped, Dropped::default());
        }
        let all = [&kept[..], b"PHUT and more"].concat();
        assert_eq!(cleaned(&all, &mut Dropped::default()), kept);
    }

    #[test]
    fn previews_in_iptc_go_and_its_digest_with_them() {
        let title = set(2, 5, b"a title");
        let faces = "QUJD".repeat(100);
        for bad in [
            set(2, 202, b"faces"),
            set(7, 10, b"faces"),
            set(2, 120, faces.as_bytes()),
        ] {
            let all = [&title[..], &bad, &title].concat();
            let mut dropped = Dropped::default();
            assert_eq!(iptc(&all, &mut dropped), [&title[..], &title].concat());
            assert_ne!(dropped, Dropped::default());
            let all = [resource(IPTC, &all), resource(IPTC_DIGEST, &[9; 16])].concat();
            let after = cleaned(&all, &mut Dropped::default());
            assert_eq!(after, resource(IPTC, &[&title[..], &title].concat()));
            for i in 0..all.len() {
                cleaned(&all[..i], &mut Dropped::default());
            }
        }
    }
}
