//! Prompts: which words weigh how much, and how a text of any length is cut for a text encoder.
//!
//! The grammar and the arithmetic are those of AUTOMATIC1111's web UI, from its documentation
//! ("Attention/emphasis", "Infinite prompt length"), since that is what prompts are written for:
//!
//! | written | weight |
//! |---|---|
//! | `(word)` | 1.1 |
//! | `(word:1.5)` | 1.5 |
//! | `[word]` | 1 / 1.1 |
//! | `((word))`, `((word:1.5))` | the product |
//! | `\(` `\)` `\[` `\]` `\\` | the character itself |
//! | `BREAK` | goes on in a new chunk |
//!
//! Everything else is text: a bracket that nothing opened, a colon with no number behind it. A bracket
//! that is never closed reaches to the end.
#![forbid(unsafe_code)]

use crate::error::Result;

/// What a pair of brackets weighs.
const BRACKET: f64 = 1.1;

/// The largest weight, up and down: beyond, an embedding is noise, and at last not finite.
const MOST: f64 = 100.0;

/// A piece of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text, never empty, with its weight, −100 to 100.
    Text(String, f32),
    /// What follows begins a new chunk.
    Break,
}

/// The parts of a prompt, in order; neighbours differ in weight, for they are tokenized apart.
pub fn parse(prompt: &str) -> Vec<Part> {
    let mut parser = Parser::default();
    let mut rest = prompt;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        match c {
            '\\' if rest[1..].starts_with(['(', ')', '[', ']', '\\']) => {
                parser.text.push_str(&rest[1..2]);
                used = 2;
            }
            '(' => parser.open(Kind::Round),
            '[' => parser.open(Kind::Square),
            ')' if parser.is_open(Kind::Round) => parser.close(Kind::Round, BRACKET),
            ']' if parser.is_open(Kind::Square) => parser.close(Kind::Square, 1.0 / BRACKET),
            ':' if parser.is_open(Kind::Round) && weight(rest).is_some() => {
                if let Some((factor, length)) = weight(rest) {
                    parser.close(Kind::Round, factor);
                    used = length;
                }
            }
            'B' if is_break(before, rest) => {
                parser.flush();
                parser.parts.push((None, 1.0));
                used = BREAK.len();
            }
            _ => parser.text.push(c),
        }
        before = rest[..used].chars().next_back();
        rest = &rest[used..];
    }
    parser.finish()
}

const BREAK: &str = "BREAK";

/// Whether `rest` begins with the word, and not with a longer one.
fn is_break(before: Option<char>, rest: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let after = rest.strip_prefix(BREAK).map(|r| r.chars().next());
    after.is_some_and(|after| !after.is_some_and(letter)) && !before.is_some_and(letter)
}

/// The number in `: 1.5 )` at the beginning of `rest`, and the length of all that.
fn weight(rest: &str) -> Option<(f64, usize)> {
    let inside = rest.strip_prefix(':')?.trim_start();
    let sign = inside.len() - inside.trim_start_matches(['+', '-']).len();
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let end = sign + inside[sign..].find(|c| !number(c))?;
    // No exponents and no words, as `inf`; two signs or points are no number.
    let value: f64 = inside[..end].parse().ok()?;
    let after = inside[end..].trim_start().strip_prefix(')')?;
    Some((value.clamp(-MOST, MOST), rest.len() - after.len()))
}

#[derive(Clone, Copy)]
enum Kind {
    Round,
    Square,
}

#[derive(Default)]
struct Parser {
    /// None for a break.
    parts: Vec<(Option<String>, f64)>,
    /// What was read since the last bracket.
    text: String,
    /// For both kinds, the part that each open bracket stands before. They need not nest.
    open: [Vec<usize>; 2],
}

