//! PyTorch's checkpoints (`.pt`, `.pth`, `.ckpt`) and TorchScript archives, read without running them.
//!
//! Such a file is a zip archive of a pickle, which is a program, and of the tensors' bytes. Python runs
//! the program, and with it whatever its author wrote. Here a machine that can do nothing goes through
//! it ([`machine`]): names of classes and functions stay names, and what they would have made is an
//! inert node that is only filled. Tensors are then found by the path of attributes and keys that leads
//! to them; of a checkpoint with a `state_dict`, from there on.
#![forbid(unsafe_code)]

mod machine;
mod node;

use super::archive::{Archive, broken};
use super::header::Header;
use super::source::Source;
use super::{Dtype, clip};
use crate::error::{Error, Result};
use crate::memory;
use machine::Machine;
use node::{Node, Tensor, Value};
use safetensors::tensor::TensorInfo;
use std::collections::{BTreeMap, HashMap};

/// The longest pickle: those of the largest models have some megabytes.
const LONGEST: u64 = 8 << 20;
/// Containers inside of containers; a tensor deeper down is nobody's.
const DEPTH: usize = 64;
/// Steps from container to container. Containers that hold each other several times make more paths
/// than there is time for.
const STEPS: usize = 1 << 20;
/// How often the file's bytes may be tensors.
const SHARED: u64 = 8;
/// The longest path, and the most tensors.
const PATH: usize = 512;
const TENSORS: usize = 1 << 17;

/// Whether a file begins as an archive. The first eight bytes of a safetensors file, a length, could be
/// the same, but there a brace stands behind them.
pub(super) fn begins(first: &[u8]) -> bool {
    first.starts_with(b"PK\x03\x04") && first.get(8) != Some(&b'{')
}

/// The tensors of a checkpoint, by their paths.
pub(super) fn read(source: &Source) -> Result<Header> {
    let archive = Archive::open(source)?;
    let prefix = prefix(source, &archive)?;
    if let Some((at, len)) = archive.member(&format!("{prefix}byteorder"))? {
        let mut order = [0; 3];
        source.read(at, &mut order[..len.min(3) as usize])?;
        if &order == b"big" {
            let what = "its numbers have the most significant byte first";
            return Err(broken(source, what));
        }
    }
    let pickle = format!("{prefix}data.pkl");
    let Some((at, len)) = archive.member(&pickle)? else {
        return Err(broken(source, "it holds no data.pkl"));
    };
    if len > LONGEST {
        let what = format!("its pickle has {len} bytes, expected {LONGEST} at most");
        return Err(broken(source, &what));
    }
    let mut bytes = memory::filled(len as usize, 0u8, "the pickle of a model file")?;
    source.read(at, &mut bytes)?;
    let (machine, root) = Machine::run(&bytes).map_err(|fault| {
        fault.into_error(|what| broken(source, &format!("in its pickle {what}")))
    })?;
    let found = Walk::new(&machine).tensors(source, root)?;
    if found.is_empty() {
        return Err(super::damaged(
            source.name(),
            format!(
                "this pickle holds no tensors that can be had without running it: it describes {}; \
                 take the model in safetensors format",
                clip(&describe(&machine, root))
            ),
        ));
    }
    place(source, &archive, &prefix, &machine, found)
}

/// The folder that all members lie in, with its slash.
fn prefix(source: &Source, archive: &Archive<'_>) -> Result<String> {
    let ends = |name: &&str| name.ends_with("/data.pkl") && name.matches('/').count() == 1;
    let mut found = archive.names().filter(ends);
    match (found.next(), found.next()) {
        (Some(name), None) => Ok(name.trim_end_matches("data.pkl").to_owned()),
        (None, _) => Err(broken(source, "it holds no data.pkl")),
        _ => Err(broken(source, "it holds several data.pkl")),
    }
}

