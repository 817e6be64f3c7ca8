//! A fill that comes with its own version of what is around the hole: colour match, then the seam.
#![forbid(unsafe_code)]

use super::seamless;
use crate::error::Result;
use crate::memory;
use crate::pixels::{Plane, Rect, RgbImage};
use crate::progress::Cancel;

/// Pixels around the hole whose colours are matched.
const RING: usize = 16;

/// Brings `fill`, a version of all of `image` with the hole filled, to the colours of `image` around
/// the hole and makes it one with it. Outside the hole `fill` becomes `image`.
///
/// The mean colour of a ring of `known` pixels is matched first. Along the rim the differences between
/// neighbours are then those inside the engine's own version, so that what it meant to go on goes on.
///
/// # Errors
/// [`crate::ErrorKind::Memory`], [`crate::ErrorKind::Cancelled`].
pub fn paste(
    image: &RgbImage,
    hole: &Plane<u8>,
    known: &Plane<u8>,
    fill: &mut RgbImage,
    cancel: &Cancel,
) -> Result<()> {
    let (w, h) = (image.width, image.height);
    let Some(bounds) = bounds(hole) else {
        fill.data.copy_from_slice(&image.data);
        return Ok(());
    };
    let ring = bounds.grown_within(RING as u32, w as u32, h as u32);
    let shift = shift(image, hole, known, fill, ring);
    for pixel in fill.data.chunks_exact_mut(3) {
        pixel.iter_mut().zip(shift).for_each(|(v, s)| *v += s);
    }
    let cut = bounds.grown_within(1, w as u32, h as u32);
    let (cw, ch) = (cut.width as usize, cut.height as usize);
    let mut inside = RgbImage::black(cw, ch, "the fill")?;
    for y in 0..ch {
        let at = ((y + cut.y as usize) * w + cut.x as usize) * 3;
        inside
            .row_mut(y)
            .copy_from_slice(&fill.data[at..at + cw * 3]);
    }
    let what = "the fill's differences";
    let mut gx = memory::filled(cw * ch * 3, 0.0f32, what)?;
    let mut gy = memory::filled(cw * ch * 3, 0.0f32, what)?;
    for i in 0..cw * ch * 3 {
        if i % (cw * 3) == 0 {
            cancel.check()?;
        }
        if i / 3 % cw + 1 < cw {
            gx[i] = inside.data[i + 3] - inside.data[i];
        }
        if i / 3 / cw + 1 < ch {
            gy[i] = inside.data[i + cw * 3] - inside.data[i];
        }
    }
    cancel.check()?;
    seamless(image, hole, cut, &mut inside, gx, gy, cancel)?;
    fill.data.copy_from_slice(&image.data);
    for y in 0..ch {
        let at = (y + cut.y as usize) * w + cut.x as usize;
        for x in 0..cw {
            if hole.data[at + x] != 0 {
                fill.data[(at + x) * 3..][..3].copy_from_slice(&inside.row(y)[x * 3..x * 3 + 3]);
            }
        }
    }
    Ok(())
}

/// What the fill's colours lack of the picture's, the mean over the known pixels of `ring`.
fn shift(
    image: &RgbImage,
    hole: &Plane<u8>,
    known: &Plane<u8>,
    fill: &RgbImage,
    ring: Rect,
) -> [f32; 3] {
    let (mut sums, mut count) = ([0.0f64; 3], 0u32);
    for y in ring.y as usize..ring.bottom() as usize {
        for x in ring.x as usize..ring.right() as usize {
            let i = y * image.width + x;
            if hole.data[i] == 0 && known.data[i] != 0 {
                count += 1;
                for (c, sum) in sums.iter_mut().enumerate() {
                    *sum += f64::from(image.data[i * 3 + c] - fill.data[i * 3 + c]);
                }
            }
        }
    }
    sums.map(|sum| (sum / f64::from(count.max(1))) as f32)
}

/// The smallest box around the hole.
fn bounds(hole: &Plane<u8>) -> Option<Rect> {
    let mut bounds: Option<Rect> = None;
    for y in 0..hole.height {
        let row = hole.row(y);
        let first = row.iter().position(|h| *h != 0);
        let last = row.iter().rposition(|h| *h != 0);
        if let (Some(first), Some(last)) = (first, last) {
            let run = Rect::new(first as u32, y as u32, (last - first + 1) as u32, 1);
            bounds = Some(bounds.map_or(run, |b| b.union(&run)));
        }
    }
    bounds
}
