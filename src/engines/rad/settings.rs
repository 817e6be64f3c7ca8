//! The engine's parameters.
#![forbid(unsafe_code)]

use crate::engines::Values;
use crate::engines::given::{self, Given, misread};
use crate::error::{Error, ErrorKind, Result};
use crate::params::{ParamKind, ParamSpec};
use crate::schedulers::Kind;
use crate::schedulers::pixelwise::{Method, Order, Spacing};

/// The methods, by the names that they have with any diffusion engine.
const METHODS: [(Kind, Method); 2] = [(Kind::Ddim, Method::Ddim), (Kind::Ddpm, Method::Ddpm)];

const SPACINGS: [(&str, &str, Spacing); 2] = [
    (
        "quadratic",
        "Closer where there is less noise",
        Spacing::Quadratic,
    ),
    ("even", "Even, as in the paper", Spacing::Even),
];

const ORDERS: [(&str, &str, Order); 2] = [
    ("together", "All together", Order::Together),
    ("rim_first", "From the rim inwards", Order::RimFirst),
];

/// The values of a fill.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A name in the models folder, a path, or empty.
    pub model: String,
    pub method: Method,
    pub order: Order,
    /// Numbers of steps of training, falling.
    pub times: Vec<usize>,
}

/// Their descriptions.
pub fn params() -> Vec<ParamSpec> {
    fn choices<T>(all: &[(&'static str, &'static str, T)]) -> ParamKind {
        ParamKind::Choice(all.iter().map(|(id, label, _)| (*id, *label)).collect())
    }
    vec![
        given::model(),
        ParamSpec {
            name: "steps",
            label: "Steps",
            help: "More steps take longer and are more exact. 10 to 25 give a good picture; the paper \
                   uses 100.",
            kind: ParamKind::Integer { min: 1, max: 1000 },
            default: "25",
        },
        ParamSpec {
            name: "scheduler",
            label: "Scheduler",
            help: "The method that computes the steps.",
            kind: ParamKind::Choice(METHODS.iter().map(|(k, _)| (k.id(), k.label())).collect()),
            default: "ddim",
        },
        ParamSpec {
            name: "spacing",
            label: "Spacing",
            help: "Where the steps lie. With few steps it is better to put more of them where there \
                   is little noise.",
            kind: choices(&SPACINGS),
            default: "quadratic",
        },
        ParamSpec {
            name: "order",
            label: "Order",
            help: "Whether the whole hole is made at the same time, or from the rim inwards, so that \
                   the middle follows the rim. Each pixel then has two thirds of the steps.",
            kind: choices(&ORDERS),
            default: "together",
        },
    ]
}

impl Settings {
    /// Reads what was set; the rest has its default.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for a scheduler that this engine has not;
    /// [`ErrorKind::Internal`] for values of another type than described.
    pub fn new(values: &Values) -> Result<Self> {
        let given = Given::new(values, params());
        let scheduler = given.text("scheduler")?;
        let method = METHODS.iter().find(|(kind, _)| kind.id() == scheduler);
        let Some((_, method)) = method else {
            let ids = METHODS.map(|(kind, _)| kind.id()).join(" or ");
            return Err(Error::new(
                ErrorKind::Parameter,
                format!(
                    "parameter 'scheduler' cannot be '{scheduler}' with the engine 'rad': give {ids}"
                ),
            ));
        };
        let spacing = chosen("spacing", &given.text("spacing")?, &SPACINGS)?;
        Ok(Self {
            model: given.text("model")?,
            method: *method,
            order: chosen("order", &given.text("order")?, &ORDERS)?,
            times: spacing.times(given.count("steps")?)?,
        })
    }
}

fn chosen<T: Copy>(name: &str, id: &str, all: &[(&str, &str, T)]) -> Result<T> {
    let found = all.iter().find(|(own, ..)| *own == id);
    found.map(|(.., value)| *value).ok_or_else(|| misread(name))
}
