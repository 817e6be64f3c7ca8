//! Every scheduler against diffusers' numbers: `tests/golden/schedulers.json`, by `schedulers.py`.
#![forbid(unsafe_code)]

use super::alphas::alphas_cumprod;
use super::*;
use serde_json::{Map, Value};

fn golden() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/schedulers.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(v: &Value) -> Vec<f64> {
    let all = v.as_array().unwrap();
    all.iter().map(|x| x.as_f64().unwrap()).collect()
}

fn values(v: &Value) -> Vec<f32> {
    numbers(v).into_iter().map(|x| x as f32).collect()
}

/// Stable Diffusion 1.5's with the case's own keys, read as a file would be.
fn config(case: &Value) -> Config {
    Config::from_json(&case["config"]).unwrap()
}

fn kind(case: &Value) -> Kind {
    Kind::parse(case["kind"].as_str().unwrap()).unwrap()
}

fn steps(case: &Value) -> usize {
    case["steps"].as_u64().unwrap() as usize
}

fn name(case: &Value) -> String {
    format!("{} {} {}", case["kind"], case["steps"], case["config"])
}

fn close(got: f64, want: f64, tolerance: f64, what: &str) -> f64 {
    // Where diffusers has 0 with a rounding error, so have we.
    let off = (got - want).abs() / want.abs().max(1e-6);
    assert!(off <= tolerance, "{what}: {got} is not {want} ({off:.1e})");
    off
}

/// The largest difference, relative to the largest value.
fn difference(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len());
    let largest = want.iter().fold(0f64, |m, x| m.max(f64::from(x.abs())));
    let off = |(a, b): (&f32, &f32)| f64::from((a - b).abs());
    got.iter().zip(want).map(off).fold(0.0, f64::max) / largest
}

// The formulas of `schedulers.py`.
fn noise(k: i64) -> Vec<f32> {
    let one = |j: i64| 1.5 * (12.9898 * j as f64 + 78.233 * (k + 1) as f64).sin();
    (0..32).map(|j| one(j) as f32).collect()
}

fn picture() -> Vec<f32> {
    (0..32)
        .map(|j| (0.37 * f64::from(j)).cos() as f32)
        .collect()
}

fn model(x: &[f32], t: f64) -> Vec<f32> {
    let one = |(j, v): (usize, &f32)| {
        let v = f64::from(*v);
        (0.3 * v + 0.6 * (0.01 * t + 0.7 * j as f64 + 0.5 * v).sin()) as f32
    };
    x.iter().enumerate().map(one).collect()
}

#[test]
fn noise_schedules_are_diffusers() {
    let golden = golden();
    for case in golden["alphas"].as_array().unwrap() {
        let config = config(case);
        let all = alphas_cumprod(&config).unwrap();
        assert_eq!(all.len(), config.num_train_timesteps);
        let mut most = 0f64;
        for (at, want) in numbers(&case["at"])
            .iter()
            .zip(numbers(&case["alphas_cumprod"]))
        {
            most = most.max(close(
                all[*at as usize],
                want,
                1e-3,
                &case["config"].to_string(),
            ));
        }
        println!("{most:.1e} {}", case["config"]);
    }
}

