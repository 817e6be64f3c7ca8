//! Gives the shared library its SONAME, from the version of the C interface.

use std::error::Error;
use std::{env, fs};

const SOURCE: &str = "src/capi/version.rs";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SOURCE}");
    let source = fs::read_to_string(SOURCE)?;
    let version: u32 = source
        .lines()
        .find_map(|l| {
            l.strip_prefix("pub const MEND_ABI_VERSION: u32 = ")?
                .strip_suffix(';')
        })
        .ok_or("no MEND_ABI_VERSION in src/capi/version.rs")?
        .parse()?;
    // cargo-c asks for the same names by itself (package.metadata.capi.library in Cargo.toml).
    let windows = env::var_os("CARGO_CFG_WINDOWS").is_some();
    let apple = env::var("CARGO_CFG_TARGET_VENDOR").is_ok_and(|v| v == "apple");
    if apple {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libmend.{version}.dylib");
    } else if !windows {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmend.so.{version}");
    }
    Ok(())
}
