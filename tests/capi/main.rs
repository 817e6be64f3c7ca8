//! The C interface: its header, its symbols, its behaviour next to the Rust API's, and programs in C,
//! C++ and Python that use it.

mod agreement;
mod c;
#[path = "../../src/capi/tests/declared.rs"]
mod declared;
mod header;
mod larger;
mod misuse;
mod models;
mod picture;
mod previews;
#[cfg(target_os = "linux")]
mod programs;
mod rust;
mod select;
// The command line's tests fetch from it, too.
#[allow(dead_code)]
#[path = "../../crates/mend-cli/tests/cli/models/server.rs"]
mod server;
