//! The C ABI: parse, call, convert. Floor 6.
