//! The diffusion engine through the public interface, with a tiny model of random weights.
#![forbid(unsafe_code)]

use mend::pixels::{Depth, Layout, MaskView};
use mend::progress::{Cancel, Silent, Step};
use mend::{ErrorKind, ImageView, Inpainter, Options, PixelFormat, Progress, Report, Request};
use mend_fixtures::tiny;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A folder that goes when this does.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, channels: usize) -> Self {
        let id = std::process::id();
        let path = std::env::temp_dir().join(format!("mend-tiny-{name}-{id}"));
        std::fs::create_dir_all(&path).unwrap();
        tiny::model(&path.join("tiny"), channels);
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A committed photograph, with a hole of these edges: left, top, right, bottom.
struct Photo {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    mask: Vec<u8>,
}

impl Photo {
    fn new(side: Option<u32>, hole: [u32; 4]) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/photo.png");
        let mut image = image::open(file).unwrap().to_rgb8();
        if let Some(side) = side {
            image = image::imageops::resize(
                &image,
                side,
                side * 3 / 4,
                image::imageops::FilterType::Triangle,
            );
        }
        let (width, height) = image.dimensions();
        let [left, top, right, bottom] = hole;
        let at = |i: u32| (i % width, i / width);
        let inside = |(x, y)| (left..right).contains(&x) && (top..bottom).contains(&y);
        let mask = (0..width * height).map(|i| u8::from(inside(at(i))) * 255);
        Self {
            width,
            height,
            mask: mask.collect(),
            pixels: image.into_raw(),
        }
    }

    fn fill(
        &self,
        inpainter: &Inpainter,
        params: &[(&str, &str)],
        progress: &mut dyn Progress,
        cancel: &Cancel,
    ) -> mend::Result<(Report, Vec<u8>)> {
        let mut request = Request::new();
        request.set("engine", "diffusion")?;
        for (name, value) in params {
            request.set(name, value)?;
        }
        let (w, h) = (self.width, self.height);
        let gray = PixelFormat::new(Layout::Gray, Depth::U8);
        let mask = ImageView::new(&self.mask, w, h, w as usize, gray)?;
        let mask = MaskView::new(mask)?;
        let rgb = PixelFormat::new(Layout::Rgb, Depth::U8);
        let mut out = self.pixels.clone();
        let mut view = mend::ImageViewMut::new(&mut out, w, h, w as usize * 3, rgb)?;
        let report = inpainter.inpaint(&request, &mut view, &mask, progress, cancel)?;
        Ok((report, out))
    }

    fn plan(&self, inpainter: &Inpainter, params: &[(&str, &str)]) -> mend::Result<mend::Plan> {
        let mut request = Request::new();
        request.set("engine", "diffusion")?;
        for (name, value) in params {
            request.set(name, value)?;
        }
        let (w, h) = (self.width, self.height);
        let gray = PixelFormat::new(Layout::Gray, Depth::U8);
        let mask = MaskView::new(ImageView::new(&self.mask, w, h, w as usize, gray)?)?;
        inpainter.plan(&request, None, &mask)
    }

    fn quietly(&self, inpainter: &Inpainter, params: &[(&str, &str)]) -> Vec<u8> {
        let made = self.fill(inpainter, params, &mut Silent, &Cancel::new());
        let (report, out) = made.unwrap();
        assert_eq!((report.engine.as_str(), report.regions), ("diffusion", 1));
        let mut changed = 0;
        let pixels = out.chunks_exact(3).zip(self.pixels.chunks_exact(3));
        for ((new, old), mask) in pixels.zip(&self.mask) {
            assert!(*mask != 0 || new == old, "a pixel outside the mask changed");
            changed += u32::from(new != old);
        }
        let hole = self.mask.iter().filter(|m| **m != 0).count() as u32;
        assert!(changed > hole / 2, "{changed} of {hole} pixels changed");
        out
    }
}

fn inpainter(models: &Temporary, threads: usize) -> Inpainter {
    Inpainter::new(Options {
        threads,
        models: Some(models.0.clone()),
        ..Options::default()
    })
}

