//! The C interface: its header, its symbols, its behaviour next to the Rust API's, and programs in C,
//! C++ and Python that use it.

mod header;
