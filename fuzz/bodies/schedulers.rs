//! A model's `scheduler_config.json`, and a few steps of every scheduler with it.

use mend_infer::schedulers::{Config, Kind, Times, align_your_steps, scheduler};

/// A number of steps, then JSON. What is refused is told; what is taken makes numbers.
pub fn run(data: &[u8]) {
    let Some((steps, text)) = data.split_first() else {
        return;
    };
    let Ok(json) = serde_json::from_slice(text) else {
        return;
    };
    let config = match Config::from_json(&json) {
        Ok(config) => config,
        Err(e) => return assert!(e.message().contains("scheduler_config.json"), "{e}"),
    };
    let aligned = align_your_steps(&config, (*steps).into()).unwrap_or_default();
    for kind in Kind::ALL {
        for times in [Times::Steps((*steps).into()), Times::Given(&aligned)] {
            let mut s = match scheduler(kind, &config, times) {
                Ok(s) => s,
                Err(e) => {
                    assert!(e.message().len() > 20, "{e}");
                    continue;
                }
            };
            let mut sample = [s.init_noise_sigma() as f32, 0.0, -1.0];
            for i in 0..s.timesteps().len() {
                let t = s.timesteps()[i];
                assert!(t >= 0.0 && t < config.num_train_timesteps as f64);
                let fill = |out: &mut [f32]| out.fill(0.5);
                s.step(i, &[0.5, -0.5, 0.1], &mut sample, &mut { fill })
                    .expect("a step of the run");
                assert!(!sample.iter().any(|x| x.is_nan()), "{kind:?} {i}");
            }
        }
    }
}