#[test]
fn the_same_fill_on_any_number_of_threads_cold_and_warm() {
    let models = Temporary::new("threads", 9);
    let photo = Photo::new(None, [30, 20, 55, 44]);
    let params = [("prompt", "a (cat:1.2)"), ("steps", "3"), ("seed", "5")];
    let (one, three) = (inpainter(&models, 1), inpainter(&models, 3));
    let first = photo.quietly(&one, &params);
    assert_eq!(first, photo.quietly(&three, &params));
    assert_eq!(first, photo.quietly(&three, &params));
    three.trim();
    assert_eq!(first, photo.quietly(&three, &params));
    let other = [("prompt", "a dog"), ("steps", "3"), ("seed", "5")];
    assert_ne!(first, photo.quietly(&three, &other));
    let other = [("prompt", "a (cat:1.2)"), ("steps", "3"), ("seed", "6")];
    assert_ne!(first, photo.quietly(&three, &other));
}

#[test]
fn every_way_to_begin_with_both_kinds_of_unet() {
    for channels in [4, 9] {
        let models = Temporary::new(&format!("ways-{channels}"), channels);
        let inpainter = inpainter(&models, 2);
        let photo = Photo::new(None, [30, 20, 55, 44]);
        let mut made = Vec::new();
        for content in ["auto", "original", "exemplar", "noise"] {
            let params = [("steps", "2"), ("masked-content", content)];
            made.push(photo.quietly(&inpainter, &params));
        }
        // Without a prompt the exemplar fill is what is begun with.
        assert_eq!(made[0], made[2]);
        assert_ne!(made[1], made[2]);
        assert_ne!(made[2], made[3]);
        photo.quietly(&inpainter, &[("steps", "2"), ("precision", "int8")]);
        let lcm = [("steps", "2"), ("scheduler", "lcm"), ("guidance", "1")];
        photo.quietly(&inpainter, &lcm);
    }
}

#[test]
fn a_larger_hole_and_a_smaller_picture_than_the_model() {
    let models = Temporary::new("sizes", 9);
    let inpainter = inpainter(&models, 2);
    let params = [("steps", "2"), ("model", "tiny")];
    Photo::new(Some(300), [80, 50, 211, 173]).quietly(&inpainter, &params);
    Photo::new(Some(40), [12, 9, 23, 20]).quietly(&inpainter, &params);
}

#[test]
fn stages_and_steps_are_told_and_a_cancel_ends_them() {
    let models = Temporary::new("cancel", 9);
    let inpainter = inpainter(&models, 2);
    let photo = Photo::new(None, [30, 20, 55, 44]);
    let mut told: Vec<Step> = Vec::new();
    let mut progress = |step: &Step| {
        told.push(step.clone());
        true
    };
    let params = [("steps", "30"), ("prompt", "a cat")];
    let done = photo.fill(&inpainter, &params, &mut progress, &Cancel::new());
    assert!(done.is_ok());
    assert!(told.iter().all(|s| s.steps == 30 && s.step <= 30));
    assert!(told.windows(2).all(|s| s[0].step <= s[1].step), "{told:?}");
    assert!(told.iter().any(|s| s.stage == "steps"), "{told:?}");
    assert_eq!(told.last().map(|s| s.step), Some(30));

    // As the progress' answer, and from elsewhere.
    for flag in [false, true] {
        let cancel = Cancel::new();
        let mut when = None;
        let mut progress = |step: &Step| {
            if step.stage == "steps" && step.step > 0 && when.is_none() {
                when = Some(Instant::now());
                if flag {
                    cancel.cancel();
                }
                return flag;
            }
            true
        };
        let params = [("steps", "900"), ("scheduler", "ddim"), ("prompt", "a cat")];
        let done = photo.fill(&inpainter, &params, &mut progress, &cancel);
        assert_eq!(done.unwrap_err().kind(), ErrorKind::Cancelled);
        let late = when.unwrap().elapsed();
        assert!(late < Duration::from_secs(2), "{late:?}");
    }
}

