//! What the engines of networks that fill a hole in one pass without a prompt have in common: where
//! their model lies, what stays warm, pictures to tensors and back.
#![forbid(unsafe_code)]

mod find;
#[cfg(test)]
mod tests;

use super::file_cache::FileCache;
use super::place::Installed;
use super::pump::{StageReporter, pump};
use super::rates::{LOADING, rate};
use super::slot::{Slot, Stamp};
use super::{Crop, Engine, EngineDescription, OpenOptions, Opened, Run, in_range, model_param};
use crate::catalog::Kind;
use crate::error::Result;
use crate::kernels::{Context, Path as Instructions, Precision, give_back};
use crate::memory;
use crate::nn::{Arena, Run as PassRun, Tensor, from_vec, values};
use crate::params::{ParamSpec, Parameters};
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
    fn cost_model(weights: &Weights, parameters: &Parameters) -> Result<CostModel>;

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

/// What a model's headers say of what it needs and takes, before it is loaded.
#[derive(Clone, Copy, Debug)]
pub struct CostModel {
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

impl CostModel {
    fn bytes(&self) -> f64 {
        self.weights + self.pass + self.rest
    }

    /// Seconds on one thread to load it, and of its pass.
    fn seconds(&self) -> (f64, f64) {
        let rate = rate(Instructions::chosen(), Precision::Full);
        (self.weights / LOADING, self.flops / rate)
    }
}

/// The engine of one network.
pub struct Eraser<N> {
    warm: Arc<Slot<Loaded<N>>>,
    files: FileCache<(Option<PathBuf>, String), ModelFile>,
    installed: Installed,
}

/// A model's file, opened.
struct ModelFile {
    /// From before it was opened: what changes later is another network.
    stamp: Stamp,
    path: PathBuf,
    weights: Weights,
}

/// A loaded network.
struct Loaded<N> {
    key: Stamp,
    cx: Context,
    net: N,
}

/// The engine with a model's file opened.
struct OpenEraser<N> {
    file: Arc<ModelFile>,
    costs: CostModel,
    warm: Arc<Slot<Loaded<N>>>,
}

impl<N: Network> Eraser<N> {
    /// Nothing loaded.
    pub fn new() -> Self {
        Self {
            warm: Arc::default(),
            files: FileCache::default(),
            installed: Installed::default(),
        }
    }

    fn names(&self, models: Option<&Path>) -> Arc<Vec<String>> {
        self.installed.names(models, find::installed::<N>)
    }

    /// The file of the model of this name.
    fn file(&self, models: Option<&Path>, model: &str) -> Result<Arc<ModelFile>> {
        let find = || {
            let path = find::model::<N>(models, model, || self.names(models))?;
            let folder = models.map(Path::to_path_buf).into_iter();
            Ok((path.clone(), folder.chain([path]).collect()))
        };
        let open = |path: PathBuf| {
            Ok(ModelFile {
                stamp: Stamp::of(&path),
                weights: Weights::open(&path)?,
                path,
            })
        };
        let key = (models.map(Path::to_path_buf), model.to_owned());
        self.files.get(key, find, open)
    }
}

impl<N: Network> OpenEraser<N> {
    fn fits(&self, loaded: &Loaded<N>) -> bool {
        loaded.key == self.file.stamp
    }

    /// The network of the file: the one that is here, or loaded now in the place of the other.
    fn load(&self, run: &mut Run<'_>, reporter: &StageReporter<'_>) -> Result<Arc<Loaded<N>>> {
        let load = || {
            reporter.layer()?;
            let cx = Context::new(Instructions::chosen());
            let net = N::load(&cx, &self.file.weights)?;
            // What was read while somebody wrote is neither the old nor the new one.
            self.file.weights.check_unchanged()?;
            let key = self.file.stamp.clone();
            Ok(Loaded { key, cx, net })
        };
        let fits = |loaded: &Loaded<N>| self.fits(loaded);
        self.warm.get(run, reporter, fits, true, load)
    }
}

impl<N: Network> Engine for Eraser<N> {
    fn description(&self) -> EngineDescription {
        let mut params = vec![model_param()];
        params.extend(N::params());
        EngineDescription {
            id: N::ID,
            label: N::LABEL,
            summary: N::SUMMARY,
            params,
        }
    }

    fn unavailable(&self, models: Option<&Path>) -> Option<String> {
        let none = self.names(models).is_empty();
        none.then(|| find::nothing::<N>(models))
    }

    fn open(&self, options: &OpenOptions<'_>) -> Result<Box<dyn Opened>> {
        let parameters = options.parameters;
        let file = self.file(options.models, parameters.text("model")?)?;
        Ok(Box::new(OpenEraser {
            costs: N::cost_model(&file.weights, parameters)?,
            file,
            warm: self.warm.clone(),
        }))
    }

    fn trim(&self) {
        self.files.trim();
        self.warm.trim();
    }
}

impl<N: Network> Opened for OpenEraser<N> {
    fn needs(&self) -> Needs {
        self.costs.needs
    }

    fn costs(&self, _: Option<u64>) -> Costs {
        let (load, pass) = self.costs.seconds();
        // Any region is brought to the network's size, and is no larger there than was counted.
        Costs {
            bytes: self.costs.bytes(),
            bytes_per_pixel: CROP,
            bytes_per_hole_pixel: 0.0,
            seconds: load + pass,
            seconds_per_pixel: 2e-7,
            seconds_per_hole_pixel: 0.0,
            variation: 1.0,
        }
    }

    fn memory(&self, _: Option<u64>) -> Memory {
        Memory {
            instead: self.costs.instead.map(str::to_owned),
            ..Memory::of(self.costs.bytes())
        }
    }

    fn model(&self) -> Option<&Path> {
        Some(&self.file.path)
    }

    fn fill(&self, crop: &Crop<'_>, run: &mut Run<'_>) -> Result<RgbImage> {
        let reporter = StageReporter::new(run.cancel, 1).may_end_early();
        if !self.warm.holds(|loaded| self.fits(loaded)) {
            let (load, pass) = self.costs.seconds();
            reporter.begin("load", 0, load / (load + pass));
        }
        let loaded = self.load(run, &reporter)?;
        reporter.begin("fill", 0, 1.0);
        let out = pump(run, &reporter, || {
            let check = || reporter.layer();
            let net = &loaded.net;
            net.fill(&loaded.cx, crop.image, crop.hole, &check)
        })?;
        loaded.cx.trim();
        drop(loaded);
        give_back();
        Ok(out)
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
