//! Pictures, masks and parameters by lot: mostly as people have them, at times as nobody would.

use half::f16;
use mend::pixels::{Depth, ImageView, Layout, PixelFormat};

/// Marsaglia's xorshift with 64 bits, begun with splitmix's scatter.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((z ^ (z >> 31)) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    /// `0.0 .. 1.0`.
    fn share(&mut self) -> f32 {
        (self.next() % (1 << 24)) as f32 / (1u32 << 24) as f32
    }

    /// `low ..= high`.
    fn from(&mut self, low: u32, high: u32) -> u32 {
        low + (self.next() % u64::from(high - low + 1)) as u32
    }

    /// Once in `n`.
    fn once_in(&mut self, n: u32) -> bool {
        self.from(1, n) == 1
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.from(0, list.len() as u32 - 1) as usize]
    }

    /// 1 to 300, as many small ones as large ones.
    fn side(&mut self) -> u32 {
        (300f32.powf(self.share()) as u32).clamp(1, 300)
    }
}

/// A picture in memory, its rows apart.
pub struct Picture {
    pub bytes: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub stride: usize,
    pub format: PixelFormat,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{} {:?}", self.width, self.height, self.format)
    }
}

impl Picture {
    fn draw(
        random: &mut Random,
        (width, height): (u32, u32),
        format: PixelFormat,
        mut value: impl FnMut(&mut Random, u32, u32, usize) -> f32,
    ) -> Self {
        let stride = width as usize * format.bytes() + random.of(&[0, 0, 1, 3, 16, 61]);
        let mut bytes = Vec::new();
        for y in 0..height {
            for x in 0..width {
                for c in 0..format.layout.channels() {
                    let v = value(random, x, y, c);
                    match format.depth {
                        Depth::U8 => bytes.push((v * 255.0).round() as u8),
                        Depth::U16 => bytes.extend(((v * 65535.0).round() as u16).to_ne_bytes()),
                        Depth::F16 => bytes.extend(f16::from_f32(v).to_ne_bytes()),
                        Depth::F32 => bytes.extend(v.to_ne_bytes()),
                    }
                }
            }
            // The last row's end too: what lies there is not the picture's.
            while bytes.len() < stride * (y as usize + 1) {
                bytes.push(random.next() as u8);
            }
        }
        Self {
            bytes,
            width,
            height,
            stride,
            format,
        }
    }

    pub fn view(&self) -> ImageView<'_> {
        let (w, h) = (self.width, self.height);
        ImageView::new(&self.bytes, w, h, self.stride, self.format).expect("a sound picture")
    }
}

