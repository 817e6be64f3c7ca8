//! The command line's grammar. Engines' parameters are not written down here: they come from their
//! own descriptions, so that a new one appears in `--help` by itself.
#![forbid(unsafe_code)]

use crate::files::Compression;
use crate::install::InstallArgs;
use crate::jobs::several;
use crate::mask::How;
use crate::models::ModelsArgs;
use crate::orient::MaskOrientation;
use crate::pointing::Pointing;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Parser, Subcommand};
use mend::params::{ParamKind, ParamSpec, Sides, Value};
use mend::request::{common_params, engine_params};
use mend::{Error, ErrorKind, Inpainter, Options, Request, Result};
use std::path::PathBuf;

/// Fills a selected region of a picture so that nobody sees it was ever filled.
#[derive(Debug, Parser)]
#[command(name = "mend", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Job,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 something failed, and nothing was written for it; 2 the command line is wrong;
130 cancelled (Ctrl-C).";

const FORMATS: &str = "\
Examples:
  mend fill photo.jpg --mask mask.png -o filled.jpg
  mend fill photos/ --mask masks/ -o filled/
  mend fill a.png b.png --mask mask.png --fit-mask -o filled/
  mend fill photo.jpg --mask mask.png -o 'filled-{n}.jpg' --variations 4
  mend fill photo.jpg --expand 10% -o wider.jpg
  mend fill - --mask mask.png -o - < photo.png > filled.png

Files: PNG, JPEG, TIFF (8 and 16 bits, 16 and 32-bit float), WebP, BMP, PNM, TGA and QOI are recognised
by their content; OUT has the format of its extension. GIF (no animations), OpenEXR and Radiance are
read but not written. For other kinds, such as HEIC, AVIF and camera raw, the message names a way to
convert them. Pixels keep their depth; those outside the mask stay bit-identical in every lossless file.
CMYK becomes RGB. Colour profile, EXIF, XMP and resolution are kept, except for what may show the
removed object, such as thumbnails and maker notes; a note names it. A JPEG keeps its quantisation tables
and subsampling, but every block is coded again. Float files are taken as scene-linear unless --encoded
is given. EXIF's orientation is kept; a mask that was drawn on the displayed picture is turned to the
stored pixels (--mask-orientation).

OUT may be IMAGE. It is replaced only when the new file is complete. A mask, another picture or a
model is never overwritten.";

const SELECT: &str = "\
Examples:
  mend select photo.jpg --point 120,80 -o mask.png
  mend select photo.jpg --point 120,80 --not 40,200 -o mask.png
  mend select photo.jpg --box 20,30,180,150 -o mask.png
  mend fill photo.jpg --point 120,80 -o filled.jpg

A single point may mean a thing or a part of it; more points, or a box, say which. The network is
MobileSAM, which `mend models fetch mobile-sam` gets (41 MB). Without it the selection is a plain one by
colour and edges: it finds a distinct object on plain ground, and a note says so.";

const BENCH: &str = "\
Stages: text (a prompt of 77 tokens), unet64 and unet32 (one step at 64×64 and 32×32 latents, batch
1), vae_encode and vae_decode (a picture of 512×512). Operations are counted as in the plain sums, so an
algorithm that saves some may exceed the peak. The environment variable MEND_KERNELS (portable, avx2,
avx512) forces an instruction set.";

#[derive(Debug, Subcommand)]
pub enum Job {
    /// Fill the masked part of a picture, of several, or of every picture in a folder
    #[command(after_help = FORMATS)]
    Fill(FillArgs),
    /// Say what `fill` would do: regions, engine, memory, time. Writes nothing
    Plan(PlanArgs),
    /// Write the mask of an object that a click or a box points at
    #[command(after_help = SELECT)]
    Select(ObjectArgs),
    /// List the engines and their parameters
    Engines(TellArgs),
    /// Check that Mend works here: a self-test fill, the processor, the models folder
    Doctor(DoctorArgs),
    /// Time a model's networks on this machine, and compare with the processor's peak
    #[command(after_help = BENCH)]
    Bench(BenchArgs),
    /// Install the plug-in in GIMP or Krita, or remove it
    Install(InstallArgs),
    /// List, fetch, import, check and remove models
    #[command(after_help = crate::models::AFTER)]
    Models(ModelsArgs),
}

