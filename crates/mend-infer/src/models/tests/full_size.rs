//! Networks of the true size: not in CI, for the weights are gigabytes.
#![forbid(unsafe_code)]

use super::*;

/// The full-size network, `MEND_MODEL=FOLDER cargo test --release -- --ignored full_size`: bands of
/// several heights against the whole.
#[test]
#[ignore = "needs a diffusers folder with a full-size vae/, named by MEND_MODEL"]
fn full_size_bands_are_the_whole() {
    let folder = std::env::var("MEND_MODEL").expect("MEND_MODEL, a diffusers folder");
    let folder = std::path::Path::new(&folder).join("vae");
    let text = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let config = autoencoder_kl::Config::parse("config.json", &text).unwrap();
    let weights = Weights::open_folder(&folder, "diffusion_pytorch_model").unwrap();
    let noise = |shape: [usize; 4]| {
        let len: usize = shape.iter().product();
        let values = (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32);
        let values = values.map(|x| x / (1u32 << 23) as f32 - 1.0).collect();
        Tensor::from_vec(values, &shape, &candle_core::Device::Cpu).unwrap()
    };
    pool(2).install(|| {
        let cx = Context::new(Path::best());
        let vae = AutoencoderKL::new(&cx, &weights.root(), &config).unwrap();
        // A side that no height of bands divides.
        let latents = noise([1, config.latent_channels, 33, 38]);
        let image = noise([1, config.in_channels, 264, 304]);
        let pass = |band: usize| {
            let arena = Arena::new();
            let run = Run::new(&cx, &arena).band(band);
            let start = std::time::Instant::now();
            let mut made = floats(&vae.decode(&run, &latents).unwrap());
            let (decoded, decode) = (start.elapsed().as_secs_f64(), arena.peak() >> 20);
            arena.reset_peak();
            made.extend(floats(&vae.encode(&run, &image).unwrap().mean));
            let encode = arena.peak() >> 20;
            println!("band {band}: {decode} MiB, {encode} MiB, decoded in {decoded:.1} s");
            made
        };
        let whole = pass(usize::MAX);
        assert!(whole.iter().all(|x| x.is_finite()));
        for band in [1, 2 << 20, 8 << 20] {
            assert!(whole == pass(band), "band {band}");
        }
    });
}

/// Networks of the true size against what `tests/golden/full_size.py` made of the same weights; the
/// variable `MEND_FULL_SIZE` names both, as `MODEL:FILE`.
#[test]
#[ignore = "needs a model of the true size"]
fn full_size_networks_are_the_references() {
    let named = std::env::var("MEND_FULL_SIZE").expect("MEND_FULL_SIZE=MODEL:FILE");
    let (model, file) = named.split_once(':').expect("MODEL:FILE");
    let golden = Golden(Weights::open(std::path::Path::new(file)).unwrap());
    let part = |part: &str| {
        let folder = std::path::Path::new(model).join(part);
        let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
        let weights = Weights::open_folder(&folder, "diffusion_pytorch_model").unwrap();
        (config, weights)
    };
    for precision in [Precision::Full, Precision::Int8] {
        let cx = Context::new(Path::best()).packing(precision);
        let tell = |name: &str, made: &Tensor| {
            let want = golden.tensor(name);
            let d = Deviation::of(&floats(made), &floats(&want));
            let worst = error(made, &want);
            println!(
                "{name} {precision:?}: {worst:.1e}, rms {:.3} %",
                100.0 * d.rms
            );
            assert!(precision == Precision::Int8 || worst <= 1e-4, "{name}");
            assert!(d.rms <= 0.1, "{name}");
        };
        let (config, weights) = part("unet");
        let config = unet_2d_condition::Config::parse("config.json", &config).unwrap();
        let net = UNet2DConditionModel::new(&cx, &weights.root(), config).unwrap();
        for name in ["unet64", "unet32"] {
            let t = |what: &str| golden.tensor(&format!("{name}.{what}"));
            let made = pool(2).install(|| {
                let arena = Arena::new();
                net.forward(&Run::new(&cx, &arena), &t("sample"), &[501.0], &t("states"))
            });
            tell(&format!("{name}.out"), &made.unwrap());
        }
        drop(net);
        let (config, weights) = part("vae");
        let config = autoencoder_kl::Config::parse("config.json", &config).unwrap();
        let vae = AutoencoderKL::new(&cx, &weights.root(), &config).unwrap();
        pool(2).install(|| {
            let arena = Arena::new();
            let run = Run::new(&cx, &arena);
            let moments = vae.encoder.encode(&run, &golden.tensor("image")).unwrap();
            tell("mean", &moments.mean);
            let decoded = vae.decoder.decode(&run, &golden.tensor("latents")).unwrap();
            tell("decoded", &decoded);
        });
    }
}