/// Ends early with the picture of the latest step; before there is one, with the fill of the engine that
/// needs no model.
#[test]
fn a_fill_that_is_to_end_early_gives_what_there_is() {
    let models = Temporary::new("early", 9);
    let inpainter = inpainter(&models, 2);
    let photo = Photo::new(Some(300), [80, 50, 211, 173]);
    let fill = |steps: &str, engine: &str, after: Option<u32>| {
        let cancel = Cancel::new();
        let mut last = 0;
        let mut progress = |step: &Step| {
            if after.is_some_and(|n| step.stage == "steps" && step.step >= n) {
                cancel.finish();
            }
            last = last.max(step.step);
            true
        };
        if after == Some(0) {
            cancel.finish();
        }
        let params = [
            ("engine", engine),
            ("steps", steps),
            ("prompt", "a cat"),
            ("scheduler", "ddim"),
            ("seed", "3"),
        ];
        let (report, pixels) = photo
            .fill(&inpainter, &params, &mut progress, &cancel)
            .unwrap();
        (report.notes, pixels)
    };
    let (notes, at_once) = fill("900", "diffusion", Some(0));
    let told = notes.iter().find(|n| n.contains("ended early")).unwrap();
    assert!(told.contains("before diffusion had done a step"), "{told}");
    assert!(told.contains("rethined"), "{told}");
    assert!(at_once == fill("20", "diffusion", Some(0)).1);
    // The engine that needs no model takes no notice.
    let (notes, quick) = fill("20", "rethined", Some(0));
    assert!(!notes.iter().any(|n| n.contains("early")), "{notes:?}");
    assert!(quick == fill("20", "rethined", None).1);
    // It had another crop of the picture, and came to much the same.
    let off = |a: &[u8], b: &[u8]| -> f64 {
        let each = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)));
        each.sum()
    };
    let random = fill("20", "diffusion", None).1;
    assert!(off(&at_once, &quick) < 0.5 * off(&at_once, &random));

    // By the time that a step is told the next one may be done, but never all of so many.
    let (notes, early) = fill("900", "diffusion", Some(2));
    let told = notes.iter().find(|n| n.contains("ended early")).unwrap();
    let done: u32 = told
        .split_once("after ")
        .and_then(|(_, rest)| rest.split_once(" of 900 steps"))
        .and_then(|(done, _)| done.parse().ok())
        .unwrap_or_else(|| panic!("{told}"));
    assert!((2..900).contains(&done), "{told}");
    assert!(early != at_once && early != photo.pixels);
    let kept = (0..early.len()).filter(|i| photo.mask[i / 3] == 0);
    kept.for_each(|i| assert_eq!(early[i], photo.pixels[i]));

    // Cancelling still wins.
    let cancel = Cancel::new();
    cancel.finish();
    let mut progress = |_: &Step| {
        cancel.cancel();
        true
    };
    let params = [("steps", "900"), ("scheduler", "ddim"), ("prompt", "a cat")];
    let stopped = photo.fill(&inpainter, &params, &mut progress, &cancel);
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn a_missing_model_is_told_before_anything_runs() {
    let models = Temporary::new("missing", 9);
    let empty = Inpainter::new(Options {
        models: Some(models.0.join("nowhere")),
        ..Options::default()
    });
    let photo = Photo::new(None, [30, 20, 55, 44]);
    let e = photo
        .fill(&empty, &[], &mut Silent, &Cancel::new())
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Model);
    assert!(e.message().contains("nowhere") && e.message().contains("'model'"));
    let about = |inpainter: &Inpainter| {
        let all = inpainter.describe();
        let engines = all["engines"].as_array().unwrap();
        engines
            .iter()
            .find(|e| e["id"] == "diffusion")
            .unwrap()
            .clone()
    };
    assert_eq!(about(&empty)["available"], false);
    assert!(
        about(&empty)["reason"]
            .as_str()
            .unwrap()
            .contains("nowhere")
    );
    let full = inpainter(&models, 2);
    assert_eq!(about(&full)["available"], true);

    // A budget that no stage keeps is refused with what would do.
    let small = Inpainter::new(Options {
        max_memory: Some(1 << 20),
        ..full.options().clone()
    });
    let e = photo
        .fill(&small, &[], &mut Silent, &Cancel::new())
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Budget);

    // Cut short between two fills: the one that is warm does not hide it.
    photo.quietly(
        &full,
        &[
            ("steps", "1"),
            ("strength", "1"),
            ("masked-content", "noise"),
        ],
    );
    let file = models
        .0
        .join("tiny/unet/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let e = photo
        .fill(&full, &[], &mut Silent, &Cancel::new())
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Model);
    assert!(e.message().contains("unet"), "{e}");
}

