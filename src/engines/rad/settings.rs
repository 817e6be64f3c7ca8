//! The engine's parameters.
#![forbid(unsafe_code)]

use crate::engines::model_param;
use crate::error::Result;
use crate::params::{ParamKind, ParamSpec, Parameters};
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
        model_param(),
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
    /// Reads the values.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Internal`] for values of another type than described; those of
    /// [`Spacing::times`].
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let methods = METHODS.map(|(kind, method)| (kind.id(), method));
        let spacings = SPACINGS.map(|(id, _, spacing)| (id, spacing));
        let orders = ORDERS.map(|(id, _, order)| (id, order));
        let spacing = parameters.choice("spacing", &spacings)?;
        Ok(Self {
            model: parameters.text("model")?.to_owned(),
            method: parameters.choice("scheduler", &methods)?,
            order: parameters.choice("order", &orders)?,
            times: spacing.times(parameters.integer("steps")?)?,
        })
    }
}
