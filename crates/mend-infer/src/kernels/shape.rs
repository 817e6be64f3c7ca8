//! A convolution's shape, the pictures it is done to, and which pixel a tap meets.
#![forbid(unsafe_code)]

/// A convolution's shape, in PyTorch's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels in, of all groups.
    pub inputs: usize,
    /// Channels out, of all groups.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
    /// Rows and columns between two outputs.
    pub stride: (usize, usize),
    /// Zeros around the picture: top, left, bottom, right.
    pub padding: (usize, usize, usize, usize),
    /// Rows and columns between two taps.
    pub dilation: (usize, usize),
    /// Groups, each of `inputs / groups` and `outputs / groups` channels.
    pub groups: usize,
}

impl ConvShape {
    /// A square kernel of odd `side`, stride 1, whose output is as large as its input.
    pub fn same(inputs: usize, outputs: usize, side: usize) -> Self {
        let p = side / 2;
        Self {
            inputs,
            outputs,
            kernel: (side, side),
            stride: (1, 1),
            padding: (p, p, p, p),
            dilation: (1, 1),
            groups: 1,
        }
    }

    /// Height and width of the output; 0 where the kernel is larger than the padded input.
    pub fn output(&self, height: usize, width: usize) -> (usize, usize) {
        let along = |size: usize, kernel: usize, stride: usize, dilation: usize, pad: usize| {
            (size + pad)
                .checked_sub(dilation * (kernel - 1) + 1)
                .map_or(0, |room| room / stride + 1)
        };
        let (k, s, d, p) = (self.kernel, self.stride, self.dilation, self.padding);
        (
            along(height, k.0, s.0, d.0, p.0 + p.2),
            along(width, k.1, s.1, d.1, p.1 + p.3),
        )
    }

    /// Rows of the padded input that `rows` rows of the output are made of.
    pub fn under(&self, rows: usize) -> usize {
        match rows {
            0 => 0,
            _ => (rows - 1) * self.stride.0 + self.dilation.0 * (self.kernel.0 - 1) + 1,
        }
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Sums of products, gathered row by row.
    Direct,
    /// Winograd's F(2×2, 3×3).
    Winograd2,
    /// Winograd's F(4×4, 3×3).
    Winograd4,
}

/// Pictures, their size and the padding at top and left; the output's size is given.
#[derive(Clone, Copy)]
pub struct Field {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub out_height: usize,
    pub out_width: usize,
    /// Rows and columns of zeros before the first.
    pub padding: (usize, usize),
}

/// The input pixel under tap `tap` of output pixel `row`; `None` in the padding.
#[inline]
pub fn source(s: &ConvShape, f: &Field, row: usize, tap: usize) -> Option<usize> {
    let (x, row) = (row % f.out_width, row / f.out_width);
    let (y, picture) = (row % f.out_height, row / f.out_height);
    let y = (y * s.stride.0 + tap / s.kernel.1 * s.dilation.0).wrapping_sub(f.padding.0);
    let x = (x * s.stride.1 + tap % s.kernel.1 * s.dilation.1).wrapping_sub(f.padding.1);
    (y < f.height && x < f.width).then(|| (picture * f.height + y) * f.width + x)
}
