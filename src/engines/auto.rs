//! Which engine `auto` is.
#![forbid(unsafe_code)]

use super::Engine;
use std::path::Path;
use std::sync::Arc;

/// What [`choose`] chose.
pub struct Choice {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// Why this one.
    pub reason: String,
    /// What the user should be told of it.
    pub note: Option<String>,
    /// What is to be taken instead where the memory budget is too small for this one.
    pub instead: Option<Box<Choice>>,
}

/// The engine that takes the least memory: it has no network.
const LEAST: &str = "exemplar";

/// The engine for a request that leaves the choice open and has this prompt; none where there is no
/// engine.
///
/// A prompt asks for what the picture need not show, so that an engine that reads prompts and has its
/// model is taken. Everything else is filled by the first engine, see [`super::all`], and within a memory
/// budget that is too small for it by the one that takes the least.
pub fn choose(
    engines: &[Arc<dyn Engine>],
    prompt: Option<&str>,
    models: Option<&Path>,
) -> Option<Choice> {
    let prompted = prompt.is_some_and(|text| !text.trim().is_empty());
    let reads = |e: &&Arc<dyn Engine>| {
        let params = e.description().params;
        params.iter().any(|p| p.name == "prompt")
    };
    let mut note = None;
    if prompted && let Some(engine) = engines.iter().find(reads) {
        match engine.unavailable(models) {
            None => {
                return Some(Choice {
                    engine: engine.clone(),
                    reason: "a prompt was given, and a model that reads it is there".into(),
                    note,
                    instead: None,
                });
            }
            // The prompt must not be lost in silence.
            Some(why) => note = Some(format!("the prompt was not used: {why}")),
        }
    }
    let least = engines.iter().find(|e| e.description().id == LEAST);
    Some(Choice {
        engine: engines.first()?.clone(),
        reason: "of the engines that need no model its fills are the best".into(),
        instead: least.map(|engine| {
            Box::new(Choice {
                engine: engine.clone(),
                reason: "of the engines that need no model it takes the least memory".into(),
                note: note.clone(),
                instead: None,
            })
        }),
        note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::all;

    #[test]
    fn a_prompt_needs_a_model_that_reads_it() {
        let engines = all();
        let pick = |prompt: &str| {
            let choice = choose(&engines, Some(prompt), None).unwrap();
            (choice.engine.description().id, choice.note)
        };
        assert_eq!(pick(" "), ("rethined", None));
        let (engine, note) = pick("a red boat");
        assert_eq!(engine, "rethined");
        assert!(note.unwrap().starts_with("the prompt was not used: "));
    }
}
