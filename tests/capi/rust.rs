//! The Rust API as one of the two surfaces that are tested against each other.

use crate::agreement::{Ask, Failure, Surface};
use crate::picture::Picture;
use mend::pixels::MaskView;
use mend::progress::{Cancel, Step};
use mend::{Error, ImageViewMut, Inpainter, Options, Request};
use serde_json::Value as Json;

pub struct Rust;

fn failed(e: Error) -> Failure {
    Failure {
        status: e.kind() as i32,
        message: e.message().to_owned(),
    }
}

fn prepare(ask: &Ask<'_>) -> mend::Result<(Inpainter, Request)> {
    let mut options = Options::default();
    for (name, value) in ask.options {
        options.set(name, value)?;
    }
    let mut request = Request::new();
    for (name, value) in ask.params {
        request.set(name, value)?;
    }
    if let Some(source) = ask.source {
        request.set_source(&MaskView::new(source.view())?)?;
    }
    if let Some(guide) = ask.guide {
        request.set_guide(&MaskView::new(guide.view())?)?;
    }
    Ok((Inpainter::new(options), request))
}

impl Surface for Rust {
    fn describe(&self) -> Json {
        Inpainter::new(Options::default()).describe()
    }

    fn plan(&self, ask: &Ask<'_>) -> Result<Json, Failure> {
        let (inpainter, request) = prepare(ask).map_err(failed)?;
        let mask = MaskView::new(ask.mask.view()).map_err(failed)?;
        let image = ask.image.view();
        let image = (!ask.mask_alone).then_some(&image);
        inpainter
            .plan(&request, image, &mask)
            .map(|p| as_text(&p.to_json()))
            .map_err(failed)
    }

    fn fill(&self, ask: &Ask<'_>, padding: Option<usize>) -> Result<(Json, Picture), Failure> {
        let mut image = match padding {
            Some(padding) => ask.image.repadded(padding),
            None => ask.image.clone(),
        };
        let before = image.clone();
        let mut calls = 0;
        let mut progress = |_: &Step| {
            calls += 1;
            ask.stop_at != Some(calls)
        };
        let result = (|| {
            let (inpainter, request) = prepare(ask)?;
            let mask = MaskView::new(ask.mask.view())?;
            let mut view = ImageViewMut::new(
                &mut image.bytes,
                image.width,
                image.height,
                image.stride,
                image.format,
            )?;
            inpainter.inpaint(&request, &mut view, &mask, &mut progress, &Cancel::new())
        })();
        match result {
            Ok(report) => Ok((as_text(&report.to_json()), image)),
            Err(e) => {
                assert_eq!(image, before, "a failure changed the picture: {e}");
                Err(failed(e))
            }
        }
    }

    fn expand(&self, ask: &Ask<'_>, mask: bool) -> Result<(Json, Picture, (u32, u32)), Failure> {
        let made = (|| {
            let (inpainter, request) = prepare(ask)?;
            let image = ask.image.view();
            let mask = match mask {
                true => Some(MaskView::new(ask.mask.view())?),
                false => None,
            };
            let never = Cancel::new();
            let progress = &mut mend::progress::Silent;
            let made = inpainter.expand(&request, &image, mask.as_ref(), progress, &never)?;
            let canvas = made.canvas;
            let mut larger = Picture::new(
                (canvas.width, canvas.height),
                image.format(),
                5,
                |_, _, _| 0.4,
            );
            let (w, h, stride, format) =
                (larger.width, larger.height, larger.stride, larger.format);
            made.apply(&mut ImageViewMut::new(
                &mut larger.bytes,
                w,
                h,
                stride,
                format,
            )?)?;
            let at = (canvas.picture.x, canvas.picture.y);
            Ok((as_text(&made.report().to_json()), larger, at))
        })();
        made.map_err(failed)
    }

    fn vary(&self, ask: &Ask<'_>) -> Result<(Json, Vec<(f64, Picture)>), Failure> {
        let mut calls = 0;
        let mut progress = |_: &Step| {
            calls += 1;
            ask.stop_at != Some(calls)
        };
        let made = (|| {
            let (inpainter, request) = prepare(ask)?;
            let (image, mask) = (ask.image.view(), MaskView::new(ask.mask.view())?);
            let made = inpainter.vary(&request, &image, &mask, &mut progress, &Cancel::new())?;
            let mut all = Vec::new();
            for number in 0..made.len() {
                let mut picture = ask.image.repadded(0);
                let (w, h, stride, format) = (
                    picture.width,
                    picture.height,
                    picture.stride,
                    picture.format,
                );
                let mut view = ImageViewMut::new(&mut picture.bytes, w, h, stride, format)?;
                made.apply(number, &mut view)?;
                all.push((made.score(number).unwrap_or(f64::NAN), picture));
            }
            Ok((as_text(&made.report.to_json()), all))
        })();
        made.map_err(failed)
    }
}

/// As the C interface's caller has it: written and read, which may round a number's last digit.
fn as_text(json: &Json) -> Json {
    serde_json::from_str(&json.to_string()).expect("JSON")
}
