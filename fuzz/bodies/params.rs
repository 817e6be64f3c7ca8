//! Parameters and options from text.

use mend::pixels::{Depth, ImageView, Layout, MaskView, PixelFormat};
use mend::{Inpainter, Options, Request};

/// Lines of `NAME=VALUE` are set on a request and on options. What is refused changes nothing and is
/// told; what is taken can be planned with.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (mut request, mut options) = (Request::new(), Options::default());
    for line in text.lines().take(16) {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let before = format!("{request:?} {options:?}");
        let outcomes = [request.set(name, value), options.set(name, value)];
        for error in outcomes.iter().filter_map(|o| o.as_ref().err()) {
            assert!(error.message().len() > 20, "{error}");
        }
        if outcomes.iter().all(Result::is_err) {
            assert_eq!(format!("{request:?} {options:?}"), before);
        }
    }
    let mut mask = [0u8; 64 * 48];
    mask[20 * 64 + 30..20 * 64 + 40].fill(255);
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let mask = ImageView::new(&mask, 64, 48, 64, gray).and_then(MaskView::new);
    let mask = mask.expect("a sound mask");
    // A budget may be too small, and then that is the answer.
    if let Ok(plan) = Inpainter::new(options).plan(&request, None, &mask) {
        // The picture may grow, and its new sides are regions of their own.
        let canvas = request.canvas(64, 48).expect("what was planned with");
        let grows = (canvas.width, canvas.height) != (64, 48);
        assert!(!plan.regions.is_empty() && (grows || plan.regions.len() == 1));
        assert!(plan.seconds.is_finite() && plan.seconds >= 0.0);
        for region in &plan.regions {
            assert_eq!(region.rect.intersect(&region.hole), region.hole);
            assert!(region.rect.right() <= canvas.width && region.rect.bottom() <= canvas.height);
        }
    }
}
