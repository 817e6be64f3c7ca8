//! The names of several outputs: by number, the best first.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What stands for the number in the name of an output.
pub const NUMBER: &str = "{n}";

/// Whether a file's name has a place for the number.
pub fn has_number(output: &Path) -> bool {
    let name = output.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.contains(NUMBER))
}

/// The names of `count` outputs, from 1 on: the number stands where `output` has its place. Elsewhere, and in
/// a name that is `found` and not the user's pattern, it goes before the extension if there are several.
pub fn numbered(output: &Path, count: u32, found: bool) -> Vec<PathBuf> {
    let pattern = output.file_name().and_then(|name| name.to_str());
    let pattern = pattern.filter(|name| !found && name.contains(NUMBER));
    let name = |number: u32| match pattern {
        Some(pattern) => output.with_file_name(pattern.replace(NUMBER, &number.to_string())),
        None if count == 1 => output.to_path_buf(),
        None => {
            let mut name = OsString::from(output.file_stem().unwrap_or_default());
            name.push(format!("-{number}"));
            if let Some(extension) = output.extension() {
                name.push(".");
                name.push(extension);
            }
            output.with_file_name(name)
        }
    };
    (1..=count).map(name).collect()
}

/// The stem of `output` without the number's place and what joins it.
pub fn stem(output: &Path) -> OsString {
    let stem = output.file_stem().unwrap_or_default();
    let Some(text) = stem.to_str().filter(|text| text.contains(NUMBER)) else {
        return stem.to_os_string();
    };
    let text = text.replace(NUMBER, "");
    OsString::from(text.trim_matches(['-', '_', '.', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_where_they_are_asked_for_or_before_the_extension() {
        let names = |output: &str, count, found| {
            let all = numbered(Path::new(output), count, found);
            let all: Vec<_> = all.iter().map(|path| path.display().to_string()).collect();
            all.join(" ")
        };
        for (output, count, found, want) in [
            ("a/out.png", 1, false, "a/out.png"),
            ("a/out.png", 2, false, "a/out-1.png a/out-2.png"),
            ("out-{n}.png", 1, false, "out-1.png"),
            ("a.b/{n}of{n}.tif", 2, false, "a.b/1of1.tif a.b/2of2.tif"),
            ("out", 2, false, "out-1 out-2"),
            ("out.tar.png", 2, false, "out.tar-1.png out.tar-2.png"),
            // A picture's own name.
            ("a/{n}.png", 1, true, "a/{n}.png"),
            ("a/{n}.png", 2, true, "a/{n}-1.png a/{n}-2.png"),
            // Only in the file's own name.
            ("v{n}/out.png", 2, false, "v{n}/out-1.png v{n}/out-2.png"),
        ] {
            assert_eq!(names(output, count, found), want, "{output}");
        }
        for (output, want) in [
            ("a/out.png", "out"),
            ("out-{n}.png", "out"),
            ("{n}.png", ""),
        ] {
            assert_eq!(stem(Path::new(output)), want);
        }
    }
}
