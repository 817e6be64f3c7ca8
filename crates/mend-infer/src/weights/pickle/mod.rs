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
use super::header::{Header, Strided};
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
/// Steps from container to container, and bytes of all paths together, for each byte of the pickle.
/// Containers that hold each other several times make more paths than there is time for.
const STEPS: usize = 8;
/// How often the file's bytes may be tensors.
const SHARED: u64 = 8;
/// The longest path in bytes.
const PATH: usize = 512;

/// Why a tensor cannot be used.
pub(super) const UNKNOWN_TYPE: &str = "it is stored in a type of numbers that Mend does not know";

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
    let frozen = format!("{prefix}constants/");
    if found.is_empty() && archive.names().any(|name| name.starts_with(&frozen)) {
        return Err(Error::new(
            crate::ErrorKind::Unsupported,
            format!(
                "{}: this is a TorchScript module that was frozen, whose weights have no names any more; \
                 that is not supported: take the module from before torch.jit.freeze, or its state dict",
                source.name()
            ),
        ));
    }
    if found.is_empty() {
        return Err(super::damaged(
            source.name(),
            format!(
                "this pickle holds no tensors that can be read without running it: it describes \
                 {}; take the model in safetensors format",
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
            Some(Node::Object(object)) => {
                format!("what '{}' would make", machine.name(object.class))
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
enum Key<'a> {
    /// Nothing: what a module calls its own is no part of the path.
    None,
    Text(&'a str),
    Number(i64),
    /// What makes the path longer than any.
    Beyond,
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
        let most = STEPS * self.machine.bytes.len() + (1 << 10);
        let (mut steps, mut long) = (0, 0);
        while let Some((number, next, _)) = self.open.last_mut() {
            let (number, i) = (*number, *next);
            *next += 1;
            steps += 1;
            if steps > most || long > most {
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
            let fits = self.enter(&key);
            match self.machine.node(child) {
                Some(Node::Tensor(tensor)) if fits => {
                    long += self.path.len();
                    found.insert(self.path.clone(), &**tensor);
                    self.path.truncate(before);
                }
                Some(Node::List(_) | Node::Dict(_) | Node::Object(_))
                    if self.open.len() < DEPTH
                        && fits
                        && !self.open.iter().any(|(open, ..)| *open == child) =>
                {
                    self.open.push((child, 0, before));
                }
                _ => self.path.truncate(before),
            }
        }
        Ok(found)
    }

    /// Adds to the path what leads to a child; whether it is not too long then.
    fn enter(&mut self, key: &Key<'_>) -> bool {
        if matches!(key, Key::None) {
            return true;
        }
        if !self.path.is_empty() {
            self.path.push('.');
        }
        match key {
            Key::None => {}
            Key::Text(text) => self.path.push_str(text),
            Key::Number(n) => self.path.push_str(&n.to_string()),
            Key::Beyond => return false,
        }
        self.path.len() <= PATH
    }

    /// What a trainer's checkpoint has under `state_dict`, else the value itself.
    fn state_dict(&self, root: Value) -> Value {
        if let Value::Node(i) = root
            && let Some(Node::Dict(items)) = self.machine.node(i)
        {
            let named = |(key, _): &&(Value, Value)| match key {
                Value::Text(text) => self.machine.bytes_of(*text) == b"state_dict",
                _ => false,
            };
            let inner = items.iter().rev().find(named).map(|(_, value)| *value);
            if let Some(Value::Node(inner)) = inner
                && let Some(Node::Dict(_) | Node::Object(_)) = self.machine.node(inner)
            {
                return Value::Node(inner);
            }
        }
        root
    }

    /// Child `i` of a container, and what leads there.
    fn child(&self, number: u32, i: usize) -> Option<(Key<'a>, Value)> {
        match self.machine.node(number)? {
            Node::List(items) => Some((Key::Number(i as i64), *items.get(i)?)),
            Node::Dict(items) => items.get(i).map(|item| self.item(item)),
            Node::Object(object) => match object.state.get(i) {
                Some(state) => Some((Key::None, *state)),
                None => {
                    let item = object.items.get(i - object.state.len());
                    item.map(|item| self.item(item))
                }
            },
            _ => None,
        }
    }

    fn item(&self, (key, value): &(Value, Value)) -> (Key<'a>, Value) {
        let key = match key {
            // Not looked at: it may be as long as the file, and stand in it once.
            Value::Text(text) if text.len as usize > PATH => Key::Beyond,
            Value::Text(text) => match self.machine.text(*text) {
                "_parameters" | "_buffers" | "_modules" => Key::None,
                text => Key::Text(text),
            },
            Value::Int(n) => Key::Number(*n),
            _ => Key::Text("?"),
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
    let (mut all, mut read) = (0u64, 0u64);
    // Members by their keys: many tensors may lie in one.
    let mut members: HashMap<&str, (u64, u64)> = HashMap::new();
    for (name, tensor) in found {
        let Some(Node::Storage { dtype, key, count }) = machine.node(tensor.storage) else {
            continue;
        };
        let Some(dtype) = *dtype else {
            header.refused.insert(name, UNKNOWN_TYPE);
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
                    return Err(wrong(format!("is in '{}', which is missing", clip(&path))));
                };
                members.insert(key, member);
                member
            }
        };
        let size = dtype.bitsize() as u64 / 8;
        if count.checked_mul(size) != Some(member.1) {
            return Err(wrong(format!(
                "is in a storage of {} bytes, expected {count} numbers of {size} bytes",
                member.1
            )));
        }
        let numbers = tensor
            .shape
            .iter()
            .try_fold(1u64, |n, side| n.checked_mul(*side as u64));
        let span = tensor.span();
        let end = span.and_then(|n| n.checked_add(tensor.offset));
        let (Some(numbers), true) = (numbers, end.is_some_and(|end| end <= *count)) else {
            return Err(wrong(format!(
                "has shape {}, which is more than its storage of {count} numbers",
                clip(&format!("{:?}", tensor.shape))
            )));
        };
        // Few weights are tied; a small file must not stand for gigabytes.
        let span = span.unwrap_or(0);
        all = all.saturating_add(numbers.saturating_mul(size));
        read = read.saturating_add(span.saturating_mul(size));
        if all.max(read) > source.len().saturating_mul(SHARED) {
            return Err(broken(
                source,
                "its tensors share the same bytes many times over",
            ));
        }
        let place = [member.0 + tensor.offset * size, span * size];
        header.push(name, dtype, &tensor.shape, place)?;
        if !tensor.is_contiguous() {
            header.strided(&tensor.strides, span)?;
        }
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
            strided: HashMap::new(),
        }
    }

    /// The tensor that was added last lies in `span` numbers, with these steps between places.
    fn strided(&mut self, strides: &[u64], span: u64) -> Result<()> {
        let Some((last, (_, info))) = self.tensors.iter().enumerate().next_back() else {
            return Ok(());
        };
        // Along a side of one nothing is gone to, however far it would be.
        let sides = strides.iter().zip(&info.shape);
        let strides = sides.map(|(n, side)| if *side > 1 { *n as usize } else { 0 });
        let (strides, span) = (strides.collect(), wide(span)?);
        self.strided.insert(last, Strided { strides, span });
        Ok(())
    }

    /// Adds a tensor whose bytes begin at the first of `place` and are as many as the second.
    pub(super) fn push(
        &mut self,
        name: String,
        dtype: Dtype,
        shape: &[usize],
        place: [u64; 2],
    ) -> Result<()> {
        let (from, to) = (wide(place[0])?, wide(place[0].saturating_add(place[1]))?);
        let info = TensorInfo {
            dtype,
            shape: shape.to_vec(),
            data_offsets: (from, to),
        };
        memory::push(
            &mut self.tensors,
            (name.into(), info),
            "the names of a model's tensors",
        )
    }
}

fn wide(n: u64) -> Result<usize> {
    usize::try_from(n).map_err(|_| {
        let what = "the model file is too large for this machine";
        Error::new(crate::ErrorKind::Memory, what)
    })
}
