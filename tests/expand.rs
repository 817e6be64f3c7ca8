//! Pictures that grow: the picture itself keeps its bits, what is new is filled, and the plan is what is done.

use mend::params::{Extent, Sides};
use mend::pixels::{Depth, Layout, MaskView};
use mend::progress::Silent;
use mend::{
    Cancel, Canvas, ErrorKind, ImageView, ImageViewMut, Inpainter, Options, PixelFormat, Request,
};

fn inpainter(threads: usize) -> Inpainter {
    Inpainter::new(Options {
        threads,
        ..Options::default()
    })
}

fn request(params: &[(&str, &str)]) -> Request {
    let mut request = Request::new();
    for (name, value) in params {
        request.set(name, value).unwrap();
    }
    request
}

/// A tight picture.
struct Picture {
    width: u32,
    height: u32,
    format: PixelFormat,
    pixels: Vec<u8>,
}

impl Picture {
    /// Slanted stripes with an edge; a value for each channel, from 0.1 to 0.9, and opaque.
    fn new(width: u32, height: u32, layout: Layout, depth: Depth) -> Self {
        let format = PixelFormat::new(layout, depth);
        let mut pixels = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let wave = (f64::from(x) * 0.9 + f64::from(y) * 0.5).sin() * 0.25;
                let edge = f64::from(u8::from(3 * x + y > 2 * width)) * 0.2;
                for c in 0..layout.channels() {
                    let alpha = layout.has_alpha() && c + 1 == layout.channels();
                    let value = if alpha {
                        1.0
                    } else {
                        0.4 + wave + edge * (c as f64 + 1.0) / 4.0
                    };
                    match depth {
                        Depth::U8 => pixels.push((value * 255.0) as u8),
                        Depth::U16 => pixels.extend(((value * 65535.0) as u16).to_ne_bytes()),
                        _ => pixels.extend((value as f32).to_ne_bytes()),
                    }
                }
            }
        }
        Self {
            width,
            height,
            format,
            pixels,
        }
    }

    fn rgb(width: u32, height: u32) -> Self {
        Self::new(width, height, Layout::Rgb, Depth::U8)
    }

    fn stride(&self) -> usize {
        self.width as usize * self.format.bytes()
    }

    fn view(&self) -> ImageView<'_> {
        let stride = self.stride();
        ImageView::new(&self.pixels, self.width, self.height, stride, self.format).unwrap()
    }

    fn pixel(&self, x: u32, y: u32) -> &[u8] {
        let at = (y * self.width + x) as usize * self.format.bytes();
        &self.pixels[at..at + self.format.bytes()]
    }

    /// One for the canvas, all its bytes the same.
    fn on(&self, canvas: &Canvas, byte: u8) -> Self {
        let count = canvas.width as usize * canvas.height as usize * self.format.bytes();
        Self {
            width: canvas.width,
            height: canvas.height,
            format: self.format,
            pixels: vec![byte; count],
        }
    }

    fn view_mut(&mut self) -> ImageViewMut<'_> {
        let stride = self.stride();
        ImageViewMut::new(
            &mut self.pixels,
            self.width,
            self.height,
            stride,
            self.format,
        )
        .unwrap()
    }

    /// Expanded, with what the mask selects filled, and where it lies there.
    fn expanded(
        &self,
        params: &[(&str, &str)],
        mask: Option<&[u8]>,
        threads: usize,
    ) -> (Self, Canvas) {
        let gray = PixelFormat::new(Layout::Gray, Depth::U8);
        let mask = mask.map(|mask| {
            let view = ImageView::new(mask, self.width, self.height, self.width as usize, gray);
            MaskView::new(view.unwrap()).unwrap()
        });
        let made = inpainter(threads)
            .expand(
                &request(params),
                &self.view(),
                mask.as_ref(),
                &mut Silent,
                &Cancel::new(),
            )
            .unwrap();
        let canvas = made.canvas;
        let (mut larger, mut other) = (self.on(&canvas, 0xa5), self.on(&canvas, 0x11));
        made.apply(&mut larger.view_mut()).unwrap();
        made.apply(&mut other.view_mut()).unwrap();
        assert!(larger.pixels == other.pixels, "something was not written");
        (larger, canvas)
    }

    /// Whether `larger` has this picture's pixels where the mask selects none.
    fn is_kept_in(&self, larger: &Self, canvas: &Canvas, mask: impl Fn(u32, u32) -> bool) -> bool {
        let own = canvas.picture;
        let mut all = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        all.all(|(x, y)| mask(x, y) || self.pixel(x, y) == larger.pixel(own.x + x, own.y + y))
    }
}

