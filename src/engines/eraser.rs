//! What the engines of networks that fill a hole in one pass without a prompt have in common: where
//! their model lies, what stays warm, pictures to tensors and back.
#![forbid(unsafe_code)]

mod find;
#[cfg(test)]
mod tests;

use super::given;
use super::opened::Opened;
use super::pump::{Told, pump};
use super::rates::{LOADING, rate};
use super::slot::{Slot, Stamp};
use super::{Ask, Crop, Engine, EngineDescription, Run, Values, in_range};
use crate::catalog::Kind;
use crate::error::Result;
use crate::kernels::{Context, Path as Instructions, Precision, give_back};
use crate::memory;
use crate::nn::{Arena, Run as PassRun, Tensor, from_vec, values};
use crate::params::{ParamSpec, Value};
use crate::pixels::{Plane, RgbImage, mirrored};
use crate::plan::{Costs, Memory, Needs};
use crate::weights::Weights;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes a pixel of the crop that the engine takes besides the network: the crop at the network's size
/// and back.
const CROP: f64 = 60.0;

/// A network that an engine is made of.
pub trait Network: Send + Sync + Sized + 'static {
    /// The engine's name in every surface.
    const ID: &'static str;
    /// A short label for dialogs.
    const LABEL: &'static str;
    /// One or two sentences for people.
    const SUMMARY: &'static str;
    /// What its models are in the catalogue.
    const KIND: Kind;
    /// Its files as people have them, for messages.
    const FILES: &'static str;
    /// Where its file lies in a folder as it was published, if it was one.
    const INSIDE: Option<&'static str>;

    /// The parameters besides `model`.
    fn params() -> Vec<ParamSpec> {
        vec![]
    }

    /// What a model's file says of a pass, from its names and shapes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] where it is another network's.
    fn facts(weights: &Weights, values: &Values) -> Result<Facts>;

    /// Reads and packs the weights.
    ///
    /// # Errors
    /// Those of the network's `new`.
    fn load(cx: &Context, weights: &Weights) -> Result<Self>;

    /// Height and width of the picture that it is given for a crop of this height and width.
    fn size(&self, crop: [usize; 2]) -> [usize; 2];

    /// Its input for a pixel, 0 to 1, that is 1 in the hole and 0 elsewhere.
    fn input(pixel: [f32; 3], hole: f32) -> [f32; 4];

    /// Its pass: `[1, 4, height, width]` to `[1, 3, height, width]`.
    ///
    /// # Errors
    /// What stops the pass, see [`PassRun::write`].
    fn pass(&self, run: &PassRun<'_>, x: &Tensor) -> Result<Tensor>;

    /// A value of its output as that of a picture, 0 to 1 and beyond.
    fn output(value: f32) -> f32;

    /// The network's picture of the crop, of the crop's size; `check` is called before each layer.
    ///
    /// # Errors
    /// Those of `check`; [`crate::ErrorKind::Memory`].
    fn fill(
        &self,
        cx: &Context,
        image: &RgbImage,
        hole: &Plane<u8>,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<RgbImage> {
        let size = self.size([image.height, image.width]);
        let x = from_vec(
            planes::<Self>(image, hole, size)?,
            &[1, 4, size[0], size[1]],
        )?;
        let arena = Arena::new();
        let out = self.pass(&PassRun::new(cx, &arena).check(check), &x)?;
        picture(&values(&out)?, size, image, Self::output)
    }
}

/// What is known of a model before it is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// What it asks of a region.
    pub needs: Needs,
    /// Bytes of the packed weights.
    pub weights: f64,
    /// Bytes of a pass at the largest size that the needs allow.
    pub pass: f64,
    /// Bytes besides: the kernels' scratch memory, what is read while weights are packed; measured.
    pub rest: f64,
    /// Floating-point operations of it.
    pub flops: f64,
    /// What the user could ask for that takes less memory.
    pub instead: Option<&'static str>,
}

impl Facts {
    fn memory(&self) -> f64 {
        self.weights + self.pass + self.rest
    }
}

/// The value of a whole number among the parameters, or its default.
pub fn integer(values: &Values, spec: &ParamSpec) -> Result<i64> {
    let value = match values.get(spec.name) {
        Some(value) => value.clone(),
        None => spec.parse(spec.default)?,
    };
    match value {
        Value::Integer(n) => Ok(n),
        _ => Ok(0),
    }
}

/// The engine of one network.
pub struct Eraser<N> {
    warm: Slot<Loaded<N>>,
    opened: Opened<(Option<PathBuf>, String), (Stamp, Weights)>,
}

/// A loaded network.
struct Loaded<N> {
    key: Stamp,
    cx: Context,
    net: N,
}

impl<N: Network> Eraser<N> {
    /// Nothing loaded.
    pub fn new() -> Self {
        Self {
            warm: Slot::default(),
            opened: Opened::default(),
        }
    }

    /// The model's file, opened.
    fn weights(&self, models: Option<&Path>, values: &Values) -> Result<Arc<(Stamp, Weights)>> {
        let model = match values.get("model") {
            Some(Value::Text(name)) => name.clone(),
            _ => String::new(),
        };
        let find = || {
            let path = find::model::<N>(models, &model)?;
            Ok((
                path.clone(),
                models
                    .map(Path::to_path_buf)
                    .into_iter()
                    .chain([path])
                    .collect(),
            ))
        };
        let key = (models.map(Path::to_path_buf), model.clone());
        let open = |path: PathBuf| Ok((Stamp::of(&path), Weights::open(&path)?));
        self.opened.get(key, find, open)
    }

