//! What a pickle describes, as plain data.
#![forbid(unsafe_code)]

use crate::weights::Dtype;

/// Something on the pickle's stack: small, and copied freely.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// What no tensor is made of: None, a fraction, bytes.
    Other,
    /// A whole number, or a truth.
    Int(i64),
    /// A text, by its place in the pickle.
    Text(Text),
    /// One of [`Node`]s, by its number.
    Node(u32),
}

/// A text's place in the pickle, which is shorter than four gigabytes. It is never copied: a long one that
/// is used a million times is one text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub start: u32,
    pub len: u32,
}

/// A class or function that means something here, known by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Class {
    /// A dictionary.
    Dict,
    /// What makes a tensor of a storage.
    Tensor,
    /// What gives back its first argument: a parameter is its tensor.
    First,
    /// A storage's, of a type of numbers; none for one that Mend does not know.
    Storage(Option<Dtype>),
    /// Any other.
    Unknown,
}

/// What values refer to.
#[derive(Debug)]
pub(super) enum Node {
    /// A list, a tuple or a set.
    List(Vec<Value>),
    /// A dictionary, in order.
    Dict(Vec<(Value, Value)>),
    /// The name of a class or a function: a name, nothing that is looked for or called.
    Name {
        module: Text,
        name: Text,
        class: Class,
    },
    /// What a class or a function that is not known would have made: never made, only filled.
    Object(Box<Object>),
    /// A tensor's memory: a member of the archive.
    Storage {
        /// None for a type of numbers that Mend does not know.
        dtype: Option<Dtype>,
        key: Text,
        count: u64,
    },
    /// A tensor.
    Tensor(Box<Tensor>),
}

/// See [`Node::Object`].
#[derive(Debug)]
pub(super) struct Object {
    /// Its class, by its number.
    pub class: u32,
    /// What it was told to take on: dictionaries of its attributes.
    pub state: Vec<Value>,
    /// What was put into it as into a dictionary.
    pub items: Vec<(Value, Value)>,
}

/// A part of a storage, seen as an array.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// By its number.
    pub storage: u32,
    /// Numbers of the storage that come before.
    pub offset: u64,
    pub shape: Vec<usize>,
    /// Numbers from one place to the next along each dimension.
    pub strides: Vec<u64>,
}

impl Tensor {
    /// Numbers of the storage from its first to its last; `None` beyond all numbers. Of none, 0.
    pub fn span(&self) -> Option<u64> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut last = 0u64;
        for (side, stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((*side as u64 - 1).checked_mul(*stride)?)?;
        }
        last.checked_add(1)
    }

    /// Whether its numbers lie one behind another, last dimension fastest.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1u64;
        for (side, stride) in self.shape.iter().zip(&self.strides).rev() {
            if *side != 1 && *stride != expected {
                return self.shape.contains(&0);
            }
            expected = expected.saturating_mul(*side as u64);
        }
        true
    }
}