#[test]
fn the_picture_keeps_its_bits_in_every_format() {
    for engine in ["exemplar", "rethined"] {
        for layout in [
            Layout::Rgb,
            Layout::Rgba,
            Layout::Gray,
            Layout::GrayA,
            Layout::Bgra,
        ] {
            for depth in [Depth::U8, Depth::U16, Depth::F32] {
                let own = Picture::new(40, 32, layout, depth);
                let params = [("expand", "7,3,12,20%"), ("engine", engine)];
                let (larger, canvas) = own.expanded(&params, None, 2);
                assert_eq!((larger.width, larger.height), (59, 41));
                assert!(
                    own.is_kept_in(&larger, &canvas, |_, _| false),
                    "{layout:?} {depth:?}"
                );
                for y in 0..larger.height {
                    for x in 0..larger.width {
                        let pixel = larger.pixel(x, y);
                        if layout.has_alpha() {
                            // Opaque as the border is.
                            let alpha = &pixel[pixel.len() - depth.bytes()..];
                            let opaque = &own.pixel(0, 0)[pixel.len() - depth.bytes()..];
                            assert_eq!(alpha, opaque, "({x}, {y})");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_new_goes_on_from_the_picture() {
    // Vertical bars: what is above and below is known to the pixel, and each new column is a bar's.
    let (w, h) = (96, 64);
    let mut own = Picture::rgb(w, h);
    for (i, pixel) in own.pixels.chunks_exact_mut(3).enumerate() {
        let bar = i as u32 % w / 6 % 2;
        pixel.fill(if bar == 0 { 40 } else { 210 });
    }
    for engine in ["exemplar", "rethined"] {
        let (larger, canvas) = own.expanded(&[("expand", "0,16"), ("engine", engine)], None, 2);
        let mut wrong = 0;
        for y in (0..16).chain(h + 16..h + 32) {
            for x in 0..w {
                let want = own.pixel(x, 0)[0];
                wrong += u32::from(larger.pixel(x + canvas.picture.x, y)[0].abs_diff(want) > 25);
            }
        }
        assert!(
            wrong < 32 * w / 50,
            "{engine}: {wrong} of {} pixels",
            32 * w
        );
    }
}

#[test]
fn small_pictures_and_narrow_ones_grow_too() {
    for (w, h, expand) in [
        (8, 8, "4"),
        (1, 40, "3"),
        (40, 1, "5,2"),
        (1, 1, "1"),
        (30, 30, "1"),
        (30, 30, "left=1"),
        (30, 20, "bottom=2"),
        (24, 24, "100%"),
        (12, 9, "right=40"),
    ] {
        for engine in ["exemplar", "rethined"] {
            let own = Picture::rgb(w, h);
            let params = [("expand", expand), ("engine", engine)];
            let (larger, canvas) = own.expanded(&params, None, 1);
            assert!(
                own.is_kept_in(&larger, &canvas, |_, _| false),
                "{w}×{h} {expand}"
            );
        }
    }
}

#[test]
fn nothing_to_expand_by_is_the_picture() {
    let own = Picture::rgb(20, 10);
    for expand in ["0", "0%", "0,0,0,0", "left=0", "1%"] {
        let (larger, canvas) = own.expanded(&[("expand", expand)], None, 1);
        assert!(!canvas.grows());
        assert_eq!(larger.pixels, own.pixels, "{expand}");
    }
}

#[test]
fn a_mask_is_filled_with_what_is_around_and_grows_by_itself() {
    let mut own = Picture::rgb(64, 48);
    let selected = |x: u32, y: u32| (20..26).contains(&x) && y < 9;
    for y in 0..9 {
        own.pixels[(y * 64 + 20) * 3..(y * 64 + 26) * 3].fill(0);
    }
    let mask: Vec<u8> = (0..64 * 48)
        .map(|i| if selected(i % 64, i / 64) { 255 } else { 0 })
        .collect();
    let near = |by: i64| {
        move |x: u32, y: u32| {
            let within =
                |x: i64, y: i64| (0..64).contains(&x) && y >= 0 && selected(x as u32, y as u32);
            (-by..=by).any(|dy| {
                (-by..=by).any(|dx| {
                    dx * dx + dy * dy <= by * by && within(i64::from(x) + dx, i64::from(y) + dy)
                })
            })
        }
    };
    for (grow, feather) in [("0", "0"), ("2", "0"), ("2", "3"), ("0", "4")] {
        let params = [
            ("expand", "10"),
            ("grow", grow),
            ("feather", feather),
            ("engine", "exemplar"),
        ];
        let (larger, canvas) = own.expanded(&params, Some(&mask), 2);
        // Neither what is around the picture grows into it nor does its edge fade.
        let by = grow.parse().unwrap();
        assert!(
            own.is_kept_in(&larger, &canvas, near(by)),
            "{grow} {feather}"
        );
        // Nothing of what was there shines through in the middle, nor anything above it.
        let dark = (0..12).filter(|y| larger.pixel(33, *y)[0] < 15).count();
        assert_eq!(dark, 0, "{grow} {feather}");
    }
}

#[test]
fn the_plan_is_what_is_done_and_threads_change_nothing() {
    let own = Picture::rgb(120, 90);
    let nothing = MaskView::nothing(120, 90).unwrap();
    for engine in ["exemplar", "rethined"] {
        let params = [("expand", "30,10,5,0"), ("engine", engine)];
        let request = request(&params);
        let with = inpainter(2);
        let plan = with.plan(&request, Some(&own.view()), &nothing).unwrap();
        let canvas = request.canvas(120, 90).unwrap();
        assert_eq!(plan.canvas, Some(canvas));
        assert_eq!((canvas.width, canvas.height), (155, 100));
        let blind = with.plan(&request, None, &nothing).unwrap();
        assert_eq!(blind.regions, plan.regions);
        let filled = with
            .fill(&request, &own.view(), &nothing, &mut Silent, &Cancel::new())
            .unwrap();
        assert_eq!(filled.report.regions, plan.regions.len());
        assert_eq!(filled.report.pixels, 155 * 100 - 120 * 90);
        assert_eq!(
            own.expanded(&params, None, 1).0.pixels,
            own.expanded(&params, None, 3).0.pixels
        );
    }
}

#[test]
fn a_narrow_border_of_a_large_picture_goes_side_by_side() {
    let request = request(&[("expand", "32"), ("engine", "exemplar")]);
    let (w, h) = (6000, 4000);
    let nothing = MaskView::nothing(w, h).unwrap();
    let with = inpainter(2);
    let plan = with.plan(&request, None, &nothing).unwrap();
    assert_eq!(plan.regions.len(), 8);
    let area: u64 = plan.regions.iter().map(|r| r.rect.area()).sum();
    assert!(area < 6_000_000, "{area} pixels");
    assert!(plan.peak_bytes < 400 << 20, "{} MiB", plan.peak_bytes >> 20);
    let canvas = plan.canvas.unwrap();
    for y in (0..canvas.height).step_by(8) {
        for x in (0..canvas.width).step_by(8) {
            let own = canvas.picture;
            let new = x < own.x || x >= own.right() || y < own.y || y >= own.bottom();
            let holes = plan.regions.iter().map(|r| r.hole);
            let mut holes =
                holes.filter(|h| (h.x..h.right()).contains(&x) && (h.y..h.bottom()).contains(&y));
            assert!(!new || holes.next().is_some(), "({x}, {y}) is in no region");
        }
    }
    // A budget that the whole does not keep is kept by its sides.
    let own = Picture::rgb(700, 500);
    let request = self::request(&[("expand", "90"), ("engine", "exemplar")]);
    let nothing = MaskView::nothing(700, 500).unwrap();
    let whole = with.plan(&request, Some(&own.view()), &nothing).unwrap();
    let tight = Inpainter::new(Options {
        threads: 2,
        max_memory: Some(whole.peak_bytes - 1),
        ..Options::default()
    });
    let split = tight.plan(&request, Some(&own.view()), &nothing).unwrap();
    assert_eq!((whole.regions.len(), split.regions.len()), (1, 8));
    assert!(split.peak_bytes < whole.peak_bytes);
    let filled = tight
        .fill(&request, &own.view(), &nothing, &mut Silent, &Cancel::new())
        .unwrap();
    assert_eq!(
        (filled.report.regions, filled.report.pixels),
        (8, 880 * 680 - 700 * 500)
    );
}

#[test]
fn variations_and_layers_have_the_larger_size() {
    let own = Picture::new(48, 40, Layout::Rgba, Depth::U8);
    let nothing = MaskView::nothing(48, 40).unwrap();
    let params = [
        ("expand", "8,0"),
        ("variations", "2"),
        ("engine", "exemplar"),
    ];
    let made = inpainter(2)
        .vary(
            &request(&params),
            &own.view(),
            &nothing,
            &mut Silent,
            &Cancel::new(),
        )
        .unwrap();
    let canvas = request(&params).canvas(48, 40).unwrap();
    let mut all = Vec::new();
    for number in 0..2 {
        let mut larger = own.on(&canvas, 0);
        canvas.lay(&own.view(), &mut larger.view_mut()).unwrap();
        made.apply(number, &mut larger.view_mut()).unwrap();
        assert!(own.is_kept_in(&larger, &canvas, |_, _| false));
        all.push(larger.pixels);
    }
    assert_ne!(all[0], all[1]);

    let (layer, canvas) = own.expanded(&[("expand", "8"), ("result", "layer")], None, 1);
    let within = canvas.picture;
    for y in 0..layer.height {
        for x in 0..layer.width {
            let inside =
                (within.x..within.right()).contains(&x) && (within.y..within.bottom()).contains(&y);
            let want = if inside { 0 } else { 255 };
            assert_eq!(layer.pixel(x, y)[3], want, "({x}, {y})");
        }
    }
}

#[test]
fn transparency_goes_on_beyond_the_border() {
    // The upper half is transparent.
    let mut own = Picture::new(60, 60, Layout::Rgba, Depth::U8);
    own.pixels[..60 * 30 * 4].fill(0);
    let (larger, _) = own.expanded(&[("expand", "12"), ("engine", "exemplar")], None, 2);
    for x in 0..84 {
        assert_eq!(larger.pixel(x, 2)[3], 0, "{x}");
        assert_eq!(larger.pixel(x, 80)[3], 255, "{x}");
    }
}

#[test]
fn sources_lie_where_the_picture_does() {
    // The right half is red, and may not be taken.
    let mut own = Picture::rgb(60, 40);
    for (i, p) in own.pixels.chunks_exact_mut(3).enumerate() {
        let left = i % 60 < 30;
        p.copy_from_slice(if left { &[20, 20, 200] } else { &[220, 20, 20] });
    }
    let source: Vec<u8> = (0..60 * 40)
        .map(|i| if i % 60 < 30 { 255 } else { 0 })
        .collect();
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let view = ImageView::new(&source, 60, 40, 60, gray).unwrap();
    let mut request = request(&[("expand", "left=20"), ("engine", "exemplar")]);
    request.set_source(&MaskView::new(view).unwrap()).unwrap();
    let made = inpainter(1)
        .expand(&request, &own.view(), None, &mut Silent, &Cancel::new())
        .unwrap();
    let mut larger = own.on(&made.canvas, 0);
    made.apply(&mut larger.view_mut()).unwrap();
    for y in 0..40 {
        for x in 0..20 {
            assert!(
                larger.pixel(x, y)[0] < 60,
                "({x}, {y}) {:?}",
                larger.pixel(x, y)
            );
        }
    }
    let small = ImageView::new(&source, 40, 60, 40, gray).unwrap();
    request.set_source(&MaskView::new(small).unwrap()).unwrap();
    let e = inpainter(1)
        .expand(&request, &own.view(), None, &mut Silent, &Cancel::new())
        .err()
        .unwrap();
    assert_eq!(e.kind(), ErrorKind::Mask);
    assert!(
        e.message().contains("40×60") && e.message().contains("60×40"),
        "{e}"
    );
}

#[test]
fn what_cannot_be_is_refused_and_leaves_everything() {
    let own = Picture::rgb(50, 40);
    let mut changed = Request::new();
    for value in ["auto", "-3", "65537", "401%", "1,2,3", "up=3"] {
        let e = changed.set("expand", value).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Parameter);
        assert!(
            e.message().contains("'expand'") && e.message().contains(value),
            "{e}"
        );
    }
    let expand = |request: &Request| {
        let made = inpainter(1).expand(request, &own.view(), None, &mut Silent, &Cancel::new());
        made.err().unwrap()
    };
    let e = expand(&request(&[("expand", "60000")]));
    assert_eq!(e.kind(), ErrorKind::Parameter);
    assert!(e.message().contains("120050×120040"), "{e}");

    // In place there is no room.
    let wider = request(&[("expand", "4")]);
    let mut same = Picture::rgb(50, 40);
    let nothing = MaskView::nothing(50, 40).unwrap();
    let e = inpainter(1)
        .inpaint(
            &wider,
            &mut same.view_mut(),
            &nothing,
            &mut Silent,
            &Cancel::new(),
        )
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Argument);
    assert_eq!(same.pixels, own.pixels);

    // A destination of another size or format.
    let made = inpainter(1)
        .expand(&wider, &own.view(), None, &mut Silent, &Cancel::new())
        .unwrap();
    let e = made.apply(&mut same.view_mut()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Image);
    assert!(e.message().contains("58×48"), "{e}");
    assert_eq!(same.pixels, own.pixels);
    let mut other = Picture::new(58, 48, Layout::Bgr, Depth::U8);
    let before = other.pixels.clone();
    assert_eq!(
        made.apply(&mut other.view_mut()).unwrap_err().kind(),
        ErrorKind::Image
    );
    assert_eq!(other.pixels, before);

    // All of the picture is selected, so that nothing is known.
    let all = vec![255; 50 * 40];
    let gray = PixelFormat::new(Layout::Gray, Depth::U8);
    let view = ImageView::new(&all, 50, 40, 50, gray).unwrap();
    let mask = MaskView::new(view).unwrap();
    let made = inpainter(1).expand(
        &wider,
        &own.view(),
        Some(&mask),
        &mut Silent,
        &Cancel::new(),
    );
    assert_eq!(made.err().unwrap().kind(), ErrorKind::Mask);
    // NaN is told by its place in the picture.
    let mut float = Picture::new(50, 40, Layout::Rgb, Depth::F32);
    let at = (3 * 50 + 2) * 12;
    float.pixels[at..at + 4].copy_from_slice(&f32::NAN.to_ne_bytes());
    let made = inpainter(1).expand(&wider, &float.view(), None, &mut Silent, &Cancel::new());
    assert!(made.err().unwrap().message().contains("(2, 3)"));
    let sides = Sides::new([Extent::Share(0.5); 4]);
    assert_eq!(Canvas::new(&sides, 9, 9).unwrap().width, 19);
}
