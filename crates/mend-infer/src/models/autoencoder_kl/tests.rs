//! What passes make on their way, for comparing them with the reference's.
#![forbid(unsafe_code)]

use super::*;

/// A name of the goldens and what was made, `[1, height, width, channels]`.
type Made = Vec<(String, Tensor)>;

fn whole(h: &Bands) -> Tensor {
    // Of a single band `cat` gives that band itself, which the pass goes on to write into.
    Tensor::cat(&h.tensors(), 1).unwrap().copy().unwrap()
}

impl Encoder {
    /// What each block of [`Self::encode`]'s pass over one picture makes.
    pub(in crate::models) fn steps(&self, run: &Run, image: &Tensor) -> Result<Made> {
        let mut made = Made::new();
        let mut h = self.entry(run, image)?;
        for (i, block) in self.down_blocks.iter().enumerate() {
            h = block.forward(run, h)?;
            made.push((format!("encoder.down.{i}"), whole(&h)));
        }
        let h = self.mid_block.forward(run, h.into_act(run)?)?;
        made.push(("encoder.mid".to_owned(), h.copy().unwrap()));
        made.push(("moments".to_owned(), self.exit(run, h)?.copy().unwrap()));
        Ok(made)
    }
}

impl Decoder {
    /// What each block of [`Self::decode`]'s pass over one picture's latents makes, and the picture.
    pub(in crate::models) fn steps(&self, run: &Run, latents: &Tensor) -> Result<Made> {
        let mut made = Made::new();
        let h = self.middle(run, latents)?;
        made.push(("decoder.mid".to_owned(), h.copy().unwrap()));
        let mut h = Bands::whole(h)?;
        for (i, block) in self.up_blocks.iter().enumerate() {
            h = block.forward(run, h)?;
            made.push((format!("decoder.up.{i}"), whole(&h)));
        }
        made.push(("decoded".to_owned(), self.exit(run, h)?.copy().unwrap()));
        Ok(made)
    }
}
