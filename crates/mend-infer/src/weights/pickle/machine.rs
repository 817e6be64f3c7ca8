//! The pickle machine, without its arms: it stacks values up and never looks a name up, imports, calls
//! or makes an object.
//!
//! The operations are those of Python's `pickletools` that protocols 2 to 5 write; PyTorch writes
//! protocol 2. An operation takes no more time than its own bytes are long, however long the texts are that
//! it refers to. Memory grows with the pickle's length, by a hundred bytes at the most for each of its
//! bytes, and to 80 MB in all: no model describes as much as [`MOST`] and [`ITEMS`].
#![forbid(unsafe_code)]

mod rebuild;

use super::node::{Class, Node, Object, Text, Value};
use crate::memory;
use std::collections::HashMap;

const WHAT: &str = "what a model's pickle describes";
/// Values, containers and remembered values at a time.
const MOST: usize = 1 << 18;
/// What all containers hold together.
const ITEMS: usize = 1 << 20;

/// Why a pickle cannot be read, and at which of its bytes.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: usize,
    pub what: Why,
}

#[derive(Debug)]
pub(super) enum Why {
    /// It breaks its own rules.
    Broken(String),
    /// Memory ran out.
    Memory(crate::Error),
}

/// The machine after its last operation, or on its way there.
#[derive(Default)]
pub(super) struct Machine<'a> {
    pub bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// Where on the stack each open mark is.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    nodes: Vec<Node>,
    /// An empty tuple, which all share.
    empty: Option<u32>,
    tensors: usize,
    items: usize,
}

type Step<T> = std::result::Result<T, Why>;

fn broken<T>(what: impl Into<String>) -> Step<T> {
    Err(Why::Broken(what.into()))
}

impl<'a> Machine<'a> {
    /// Runs a pickle to its end; gives the value that it describes.
    pub fn run(bytes: &'a [u8]) -> std::result::Result<(Self, Value), Fault> {
        let mut machine = Self {
            bytes,
            ..Self::default()
        };
        loop {
            let at = machine.at;
            match machine.step() {
                Ok(None) => {}
                Ok(Some(root)) => return Ok((machine, root)),
                Err(what) => return Err(Fault { at, what }),
            }
        }
    }

