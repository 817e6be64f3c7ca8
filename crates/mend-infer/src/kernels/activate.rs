//! An activation by itself, where nothing before it could apply it.
#![forbid(unsafe_code)]

use super::simd::{Isa, Kernel, math};
use super::{Activation, Context};
use crate::error::Result;

/// Values that one task takes.
const PART: usize = 1 << 14;

/// `activation` of each value.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn activate(cx: &Context, activation: Activation, values: &mut [f32]) -> Result<()> {
    cx.parts(values, PART, |_, values| {
        cx.run(Activate { activation, values });
    })
}

struct Activate<'a> {
    activation: Activation,
    values: &'a mut [f32],
}

impl Kernel for Activate<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Isa>(self, isa: S) {
        let mut parts = self.values.chunks_exact_mut(S::LANES);
        for part in &mut parts {
            let v = math::activate(isa, self.activation, isa.load(part));
            isa.store(part, v);
        }
        let end = parts.into_remainder();
        if !end.is_empty() {
            let v = math::activate(isa, self.activation, isa.load_part(end));
            isa.store_part(end, v);
        }
    }
}