impl Parser {
    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts.push((Some(std::mem::take(&mut self.text)), 1.0));
        }
    }

    fn is_open(&self, kind: Kind) -> bool {
        !self.open[kind as usize].is_empty()
    }

    fn open(&mut self, kind: Kind) {
        self.flush();
        self.open[kind as usize].push(self.parts.len());
    }

    fn close(&mut self, kind: Kind, factor: f64) {
        self.flush();
        if let Some(from) = self.open[kind as usize].pop() {
            for (_, weight) in &mut self.parts[from..] {
                *weight = (*weight * factor).clamp(-MOST, MOST);
            }
        }
    }

    fn finish(mut self) -> Vec<Part> {
        while self.is_open(Kind::Round) {
            self.close(Kind::Round, BRACKET);
        }
        while self.is_open(Kind::Square) {
            self.close(Kind::Square, 1.0 / BRACKET);
        }
        self.flush();
        let mut all: Vec<Part> = Vec::new();
        for (text, weight) in self.parts {
            let weight = weight as f32;
            match (text, all.last_mut()) {
                (None, _) => all.push(Part::Break),
                (Some(text), Some(Part::Text(last, same))) if *same == weight => {
                    last.push_str(&text);
                }
                (Some(text), _) => all.push(Part::Text(text, weight)),
            }
        }
        all
    }
}

/// What stands around and behind the words of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The token before the words.
    pub start: u32,
    /// The token behind them.
    pub end: u32,
    /// What fills the chunk behind the end.
    pub pad: u32,
    /// Tokens of a chunk, 3 or more: 77, of which 75 are words.
    pub length: usize,
}

/// What a text encoder takes at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// As many as the frame is long: the start, words, the end, padding.
    pub tokens: Vec<u32>,
    /// The weight of each; 1 for all but words.
    pub weights: Vec<f32>,
}

impl Chunk {
    /// The chunk of a prompt that says nothing.
    pub fn empty(frame: &Frame) -> Self {
        Self::new(frame, &[])
    }

    fn new(frame: &Frame, words: &[(u32, f32)]) -> Self {
        let mut tokens = vec![frame.start];
        let mut weights = vec![1.0];
        tokens.extend(words.iter().map(|(token, _)| token));
        weights.extend(words.iter().map(|(_, weight)| weight));
        tokens.push(frame.end);
        tokens.resize(frame.length, frame.pad);
        weights.resize(frame.length, 1.0);
        Self { tokens, weights }
    }
}

/// Cuts a prompt into chunks, at least one: a new one begins when one is full, wherever in a sentence
/// that is, and at a [`Part::Break`] unless nothing stands before it.
///
/// # Errors
/// Those of `tokenize`, which gives a text's tokens without start and end.
pub fn chunks(
    parts: &[Part],
    frame: &Frame,
    tokenize: impl Fn(&str) -> Result<Vec<u32>>,
) -> Result<Vec<Chunk>> {
    let most = frame.length.saturating_sub(2).max(1);
    let (mut all, mut words) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(text, weight) => {
                for token in tokenize(text)? {
                    if words.len() == most {
                        all.push(Chunk::new(frame, &words));
                        words.clear();
                    }
                    words.push((token, *weight));
                }
            }
            Part::Break if !words.is_empty() => {
                all.push(Chunk::new(frame, &words));
                words.clear();
            }
            Part::Break => {}
        }
    }
    if !words.is_empty() || all.is_empty() {
        all.push(Chunk::new(frame, &words));
    }
    Ok(all)
}