#[test]
fn times_and_levels_are_diffusers() {
    let golden = golden();
    let mut far = Vec::new();
    for case in golden["schedules"].as_array().unwrap() {
        let (name, config) = (name(case), config(case));
        let s = scheduler(kind(case), &config, Times::Steps(steps(case))).unwrap();
        // Whole, or numpy's float32; serde_json may miss a double's last bit.
        let times: Vec<f64> = values(&case["timesteps"])
            .into_iter()
            .map(f64::from)
            .collect();
        // Karras's times are found from levels, which differ as said. Euler's stay as found; diffusers
        // cuts the cosine schedule's to whole ones, where 999 less a rounding error is 998.
        let cut = config.beta_schedule == BetaSchedule::SquaredcosCapV2;
        let slack = match (config.use_karras_sigmas, kind(case)) {
            (true, Kind::Euler) => 5e-3,
            (true, _) if cut => 1.0,
            _ => 0.0,
        };
        for (got, want) in s.timesteps().iter().zip(&times) {
            assert!((got - want).abs() <= slack, "{name}: {got} is not {want}");
        }
        assert_eq!(s.timesteps().len(), times.len(), "{name}");
        // The cosine's last level is σ = 20000, of an ᾱ that f32 hardly tells from 0.
        let tolerance = if cut { 5e-5 } else { 2e-5 };
        let init = case["init_noise_sigma"].as_f64().unwrap();
        let mut most = close(s.init_noise_sigma(), init, tolerance, &name);
        if case["sigmas"].is_array() {
            for (i, want) in numbers(&case["sigmas"])[..s.timesteps().len()]
                .iter()
                .enumerate()
            {
                let level = s.add_noise(i);
                most = most.max(close(level.noise / level.original, *want, tolerance, &name));
            }
        }
        let pairs = [("original", 0), ("noise", 1)];
        for (key, which) in pairs.into_iter().filter(|(key, _)| case[key].is_array()) {
            for (i, want) in numbers(&case[key]).iter().enumerate() {
                let level = s.add_noise(i);
                let got = [level.original, level.noise][which];
                let off = (got - want).abs() / want.abs().max(1e-6);
                most = most.max(off);
            }
        }
        println!("{most:.1e} {name}");
        if most > tolerance {
            far.push(format!("{most:.1e} {name}"));
        }
        let clean = NoiseLevel {
            original: 1.0,
            noise: 0.0,
        };
        assert_eq!(s.add_noise(s.timesteps().len()), clean);
    }
    assert!(far.is_empty(), "\n{}", far.join("\n"));
}

#[test]
fn times_of_any_number_of_steps_are_diffusers() {
    let golden = golden();
    for case in golden["digests"].as_array().unwrap() {
        let (config, mut h) = (config(case), 0u64);
        for n in 1..=steps(case) {
            let s = scheduler(kind(case), &config, Times::Steps(n)).unwrap();
            for t in s.timesteps() {
                let bits = u64::from((*t as f32).to_bits());
                h = h.wrapping_mul(0x100_0000_01b3).wrapping_add(bits);
            }
        }
        assert_eq!(h.to_string(), case["digest"], "{}", name(case));
    }
}