impl Job {
    /// How to tell of it.
    pub fn tell(&self) -> TellArgs {
        match self {
            Self::Fill(a) => a.tell,
            Self::Plan(a) => a.tell,
            Self::Select(a) => a.tell,
            Self::Engines(a) => *a,
            Self::Doctor(a) => a.tell,
            Self::Bench(a) => a.tell,
            Self::Install(a) => a.tell,
            Self::Models(a) => a.tell(),
        }
    }
}

/// How to tell of results.
#[derive(Clone, Copy, Debug, Args)]
pub struct TellArgs {
    /// Print the result, or the error, as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
}

/// What the machine may give.
#[derive(Clone, Copy, Debug, Args)]
pub struct MachineArgs {
    /// Number of threads; 0 means one for each processor
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true,
        value_parser = clap::value_parser!(u32).range(0..=1024))]
    pub threads: u32,
    /// The most memory that the whole command may use, such as 1500M or 2G; 0 for no limit
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_memory: Option<u64>,
}

impl MachineArgs {
    /// The bound on memory, where there is one.
    pub fn memory(&self) -> Option<u64> {
        self.max_memory.filter(|bytes| *bytes > 0)
    }

    /// An inpainter that may take `memory` bytes more than the process holds.
    pub fn inpainter(&self, memory: Option<u64>) -> Inpainter {
        Inpainter::new(Options {
            threads: self.threads as usize,
            max_memory: memory,
            ..Options::default()
        })
    }

    /// Whether two files may be read at once.
    pub fn parallel(&self) -> bool {
        self.threads != 1
    }
}

/// What is to be filled.
#[derive(Debug, Args)]
pub struct SelectArgs {
    /// The picture, several, or folders of pictures; - for standard input
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<PathBuf>,
    /// What to fill: a mask picture that is light where to fill; a folder of masks; -; or alpha
    ///
    /// A picture of the same size: white is filled, gray is filled in part. One mask can serve
    /// several pictures. A folder has a mask for each: that of photo.jpg is photo.png,
    /// photo.mask.png, photo_mask.png or photo-mask.png, in any format; in the pictures' own folder a
    /// mask without such a mark must be a PNG. The word `alpha` fills where IMAGE is not opaque.
    ///
    /// The strongest channel of a pixel counts, so pure colours are as good as white. In a mask with
    /// transparency that value is multiplied by the opacity; if the mask has a single colour or is
    /// painted in colours, the opacity alone counts. If all values are nearly black (0 and 1, for
    /// example), they count as black and white. A note names everything that was not taken as it is.
    ///
    /// With --expand it may be left out: then only what is new is filled.
    #[arg(long, value_name = "MASK", help_heading = MASKS,
        required_unless_present_any = ["expand", "set", "point", "box"],
        conflicts_with_all = ["point", "not", "box"])]
    pub mask: Option<PathBuf>,
    /// Fill where the mask is dark instead
    #[arg(long, help_heading = MASKS)]
    pub invert_mask: bool,
    /// Treat mask values from this one on as white and the rest as black: 0.5, or 50%
    #[arg(long, value_name = "SHARE", value_parser = crate::mask::threshold, help_heading = MASKS)]
    pub mask_threshold: Option<f64>,
    /// Scale masks of another size to the size of their picture
    #[arg(long, help_heading = MASKS)]
    pub fit_mask: bool,
    /// What a mask was drawn on, if EXIF rotates the picture for display
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = MaskOrientation::Auto,
        help_heading = MASKS)]
    pub mask_orientation: MaskOrientation,
    /// Take samples only where this picture (or its match in this folder) is not black
    #[arg(long, value_name = "MASK", help_heading = MASKS)]
    pub source_mask: Option<PathBuf>,
    /// Continue the lines that are painted in this picture (or its match in this folder)
    ///
    /// A picture of the same size that is not black on lines painted over the picture and the hole, with a
    /// pen of 1 to 30 pixels, from where something is seen before the hole to where it is seen behind it. What lies
    /// along them goes on along them, if the engine continues lines. They need not be exact: a line within 8 pixels
    /// of a clear edge is moved onto it. What ends in the hole ends there.
    #[arg(long, value_name = "FILE", help_heading = MASKS)]
    pub guide: Option<PathBuf>,
    /// Take float pixels as proportional to light (the default for TIFF)
    #[arg(long, conflicts_with = "encoded")]
    pub linear: bool,
    /// Take float pixels as display-encoded, sRGB-like
    #[arg(long)]
    pub encoded: bool,
    #[command(flatten)]
    pub pointing: Pointing,
    #[command(flatten)]
    pub params: Params,
}