/// What a value is, for a message.
fn describe(machine: &Machine, value: Value) -> String {
    match value {
        Value::Other => "nothing".into(),
        Value::Int(_) => "a number".into(),
        Value::Text(_) => "a text".into(),
        Value::Node(i) => match machine.node(i) {
            Some(Node::List(items)) => format!("a list of {}", items.len()),
            Some(Node::Dict(items)) => format!("a dictionary of {}", items.len()),
            Some(Node::Object { class, .. }) => {
                format!("what '{}' would make", machine.name(*class))
            }
            Some(Node::Name { .. }) => format!("the name '{}'", machine.name(i)),
            _ => "a storage".into(),
        },
    }
}

/// Goes to every tensor.
struct Walk<'a> {
    machine: &'a Machine<'a>,
    path: String,
    /// The containers from the root to here: number, next child, length of the path before it.
    open: Vec<(u32, usize, usize)>,
}

/// What leads to a child.
enum Key {
    /// Nothing: what a module calls its own is no part of the path.
    None,
    Text(String),
}

impl<'a> Walk<'a> {
    fn new(machine: &'a Machine<'a>) -> Self {
        Self {
            machine,
            path: String::new(),
            open: Vec::new(),
        }
    }

    /// All tensors by their paths; of two of one path the last, as in a dictionary.
    fn tensors(mut self, source: &Source, root: Value) -> Result<BTreeMap<String, &'a Tensor>> {
        let mut found = BTreeMap::new();
        let Value::Node(root) = self.state_dict(root) else {
            return Ok(found);
        };
        if let Some(Node::Tensor(tensor)) = self.machine.node(root) {
            found.insert("tensor".to_owned(), tensor);
            return Ok(found);
        }
        self.open.push((root, 0, 0));
        let mut steps = 0;
        while let Some((number, next, _)) = self.open.last_mut() {
            let (number, i) = (*number, *next);
            *next += 1;
            steps += 1;
            if steps > STEPS || found.len() > TENSORS {
                let what = "its pickle is nested in a way that no model's is";
                return Err(broken(source, what));
            }
            let Some((key, value)) = self.child(number, i) else {
                if let Some((.., before)) = self.open.pop() {
                    self.path.truncate(before);
                }
                continue;
            };
            let Value::Node(child) = value else { continue };
            let before = self.path.len();
            if let Key::Text(key) = key {
                if before > 0 {
                    self.path.push('.');
                }
                self.path.push_str(&key);
            }
            match self.machine.node(child) {
                Some(Node::Tensor(tensor)) if self.path.len() <= PATH => {
                    found.insert(self.path.clone(), tensor);
                    self.path.truncate(before);
                }
                Some(Node::List(_) | Node::Dict(_) | Node::Object { .. })
                    if self.open.len() < DEPTH
                        && self.path.len() <= PATH
                        && !self.open.iter().any(|(open, ..)| *open == child) =>
                {
                    self.open.push((child, 0, before));
                }
                _ => self.path.truncate(before),
            }
        }
        Ok(found)
    }

    /// What a trainer's checkpoint has under `state_dict`, else the value itself.
    fn state_dict(&self, root: Value) -> Value {
        if let Value::Node(i) = root
            && let Some(Node::Dict(items)) = self.machine.node(i)
        {
            let named = |(key, _): &&(Value, Value)| match key {
                Value::Text(text) => self.machine.text(*text) == "state_dict",
                _ => false,
            };
            let inner = items.iter().rev().find(named).map(|(_, value)| *value);
            if let Some(Value::Node(inner)) = inner
                && let Some(Node::Dict(_) | Node::Object { .. }) = self.machine.node(inner)
            {
                return Value::Node(inner);
            }
        }
        root
    }

    /// Child `i` of a container, and what leads there.
    fn child(&self, number: u32, i: usize) -> Option<(Key, Value)> {
        match self.machine.node(number)? {
            Node::List(items) => Some((Key::Text(i.to_string()), *items.get(i)?)),
            Node::Dict(items) => items.get(i).map(|item| self.item(item)),
            Node::Object { state, items, .. } => match state.get(i) {
                Some(state) => Some((Key::None, *state)),
                None => items.get(i - state.len()).map(|item| self.item(item)),
            },
            _ => None,
        }
    }

    fn item(&self, (key, value): &(Value, Value)) -> (Key, Value) {
        let key = match key {
            Value::Text(text) => match self.machine.text(*text) {
                "_parameters" | "_buffers" | "_modules" => Key::None,
                text => Key::Text(text.chars().take(PATH).collect()),
            },
            Value::Int(n) => Key::Text(n.to_string()),
            _ => Key::Text("?".into()),
        };
        (key, *value)
    }
}

