//! The archive that Krita's plug-in importer reads: a plain ZIP (PKWARE's APPNOTE 6.3), deflated,
//! with the same bytes for the same files.
#![forbid(unsafe_code)]

use flate2::Compression;
use flate2::Crc;
use flate2::write::DeflateEncoder;
use mend::{Error, ErrorKind, Result};
use std::io::Write;

/// 1 January 1980, the first day that ZIP knows: archives of the same files are the same.
const DATE: u16 = (1 << 5) | 1;

/// An archive in the making.
#[derive(Debug, Default)]
pub struct Archive {
    body: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Archive {
    /// An entry for a folder, whose name ends with `/`.
    pub fn folder(&mut self, name: &str) {
        self.entry(name, 0, 0, 0, &[], 0o40755);
    }

    /// A file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] for a file of 4 GB or more.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let too_big = || Error::new(ErrorKind::Io, format!("{name} is too large for an archive"));
        let size = u32::try_from(bytes.len()).map_err(|_| too_big())?;
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        let packed = encoder
            .write_all(bytes)
            .and_then(|()| encoder.finish())
            .map_err(|e| Error::new(ErrorKind::Io, format!("{name} cannot be packed: {e}")))?;
        if u32::try_from(self.body.len() + packed.len() + (1 << 20)).is_err() {
            return Err(too_big());
        }
        let mut crc = Crc::new();
        crc.update(bytes);
        self.entry(name, 8, crc.sum(), size, &packed, 0o100644);
        Ok(())
    }

    fn entry(&mut self, name: &str, method: u16, crc: u32, size: u32, packed: &[u8], mode: u32) {
        let offset = self.body.len() as u32;
        // What the local header and the directory say alike, from "version needed" on.
        let mut common = Vec::new();
        for word in [20, 0x0800, method, 0, DATE] {
            common.extend_from_slice(&u16::to_le_bytes(word));
        }
        for long in [crc, packed.len() as u32, size] {
            common.extend_from_slice(&long.to_le_bytes());
        }
        common.extend_from_slice(&(name.len() as u16).to_le_bytes());
        common.extend_from_slice(&0u16.to_le_bytes());
        self.body.extend_from_slice(b"PK\x03\x04");
        self.body.extend_from_slice(&common);
        self.body.extend_from_slice(name.as_bytes());
        self.body.extend_from_slice(packed);
        self.directory.extend_from_slice(b"PK\x01\x02");
        // Made by Unix, so that the modes count.
        self.directory.extend_from_slice(&[20, 3]);
        self.directory.extend_from_slice(&common);
        self.directory.extend_from_slice(&[0; 6]); // comment, disk, internal attributes
        self.directory
            .extend_from_slice(&(mode << 16).to_le_bytes());
        self.directory.extend_from_slice(&offset.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.count += 1;
    }

    /// The archive's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        let (start, size) = (self.body.len() as u32, self.directory.len() as u32);
        self.body.append(&mut self.directory);
        self.body.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        self.body.extend_from_slice(&self.count.to_le_bytes());
        self.body.extend_from_slice(&self.count.to_le_bytes());
        self.body.extend_from_slice(&size.to_le_bytes());
        self.body.extend_from_slice(&start.to_le_bytes());
        self.body.extend_from_slice(&0u16.to_le_bytes());
        self.body
    }
}
