//! Against the reference, `tests/golden/rad.safetensors`, and the laws that any run keeps.
#![forbid(unsafe_code)]

use super::steps::{Coefficients, Level};
use super::*;
use serde_json::Value;

/// `tests/golden/rad.safetensors`, its header and its bytes: this room knows no other.
struct Golden(Value, Vec<u8>);

impl Golden {
    fn open() -> Self {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/golden/rad.safetensors"
        );
        let bytes = std::fs::read(file).unwrap();
        let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = serde_json::from_slice(&bytes[8..8 + len]).unwrap();
        Self(header, bytes[8 + len..].to_vec())
    }

    fn get64(&self, name: &str) -> Vec<f64> {
        let about = &self.0[format!("golden.{name}")];
        let at = |i: usize| about["data_offsets"][i].as_u64().unwrap() as usize;
        let bytes = &self.1[at(0)..at(1)];
        match about["dtype"].as_str().unwrap() {
            "F64" => {
                let each = bytes.chunks_exact(8);
                each.map(|b| f64::from_le_bytes(b.try_into().unwrap()))
                    .collect()
            }
            "F32" => {
                let each = bytes.chunks_exact(4);
                let each = each.map(|b| f32::from_le_bytes(b.try_into().unwrap()));
                each.map(f64::from).collect()
            }
            other => panic!("{name} is {other}"),
        }
    }

    fn get(&self, name: &str) -> Vec<f32> {
        self.get64(name).into_iter().map(|v| v as f32).collect()
    }
}

fn near(what: &str, got: f64, want: f64, tolerance: f64) {
    let off = (got - want).abs() / want.abs().max(1.0);
    assert!(off <= tolerance, "{what}: {got} {want}");
}

#[test]
fn schedules_and_inverse_map_are_the_references() {
    let golden = Golden::open();
    let table = Table::new().unwrap();
    let (masks, times) = (golden.get64("schedule.mask"), golden.get64("schedule.n"));
    let gammas = golden.get64("schedule.gamma");
    for (n, want) in times.iter().zip(&gammas) {
        near("gamma", table.gamma(*n), *want, 1e-12);
    }
    for (name, phase) in [("phase1", Phase::First), ("phase2", Phase::Second)] {
        let kept = golden.get64(&format!("schedule.{name}.kept"));
        let levels = golden.get64(&format!("schedule.{name}.levels"));
        for (i, mask) in masks.iter().enumerate() {
            for (j, n) in times.iter().enumerate() {
                let at = i * times.len() + j;
                let level = Level::new(table.log_kept(*mask, table.gamma(*n), phase));
                let (what, want) = (format!("{name} {mask} {n}"), kept[at]);
                assert!(
                    (level.kept - want).abs() <= 1e-9 * want,
                    "{what}: {level:?} {want}"
                );
                near(&what, table.level(level.noise), levels[at], 1e-6);
            }
        }
    }
}

#[test]
fn binary_masks_are_at_whole_steps() {
    let table = Table::new().unwrap();
    for n in 0..=STEPS {
        let gamma = table.gamma(n as f64);
        let noise = |mask| Level::new(table.log_kept(mask, gamma, Phase::First)).noise;
        assert_eq!(table.level(noise(1.0)) as f32, n as f32);
        assert_eq!(table.level(noise(0.0)), 0.0);
    }
    assert_eq!(table.level(-1.0), 0.0);
    assert_eq!(table.level(2.0), 1000.0);
    // Where the second phase begins the first has ended.
    for mask in [0.0, 0.3, 1.0] {
        let end = table.log_kept(mask, 1.0, Phase::First);
        assert_eq!(end, table.log_kept(mask, 0.0, Phase::Second));
    }
}

