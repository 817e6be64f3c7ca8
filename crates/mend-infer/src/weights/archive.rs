//! A zip archive whose members are stored and not compressed, as PyTorch writes its checkpoints: where
//! each member lies. Nothing is unpacked.
//!
//! The format is PKWARE's APPNOTE 6.3; PyTorch always writes its 64-bit records
//! (`caffe2/serialize/inline_container.cc`).
#![forbid(unsafe_code)]

use super::source::Source;
use super::{clip, damaged};
use crate::error::{Error, Result};
use crate::memory;
use std::collections::BTreeMap;

/// The longest directory: a model of ten thousand tensors has a megabyte.
const LONGEST: u64 = 64 << 20;
/// The directory's end, and the longest comment behind it.
const END: usize = 22;
const COMMENT: usize = 0xffff;
/// A member's header in the directory and before its bytes.
const ENTRY: usize = 46;
const LOCAL: usize = 30;

/// The members of an archive.
pub(super) struct Archive<'a> {
    source: &'a Source,
    members: BTreeMap<String, Member>,
}

/// As the directory has it.
struct Member {
    /// Of its own header, which comes before its bytes.
    header: u64,
    len: u64,
    method: u16,
}

impl<'a> Archive<'a> {
    /// Reads the directory.
    pub fn open(source: &'a Source) -> Result<Self> {
        let (start, len) = directory(source)?;
        let wrong = |what: &str| broken(source, what);
        if len > LONGEST {
            return Err(wrong("its directory is beyond all measure"));
        }
        if start.checked_add(len).is_none_or(|end| end > source.len()) {
            return Err(wrong("its directory is outside of the file"));
        }
        let len = usize::try_from(len).map_err(|_| wrong("its directory is too long"))?;
        let mut bytes = memory::filled(len, 0u8, "the directory of a model file")?;
        source.read(start, &mut bytes)?;
        let (mut members, mut rest) = (BTreeMap::new(), bytes.as_slice());
        while !rest.is_empty() {
            let (name, member, next) =
                entry(rest).ok_or_else(|| wrong("its directory is damaged"))?;
            if members.contains_key(&name) {
                return Err(wrong(&format!("'{}' is in it twice", clip(&name))));
            }
            members.insert(name, member);
            rest = next;
        }
        Ok(Self { source, members })
    }

    /// The members' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Where a member's bytes begin and how many there are; `None` where there is none of that name.
    pub fn member(&self, name: &str) -> Result<Option<(u64, u64)>> {
        let Some(member) = self.members.get(name) else {
            return Ok(None);
        };
        let wrong = |what: &str| broken(self.source, &format!("'{}' {what}", clip(name)));
        if member.method != 0 {
            return Err(wrong("in it is compressed, which PyTorch never does"));
        }
        let mut local = [0; LOCAL];
        let inside = |end: Option<u64>| end.is_some_and(|end| end <= self.source.len());
        if !inside(member.header.checked_add(LOCAL as u64)) {
            return Err(wrong("would be outside of the file"));
        }
        self.source.read(member.header, &mut local)?;
        if !local.starts_with(b"PK\x03\x04") {
            return Err(wrong("is not where the directory has it"));
        }
        // The name and the extra field may be longer here than in the directory.
        let skip = u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        let start = member.header + LOCAL as u64 + skip;
        if !inside(start.checked_add(member.len)) {
            return Err(wrong("ends behind the file; the download was cut short"));
        }
        Ok(Some((start, member.len)))
    }
}

/// Where the directory begins, and its length.
fn directory(source: &Source) -> Result<(u64, u64)> {
    let wrong = |what: &str| broken(source, what);
    let most = (END + COMMENT) as u64;
    let len = source.len().min(most) as usize;
    let mut tail = memory::filled(len, 0u8, "the end of a model file")?;
    let first = source.len() - len as u64;
    source.read(first, &mut tail)?;
    let starts = (0..(len + 1).saturating_sub(END)).rev();
    let ends = |at: &usize| {
        tail[*at..].starts_with(b"PK\x05\x06")
            && at + END + usize::from(u16_at(&tail, at + 20)) == len
    };
    let Some(at) = starts.into_iter().find(ends) else {
        return Err(wrong(
            "it has no directory at its end; the download was cut short",
        ));
    };
    let narrow = (u32_at(&tail, at + 16).into(), u32_at(&tail, at + 12).into());
    // The locator of the 64-bit record, if any, stands right before.
    let locator = at.checked_sub(20).map(|from| &tail[from..at]);
    let Some(locator) = locator.filter(|l| l.starts_with(b"PK\x06\x07")) else {
        return Ok(narrow);
    };
    let from = u64_at(locator, 8);
    let mut record = [0; 56];
    if from.checked_add(56).is_none_or(|end| end > source.len()) {
        return Err(wrong("its directory's record is outside of the file"));
    }
    source.read(from, &mut record)?;
    match record.starts_with(b"PK\x06\x06") {
        true => Ok((u64_at(&record, 48), u64_at(&record, 40))),
        false => Err(wrong("its directory's record is damaged")),
    }
}

/// The first entry of a directory, and what comes behind.
fn entry(bytes: &[u8]) -> Option<(String, Member, &[u8])> {
    let head = bytes
        .get(..ENTRY)
        .filter(|h| h.starts_with(b"PK\x01\x02"))?;
    let long = |at: usize| usize::from(u16_at(head, at));
    let (name, extra, comment) = (long(28), long(30), long(32));
    let rest = bytes.get(ENTRY + name + extra + comment..)?;
    let text = String::from_utf8_lossy(&bytes[ENTRY..ENTRY + name]).into_owned();
    let extra = &bytes[ENTRY + name..ENTRY + name + extra];
    // Unpacked and packed length and place, each in the extra field where it does not fit here.
    let mut wide = wide(extra);
    let mut take = |at: usize| match u32_at(head, at) {
        u32::MAX => {
            let (first, rest) = wide.split_first_chunk::<8>()?;
            wide = rest;
            Some(u64::from_le_bytes(*first))
        }
        narrow => Some(u64::from(narrow)),
    };
    let (unpacked, packed) = (take(24)?, take(20)?);
    let header = take(42)?;
    let method = match (u16_at(head, 10), unpacked == packed) {
        (0, false) => return None,
        (method, _) => method,
    };
    let member = Member {
        header,
        len: unpacked,
        method,
    };
    Some((text, member, rest))
}

/// The 64-bit part of an extra field.
fn wide(mut extra: &[u8]) -> &[u8] {
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let len = usize::from(u16_at(head, 2)).min(rest.len());
        if u16_at(head, 0) == 1 {
            return &rest[..len];
        }
        extra = &rest[len..];
    }
    &[]
}

/// An archive that is damaged or none.
pub(super) fn broken(source: &Source, what: &str) -> Error {
    damaged(
        source.name(),
        format!(
            "this zip archive is not a checkpoint of PyTorch's, or a damaged one: {what}; download \
             it again, or take the model in safetensors format"
        ),
    )
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let part = bytes.get(at..).and_then(|b| b.first_chunk());
    part.map_or(0, |b| u16::from_le_bytes(*b))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let part = bytes.get(at..).and_then(|b| b.first_chunk());
    part.map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let part = bytes.get(at..).and_then(|b| b.first_chunk());
    part.map_or(0, |b| u64::from_le_bytes(*b))
}
