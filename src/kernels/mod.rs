//! CPU kernels, dispatched by CPU feature. Floor 1.
