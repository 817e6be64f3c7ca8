//! Decodes a picture file and encodes it again, as `mend fill` does around a fill: what a fill costs
//! is measured against it. `recode IMAGE OUT`
#![forbid(unsafe_code)]

use mend::{Cancel, Error, ErrorKind, Result};
use mend_cli::{files, output};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let [_, image, out] = args.as_slice() else {
        eprintln!("usage: recode IMAGE OUT");
        return ExitCode::from(2);
    };
    match recode(Path::new(image), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("recode: {e}");
            ExitCode::FAILURE
        }
    }
}

fn recode(image: &Path, out: &Path) -> Result<()> {
    let cancel = Cancel::new();
    let source = files::Source {
        path: image,
        at: None,
        cancel: &cancel,
        max_bytes: 1 << 31,
    };
    let kind = files::Kind::of_extension(out).ok_or_else(|| {
        let what = format!("{} has no known extension", out.display());
        Error::new(ErrorKind::Argument, what)
    })?;
    let mut picture = files::read(&source, files::Want::Pixels)?;
    files::fit(&mut picture, kind, out)?;
    let options = files::WriteOptions {
        png: files::Compression::Default,
        jpeg_quality: 95,
    };
    let target = output::Target::new(out)?;
    target.write(&cancel, |to| files::write(&mut picture, kind, &options, to))?;
    Ok(())
}
