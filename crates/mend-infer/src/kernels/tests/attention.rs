//! Attention against a softmax over the whole matrix.
#![forbid(unsafe_code)]

use super::{Noise, everywhere};
use crate::kernels::{Attention, Context, Path, Strided, attention};

fn reference(s: &Attention, q: Strided, k: Strided, v: Strided) -> Vec<f64> {
    let mut out = vec![0f64; s.batch * s.queries * s.heads * s.dim];
    for b in 0..s.batch {
        for h in 0..s.heads {
            for i in 0..s.queries {
                let row =
                    |m: &Strided, r: usize| m.data[r * m.stride + h * s.dim..][..s.dim].to_vec();
                let query = row(&q, b * s.queries + i);
                let seen = if s.causal { s.keys.min(i + 1) } else { s.keys };
                let scores: Vec<f64> = (0..seen)
                    .map(|j| {
                        let key = row(&k, b * s.keys + j);
                        let dot: f64 = query
                            .iter()
                            .zip(&key)
                            .map(|(a, b)| *a as f64 * *b as f64)
                            .sum();
                        dot * s.scale as f64
                    })
                    .collect();
                let most = scores.iter().cloned().fold(f64::MIN, f64::max);
                let weights: Vec<f64> = scores.iter().map(|x| (x - most).exp()).collect();
                let total: f64 = weights.iter().sum();
                for (j, weight) in weights.iter().enumerate() {
                    for (e, x) in row(&v, b * s.keys + j).iter().enumerate() {
                        out[((b * s.queries + i) * s.heads + h) * s.dim + e] +=
                            weight / total * *x as f64;
                    }
                }
            }
        }
    }
    out
}

#[test]
fn ragged_sizes_strides_and_slices() {
    let mut noise = Noise::new(5);
    let mut shapes = vec![
        (1, 1, 1, 1, 1),
        (2, 70, 300, 2, 40),
        (1, 33, 129, 1, 67),
        (1, 200, 77, 3, 16),
    ];
    for _ in 0..10 {
        shapes.push((
            noise.size(1, 2),
            noise.size(1, 80),
            noise.size(1, 280),
            noise.size(1, 3),
            noise.size(1, 45),
        ));
    }
    for (batch, queries, keys, heads, dim) in shapes {
        for causal in [false, true] {
            let columns = heads * dim;
            let (qs, ks) = (columns + noise.size(0, 5), columns * 2 + 3);
            // Scores of some tens, where a maximum that is not taken off would overflow.
            let mut scaled =
                |len: usize| -> Vec<f32> { noise.values(len).iter().map(|x| x * 12.0).collect() };
            let (q, k) = (scaled(batch * queries * qs), scaled(batch * keys * ks));
            let v = noise.values(batch * keys * ks);
            let q = Strided {
                data: &q,
                stride: qs,
            };
            let k = Strided {
                data: &k,
                stride: ks,
            };
            let v = Strided {
                data: &v,
                stride: ks,
            };
            let shape = Attention {
                batch,
                queries,
                keys,
                heads,
                dim,
                scale: 1.0 / (dim as f32).sqrt(),
                causal,
                slice: Attention::SLICE,
            };
            let expected = reference(&shape, q, k, v);
            let run = |cx: &Context, slice: usize| {
                let mut out = vec![f32::NAN; expected.len()];
                attention(cx, &Attention { slice, ..shape }, q, k, v, &mut out).unwrap();
                out
            };
            everywhere(&format!("{shape:?}"), 5e-5, &expected, |cx| {
                run(cx, shape.slice)
            });
            for path in Path::available() {
                let cx = Context::new(path);
                let whole = run(&cx, usize::MAX);
                for slice in [1, 40, 64] {
                    assert_eq!(
                        run(&cx, slice),
                        whole,
                        "{shape:?} on {path:?} in slices of {slice}"
                    );
                }
            }
        }
    }
}
