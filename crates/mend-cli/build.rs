//! Tells where the plug-ins' files are: in `plugins`, as the published package has them, or at the top of the
//! repository. There `plugins` has links, which a checkout without symbolic links (on Windows) does not have.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let package = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let package = Path::new(&package);
    let packed = package.join("plugins");
    let plugins = if packed.join("plugin-gimp").is_dir() {
        packed
    } else {
        package.join("../..")
    };
    println!("cargo::rustc-env=MEND_PLUGINS={}", plugins.display());
}
