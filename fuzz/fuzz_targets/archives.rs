#![no_main]

#[allow(dead_code)] // Each target runs one body.
#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::archives::run(data));