impl SelectArgs {
    /// The request that the parameters make.
    pub fn request(&self) -> Result<Request> {
        let mut request = Request::new();
        for (name, value) in &self.params.0 {
            request.set(name, value).map_err(|e| match e.kind() {
                // An engine's name is a parameter's value here.
                ErrorKind::Engine => Error::new(ErrorKind::Parameter, e.message()),
                _ => e,
            })?;
        }
        if self.mask.is_none() && self.sides().is_none() && !self.pointing.is_given() {
            return Err(Error::new(
                ErrorKind::Argument,
                "nothing says what to fill: give --mask, --point to have an object selected, or \
                 --expand to make the picture larger",
            ));
        }
        if self.pointing.is_given() && several(self) {
            return Err(Error::new(
                ErrorKind::Argument,
                "--point and --box are places in one picture: fill pictures one at a time with them",
            ));
        }
        Ok(request)
    }

    /// How many fills of each picture are to be written.
    pub fn variations(&self) -> u32 {
        match self.value("variations") {
            Some(Value::Integer(count)) => u32::try_from(count).unwrap_or(1),
            _ => 1,
        }
    }

    /// By how much each side of a picture grows, if that was given and can be read.
    pub fn sides(&self) -> Option<Sides> {
        match self.value("expand") {
            Some(Value::Sides(sides)) => Some(sides),
            _ => None,
        }
    }

    /// What a common parameter was set to last, if that can be read.
    fn value(&self, name: &str) -> Option<Value> {
        let mut given = self.params.0.iter().rev();
        let (_, value) = given.find(|(own, _)| own == name)?;
        let spec = common_params().into_iter().find(|spec| spec.name == name)?;
        spec.parse(value).ok()
    }

    /// How to read the mask.
    pub fn mask_how(&self) -> How {
        How {
            invert: self.invert_mask,
            threshold: self.mask_threshold,
        }
    }

    /// Whether the mask is the picture's own alpha.
    pub fn mask_is_alpha(&self) -> bool {
        self.mask
            .as_ref()
            .is_some_and(|mask| mask.as_os_str() == "alpha")
    }
}

#[derive(Debug, Args)]
pub struct FillArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Where to write: a file, a folder, or - for standard output
    ///
    /// A file, which may be IMAGE itself; or a folder, for one picture or several. A folder must
    /// exist, or be named with a slash at its end; then it is made. With --variations each file gets a
    /// number, from 1 for the best on: where its name has {n}, or else before the extension.
    #[arg(long, short, value_name = "OUT")]
    pub output: PathBuf,
    /// The output's format, such as png or jpg, if OUT does not say it
    ///
    /// In a folder every file gets this extension. Without this option, standard output has the
    /// picture's own format.
    #[arg(long, value_name = "EXT", value_parser = crate::files::extension)]
    pub format: Option<String>,
    /// Skip pictures whose output exists, to continue an interrupted fill
    #[arg(long)]
    pub skip_existing: bool,
    /// How hard to compress a PNG
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Compression::Default)]
    pub png_compression: Compression,
    /// JPEG quality, 1 to 100, when the input is not a JPEG
    #[arg(long, value_name = "N", default_value_t = 95,
        value_parser = clap::value_parser!(u8).range(1..=100))]
    pub jpeg_quality: u8,
    /// Write small pictures of each step of the fill into this folder
    ///
    /// A PNG for each step, if the engine works in steps (diffusion, rad): OUT's name with -0001, -0002, …
    #[arg(long, value_name = "DIR")]
    pub previews: Option<PathBuf>,
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub tell: TellArgs,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub tell: TellArgs,
}

