//! What of a request an engine leaves unused or reads otherwise than it may be meant.
#![forbid(unsafe_code)]

use crate::engines::EngineDescription;
use crate::params::ParamSpec;
use crate::request::{EngineParam, Request, common_params, engine_params};

/// The parameters whose text a model reads.
const PROMPTS: [&str; 2] = ["prompt", "negative-prompt"];

/// Notes on what was set and does nothing with this engine, or something else; `prompt_told`: the prompt
/// is spoken of already.
pub fn of(request: &Request, engine: &EngineDescription, prompt_told: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let unused = unused(request, &engine.params);
    let names: Vec<&str> = unused
        .into_iter()
        .filter(|name| !(prompt_told && *name == "prompt"))
        .collect();
    if !names.is_empty() {
        notes.push(format!(
            "not used, for the engine {} has no such parameter: {}",
            engine.id,
            names.join(", ")
        ));
    }
    for name in PROMPTS {
        let read = engine.params.iter().any(|spec| spec.name == name);
        if let Some(text) = request.value(name).filter(|_| read) {
            notes.extend(foreign_words(text).map(|what| format!("parameter '{name}': {what}")));
        }
    }
    notes
}

/// What is to be said of the guide mask of `request`, which the engine called `id` continues or does not.
pub fn of_guide(request: &Request, id: &str, continued: bool) -> Option<String> {
    let unused = request.guide().is_some() && !continued;
    unused.then(|| format!("the guide mask is not used: the engine {id} continues no lines"))
}

/// The parameters that were set to something else than their default and that the engine has not.
fn unused(request: &Request, own: &[ParamSpec]) -> Vec<&'static str> {
    let common = common_params();
    let known = |name: &str| own.iter().chain(&common).any(|spec| spec.name == name);
    let others = engine_params();
    // What is at its default says nothing.
    let at_default = |param: &EngineParam, value: &str| {
        let mut specs = param.specs.iter().map(|(_, spec)| spec);
        specs.any(|spec| spec.parse(value) == spec.parse(spec.default))
    };
    let silent = |name: &str, value: &str| {
        let mut others = others.iter();
        others.any(|param| param.name == name && at_default(param, value))
    };
    request
        .values()
        .filter(|(name, value)| !known(name) && !silent(name, value))
        .map(|(name, _)| name)
        .collect()
}

/// Of other programs' prompts the parts that are words here.
fn foreign_words(prompt: &str) -> impl Iterator<Item = String> {
    let mut notes = Vec::new();
    let mut rest = prompt;
    while let Some((_, from)) = rest.split_once('<') {
        let Some((inside, after)) = from.split_once('>') else {
            break;
        };
        rest = after;
        notes.push(angles(inside));
    }
    let words: Vec<&str> = prompt.split_whitespace().collect();
    if words
        .iter()
        .skip(1)
        .rev()
        .skip(1)
        .any(|word| *word == "AND")
    {
        notes.push("'AND' is read as a word: prompts are not composed".into());
    }
    for word in words {
        if let Some(name) = word.strip_prefix("embedding:").filter(|n| !n.is_empty()) {
            notes.push(format!(
                "'embedding:{name}' is read as plain words: Mend has no textual inversion"
            ));
        }
    }
    notes.into_iter()
}

/// What `<inside>` is taken for.
fn angles(inside: &str) -> String {
    let (kind, name) = inside.split_once(':').unwrap_or((inside, ""));
    let shown = format!("'<{inside}>' is read as plain words");
    match kind.trim().to_ascii_lowercase().as_str() {
        "lora" | "lyco" if !name.is_empty() => {
            format!("{shown} and loads nothing: name the LoRA by the parameter 'lora', as {name}")
        }
        "hypernet" => format!("{shown} and loads nothing: Mend has no hypernetworks"),
        _ => format!("{shown}: Mend has no textual inversion"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines;

    fn notes(engine: &str, set: &[(&str, &str)]) -> Vec<String> {
        let engines = engines::all();
        let engine = engines::find(&engines, engine).unwrap();
        let mut request = Request::new();
        for (name, value) in set {
            request.set(name, value).unwrap();
        }
        of(&request, &engine.description(), false)
    }

    #[test]
    fn parameters_of_other_engines_are_told() {
        let set = [("steps", "5"), ("prompt", "a boat"), ("grow", "3")];
        let told = notes("exemplar", &set);
        assert_eq!(told.len(), 1, "{told:?}");
        for said in ["exemplar", "steps", "prompt"] {
            assert!(told[0].contains(said), "{told:?}");
        }
        assert!(!told[0].contains("grow"));
        assert_eq!(notes("diffusion", &set), Vec::<String>::new());
        // At its default, that of any engine that has it, a parameter says nothing.
        for default in ["20", "25"] {
            let told = notes("exemplar", &[("steps", default)]);
            assert_eq!(told, Vec::<String>::new());
        }
        let told = notes(
            "rad",
            &[("guidance", "3"), ("steps", "5"), ("detail", "attention")],
        );
        assert!(told[0].ends_with(": guidance, detail"), "{told:?}");
    }

    #[test]
    fn words_of_other_programs_are_told() {
        let told = |prompt| notes("diffusion", &[("prompt", prompt)]);
        let lora = told("a boat <lora:detail:0.8>, <hypernet:x:1>");
        assert_eq!(lora.len(), 2, "{lora:?}");
        assert!(lora[0].contains("<lora:detail:0.8>") && lora[0].contains("as detail:0.8"));
        assert!(told("in the style of <my-cat>")[0].contains("textual inversion"));
        assert!(told("a cat AND a dog")[0].contains("'AND'"));
        assert!(told("embedding:bad-hands")[0].contains("embedding:bad-hands"));
        for plain in [
            "a boat",
            "1 < 2",
            "a (red:1.2) boat",
            "AND gates",
            "[old] man > wife",
        ] {
            assert_eq!(told(plain), Vec::<String>::new(), "{plain}");
        }
        let negative = notes("diffusion", &[("negative-prompt", "<lora:x>")]);
        assert!(negative[0].contains("'negative-prompt'"), "{negative:?}");
    }
}
