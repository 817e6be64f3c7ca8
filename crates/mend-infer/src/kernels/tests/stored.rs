//! Weights that are read while they are laid out: the same layers, bit by bit.
#![forbid(unsafe_code)]

use super::Noise;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::{Context, Conv2d, ConvShape, Epilogue, Linear, Path, Source, Stored};
use half::f16;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Values that end at `end`, whatever their number.
struct File<'a> {
    values: &'a [f16],
    end: usize,
    reads: AtomicUsize,
}

impl<'a> File<'a> {
    fn new(values: &'a [f16], end: usize) -> Self {
        let reads = AtomicUsize::new(0);
        Self { values, end, reads }
    }
}

impl Stored for File<'_> {
    fn count(&self) -> usize {
        self.values.len()
    }

    fn read(&self, start: usize, into: &mut [f16]) -> Result<()> {
        self.reads.fetch_add(into.len(), Ordering::Relaxed);
        let end = start + into.len();
        if end > self.end {
            return Err(Error::new(ErrorKind::Io, "the file has ended"));
        }
        into.copy_from_slice(&self.values[start..end]);
        Ok(())
    }
}

/// On every path, on one thread and on three.
fn each(check: impl Fn(&Context) + Sync) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
    let pool = pool.build().unwrap();
    for path in Path::available() {
        let cx = Context::new(path);
        check(&cx);
        pool.install(|| check(&cx));
    }
}

#[test]
fn layers_are_those_of_weights_that_are_here() {
    let mut noise = Noise::new(8);
    let sizes = [
        (1, 1, 1),
        (3, 33, 70),
        (2, 64, 300),
        (5, 150, 21),
        (1, 7, 513),
    ];
    for (m, n, k) in sizes {
        for gated in [false, true] {
            let rows = if gated { 2 * n } else { n };
            let (x, w, bias) = (
                noise.values(m * k),
                noise.halves(rows * k),
                noise.values(rows),
            );
            each(|cx| {
                let file = File::new(&w, w.len());
                let layers = [
                    Linear::stored(cx, &file, Some(&bias), n, k, gated),
                    match gated {
                        true => Linear::gated(cx, Source::F16(&w), Some(&bias), n, k),
                        false => Linear::new(cx, Source::F16(&w), Some(&bias), n, k),
                    },
                ];
                // Each value once.
                assert_eq!(file.reads.into_inner(), w.len());
                let made = layers.map(|layer| {
                    let mut y = vec![f32::NAN; m * n];
                    let layer = layer.unwrap();
                    layer.forward(cx, &x, &Epilogue::default(), &mut y).unwrap();
                    (layer.bytes(), y)
                });
                assert_eq!(made[0], made[1], "{m}×{n}×{k}, gated: {gated}");
            });
        }
    }
    for (inputs, outputs, side) in [(3, 20, 3), (40, 130, 3), (17, 33, 1)] {
        let shape = ConvShape::same(inputs, outputs, side);
        let (w, x) = (
            noise.halves(outputs * inputs * side * side),
            noise.values(9 * 13 * inputs),
        );
        each(|cx| {
            let convs = [
                Conv2d::stored(cx, &File::new(&w, w.len()), None, shape),
                Conv2d::new(cx, Source::F16(&w), None, shape),
            ];
            let made = convs.map(|conv| {
                let mut y = vec![f32::NAN; 9 * 13 * outputs];
                let conv = conv.unwrap();
                conv.forward(cx, 1, 9, 13, &x, &Epilogue::default(), &mut y)
                    .unwrap();
                (conv.bytes(), y)
            });
            assert_eq!(made[0], made[1], "{shape:?}");
        });
    }
}

#[test]
fn what_stops_the_reading_is_told() {
    let w = Noise::new(9).halves(150 * 40);
    each(|cx| {
        for end in [0, 40 * 149, 150 * 40 - 1] {
            let made = Linear::stored(cx, &File::new(&w, end), None, 150, 40, false);
            let error = made.err().unwrap();
            assert_eq!(error.message(), "the file has ended");
            let made = Linear::stored(cx, &File::new(&w, end), None, 75, 40, true);
            assert_eq!(made.err().unwrap().kind(), ErrorKind::Io);
        }
    });
}