#[test]
fn steps_are_the_references() {
    let golden = Golden::open();
    for kind in ["binary", "soft"] {
        let get = |name: &str| golden.get(&format!("step.{kind}.{name}"));
        let (x, output, noise) = (get("x"), get("output"), get("noise"));
        let own = |name: &str| golden.get64(&format!("step.{kind}.{name}"));
        let (kept, before) = (own("kept"), own("before"));
        let level = |kept: f64| Level::new(kept.ln());
        for (method, want) in [(Method::Ddpm, get("ddpm")), (Method::Ddim, get("ddim"))] {
            for (at, want) in want.iter().enumerate() {
                let pixel = at % kept.len();
                let step = Coefficients::new(method, level(kept[pixel]), level(before[pixel]));
                let got = step.step(x[at], output[at], output[x.len() + at], noise[at]);
                let what = format!("{kind} {method:?} {at}");
                near(&what, f64::from(got), f64::from(*want), 2e-6);
                if kept[pixel] == 1.0 {
                    assert_eq!(got.to_bits(), x[at].to_bits());
                }
            }
        }
    }
}

#[test]
fn the_start_is_the_references() {
    let golden = Golden::open();
    let times: Vec<usize> = golden.get("run.n").iter().map(|n| *n as usize).collect();
    assert_eq!(times, Spacing::Even.times(10).unwrap());
    let (image, noise) = (golden.get("run.image"), golden.get("run.noise"));
    for kind in ["binary", "soft"] {
        let mask = golden.get(&format!("run.{kind}.mask"));
        let pixels: Vec<Noisy> = mask
            .iter()
            .map(|m| Noisy {
                mask: *m,
                depth: 0.0,
            })
            .collect();
        let run = PixelRun::new(&times, Order::Together, &pixels).unwrap();
        // What stands in the hole is not used.
        let clean = |(i, v): (usize, &f32)| if mask[i % mask.len()] < 1.0 { *v } else { 0.0 };
        let mut x: Vec<f32> = image.iter().enumerate().map(clean).collect();
        run.noised(0, &noise, &mut x).unwrap();
        let want = golden.get(&format!("run.ddpm.{kind}.start"));
        for (i, (got, want)) in x.iter().zip(&want).enumerate() {
            near(kind, f64::from(*got), f64::from(*want), 1e-6);
            if mask[i % mask.len()] == 0.0 {
                assert_eq!(*got, image[i]);
            }
        }
    }
}

#[test]
fn times_fall_to_the_last_step() {
    let even = Spacing::Even.times(100).unwrap();
    assert_eq!((even[0], even[1], even[99]), (991, 981, 1));
    let few = Spacing::Quadratic.times(10).unwrap();
    assert_eq!(few, [1000, 790, 605, 445, 309, 198, 112, 50, 13, 1]);
    for spacing in [Spacing::Even, Spacing::Quadratic] {
        for steps in 1..=STEPS {
            let times = spacing.times(steps).unwrap();
            assert_eq!(times.len(), steps);
            assert!(times.windows(2).all(|w| w[0] > w[1]), "{steps}");
            assert!(times[0] <= STEPS && times[steps - 1] >= 1);
        }
        assert!(spacing.times(0).is_err() && spacing.times(1001).is_err());
    }
    let all: Vec<usize> = (1..=STEPS).rev().collect();
    assert_eq!(Spacing::Quadratic.times(STEPS).unwrap(), all);
}

