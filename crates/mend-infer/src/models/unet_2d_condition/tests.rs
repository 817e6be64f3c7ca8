//! What a pass makes on its way, for comparing it with the reference's.
#![forbid(unsafe_code)]

use super::*;

impl UNet2DConditionModel {
    /// What each block of [`Self::forward`]'s pass makes, by the names of the goldens, and the result,
    /// `out`: channels last, all but the first and the last.
    pub(in crate::models) fn steps(
        &self,
        run: &Run,
        sample: &Tensor,
        timesteps: &[f32],
        states: &Tensor,
    ) -> Result<Vec<(String, Tensor)>> {
        let mut made = Vec::new();
        let mut keep = |name: &str, x: &Tensor| made.push((name.to_owned(), x.copy().unwrap()));
        let temb = self.embedding(run, sample, timesteps, states, None)?;
        keep("time", &temb);
        let given = Conditioning {
            temb: &temb,
            states,
        };
        let mut skips = vec![self.entry(run, sample)?];
        keep("conv_in", last(&skips)?);
        for (i, block) in self.down_blocks.iter().enumerate() {
            block.forward(run, &mut skips, &given)?;
            keep(&format!("down.{i}"), last(&skips)?);
        }
        let mut h = self.mid_block.forward(run, last(&skips)?, &given)?;
        keep("mid", &h);
        for (i, block) in self.up_blocks.iter().enumerate() {
            h = block.forward(run, h, &mut skips, &given)?;
            keep(&format!("up.{i}"), &h);
        }
        made.push(("out".to_owned(), self.exit(run, h)?));
        Ok(made)
    }
}