/// Where each tensor's bytes lie in the file.
fn place(
    source: &Source,
    archive: &Archive<'_>,
    prefix: &str,
    machine: &Machine,
    found: BTreeMap<String, &Tensor>,
) -> Result<Header> {
    let mut header = Header::empty();
    let mut all = 0u64;
    // Members by their keys: many tensors may lie in one.
    let mut members: HashMap<&str, (u64, u64)> = HashMap::new();
    for (name, tensor) in found {
        let Some(Node::Storage { dtype, key, count }) = machine.node(tensor.storage) else {
            continue;
        };
        let Some(dtype) = *dtype else {
            let why = "it is stored in a type of numbers that Mend does not know";
            header.refused.insert(name, why.to_owned());
            continue;
        };
        let key = machine.text(*key);
        let wrong =
            |what: String| -> Error { broken(source, &format!("tensor '{}' {what}", clip(&name))) };
        let member = match members.get(key) {
            Some(member) => *member,
            None => {
                let path = format!("{prefix}data/{key}");
                let Some(member) = archive.member(&path)? else {
                    return Err(wrong(format!(
                        "lies in '{}', which is missing",
                        clip(&path)
                    )));
                };
                members.insert(key, member);
                member
            }
        };
        let size = dtype.bitsize() as u64 / 8;
        if count.checked_mul(size) != Some(member.1) {
            return Err(wrong(format!(
                "lies in a storage of {} bytes, expected {count} numbers of {size} bytes",
                member.1
            )));
        }
        if !tensor.is_contiguous() {
            let why = "its numbers do not lie one behind another; store it with .contiguous()";
            header.refused.insert(name, why.to_owned());
            continue;
        }
        let numbers = tensor
            .shape
            .iter()
            .try_fold(1u64, |n, side| n.checked_mul(*side as u64));
        let end = numbers.and_then(|n| n.checked_add(tensor.offset));
        let (Some(numbers), true) = (numbers, end.is_some_and(|end| end <= *count)) else {
            return Err(wrong(format!(
                "has shape {}, which is more than its storage of {count} numbers",
                clip(&format!("{:?}", tensor.shape))
            )));
        };
        // Few weights are tied; a small file must not stand for gigabytes.
        all = all.saturating_add(numbers.saturating_mul(size));
        if all > source.len().saturating_mul(SHARED) {
            return Err(broken(
                source,
                "its tensors lie in the same bytes many times over",
            ));
        }
        header.push(
            name,
            dtype,
            &tensor.shape,
            [member.0 + tensor.offset * size, numbers * size],
        )?;
    }
    Ok(header)
}

impl Header {
    /// A header of nothing yet, of tensors anywhere in the file.
    pub(super) fn empty() -> Self {
        Self {
            tensors: Vec::new(),
            metadata: HashMap::new(),
            start: 0,
            refused: BTreeMap::new(),
        }
    }

    /// Adds a tensor whose bytes begin at the first of `place` and are as many as the second.
    pub(super) fn push(
        &mut self,
        name: String,
        dtype: Dtype,
        shape: &[usize],
        place: [u64; 2],
    ) -> Result<()> {
        let wide = |n: u64| {
            usize::try_from(n).map_err(|_| {
                let what = "the model file is too large for this machine";
                Error::new(crate::ErrorKind::Memory, what)
            })
        };
        let (from, to) = (wide(place[0])?, wide(place[0].saturating_add(place[1]))?);
        let info = TensorInfo {
            dtype,
            shape: shape.to_vec(),
            data_offsets: (from, to),
        };
        memory::push(
            &mut self.tensors,
            (name, info),
            "the names of a model's tensors",
        )
    }
}