/// One request.
#[derive(Debug)]
pub struct Case {
    pub image: Picture,
    pub mask: Picture,
    pub source: Option<Picture>,
    pub guide: Option<Picture>,
    pub params: Vec<(&'static str, String)>,
    pub max_memory: Option<u64>,
}

impl Case {
    pub fn draw(random: &mut Random) -> Self {
        let size = (random.side(), random.side());
        let image = picture(random, size);
        let mask = mask(random, size);
        let source = random.once_in(8).then(|| self::mask(random, size));
        let mut params = vec![("seed", random.from(0, 3).to_string())];
        let engine = random.of(&["auto", "auto", "exemplar", "rethined"]);
        params.push(("engine", engine.into()));
        if engine == "rethined" {
            params.push(("detail", random.of(&["search", "attention"]).into()));
        }
        if random.once_in(3) {
            params.push(("grow", random.of(&[1, 2, 5, 30]).to_string()));
        }
        if random.once_in(3) {
            params.push(("feather", random.of(&[1, 3, 20]).to_string()));
        }
        if random.once_in(3) {
            let context = random.of(&["0", "4", "64", "10%", "200%"]);
            params.push(("context", context.into()));
        }
        if random.once_in(6) {
            params.push(("result", "layer".into()));
        }
        let mib = random.of(&[1, 30, 60, 200]);
        let max_memory = random.once_in(8).then_some(mib << 20);
        if random.once_in(6) {
            params.push(("best-of", random.from(2, 4).to_string()));
        }
        let guide = random.once_in(16).then(|| self::mask(random, size));
        Self {
            image,
            mask,
            source,
            guide,
            params,
            max_memory,
        }
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn number(&self, name: &str) -> u32 {
        self.param(name).and_then(|v| v.parse().ok()).unwrap_or(0)
    }
}

/// Shapes and grain; alpha is whole, or has an edge, or is anything.
fn picture(random: &mut Random, size: (u32, u32)) -> Picture {
    let layout = random.of(&[
        Layout::Gray,
        Layout::GrayA,
        Layout::Rgb,
        Layout::Rgba,
        Layout::Bgr,
        Layout::Bgra,
    ]);
    let depth = random.of(&[Depth::U8, Depth::U8, Depth::U16, Depth::F16, Depth::F32]);
    let mut format = PixelFormat::new(layout, depth);
    format.premultiplied = layout.has_alpha() && random.once_in(3);
    format.linear = random.once_in(4);
    let waves = [1, 2, 3].map(|_| (random.share() * 0.9, random.share() * 0.9, random.share()));
    let (grain, edge) = (random.share() * 0.2, random.from(0, size.0) as f32);
    let (alpha, slope) = (random.from(0, 4), random.share() - 0.5);
    let channels = layout.channels();
    let mut opacity = 1.0;
    Picture::draw(random, size, format, |random, x, y, c| {
        let (fx, fy) = (x as f32, y as f32);
        if layout.has_alpha() && c == 0 {
            opacity = match alpha {
                0 | 1 => 1.0,
                2 => f32::from(fx + slope * fy < edge),
                3 => (0.5 + (fx + slope * fy - edge) * 0.1).clamp(0.0, 1.0),
                _ => random.share(),
            };
        }
        if layout.has_alpha() && c + 1 == channels {
            return opacity;
        }
        let (a, b, phase) = waves[c.min(2)];
        let step = f32::from((x / 7 + y / 5) % 2 == 0) * 0.2;
        let v = 0.4 + 0.2 * (fx * a + fy * b + phase).sin() + step + grain * random.share();
        let v = v.clamp(0.0, 1.0);
        match format.premultiplied {
            true => v * opacity,
            false => v,
        }
    })
}

/// Boxes, disks, lines, specks, a soft spot; at times nothing or everything.
fn mask(random: &mut Random, size: (u32, u32)) -> Picture {
    let (w, h) = (size.0 as f32, size.1 as f32);
    let depth = random.of(&[Depth::U8, Depth::U8, Depth::U16, Depth::F32]);
    let kind = random.from(0, 19);
    let count = random.from(1, 4);
    let boxes: Vec<[f32; 4]> = (0..count)
        .map(|_| {
            let (bw, bh) = (
                random.share() * w * 0.5 + 1.0,
                random.share() * h * 0.5 + 1.0,
            );
            [random.share() * w, random.share() * h, bw, bh]
        })
        .collect();
    let rate = random.share().powi(3);
    let every = random.from(2, 12);
    let format = PixelFormat::new(Layout::Gray, depth);
    Picture::draw(random, size, format, |random, x, y, _| {
        let (fx, fy) = (x as f32, y as f32);
        let boxed = |b: &[f32; 4]| fx >= b[0] && fx < b[0] + b[2] && fy >= b[1] && fy < b[1] + b[3];
        let disk = |b: &[f32; 4]| {
            let (dx, dy) = ((fx - b[0]) / b[2], (fy - b[1]) / b[3]);
            1.0 - (dx * dx + dy * dy).sqrt()
        };
        match kind {
            0..=6 => f32::from(boxes.iter().any(boxed)),
            7..=9 => f32::from(boxes.iter().any(|b| disk(b) > 0.0)),
            10 | 11 => boxes.iter().map(disk).fold(0.0, f32::max),
            12..=14 => f32::from(random.share() < rate),
            15 => f32::from(x % every == 0 && y % every == 0),
            16 => f32::from((fx * h / w - fy).abs() < 1.5),
            17 => random.share() * f32::from(boxes.iter().any(boxed)),
            18 => f32::from(!boxes.iter().any(boxed)),
            _ => f32::from(boxes[0][0] > w / 2.0),
        }
    })
}
