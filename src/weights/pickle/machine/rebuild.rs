//! What a pickle's calls and references would make, for the few that make tensors; done by their names, and
//! nothing is called.
#![forbid(unsafe_code)]

use super::super::node::{Node, Tensor, Value};
use super::{Machine, Step, broken};
use crate::weights::Dtype;

/// Dimensions of a tensor; torch's own printing ends at 64, and networks have 5.
const RANK: usize = 16;
/// More than any network has.
const TENSORS: usize = 1 << 17;

impl Machine<'_> {
    /// The few functions whose results are tensors and dictionaries are done here, by their names.
    /// Of any other nothing but the name is kept.
    pub(super) fn reduce(&mut self, of: Value, args: Value) -> Step<()> {
        let Value::Node(class) = of else {
            return broken("it calls what is no function");
        };
        let args = match args {
            Value::Node(i) => match self.node(i) {
                Some(Node::List(args)) => args.get(..args.len().min(8)).unwrap_or(&[]).to_vec(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        match self.name(class).as_str() {
            "collections.OrderedDict" => self.make(Node::Dict(Vec::new())),
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                self.tensor(&args)
            }
            // A parameter is its tensor; a typed list or dictionary of TorchScript's is itself.
            "torch._utils._rebuild_parameter"
            | "torch._utils._rebuild_parameter_with_state"
            | "torch.jit._pickle.restore_type_tag" => {
                self.push(args.first().copied().unwrap_or(Value::Other))
            }
            _ => self.object(of),
        }
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
                Value::Node(class),
                Value::Text(key),
                _,
                Value::Int(count),
                ..,
            ] if self.text(tag) == "storage" && count >= 0 => {
                let dtype = dtype(&self.name(class));
                let count = count as u64;
                self.make(Node::Storage { dtype, key, count })
            }
            _ => broken("it refers to something outside that is no storage"),
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
        self.make(Node::Tensor(Tensor {
            storage,
            offset: offset as u64,
            shape: shape.iter().map(|n| *n as usize).collect(),
            strides,
        }))
    }

    /// A tuple of sizes.
    fn sizes(&self, number: u32) -> Step<Vec<u64>> {
        let Some(Node::List(items)) = self.node(number) else {
            return broken("a tensor's shape is none");
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
        sizes.map_or_else(|| broken("a tensor's shape is none"), Ok)
    }
}

/// What a storage class's numbers are.
fn dtype(class: &str) -> Option<Dtype> {
    Some(match class.strip_prefix("torch.")? {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}