/// What is to be selected, and where its mask goes.
#[derive(Debug, Args)]
pub struct ObjectArgs {
    /// The picture; - for standard input
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    #[command(flatten)]
    pub pointing: Pointing,
    /// Widen the mask by so many pixels; by itself by 0.4 % of the object's longer side, 2 at the least
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=4096))]
    pub grow: Option<u32>,
    /// The mask's file, such as mask.png, or - for standard output
    ///
    /// White is selected and black is not. It has the size of the picture as it is shown.
    #[arg(long, short, value_name = "MASK")]
    pub output: PathBuf,
    /// Replace MASK if it is there already
    #[arg(long)]
    pub replace: bool,
    /// Take float pixels as proportional to light (the default for TIFF)
    #[arg(long, conflicts_with = "encoded")]
    pub linear: bool,
    /// Take float pixels as display-encoded, sRGB-like
    #[arg(long)]
    pub encoded: bool,
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub tell: TellArgs,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub tell: TellArgs,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The model: a diffusers folder, with unet/ and vae/ inside, or a checkpoint in one
    /// .safetensors file
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// The precision of products; int8 takes half the memory, with an error of about 1 % per layer
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    pub precision: PrecisionArg,
    /// Also run the UNet in f32, and show how far the results of the chosen precision are from it
    #[arg(long)]
    pub deviation: bool,
    /// Runs of each stage that are counted; one more warms up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// Only this stage; may be given several times
    #[arg(long, value_name = "STAGE", value_parser = ["text", "unet64", "unet32", "vae_encode", "vae_decode"])]
    pub stage: Vec<String>,
    /// Number of threads; 0 means one for each processor
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true,
        value_parser = clap::value_parser!(u32).range(0..=1024))]
    pub threads: u32,
    #[command(flatten)]
    pub tell: TellArgs,
}

/// What products are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PrecisionArg {
    /// Single precision, from weights as the file holds them
    F32,
    /// Eight bits
    Int8,
}

impl PrecisionArg {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}

impl From<PrecisionArg> for mend_infer::kernels::Precision {
    fn from(p: PrecisionArg) -> Self {
        match p {
            PrecisionArg::F32 => Self::Full,
            PrecisionArg::Int8 => Self::Int8,
        }
    }
}

/// The engines' parameters that were given, by name, in the order of their descriptions.
#[derive(Clone, Debug, Default)]
pub struct Params(pub Vec<(String, String)>);

/// Names that the grammar above has taken.
const TAKEN: &[&str] = &[
    "box",
    "encoded",
    "fit-mask",
    "format",
    "guide",
    "help",
    "image",
    "invert-mask",
    "jpeg-quality",
    "json",
    "linear",
    "mask",
    "mask-orientation",
    "mask-threshold",
    "max-memory",
    "not",
    "output",
    "point",
    "png-compression",
    "previews",
    "quiet",
    "set",
    "skip-existing",
    "source-mask",
    "threads",
    "version",
];
/// Above options, in the help.
const MASKS: &str = "Masks";
const COMMON: &str = "Parameters";
const OF_SOME: &str = "Parameters of some engines; see `mend engines`";

/// A parameter, of every engine or of each that has it.
struct Param {
    name: &'static str,
    common: bool,
    /// Descriptions with the engines that have them.
    specs: Vec<(&'static str, ParamSpec)>,
}

/// The parameters that become options, the common ones first.
fn params() -> Vec<Param> {
    let common = common_params().into_iter().map(|spec| Param {
        name: spec.name,
        common: true,
        specs: vec![("", spec)],
    });
    let others = engine_params().into_iter().map(|param| Param {
        name: param.name,
        common: false,
        specs: param.specs,
    });
    let all = common.chain(others);
    all.filter(|param| !TAKEN.contains(&param.name)).collect()
}

impl FromArgMatches for Params {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut params = Self::default();
        params.update_from_arg_matches(matches)?;
        Ok(params)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for param in params() {
            if let Some(value) = matches.get_one::<String>(param.name) {
                self.0.push((param.name.to_owned(), value.clone()));
            }
        }
        if let Some(pairs) = matches.get_many::<(String, String)>("set") {
            self.0.extend(pairs.cloned());
        }
        Ok(())
    }
}

