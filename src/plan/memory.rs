//! What an engine holds in memory while it fills a region, part by part.
#![forbid(unsafe_code)]

use serde_json::{Value as Json, json};

/// One part of a fill, a network that runs say.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The part's name.
    pub name: &'static str,
    /// Bytes held at its peak, with what was held before and stays.
    pub bytes: u64,
    /// How it is done, where there is more than one way.
    pub way: String,
}

/// What an engine takes under the budget that it was asked about, whatever the region's size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Bytes at the peak. More than the budget where nothing keeps that: then the least there is.
    pub bytes: u64,
    /// Bytes that it still holds when the fill is done, for the next.
    pub kept: u64,
    /// The parts in their order; none where there is only one.
    pub stages: Vec<Stage>,
    /// What was given up for the budget; empty where nothing was.
    pub given_up: String,
    /// Where the budget is not kept, what else the user could ask for that keeps it.
    pub instead: Option<String>,
}

impl Memory {
    /// `bytes`, in one part and in one way.
    pub fn of(bytes: f64) -> Self {
        Self {
            bytes: bytes as u64,
            kept: bytes as u64,
            ..Self::default()
        }
    }
}

impl Stage {
    /// As in [`super::Plan::to_json`].
    pub fn to_json(&self) -> Json {
        json!({"name": self.name, "bytes": self.bytes, "way": self.way})
    }
}
