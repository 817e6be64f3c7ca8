//! Parts of a mask and the regions around them.
#![forbid(unsafe_code)]

use super::{Costs, Needs, Region};
use crate::error::Result;
use crate::params::Extent;
use crate::pixels::RunMask;

/// The regions that fill `mask` at the least predicted cost.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
pub fn regions(
    mask: &RunMask,
    grow: u32,
    context: Extent,
    needs: &Needs,
    costs: &Costs,
) -> Result<Vec<Region>> {
    let _ = (mask, grow, context, needs, costs);
    todo!()
}
