//! Names, manifests, the store, imports.
#![forbid(unsafe_code)]
