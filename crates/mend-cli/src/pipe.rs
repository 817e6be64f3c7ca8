//! Standard input as a picture, and a picture to standard output.
#![forbid(unsafe_code)]

use crate::files::{Output, io_text};
use mend::{Cancel, Error, ErrorKind, Result};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;
use tempfile::NamedTempFile;

/// What stands for standard input and output on the command line; a file of that name is `./-`.
pub const PIPE: &str = "-";

/// Whether `path` stands for standard input or output.
pub fn is_pipe(path: &Path) -> bool {
    path.as_os_str() == PIPE
}

/// A path as it is called in messages.
pub fn shown(path: &Path) -> &Path {
    match is_pipe(path) {
        true => Path::new("standard input"),
        false => path,
    }
}

fn fail(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("standard input {what}"))
}

/// All of standard input in a file, for decoders go to and fro. It is gone when this is dropped.
///
/// # Errors
/// [`ErrorKind::Io`], [`ErrorKind::Image`] for more than `most` bytes, [`ErrorKind::Cancelled`].
pub fn spool(cancel: &Cancel, most: u64) -> Result<NamedTempFile> {
    if io::stdin().is_terminal() {
        return Err(Error::new(
            ErrorKind::Argument,
            "standard input is a terminal: pipe a picture into it, or name a file instead of -",
        ));
    }
    let mut file = tempfile::Builder::new()
        .prefix("mend-stdin-")
        .tempfile()
        .map_err(|e| {
            fail(format!(
                "cannot be kept in a temporary file: {}",
                io_text(&e)
            ))
        })?;
    let receive = chunks();
    let mut size = 0;
    loop {
        cancel.check()?;
        let data = match receive.recv_timeout(Duration::from_millis(50)) {
            Ok(data) => data.map_err(|e| fail(format!("cannot be read: {}", io_text(&e))))?,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Err(fail("cannot be read")),
        };
        if data.is_empty() {
            break;
        }
        size += data.len() as u64;
        if size > most {
            return Err(too_much(most));
        }
        file.write_all(&data).map_err(|e| {
            fail(format!(
                "cannot be kept in a temporary file: {}",
                io_text(&e)
            ))
        })?;
    }
    file.flush().map_err(|e| fail(io_text(&e)))?;
    Ok(file)
}

/// Standard input, chunk by chunk; the last is empty.
fn chunks() -> Receiver<io::Result<Vec<u8>>> {
    // A pipe may stand still for ever, and a read of it knows nothing of Ctrl-C.
    let (send, receive) = sync_channel(4);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut buffer = vec![0; 1 << 16];
            let read = match input.read(&mut buffer) {
                Ok(n) => {
                    buffer.truncate(n);
                    Ok(buffer)
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => Err(e),
            };
            let last = read.as_ref().map_or(true, Vec::is_empty);
            if send.send(read).is_err() || last {
                return;
            }
        }
    });
    receive
}

fn too_much(most: u64) -> Error {
    Error::new(
        ErrorKind::Image,
        format!(
            "standard input has more than {} MiB: if it really is that large, use --max-memory \
             {}M or more",
            most >> 20,
            (most >> 20).saturating_mul(2)
        ),
    )
}

/// Lets `write` write a file, and gives it to standard output once it is complete.
///
/// # Errors
/// Those of `write`, [`ErrorKind::Io`], [`ErrorKind::Cancelled`].
pub fn to_stdout(cancel: &Cancel, write: impl FnOnce(&mut dyn Output) -> Result<()>) -> Result<()> {
    let fail = |e: io::Error| {
        Error::new(
            ErrorKind::Io,
            format!("standard output cannot be written: {}", io_text(&e)),
        )
    };
    let mut file = tempfile::tempfile().map_err(fail)?;
    {
        let mut out = io::BufWriter::with_capacity(1 << 18, &mut file);
        write(&mut out)?;
        out.flush().map_err(fail)?;
    }
    cancel.check()?;
    file.seek(SeekFrom::Start(0)).map_err(fail)?;
    let mut out = io::stdout().lock();
    io::copy(&mut file, &mut out).map_err(fail)?;
    out.flush().map_err(fail)
}