    /// The bytes of a text.
    pub fn bytes_of(&self, text: Text) -> &'a [u8] {
        let (start, len) = (text.start as usize, text.len as usize);
        self.bytes.get(start..start + len).unwrap_or(&[])
    }

    /// The text at a place of the pickle, which is checked to be one. It takes as long as the text is.
    pub fn text(&self, text: Text) -> &'a str {
        std::str::from_utf8(self.bytes_of(text)).unwrap_or("")
    }

    pub fn node(&self, number: u32) -> Option<&Node> {
        self.nodes.get(number as usize)
    }

    /// `module.name` of a class or function, for a message.
    pub fn name(&self, number: u32) -> String {
        match self.node(number) {
            Some(Node::Name { module, name, .. }) => {
                format!("{}.{}", self.text(*module), self.text(*name))
            }
            _ => String::new(),
        }
    }

    /// What a class or function means here.
    fn class(&self, value: Value) -> Class {
        match value {
            Value::Node(i) => match self.node(i) {
                Some(Node::Name { class, .. }) => *class,
                _ => Class::Unknown,
            },
            _ => Class::Unknown,
        }
    }

    /// One operation; gives the result where it was the last.
    fn step(&mut self) -> Step<Option<Value>> {
        let op = self.take(1)?[0];
        match op {
            b'.' => return self.pop().map(Some),
            0x80 => match self.take(1)?[0] {
                2..=5 => {}
                other => return broken(format!("it is of protocol {other}, expected 2 to 5")),
            },
            0x95 => drop(self.take(8)?),
            b'(' => memory::push(&mut self.marks, self.stack.len(), WHAT).map_err(Why::Memory)?,
            b'0' => drop(self.pop()?),
            b'1' => drop(self.marked()?),
            b'2' => {
                let top = self.top()?;
                self.push(top)?;
            }
            b'N' => self.push(Value::Other)?,
            0x88 => self.push(Value::Int(1))?,
            0x89 => self.push(Value::Int(0))?,
            b'J' => self.number::<4>(|b| i32::from_le_bytes(b).into())?,
            b'K' => self.number::<1>(|[b]| b.into())?,
            b'M' => self.number::<2>(|b| u16::from_le_bytes(b).into())?,
            0x8a => {
                let len = self.take(1)?[0];
                self.long(len.into())?;
            }
            0x8b => {
                let len = self.length::<4>()?;
                self.long(len)?;
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Other)?;
            }
            b'X' => self.unicode::<4>()?,
            0x8c => self.unicode::<1>()?,
            0x8d => self.unicode::<8>()?,
            b'C' | b'U' => self.blob::<1>()?,
            b'B' | b'T' => self.blob::<4>()?,
            0x8e | 0x96 => self.blob::<8>()?,
            b']' | 0x8f => self.list(Vec::new())?,
            b')' => self.nothing()?,
            b'}' => self.make(Node::Dict(Vec::new()))?,
            b't' | b'l' | 0x91 => {
                let items = self.marked()?;
                self.count(items.len())?;
                self.list(items)?;
            }
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b'd' => {
                let items = self.marked()?;
                self.make(Node::Dict(Vec::new()))?;
                self.put(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.marked()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.put(vec![key, value])?;
            }
            b'u' => {
                let items = self.marked()?;
                self.put(items)?;
            }
            b'h' => {
                let i = self.length::<1>()?;
                self.recall(i)?;
            }
            b'j' => {
                let i = self.length::<4>()?;
                self.recall(i)?;
            }
            b'q' => {
                let i = self.length::<1>()?;
                self.remember(i)?;
            }
            b'r' => {
                let i = self.length::<4>()?;
                self.remember(i)?;
            }
            0x94 => {
                let i = self.memo.len();
                self.remember(i)?;
            }
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.named(module, name)?;
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => self.named(module, name)?,
                _ => return broken("a class has no name"),
            },
            b'Q' => {
                let id = self.pop()?;
                self.storage(id)?;
            }
            b'R' => {
                let (args, of) = (self.pop()?, self.pop()?);
                self.reduce(of, args)?;
            }
            0x81 => {
                let (_, class) = (self.pop()?, self.pop()?);
                self.object(class)?;
            }
            0x92 => {
                let (_, _, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.object(class)?;
            }
            b'b' => {
                let state = self.pop()?;
                let top = self.top()?;
                if let Value::Node(i) = top
                    && let Some(Node::Object(object)) = self.nodes.get_mut(i as usize)
                {
                    memory::push(&mut object.state, state, WHAT).map_err(Why::Memory)?;
                    self.count(1)?;
                }
            }
            other => {
                return broken(format!(
                    "operation {other:#04x} is not one that PyTorch's checkpoints use"
                ));
            }
        }
        Ok(None)
    }

    fn take(&mut self, len: usize) -> Step<&'a [u8]> {
        let end = self.at.checked_add(len);
        let Some(part) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            return broken("it ends in the middle of an operation");
        };
        self.at += len;
        Ok(part)
    }

    fn fixed<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut all = [0; N];
        all.copy_from_slice(self.take(N)?);
        Ok(all)
    }

    /// A length or a place in the memo, of `N` bytes.
    fn length<const N: usize>(&mut self) -> Step<usize> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(self.take(N)?);
        usize::try_from(u64::from_le_bytes(wide)).or_else(|_| broken("a length is beyond all"))
    }

    fn number<const N: usize>(&mut self, of: impl Fn([u8; N]) -> i64) -> Step<()> {
        let bytes = self.fixed::<N>()?;
        self.push(Value::Int(of(bytes)))
    }

    /// A whole number of `len` bytes; one of more than eight is none that matters.
    fn long(&mut self, len: usize) -> Step<()> {
        let bytes = self.take(len)?;
        if len > 8 {
            return self.push(Value::Other);
        }
        let negative = bytes.last().is_some_and(|b| *b >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..len].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn unicode<const N: usize>(&mut self) -> Step<()> {
        let len = self.length::<N>()?;
        let start = self.at;
        if std::str::from_utf8(self.take(len)?).is_err() {
            return broken("a text in it is not UTF-8");
        }
        self.place(start, len)
            .and_then(|text| self.push(Value::Text(text)))
    }

    fn place(&self, start: usize, len: usize) -> Step<Text> {
        match (u32::try_from(start), u32::try_from(len)) {
            (Ok(start), Ok(len)) => Ok(Text { start, len }),
            _ => broken("it is too long"),
        }
    }

    /// Bytes, which matter to nobody.
    fn blob<const N: usize>(&mut self) -> Step<()> {
        let len = self.length::<N>()?;
        self.take(len)?;
        self.push(Value::Other)
    }

    fn line(&mut self) -> Step<Text> {
        let rest = &self.bytes[self.at..];
        let Some(len) = rest.iter().position(|b| *b == b'\n') else {
            return broken("a class's name has no end");
        };
        let start = self.at;
        if std::str::from_utf8(self.take(len)?).is_err() {
            return broken("a class's name is not UTF-8");
        }
        self.take(1)?;
        self.place(start, len)
    }

    /// Counts what containers take.
    fn count(&mut self, items: usize) -> Step<()> {
        self.items += items;
        match self.items > ITEMS {
            true => broken("it describes too much"),
            false => Ok(()),
        }
    }

    fn push(&mut self, value: Value) -> Step<()> {
        if self.stack.len() >= MOST {
            return broken("it describes too much");
        }
        memory::push(&mut self.stack, value, WHAT).map_err(Why::Memory)
    }

    /// The last value; what lies below an open mark is out of reach.
    fn top(&self) -> Step<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(top) if self.stack.len() > floor => Ok(*top),
            _ => broken("it takes a value that is not there"),
        }
    }

    fn pop(&mut self) -> Step<Value> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// What was stacked since the last mark.
    fn marked(&mut self) -> Step<Vec<Value>> {
        let Some(mark) = self.marks.pop().filter(|m| *m <= self.stack.len()) else {
            return broken("it goes back to a mark that is not there");
        };
        let mut items =
            memory::with_capacity(self.stack.len() - mark, WHAT).map_err(Why::Memory)?;
        items.extend(self.stack.drain(mark..));
        Ok(items)
    }

    fn make(&mut self, node: Node) -> Step<()> {
        let number = u32::try_from(self.nodes.len());
        let (Ok(number), true) = (number, self.nodes.len() < MOST) else {
            return broken("it describes too much");
        };
        memory::push(&mut self.nodes, node, WHAT).map_err(Why::Memory)?;
        self.push(Value::Node(number))
    }

    fn list(&mut self, items: Vec<Value>) -> Step<()> {
        self.make(Node::List(items))
    }

    fn tuple(&mut self, count: usize) -> Step<()> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Step<Vec<_>>>()?;
        items.reverse();
        self.count(count)?;
        self.list(items)
    }

    /// An empty tuple. Nothing can be put into one, so that one is enough.
    fn nothing(&mut self) -> Step<()> {
        if let Some(i) = self.empty {
            return self.push(Value::Node(i));
        }
        self.empty = u32::try_from(self.nodes.len()).ok();
        self.list(Vec::new())
    }

    fn recall(&mut self, i: usize) -> Step<()> {
        let value = u32::try_from(i).ok().and_then(|i| self.memo.get(&i));
        match value.copied() {
            Some(value) => self.push(value),
            None => broken("it remembers what it never saw"),
        }
    }

    fn remember(&mut self, i: usize) -> Step<()> {
        let (Ok(i), true) = (u32::try_from(i), self.memo.len() < MOST) else {
            return broken("it remembers too much");
        };
        let top = self.top()?;
        if self.memo.try_reserve(1).is_err() {
            return broken("it remembers too much for this machine's memory");
        }
        self.memo.insert(i, top);
        Ok(())
    }

    /// Puts `items` at the end of the list on the stack.
    fn append(&mut self, items: Vec<Value>) -> Step<()> {
        let top = self.top()?;
        self.count(items.len())?;
        if let Value::Node(i) = top
            && Some(i) != self.empty
            && let Some(Node::List(list)) = self.nodes.get_mut(i as usize)
        {
            for item in items {
                memory::push(list, item, WHAT).map_err(Why::Memory)?;
            }
        }
        Ok(())
    }

    /// Puts `items`, keys and values in turns, into the dictionary on the stack.
    fn put(&mut self, items: Vec<Value>) -> Step<()> {
        if !items.len().is_multiple_of(2) {
            return broken("a key in it has no value");
        }
        let top = self.top()?;
        self.count(items.len())?;
        let all = match top {
            Value::Node(i) => match self.nodes.get_mut(i as usize) {
                Some(Node::Dict(all)) => all,
                Some(Node::Object(object)) => &mut object.items,
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        for pair in items.chunks_exact(2) {
            memory::push(all, (pair[0], pair[1]), WHAT).map_err(Why::Memory)?;
        }
        Ok(())
    }

    /// What `class` would have made.
    fn object(&mut self, class: Value) -> Step<()> {
        let class = match class {
            Value::Node(i) => i,
            _ => return broken("it makes an object of no class"),
        };
        self.make(Node::Object(Box::new(Object {
            class,
            state: Vec::new(),
            items: Vec::new(),
        })))
    }
}

impl Fault {
    /// As an error about a file, told by `tell`.
    pub fn into_error(self, tell: impl FnOnce(String) -> crate::Error) -> crate::Error {
        match self.what {
            Why::Broken(what) => tell(format!("{what} (byte {} of the pickle)", self.at)),
            Why::Memory(e) => e,
        }
    }
}