#[test]
fn a_budget_is_kept_by_letting_go_and_streaming_with_the_same_pixels() {
    let models = Temporary::new("budget", 9);
    tiny::widen(&models.0.join("tiny"));
    let photo = Photo::new(None, [30, 20, 55, 44]);
    let params = [("prompt", "a cat"), ("steps", "2"), ("seed", "5")];
    let with = |max_memory: Option<u64>| {
        let options = inpainter(&models, 2).options().clone();
        Inpainter::new(Options {
            max_memory,
            ..options
        })
    };
    let free = with(None);
    let plan = photo.plan(&free, &params).unwrap();
    let names: Vec<_> = plan.stages.iter().map(|s| s.name).collect();
    assert_eq!(names, ["text", "encode", "steps", "decode"]);
    let most = plan.peak_bytes;
    assert!(plan.stages.iter().all(|s| s.bytes <= most));
    assert_eq!(plan.to_json()["stages"][3]["name"], "decode");
    let right = photo.quietly(&free, &params);
    // The smallest that is not refused.
    let (mut refused, mut least) = (0, most);
    while least - refused > 1 {
        let budget = refused + (least - refused) / 2;
        match photo.plan(&with(Some(budget)), &params) {
            Ok(_) => least = budget,
            Err(_) => refused = budget,
        }
    }
    let e = photo.plan(&with(Some(refused)), &params).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Budget);
    let said = format!("at least {} MiB", least.div_ceil(1 << 20));
    assert!(e.message().contains(&said), "{e}");
    for (budget, ways) in [
        (most, ["the UNet stays", "all weights held"]),
        (most - 1, ["released before", "all weights held"]),
        (
            least,
            ["released before", "read from the file in each step"],
        ),
    ] {
        let inpainter = with(Some(budget));
        let plan = photo.plan(&inpainter, &params).unwrap();
        assert!(plan.peak_bytes <= budget);
        let told = plan.to_json().to_string();
        assert!(ways.iter().all(|way| told.contains(way)), "{told}");
        let plain = ways[0] == "the UNet stays";
        assert_eq!(plan.reason.contains("memory budget"), !plain);
        assert_eq!(photo.quietly(&inpainter, &params), right, "{budget}");
        assert_eq!(photo.quietly(&inpainter, &params), right, "{budget}, again");
    }
}

#[test]
fn a_model_that_changes_between_fills_is_named_or_read_anew() {
    let models = Temporary::new("changing", 9);
    let photo = Photo::new(None, [30, 20, 55, 44]);
    let params = [("prompt", "a cat"), ("steps", "1"), ("guidance", "1")];
    let warm = inpainter(&models, 2);
    let right = photo.quietly(&warm, &params);
    for part in ["unet", "vae", "text_encoder"] {
        let folder = models.0.join("tiny").join(part);
        let files = std::fs::read_dir(&folder).unwrap();
        let mut files = files.map(|f| f.unwrap().path());
        let file = files.find(|f| f.extension().unwrap() == "safetensors");
        let file = file.unwrap();
        let bytes = std::fs::read(&file).unwrap();
        for cut in [0, 4, bytes.len() / 2, bytes.len() - 1] {
            let opened = std::fs::File::options().write(true).open(&file).unwrap();
            opened.set_len(cut as u64).unwrap();
            let e = photo.fill(&warm, &params, &mut Silent, &Cancel::new());
            let e = e.unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Model, "{e}");
            assert!(e.message().contains(part), "{e}");
        }
        // Put in its place, as a download does.
        let other = folder.join("other");
        std::fs::write(&other, &bytes).unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert_eq!(photo.quietly(&warm, &params), right);
    }
}

