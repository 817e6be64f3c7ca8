//! What a pickle's calls and references would make, for the few that make tensors; done by their names, and
//! nothing is called.
#![forbid(unsafe_code)]

use super::super::node::{Class, Node, Tensor, Text, Value};
use super::{Machine, Step, broken};
use crate::weights::Dtype;

/// Dimensions of a tensor; torch's own printing ends at 64, and networks have 5.
const RANK: usize = 16;
/// More than any network has.
const TENSORS: usize = 1 << 15;
/// The longest name of a storage: PyTorch numbers them.
const KEY: u32 = 256;

impl Machine<'_> {
    /// The few functions whose results are tensors and dictionaries are done here, by their names.
    /// Of any other nothing but the name is kept.
    pub(super) fn reduce(&mut self, of: Value, args: Value) -> Step<()> {
        if !matches!(of, Value::Node(_)) {
            return broken("it calls something that is not a function");
        }
        let args = match args {
            Value::Node(i) => match self.node(i) {
                Some(Node::List(args)) => args.get(..args.len().min(8)).unwrap_or(&[]).to_vec(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        match self.class(of) {
            Class::Dict => self.make(Node::Dict(Vec::new())),
            Class::Tensor => self.tensor(&args),
            Class::First => self.push(args.first().copied().unwrap_or(Value::Other)),
            Class::Storage(_) | Class::Unknown => self.object(of),
        }
    }

    /// A name of a class or function.
    pub(super) fn named(&mut self, module: Text, name: Text) -> Step<()> {
        let class = class(self.bytes_of(module), self.bytes_of(name));
        self.make(Node::Name {
            module,
            name,
            class,
        })
    }

    /// `("storage", type, key, device, count)`, as torch's `persistent_id` has it.
    pub(super) fn storage(&mut self, id: Value) -> Step<()> {
        let parts = match id {
            Value::Node(i) => match self.node(i) {
                Some(Node::List(parts)) => parts.as_slice(),
                _ => &[],
            },
            _ => &[],
        };
        match *parts {
            [
                Value::Text(tag),
                of @ Value::Node(_),
                Value::Text(key),
                _,
                Value::Int(count),
                ..,
            ] if self.bytes_of(tag) == b"storage" && count >= 0 && key.len <= KEY => {
                let dtype = match self.class(of) {
                    Class::Storage(dtype) => dtype,
                    _ => None,
                };
                let count = count as u64;
                self.make(Node::Storage { dtype, key, count })
            }
            _ => broken("it refers to something outside that is not a storage"),
        }
    }

    /// `(storage, offset, shape, strides, …)`
    fn tensor(&mut self, args: &[Value]) -> Step<()> {
        let [
            Value::Node(storage),
            Value::Int(offset),
            Value::Node(shape),
            Value::Node(strides),
            ..,
        ] = *args
        else {
            return broken("a tensor is described in a way that PyTorch does not");
        };
        self.tensors += 1;
        if self.tensors > TENSORS {
            return broken("it has more tensors than any network");
        }
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        let is_storage = matches!(self.node(storage), Some(Node::Storage { .. }));
        if offset < 0 || !is_storage || shape.len() != strides.len() {
            return broken("a tensor is described in a way that PyTorch does not");
        }
        self.make(Node::Tensor(Box::new(Tensor {
            storage,
            offset: offset as u64,
            shape: shape.iter().map(|n| *n as usize).collect(),
            strides,
        })))
    }

    /// A tuple of sizes.
    fn sizes(&self, number: u32) -> Step<Vec<u64>> {
        let Some(Node::List(items)) = self.node(number) else {
            return broken("a tensor's shape is invalid");
        };
        if items.len() > RANK {
            return broken(format!("a tensor has {} dimensions", items.len()));
        }
        let size = |v: &Value| match v {
            Value::Int(n) => u64::try_from(*n)
                .ok()
                .filter(|n| usize::try_from(*n).is_ok()),
            _ => None,
        };
        let sizes: Option<Vec<u64>> = items.iter().map(size).collect();
        sizes.map_or_else(|| broken("a tensor's shape is invalid"), Ok)
    }
}

/// What a class or function is to Mend. Names are compared as bytes: of a long one only its length matters.
fn class(module: &[u8], name: &[u8]) -> Class {
    match (module, name) {
        (b"collections", b"OrderedDict") => Class::Dict,
        (b"torch._utils", b"_rebuild_tensor_v2" | b"_rebuild_tensor") => Class::Tensor,
        // A typed list or dictionary of TorchScript's is itself.
        (b"torch._utils", b"_rebuild_parameter" | b"_rebuild_parameter_with_state")
        | (b"torch.jit._pickle", b"restore_type_tag") => Class::First,
        (b"torch", b"FloatStorage") => Class::Storage(Some(Dtype::F32)),
        (b"torch", b"HalfStorage") => Class::Storage(Some(Dtype::F16)),
        (b"torch", b"BFloat16Storage") => Class::Storage(Some(Dtype::BF16)),
        (b"torch", b"DoubleStorage") => Class::Storage(Some(Dtype::F64)),
        (b"torch", b"LongStorage") => Class::Storage(Some(Dtype::I64)),
        (b"torch", b"IntStorage") => Class::Storage(Some(Dtype::I32)),
        (b"torch", b"ShortStorage") => Class::Storage(Some(Dtype::I16)),
        (b"torch", b"CharStorage") => Class::Storage(Some(Dtype::I8)),
        (b"torch", b"ByteStorage") => Class::Storage(Some(Dtype::U8)),
        (b"torch", b"BoolStorage") => Class::Storage(Some(Dtype::BOOL)),
        _ => Class::Unknown,
    }
}
