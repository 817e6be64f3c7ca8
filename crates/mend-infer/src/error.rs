//! What went wrong, with which file or parameter, and what to do about it.
#![forbid(unsafe_code)]

use std::fmt;

/// The family of an error. The values are the C API's status codes: explicit, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A pointer that must not be null was null (C API only).
    Null = 1,
    /// An argument that is no parameter is out of range or malformed (not UTF-8, say).
    Argument = 2,
    /// The image cannot be used: size, stride, pixel format, NaN pixels.
    Image = 3,
    /// The mask cannot be used: other size than the image, wrong format, nothing outside the hole.
    Mask = 4,
    /// A request's parameter is unknown or its value is not accepted.
    Parameter = 5,
    /// The engine is unknown or cannot run here.
    Engine = 6,
    /// A model file is missing, damaged or of another kind.
    Model = 7,
    /// The system would not give the memory.
    Memory = 8,
    /// The memory budget is too small for this request.
    Budget = 9,
    /// The caller cancelled.
    Cancelled = 10,
    /// A file could not be read or written.
    Io = 11,
    /// A valid request that this build cannot serve.
    Unsupported = 12,
    /// A defect in Mend itself; the message carries what is known.
    Internal = 13,
}

/// An error: its kind for programs, its message for people.
///
/// The message is one or two sentences that name the file or parameter, what is wrong with it and
/// what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`, told in `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The caller asked to stop; nothing was changed.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled; nothing was changed")
    }

    /// The error's family.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `{"kind", "code", "message"}`: the kind's name in lower case, its number (the C interface's
    /// status), the message.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "kind": format!("{:?}", self.kind).to_ascii_lowercase(),
            "code": self.kind as i32,
            "message": self.message,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