/// Multiplies each token's embedding by its weight, then all by what brings their mean back to what it
/// was: AUTOMATIC1111's "original" emphasis, chunk by chunk. `hidden` is `[tokens, channels]`.
///
/// Weights that are all 1 change nothing, to the last bit. Where the mean cannot be brought back,
/// since it has become 0, it is left.
pub fn weigh(hidden: &mut [f32], weights: &[f32]) {
    if weights.is_empty() || weights.iter().all(|w| *w == 1.0) {
        return;
    }
    let sum = |values: &[f32]| values.iter().map(|v| f64::from(*v)).sum::<f64>();
    let channels = hidden.len() / weights.len();
    let before = sum(hidden);
    for (row, weight) in hidden.chunks_exact_mut(channels.max(1)).zip(weights) {
        row.iter_mut().for_each(|v| *v *= weight);
    }
    let factor = before / sum(hidden);
    if factor.is_finite() {
        hidden
            .iter_mut()
            .for_each(|v| *v = (f64::from(*v) * factor) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(prompt: &str) -> String {
        let parts = parse(prompt).into_iter().map(|part| match part {
            Part::Text(text, weight) => format!("{text}·{weight:.3}"),
            Part::Break => "/".into(),
        });
        parts.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn every_text_has_a_meaning() {
        for (prompt, want) in [
            ("", ""),
            ("()[]", ""),
            ("a", "a·1.000"),
            ("(a)", "a·1.100"),
            ("((a))", "a·1.210"),
            ("[a]", "a·0.909"),
            ("(a:1.5)", "a·1.500"),
            ("((a:1.5))", "a·1.650"),
            ("(a: .5 )b", "a·0.500|b·1.000"),
            ("(a:-2)", "a·-2.000"),
            ("(a:0)b", "a·0.000|b·1.000"),
            ("(a:+-2)", "a:+-2·1.100"),
            ("(a:inf)", "a:inf·1.100"),
            ("(a:1e3)", "a:1e3·1.100"),
            ("(a:.)", "a:.·1.100"),
            ("(a:1:2)", "a:1·2.000"),
            ("(a:9999999999999999999999999)", "a·100.000"),
            ("a:1.5", "a:1.5·1.000"),
            ("a:1.5)", "a:1.5)·1.000"),
            ("[a:1.5]", "a:1.5·0.909"),
            ("a) b] (c", "a) b] ·1.000|c·1.100"),
            ("(a [b) c]", "a ·1.100|b·1.000| c·0.909"),
            (r"\(a\) \[b\] \\ \c \", r"(a) [b] \ \c \·1.000"),
            ("(a)(b)", "ab·1.100"),
            ("(ü猫:1.5)🙂", "ü猫·1.500|🙂·1.000"),
            ("BREAK", "/"),
            ("(a BREAK b:2)", "a ·2.000|/| b·2.000"),
            ("BREAKFAST aBREAK BREAK_", "BREAKFAST aBREAK BREAK_·1.000"),
        ] {
            assert_eq!(brief(prompt), want, "{prompt}");
        }
        // 1.1^200 and more.
        assert_eq!(
            brief(&"(".repeat(200).replace('(', "(a"))
                .rsplit('·')
                .next(),
            Some("100.000")
        );
        parse(&"([".repeat(2000));
    }

    #[test]
    fn chunks_are_full_framed_and_at_least_one() {
        let frame = Frame {
            start: 100,
            end: 101,
            pad: 7,
            length: 5,
        };
        let letters = |text: &str| Ok(text.bytes().map(u32::from).collect());
        let cut = |parts: &[Part]| -> Vec<Vec<u32>> {
            let all = chunks(parts, &frame, letters).unwrap();
            assert!(all.iter().all(|c| c.weights.len() == 5));
            all.into_iter().map(|c| c.tokens).collect()
        };
        let text = |t: &str| Part::Text(t.into(), 1.0);
        let empty = vec![100, 101, 7, 7, 7];
        assert_eq!(cut(&[]), std::slice::from_ref(&empty));
        assert_eq!(cut(&[Part::Break, Part::Break]), [empty]);
        assert_eq!(cut(&[text("\x01\x02\x03")]), [[100, 1, 2, 3, 101]]);
        assert_eq!(
            cut(&[text("\x01\x02"), text("\x03\x04")]),
            [[100, 1, 2, 3, 101], [100, 4, 101, 7, 7]]
        );
        assert_eq!(
            cut(&[
                Part::Break,
                text("\x01"),
                Part::Break,
                text("\x02"),
                Part::Break
            ]),
            [[100, 1, 101, 7, 7], [100, 2, 101, 7, 7]]
        );
        assert!(cut(&vec![text("abc"); 40]).len() == 40);
    }

    #[test]
    fn weights_keep_the_mean() {
        let start = [1.0f32, 2.0, 3.0, -1.0, 0.5, 4.0];
        let mut hidden = start;
        weigh(&mut hidden, &[1.0; 3]);
        assert_eq!(hidden, start);
        weigh(&mut hidden, &[1.0, 2.0, 0.0]);
        // 1, 2, 6, −2, 0, 0 have 7 together, and had 9.5.
        for (got, want) in hidden.iter().zip([1.0, 2.0, 6.0, -2.0, 0.0, 0.0]) {
            assert!((f64::from(*got) - want * 9.5 / 7.0).abs() < 1e-6);
        }
        let mut none = [1.0, 1.0];
        weigh(&mut none, &[0.0, 0.0]);
        assert_eq!(none, [0.0, 0.0]);
        weigh(&mut [], &[2.0]);
        weigh(&mut [], &[]);
    }
}