impl Args for Params {
    fn augment_args(mut command: Command) -> Command {
        for param in params() {
            command = command.arg(arg(&param));
        }
        command.arg(
            Arg::new("set")
                .long("set")
                .value_name("NAME=VALUE")
                .action(ArgAction::Append)
                .value_parser(pair)
                .help("Set any parameter by its name")
                .help_heading(COMMON),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The option that a parameter's descriptions make.
fn arg(param: &Param) -> Arg {
    let arg = Arg::new(param.name)
        .long(param.name)
        .help_heading(if param.common { COMMON } else { OF_SOME })
        .action(ArgAction::Set)
        .help(help(&param.specs));
    match param.specs.first().map(|(_, spec)| &spec.kind) {
        Some(ParamKind::Integer { .. }) => arg.value_name("N").allow_negative_numbers(true),
        Some(ParamKind::Number { .. }) => arg.value_name("X").allow_negative_numbers(true),
        Some(ParamKind::Choice(_)) => arg.value_name("NAME"),
        Some(ParamKind::Extent { .. }) => arg.value_name("EXTENT"),
        Some(ParamKind::Sides { .. }) => arg.value_name("SIDES"),
        Some(ParamKind::Bytes) => arg.value_name("SIZE"),
        Some(ParamKind::Text) | None => arg.value_name("TEXT"),
    }
}

/// What the parameter does and takes; where engines differ in it, each by itself.
fn help(specs: &[(&'static str, ParamSpec)]) -> String {
    let mut parts: Vec<(Vec<&str>, String)> = Vec::new();
    for (engine, spec) in specs {
        let text = described(spec);
        match parts.iter_mut().find(|(_, other)| *other == text) {
            Some((engines, _)) => engines.push(engine),
            None => parts.push((vec![engine], text)),
        }
    }
    if let [(_, text)] = &parts[..] {
        return text.clone();
    }
    let each = parts
        .iter()
        .map(|(engines, text)| format!("{}: {text}", engines.join(", ")));
    each.collect::<Vec<_>>().join(" — ")
}

/// What a parameter does, what it takes and its default.
fn described(spec: &ParamSpec) -> String {
    let mut text = spec.help.trim_end().to_owned();
    match &spec.kind {
        ParamKind::Integer { min, max } => text.push_str(&format!(" {min} to {max}.")),
        ParamKind::Number { min, max } => text.push_str(&format!(" {min} to {max}.")),
        ParamKind::Choice(choices) => {
            let ids: Vec<_> = choices.iter().map(|(id, _)| *id).collect();
            text.push_str(&format!(" One of {}.", ids.join(", ")));
        }
        ParamKind::Text | ParamKind::Extent { .. } | ParamKind::Sides { .. } | ParamKind::Bytes => {
        }
    }
    if !spec.default.is_empty() {
        text.push_str(&format!(" [default: {}]", spec.default));
    }
    text
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("give NAME=VALUE, such as grow=8".into()),
    }
}

/// Reads a size as the library does; 0 stands for no bound.
fn size(text: &str) -> Result<u64, String> {
    let mut options = Options::default();
    options
        .set("max-memory", text)
        .map_err(|e| e.message().to_owned())?;
    Ok(options.max_memory.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound_and_shows_every_parameter() {
        let mut cli = Cli::command();
        cli.clone().debug_assert();
        let fill = cli.find_subcommand_mut("fill").unwrap();
        let help = fill.render_long_help().to_string();
        for param in params() {
            assert!(
                help.contains(&format!("--{}", param.name)),
                "{}",
                param.name
            );
        }
    }

    #[test]
    fn what_engines_differ_in_is_told_of_each() {
        let of = |name: &str| {
            let all = params();
            let param = all.iter().find(|param| param.name == name).unwrap();
            help(&param.specs)
        };
        let scheduler = of("scheduler");
        let (diffusion, rad) = scheduler.split_once(" — rad: ").unwrap();
        assert!(diffusion.starts_with("diffusion: ") && diffusion.contains("euler"));
        assert!(diffusion.ends_with("[default: dpmpp_2m_karras]"));
        assert!(rad.ends_with("One of ddim, ddpm. [default: ddim]"), "{rad}");
        assert!(of("steps").contains("[default: 25]"));
        assert!(of("guidance").starts_with("How closely"));
    }
}