/// The claim of [`Spacing::Quadratic`]: for Gaussian pictures with a photo's spectrum the best network is
/// known, and so is each frequency's power after a run.
#[test]
fn few_steps_are_spent_where_they_matter() {
    let table = Table::new().unwrap();
    let modes = |f: usize| std::f64::consts::TAU * f as f64;
    let all: f64 = (1..=128).map(|f| modes(f) / (f * f) as f64).sum();
    let count: f64 = (1..=128).map(modes).sum();
    let power = |f: usize| 0.25 * 65536.0 / all / (f * f) as f64;
    let error = |spacing: Spacing, steps: usize, method: Method| {
        let times = spacing.times(steps).unwrap();
        let level = |i: usize| {
            let n = times.get(i).map_or(0.0, |n| *n as f64);
            Level::new(table.log_kept(1.0, table.gamma(n), Phase::First))
        };
        let sum: f64 = (1..=128)
            .map(|f| {
                let (own, mut variance) = (power(f), 1.0);
                for i in 0..steps {
                    let (from, to) = (level(i), level(i + 1));
                    let gain = from.kept.sqrt() * own / (from.kept * own + from.noise);
                    let (by_picture, by_sample, added) = match method {
                        Method::Ddim => {
                            let rest = (to.noise / from.noise).sqrt();
                            (to.kept.sqrt() - rest * from.kept.sqrt(), rest, 0.0)
                        }
                        Method::Ddpm => {
                            let beta = 1.0 - from.kept / to.kept;
                            let picture = to.kept.sqrt() * beta / from.noise;
                            // Of one variance for all frequencies the best: the mean of theirs.
                            let spread = |f: usize| {
                                let own = power(f);
                                modes(f) * own * from.noise / (from.kept * own + from.noise)
                            };
                            let spread = (1..=128).map(spread).sum::<f64>() / count;
                            let least = beta * to.noise / from.noise;
                            let best = (least + picture * picture * spread).clamp(least, beta);
                            let added = if to.noise > 0.0 { best } else { 0.0 };
                            let sample = (from.kept / to.kept).sqrt() * to.noise / from.noise;
                            (picture, sample, added)
                        }
                    };
                    let factor = by_picture * gain + by_sample;
                    variance = factor * factor * variance + added;
                }
                modes(f) * (variance / own).ln().powi(2)
            })
            .sum();
        (sum / count).sqrt()
    };
    for (steps, method, quadratic, even) in [
        (10, Method::Ddim, 0.44, 1.09),
        (25, Method::Ddim, 0.16, 0.43),
        (10, Method::Ddpm, 0.19, 0.34),
        (25, Method::Ddpm, 0.07, 0.13),
    ] {
        let got = error(Spacing::Quadratic, steps, method);
        assert!((got - quadratic).abs() < 0.006, "{steps} {method:?}: {got}");
        let got = error(Spacing::Even, steps, method);
        assert!((got - even).abs() < 0.006, "{steps} {method:?}: {got}");
    }
    let sixty = error(Spacing::Even, 60, Method::Ddim);
    assert!(sixty > error(Spacing::Quadratic, 25, Method::Ddim));
}

/// Pixels of each mask and depth.
fn pixels() -> Vec<Noisy> {
    let mut all = Vec::new();
    for mask in [0.0, 0.2, 0.75, 1.0] {
        for depth in [0.0, 0.1, 0.5, 1.0] {
            all.push(Noisy { mask, depth });
        }
    }
    all
}

#[test]
fn the_rim_is_first_and_everything_ends_clean() {
    for steps in [1, 2, 7, 25, 100] {
        let times = Spacing::Quadratic.times(steps).unwrap();
        let together = PixelRun::new(&times, Order::Together, &pixels()).unwrap();
        let rim = PixelRun::new(&times, Order::RimFirst, &pixels()).unwrap();
        assert_eq!(rim.levels(0).unwrap(), together.levels(0).unwrap());
        let end = rim.levels(steps).unwrap();
        assert!(end.iter().all(|level| *level == 0.0), "{steps}: {end:?}");
        for i in 0..steps {
            let (now, next) = (rim.levels(i).unwrap(), rim.levels(i + 1).unwrap());
            for (j, (now, next)) in now.iter().zip(&next).enumerate() {
                assert!(next <= now, "{steps} {i} {j}: noise grows");
                let deeper = j % 4 < 3 && rim.levels(i).unwrap()[j + 1] < *now;
                assert!(!deeper, "{steps} {i} {j}: the deeper pixel is ahead");
            }
        }
        // The rim has two thirds of the steps, and the middle begins after one.
        let done = (steps as f64 * 2.0 / 3.0).ceil() as usize;
        assert_eq!(rim.levels(done).unwrap()[12], 0.0);
        let late = (steps as f64 / 3.0).floor() as usize;
        assert_eq!(
            rim.levels(late).unwrap()[15],
            together.levels(0).unwrap()[15]
        );
    }
}