#[test]
fn runs_are_diffusers() {
    let golden = golden();
    let mut far = Vec::new();
    for case in golden["runs"].as_array().unwrap() {
        let (name, config) = (name(case), config(case));
        let given = case["timesteps"]
            .is_array()
            .then(|| numbers(&case["timesteps"]));
        let times = given
            .as_deref()
            .map_or(Times::Steps(steps(case)), Times::Given);
        let config = Config {
            eta: case["eta"].as_f64().unwrap_or(config.eta),
            ..config
        };
        let mut s = scheduler(kind(case), &config, times).unwrap();
        let from = case["start"].as_u64().unwrap() as usize;
        let samples: Vec<_> = case["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(values)
            .collect();
        let originals = case["originals"].as_array();
        let (level, n) = (s.add_noise(from), s.timesteps().len());
        let mut x: Vec<f32> = if from > 0 {
            let mixed =
                |(p, e): (&f32, &f32)| level.original * f64::from(*p) + level.noise * f64::from(*e);
            picture()
                .iter()
                .zip(&noise(-1))
                .map(|pe| mixed(pe) as f32)
                .collect()
        } else {
            let sigma = s.init_noise_sigma();
            noise(-1)
                .iter()
                .map(|e| (f64::from(*e) * sigma) as f32)
                .collect()
        };
        let mut most = difference(&x, &samples[0]);
        // From diffusers' own beginning, so that what is compared is the steps.
        x.clone_from(&samples[0]);
        for i in from..n {
            let scale = s.scale_model_input(i);
            let input: Vec<f32> = x.iter().map(|v| (f64::from(*v) * scale) as f32).collect();
            let output = model(&input, s.timesteps()[i]);
            if let Some(all) = originals {
                let mut x0 = vec![0.0; x.len()];
                s.pred_original_sample(i, &output, &x, &mut x0);
                most = most.max(difference(&x0, &values(&all[i - from])));
            }
            s.step(i, &output, &mut x, &mut |out| {
                out.copy_from_slice(&noise(i as i64))
            })
            .unwrap();
            let whole = samples.len() > 3;
            let want = match i + 1 - from {
                k if whole => &samples[k],
                1 => &samples[1],
                _ if i + 1 == n => &samples[2],
                _ => continue,
            };
            most = most.max(difference(&x, want));
        }
        println!("{most:.1e} {name} from {from}");
        // Training's last level is σ = 4096 there, and diffusers steps down from it in `f32`.
        let limit = match kind(case) {
            Kind::Euler | Kind::EulerA if config.rescale_betas_zero_snr => 5e-5,
            _ => 1e-5,
        };
        if most > limit {
            far.push(format!("{most:.1e} {name} from {from}"));
        }
    }
    assert!(far.is_empty(), "\n{}", far.join("\n"));
}

#[test]
fn the_exact_noise_leads_to_the_picture() {
    let picture = picture();
    for kind in Kind::ALL {
        for prediction_type in [
            PredictionType::Epsilon,
            PredictionType::VPrediction,
            PredictionType::Sample,
        ] {
            for (steps, from) in [(1, 0), (4, 0), (20, 0), (20, 13)] {
                let config = Config {
                    prediction_type,
                    set_alpha_to_one: true,
                    ..Config::default()
                };
                let mut s = scheduler(kind, &config, Times::Steps(steps)).unwrap();
                // What is left of x₀ and ε in the sample tells ε.
                let at = s.add_noise(from);
                let mut x: Vec<f32> = (picture.iter().zip(noise(-1)))
                    .map(|(p, e)| (at.original * f64::from(*p) + at.noise * f64::from(e)) as f32)
                    .collect();
                for i in from..steps {
                    let at = s.add_noise(i);
                    let norm = (at.original.powi(2) + at.noise.powi(2)).sqrt();
                    let (alpha, sigma) = (at.original / norm, at.noise / norm);
                    let output: Vec<f32> = (picture.iter().zip(&x))
                        .map(|(p, x)| {
                            let p = f64::from(*p);
                            let epsilon = (f64::from(*x) / norm - alpha * p) / sigma;
                            (match prediction_type {
                                PredictionType::Epsilon => epsilon,
                                PredictionType::VPrediction => alpha * epsilon - sigma * p,
                                PredictionType::Sample => p,
                            }) as f32
                        })
                        .collect();
                    let mut x0 = vec![0.0; x.len()];
                    s.pred_original_sample(i, &output, &x, &mut x0);
                    assert!(difference(&x0, &picture) < 2e-4, "{kind:?} {i}");
                    s.step(i, &output, &mut x, &mut |out| {
                        Noise::new(5, Purpose::Step, i).fill(out);
                    })
                    .unwrap();
                }
                let off = difference(&x, &picture);
                // TCD ends at training's least noise, some 0.03 of it.
                let limit = if kind == Kind::Tcd { 0.1 } else { 2e-4 };
                assert!(
                    off < limit,
                    "{kind:?} {prediction_type:?} {steps} {from}: {off:.1e}"
                );
            }
        }
    }
}

#[test]
fn another_picture_starts_anew() {
    for kind in Kind::ALL {
        let mut s = scheduler(kind, &Config::default(), Times::Steps(6)).unwrap();
        let run = |s: &mut Box<dyn Scheduler>, len: usize, until: usize| {
            let mut x = noise(-1)[..len].to_vec();
            for i in 1..until {
                let output = model(&x, s.timesteps()[i]);
                let fresh = noise(i as i64);
                s.step(i, &output, &mut x, &mut |out| {
                    out.copy_from_slice(&fresh[..len])
                })
                .unwrap();
            }
            x
        };
        let want = run(&mut s, 32, 6);
        run(&mut s, 9, 6);
        assert_eq!(run(&mut s, 32, 6), want, "{kind:?}: after another size");
        // A run cut after the first of its steps would look continued at step 1.
        let mut x = want.clone();
        s.step(0, &want, &mut x, &mut |out| out.fill(0.0)).unwrap();
        s.reset();
        assert_eq!(run(&mut s, 32, 6), want, "{kind:?}: after reset");
        // Refused steps change nothing.
        let mut x = want.clone();
        assert!(s.step(6, &want, &mut x, &mut |_| ()).is_err());
        assert!(s.step(0, &want[1..], &mut x, &mut |_| ()).is_err());
        assert_eq!(x, want);
        assert!(s.scale_model_input(99).is_finite() && s.original(99).output.is_finite());
    }
}

#[test]
fn no_configuration_or_number_of_steps_panics_or_gives_nonsense() {
    let trains = [2, 3, 10, 999, 1000];
    for kind in Kind::ALL {
        for n in 0..288 {
            let pick = |k: usize, of: usize| n / k % of;
            let c = Config {
                num_train_timesteps: trains[n % trains.len()],
                steps_offset: pick(2, 2),
                timestep_spacing: [
                    None,
                    Some(TimestepSpacing::Trailing),
                    Some(TimestepSpacing::Leading),
                ][pick(4, 3)],
                prediction_type: [PredictionType::Epsilon, PredictionType::VPrediction][pick(3, 2)],
                rescale_betas_zero_snr: pick(8, 2) == 1,
                use_karras_sigmas: pick(5, 2) == 1,
                final_sigmas_type: [FinalSigmasType::Zero, FinalSigmasType::SigmaMin][pick(16, 2)],
                solver_order: 1 + pick(7, 3),
                lower_order_final: pick(32, 2) == 1,
                solver_type: ["bh1", "heun", "midpoint"][pick(11, 3)].into(),
                original_inference_steps: trains[n % trains.len()].min(50),
                ..Config::default()
            };
            for steps in [0, 1, 2, 3, 7, 16, 50, 333, 999, 1000, 1001, usize::MAX] {
                let Ok(mut s) = scheduler(kind, &c, Times::Steps(steps)) else {
                    continue;
                };
                let t = s.timesteps().to_vec();
                assert_eq!(t.len(), steps);
                let mut x = vec![0.5; 3];
                for (i, t) in t.iter().enumerate() {
                    assert!(
                        (0.0..c.num_train_timesteps as f64).contains(t),
                        "{kind:?} {t} {c:?}"
                    );
                    // Bounded, so that nothing but the coefficients can grow.
                    let out = model(&[0.0; 3], *t);
                    s.step(i, &out, &mut x, &mut |out| out.fill(0.5)).unwrap();
                    assert!(
                        x.iter().all(|x| x.is_finite()),
                        "{kind:?} {steps} step {i} {c:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn align_your_steps_has_the_published_times() {
    let c = Config::default();
    let published = numbers(&golden()["align_your_steps"]);
    assert_eq!(align_your_steps(&c, 10).unwrap(), published);
    // Twice the steps have the published ones, found from their levels, between their own.
    for (a, b) in align_your_steps(&c, 20)
        .unwrap()
        .iter()
        .step_by(2)
        .zip(&published)
    {
        assert!((a - b).abs() <= 3.0, "{a} {b}");
    }
    for steps in 1..=60 {
        let times = align_your_steps(&c, steps).unwrap();
        assert_eq!((times.len(), times[0]), (steps, 999.0));
        for kind in Kind::ALL.into_iter().filter(|k| *k != Kind::Dpmpp2mKarras) {
            let s = scheduler(kind, &c, Times::Given(&times)).unwrap();
            assert_eq!(s.timesteps(), times);
        }
    }
    let linear = Config {
        beta_schedule: BetaSchedule::Linear,
        ..Config::default()
    };
    for refused in [
        align_your_steps(&linear, 10),
        align_your_steps(&c, 0),
        align_your_steps(&c, 1000),
        align_your_steps(&c, usize::MAX),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Parameter);
    }
}

#[test]
fn given_times_are_checked() {
    for times in [
        &[][..],
        &[1000.0],
        &[-1.0],
        &[f64::NAN],
        &[5.0, 5.0],
        &[5.0, 6.0],
        &[f64::INFINITY, 1.0],
    ] {
        for kind in Kind::ALL {
            assert!(scheduler(kind, &Config::default(), Times::Given(times)).is_err());
        }
    }
    let between = Times::Given(&[900.5, 3.25]);
    assert!(scheduler(Kind::Euler, &Config::default(), between).is_ok());
    assert!(scheduler(Kind::Ddim, &Config::default(), between).is_err());
}

#[test]
fn strength_begins_where_diffusers_does() {
    for (steps, strength, want) in [
        (20, 1.0, 0),
        (20, 0.5, 10),
        (50, 0.3, 35),
        (10, 0.99, 1),
        (10, 0.1, 9),
        // 0.29 · 100 is 28.999… in Python too.
        (100, 0.29, 72),
        (1, 1.0, 0),
    ] {
        assert_eq!(start(steps, strength).unwrap(), want, "{steps} {strength}");
    }
    for strength in [0.0, 0.01, -1.0, 1.01, f64::NAN] {
        let e = start(20, strength).unwrap_err();
        assert!(e.message().contains("strength"), "{e}");
    }
}

#[test]
fn a_file_is_read_and_its_faults_are_named() {
    let sd15 = r#"{"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000,
        "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1,
        "trained_betas": null, "clip_sample": false}"#;
    let read = |text: &str| Config::from_json(&crate::json::parse(text).unwrap());
    // As Python writes it: nothing is clipped. Where a number matters, it must be one.
    let python = read(r#"{"lambda_min_clipped": -Infinity, "sample_max_value": NaN}"#);
    assert_eq!(python.unwrap(), Config::default());
    for (text, key) in [
        (r#"{"beta_end": Infinity}"#, "beta_end"),
        (r#"{"beta_start": NaN}"#, "beta_start"),
        (
            r#"{"num_train_timesteps": -Infinity}"#,
            "num_train_timesteps",
        ),
        (r#"{"lambda_min_clipped": NaN}"#, "lambda_min_clipped"),
        (r#"{"lambda_min_clipped": Infinity}"#, "lambda_min_clipped"),
        (r#"{"thresholding": NaN}"#, "thresholding"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.message().contains(key), "{text}: {error}");
    }
    assert_eq!(read(sd15).unwrap(), Config::default());
    let v = read(r#"{"prediction_type": "v_prediction", "timestep_spacing": "trailing"}"#).unwrap();
    assert_eq!(v.prediction_type, PredictionType::VPrediction);
    assert_eq!(v.timestep_spacing, Some(TimestepSpacing::Trailing));
    let mut faults = Map::new();
    for (key, value) in [
        ("beta_start", Value::from("small")),
        ("beta_end", Value::from(1.5)),
        ("beta_schedule", Value::from("sigmoid")),
        ("prediction_type", Value::from(3)),
        ("num_train_timesteps", Value::from(1)),
        ("num_train_timesteps", Value::from(u64::MAX)),
        ("steps_offset", Value::from(-1)),
        ("steps_offset", Value::from(1000)),
        ("clip_sample", Value::from("yes")),
        ("clip_sample_range", Value::from(0)),
        ("solver_order", Value::from(4)),
        ("solver_type", Value::from(1)),
        ("original_inference_steps", Value::from(0)),
        ("timestep_scaling", Value::from(-1.0)),
        ("thresholding", Value::from(true)),
        ("trained_betas", Value::from(vec![0.5; 100])),
        ("predict_x0", Value::from(false)),
        ("timestep_type", Value::from("continuous")),
        ("lambda_min_clipped", Value::from(-5.1)),
    ] {
        faults.clear();
        faults.insert(key.into(), value);
        let e = Config::from_json(&Value::Object(faults.clone())).unwrap_err();
        assert!(e.message().contains(&format!("'{key}'")), "{e}");
        assert!(matches!(
            e.kind(),
            ErrorKind::Model | ErrorKind::Unsupported
        ));
    }
    assert!(read("[]").is_err());
    let e = Kind::parse("plms").unwrap_err();
    assert!(e.message().contains("dpmpp_2m_karras"), "{e}");
}

#[test]
fn guidance_goes_from_without_to_with_the_prompt() {
    let mut cond = [1.0, 2.0, -3.0];
    guidance(&[0.0, 2.0, 1.0], &mut cond, 7.5);
    assert_eq!(cond, [7.5, 2.0, -29.0]);
}
