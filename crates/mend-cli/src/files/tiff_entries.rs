//! What a TIFF's tags say in numbers.
#![forbid(unsafe_code)]

use super::exif::Entry;

/// An entry's whole numbers of up to 32 bits.
pub fn numbers(e: &Entry) -> Option<Vec<u32>> {
    let list = offsets(e)?;
    list.into_iter().map(|n| u32::try_from(n).ok()).collect()
}

/// An entry's whole numbers.
pub fn offsets(e: &Entry) -> Option<Vec<u64>> {
    fn all<const N: usize>(data: &[u8], number: fn([u8; N]) -> u64) -> Vec<u64> {
        data.as_chunks().0.iter().map(|b| number(*b)).collect()
    }
    Some(match e.kind {
        1 => all(&e.data, |[b]| b.into()),
        3 => all(&e.data, |b| u16::from_le_bytes(b).into()),
        4 | 13 => all(&e.data, |b| u32::from_le_bytes(b).into()),
        16 | 18 => all(&e.data, u64::from_le_bytes),
        _ => return None,
    })
}

/// The first whole number of the tag, where there is one.
pub fn first_number(tags: &[Entry], tag: u16) -> Option<u32> {
    numbers(tags.iter().find(|e| e.tag == tag)?)?
        .first()
        .copied()
}