#[test]
fn a_budget_that_only_eight_bits_keep_is_refused_with_their_name() {
    let models = Temporary::new("eight", 9);
    let photo = Photo::new(None, [30, 20, 55, 44]);
    let plan = |max_memory: u64, precision: &str| {
        let options = Options {
            max_memory: Some(max_memory),
            ..inpainter(&models, 2).options().clone()
        };
        let params = [("prompt", "a cat"), ("precision", precision)];
        photo.plan(&Inpainter::new(options), &params)
    };
    let least = |precision: &str| {
        let (mut refused, mut least) = (0, 1 << 30);
        while least - refused > 1 {
            let budget = refused + (least - refused) / 2;
            match plan(budget, precision) {
                Ok(_) => least = budget,
                Err(_) => refused = budget,
            }
        }
        least
    };
    let (full, int8) = (least("f32"), least("int8"));
    assert!(int8 < full, "{int8} {full}");
    let said = |budget: u64| {
        let e = plan(budget, "f32").unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Budget);
        e.message().to_owned()
    };
    for budget in [full - 1, int8] {
        let said = said(budget);
        let fits = format!(
            "--precision int8), with which it fits in {} MiB",
            int8.div_ceil(1 << 20)
        );
        assert!(said.contains(&fits), "{said}");
    }
    assert!(!said(int8 - 1).contains("int8"));
    let refused = plan(int8 - 1, "int8").unwrap_err();
    assert!(!refused.message().contains("--precision"), "{refused}");
}

#[test]
fn steps_are_shown_one_by_one_and_change_nothing() {
    let models = Temporary::new("shown", 4);
    let inpainter = inpainter(&models, 2);
    let photo = Photo::new(Some(300), [80, 50, 211, 173]);
    let params = [("steps", "40"), ("prompt", "a cat"), ("seed", "3")];
    let plan = photo.plan(&inpainter, &params).unwrap();
    let rect = plan.regions[0].rect;
    let (mut shown, mut at) = (0, Vec::new());
    let mut progress = |step: &Step| {
        if let Some(preview) = &step.preview {
            let count = preview.width * preview.height * 3;
            assert_eq!(preview.pixels.len(), count as usize);
            // Latents of a picture whose longer side is 64.
            assert_eq!(preview.width.max(preview.height), 8);
            assert_eq!(preview.region, [rect.x, rect.y, rect.width, rect.height]);
            shown += 1;
            at.push(step.step);
        }
        true
    };
    let (_, seen) = photo
        .fill(&inpainter, &params, &mut progress, &Cancel::new())
        .unwrap();
    assert!((1..=40).contains(&shown), "{shown}");
    assert!(at.windows(2).all(|s| s[0] <= s[1]), "{at:?}");
    assert_eq!(seen, photo.quietly(&inpainter, &params));
}

/// What a soft mask shows through is what the steps were led by, where the UNet is not told it: the
/// fill itself, with the blend taken off, is another one.
#[test]
fn half_a_mask_holds_plain_models_to_the_picture_for_half_of_the_steps() {
    for channels in [4, 9] {
        let models = Temporary::new(&format!("half-{channels}"), channels);
        let inpainter = inpainter(&models, 2);
        let hole = [80, 50, 211, 173];
        let (whole, mut half) = (Photo::new(Some(300), hole), Photo::new(Some(300), hole));
        half.mask.iter_mut().for_each(|m| *m = (*m != 0).into());
        half.mask.iter_mut().for_each(|m| *m *= 128);
        let params = [("steps", "4"), ("prompt", "a cat")];
        let (a, b) = (
            whole.quietly(&inpainter, &params),
            half.quietly(&inpainter, &params),
        );
        let off = (0..a.len()).filter(|i| half.mask[i / 3] != 0).map(|i| {
            let (old, share) = (f32::from(whole.pixels[i]), 128.0 / 255.0);
            let fill = old + (f32::from(b[i]) - old) / share;
            (fill - f32::from(a[i])).abs()
        });
        let most = off.fold(0.0, f32::max);
        assert_eq!(most > 8.0, channels == 4, "{channels}: {most}");
    }
}
