//! Pictures, and what may be one in disguise, among text and small blocks of data.
#![forbid(unsafe_code)]

use std::io::Read;

/// How the files of pictures begin.
const SIGNATURES: &[&[u8]] = &[
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"WEBPVP8",
    b"ftypavif",
    b"ftyphei",
    b"ftypmif1",
    b"ftypjp2 ",
    b"\0\0\0\x0cJXL ",
    b"II*\0",
    b"MM\0*",
    b"8BPS\0",
];
/// Characters in a row from which on letters and digits are no word, name or hash: pictures in text
/// are commonly broken into lines of 60 to 76.
const CODED_RUN: usize = 60;
/// So many of those together hold more than a few hashes, and could hold a picture.
const CODED: usize = 240;
/// Bytes as numbers, such as "ff d8" or "255,216".
const NUMBERS: usize = 240;

/// Whether the beginning of a picture's file is anywhere in `data`.
pub fn holds_picture(data: &[u8]) -> bool {
    SIGNATURES
        .iter()
        .any(|s| data.windows(s.len()).any(|w| w == *s))
}

/// Whether `text` has so much base64, hexadecimal or percent code in it, or so many numbers of a
/// byte in a row, that it could be a picture.
pub fn holds_data(text: &str) -> bool {
    let coded = |c: char| c.is_ascii_alphanumeric() || "+/=-_%".contains(c);
    let runs = text.split(|c| !coded(c)).map(str::len);
    if runs.filter(|len| *len >= CODED_RUN).sum::<usize>() >= CODED {
        return true;
    }
    let mut row = 0;
    let words = text.split(|c: char| c.is_whitespace() || ",;:[](){}\"'".contains(c));
    for word in words.filter(|w| !w.is_empty()) {
        let digits = word.trim_start_matches("0x");
        let number = digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        row = if number { row + 1 } else { 0 };
        if row >= NUMBERS {
            return true;
        }
    }
    false
}

/// Whether `data` is text, in whatever 8-bit encoding, and no picture in disguise.
pub fn is_plain_text(data: &[u8]) -> bool {
    let end = data.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
    let data = &data[..end];
    let controls = data.iter().filter(|b| **b < 32 && !b"\t\n\r".contains(b));
    // Old Japanese mail encodings switch alphabets with controls; a picture has far more.
    controls.count() * 50 <= data.len()
        && !holds_picture(data)
        && !holds_data(&String::from_utf8_lossy(data))
}

/// Whether `data` is text in UTF-16, of either byte order, and no picture in disguise.
pub fn is_plain_wide_text(data: &[u8]) -> bool {
    let text = |number: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = data.chunks_exact(2).map(|b| number([b[0], b[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    !holds_picture(data)
        && !holds_data(&text(u16::from_le_bytes))
        && !holds_data(&text(u16::from_be_bytes))
}

/// What zlib-compressed `data` holds, if it is no more than `most` bytes.
pub fn inflated(data: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = flate2::read::ZlibDecoder::new(data)
        .take(most as u64 + 1)
        .read_to_end(&mut out);
    (read.is_ok() && out.len() <= most).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_told_from_text() {
        let hex: String = (0..200).map(|i| format!("{:02x}", i * 7 % 256)).collect();
        let lines: Vec<&str> = hex
            .as_bytes()
            .chunks(72)
            .filter_map(|c| std::str::from_utf8(c).ok())
            .collect();
        let numbers: Vec<String> = (0..300).map(|i| (i * 7 % 256).to_string()).collect();
        let spaced: Vec<String> = (0..300).map(|i| format!("{:02X}", i % 256)).collect();
        for data in [
            hex.clone(),
            lines.join("\n"),
            format!("{{\"image\": \"data:image/png;base64,{hex}\"}}"),
            numbers.join(","),
            spaced.join(" "),
        ] {
            assert!(holds_data(&data), "{data}");
        }
        for text in [
            "A long caption of ordinary words. ".repeat(100),
            "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            "xmp.iid:2e1a4f3c-8f60-4a0e-9a35-3b6d8f5f2f11\n".repeat(300),
            "/home/user/pictures/2024/holidays/DSC_0001.NEF\n".repeat(50),
            "{\"nodes\":[{\"id\":1,\"type\":\"KSampler\",\"pos\":[120.5,80.25]}]}".repeat(40),
            "写真の説明。".repeat(500),
        ] {
            assert!(!holds_data(&text), "{text}");
        }
    }

    #[test]
    fn pictures_are_no_text() {
        assert!(!is_plain_text(b"ASCII\0\0\0\xff\xd8\xff\xe0JFIF"));
        assert!(!is_plain_text(&(0..=255).collect::<Vec<u8>>()));
        assert!(is_plain_text(b"Gr\xfc\xdfe aus K\xf6ln\0\0"));
        let wide: Vec<u8> = "QUFB"
            .repeat(100)
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert!(!is_plain_wide_text(&wide));
    }
}