    fn facts(&self, ask: &Ask<'_>) -> Result<Facts> {
        N::facts(&self.weights(ask.models, ask.values)?.1, ask.values)
    }

    /// The network of a file: the one that is here, or loaded now in the place of the other.
    fn get(
        &self,
        key: Stamp,
        weights: &Weights,
        run: &mut Run<'_>,
        told: &Told<'_>,
    ) -> Result<Arc<Loaded<N>>> {
        let wanted = key.clone();
        let load = || {
            told.layer()?;
            let cx = Context::new(Instructions::chosen());
            let net = N::load(&cx, weights)?;
            // What was read while somebody wrote is neither the old nor the new one.
            weights.check_unchanged()?;
            Ok(Loaded { key, cx, net })
        };
        let fits = |loaded: &Loaded<N>| loaded.key == wanted;
        self.warm.get(run, told, fits, true, load)
    }
}

impl<N: Network> Engine for Eraser<N> {
    fn description(&self) -> EngineDescription {
        let mut params = vec![given::model()];
        params.extend(N::params());
        EngineDescription {
            id: N::ID,
            label: N::LABEL,
            summary: N::SUMMARY,
            params,
        }
    }

    fn unavailable(&self, models: Option<&Path>) -> Option<String> {
        find::installed::<N>(models)
            .is_empty()
            .then(|| find::nothing::<N>(models))
    }

    fn needs(&self, ask: &Ask<'_>) -> Result<Needs> {
        self.facts(ask).map(|facts| facts.needs)
    }

    fn costs(&self, ask: &Ask<'_>) -> Result<Costs> {
        let facts = self.facts(ask)?;
        let rate = rate(Instructions::chosen(), Precision::Full);
        // Any region is brought to the network's size, and is no larger there than was counted.
        Ok(Costs {
            bytes: facts.memory(),
            bytes_per_pixel: CROP,
            bytes_per_hole_pixel: 0.0,
            seconds: facts.weights / LOADING + facts.flops / rate,
            seconds_per_pixel: 2e-7,
            seconds_per_hole_pixel: 0.0,
        })
    }

    fn memory(&self, ask: &Ask<'_>) -> Result<Memory> {
        let facts = self.facts(ask)?;
        Ok(Memory {
            instead: facts.instead.map(str::to_owned),
            ..Memory::of(facts.memory())
        })
    }

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        let opened = self.weights(run.models, run.values)?;
        let (key, weights) = &*opened;
        let facts = N::facts(weights, run.values)?;
        let rate = rate(Instructions::chosen(), Precision::Full);
        let (load, pass) = (facts.weights / LOADING, facts.flops / rate);
        let told = Told::new(run.cancel, 1);
        told.begin("load", 0, load / (load + pass));
        let loaded = self.get(key.clone(), weights, run, &told)?;
        told.begin("fill", 0, 1.0);
        let out = pump(run, &told, || {
            let check = || told.layer();
            let net = &loaded.net;
            net.fill(&loaded.cx, crop.image, crop.hole, &check)
        })?;
        loaded.cx.trim();
        drop(loaded);
        give_back();
        Ok(out)
    }

    fn model(&self, ask: &Ask<'_>) -> Option<PathBuf> {
        let opened = self.weights(ask.models, ask.values).ok()?;
        Some(PathBuf::from(opened.1.name()))
    }

    fn trim(&self) {
        self.opened.trim();
        self.warm.trim();
    }
}

/// The crop as planes, `[4][height][width]` of at least its size: what is beyond it is its mirror image,
/// with its hole.
fn planes<N: Network>(
    image: &RgbImage,
    hole: &Plane<u8>,
    [height, width]: [usize; 2],
) -> Result<Vec<f32>> {
    let size = height * width;
    let mut planes = memory::filled(4 * size, 0f32, "a crop for the network")?;
    for y in 0..height {
        let from = mirrored(y, image.height);
        let (holes, pixels) = (hole.row(from), image.row(from));
        for x in 0..width {
            let own = mirrored(x, image.width);
            let pixel = [0, 1, 2].map(|c| pixels[own * 3 + c].clamp(0.0, 1.0));
            let input = N::input(pixel, f32::from(holes[own]));
            for (c, v) in input.into_iter().enumerate() {
                planes[c * size + y * width + x] = v;
            }
        }
    }
    Ok(planes)
}

/// The picture of planes, `[3][height][width]` of at least the crop's size, through `value`.
///
/// # Errors
/// [`crate::ErrorKind::Memory`].
fn picture(
    planes: &[f32],
    [height, width]: [usize; 2],
    like: &RgbImage,
    value: impl Fn(f32) -> f32,
) -> Result<RgbImage> {
    let mut out = RgbImage::black(like.width, like.height, "a filled crop")?;
    for y in 0..like.height {
        let row = out.row_mut(y);
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            for (c, v) in pixel.iter_mut().enumerate() {
                let at = (c * height + y) * width + x;
                *v = in_range(value(planes.get(at).copied().unwrap_or(f32::NAN)));
            }
        }
    }
    Ok(out)
}
