//! `mend`: see [`mend_cli`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    mend_cli::main()
}