/// Without noise, and without a step, a pixel stays to the bit; with the network's own noise the picture comes
/// out.
#[test]
fn known_pixels_stay_and_perfect_networks_are_believed() {
    let pixels = pixels();
    let n = pixels.len();
    let image: Vec<f32> = (0..3 * n).map(|i| (i as f32 * 0.7).sin() * 0.9).collect();
    let noise: Vec<f32> = (0..3 * n).map(|i| (i as f32 * 1.3).cos() * 1.2).collect();
    for order in [Order::Together, Order::RimFirst] {
        for method in [Method::Ddim, Method::Ddpm] {
            let times = Spacing::Quadratic.times(12).unwrap();
            let run = PixelRun::new(&times, order, &pixels).unwrap();
            let mut x = image.clone();
            run.noised(0, &noise, &mut x).unwrap();
            let table = Table::new().unwrap();
            for i in 0..run.steps() {
                // The noise that is in the sample.
                let mut output = vec![0.0f32; 6 * n];
                for (at, v) in output[..3 * n].iter_mut().enumerate() {
                    let level = run.level(&pixels[at % n], i);
                    if level.noise > 0.0 {
                        let clean = level.kept.sqrt() * f64::from(image[at]);
                        *v = ((f64::from(x[at]) - clean) / level.noise.sqrt()) as f32;
                    } else {
                        // What it says there does not matter.
                        *v = 1e6;
                    }
                }
                let before = x.clone();
                let mut asked = 0;
                run.step(method, i, &output, &mut x, &mut |out| {
                    asked += 1;
                    out.iter_mut().zip(&noise).for_each(|(o, n)| *o = -n);
                })
                .unwrap();
                assert!(asked <= usize::from(method == Method::Ddpm));
                for at in 0..3 * n {
                    let kind = &pixels[at % n];
                    let rests = run.level(kind, i) == run.level(kind, i + 1);
                    if kind.mask == 0.0 || rests {
                        assert_eq!(x[at].to_bits(), before[at].to_bits());
                    }
                }
                let picture = run.original(i, &output, &before).unwrap();
                for at in 0..3 * n {
                    let known = run.level(&pixels[at % n], i).noise < 0.9;
                    assert!(!known || (picture[at] - image[at]).abs() < 1e-4);
                }
            }
            for at in 0..3 * n {
                let off = (x[at] - image[at]).abs();
                assert!(off < 1e-4, "{order:?} {method:?} {at}: {off}");
                if pixels[at % n].mask == 0.0 {
                    assert_eq!(x[at].to_bits(), image[at].to_bits());
                }
            }
            assert!(table.most() > 0.9999);
        }
    }
}

#[test]
fn what_is_no_run_is_refused() {
    let pixel = [Noisy {
        mask: 1.0,
        depth: 0.0,
    }];
    for times in [&[][..], &[0], &[1001], &[5, 5], &[5, 6]] {
        assert!(PixelRun::new(times, Order::Together, &pixel).is_err());
    }
    for (mask, depth) in [(f32::NAN, 0.0), (1.1, 0.0), (-0.1, 0.0), (1.0, 2.0)] {
        let pixel = [Noisy { mask, depth }];
        assert!(PixelRun::new(&[9], Order::Together, &pixel).is_err());
    }
    let run = PixelRun::new(&[9], Order::Together, &pixel).unwrap();
    let (mut x, output) = ([0.5; 3], [0.0; 6]);
    let mut step = |i: usize, output: &[f32]| {
        let fresh = &mut |_: &mut [f32]| panic!("no noise is added");
        run.step(Method::Ddpm, i, output, &mut x, fresh)
    };
    assert!(step(1, &output).is_err() && step(0, &output[..5]).is_err());
    assert!(step(0, &output).is_ok());
}
