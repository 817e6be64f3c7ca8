//! The Script-Fu of GIMP 2.10: the dialog of Inpaint and the two one-click actions, written from
//! the library's own description, in the order of arguments that the plug-in declares.
#![forbid(unsafe_code)]

use serde_json::Value as Json;

/// Parameters that the plug-in sets itself, as in plugin-gimp/fill.py.
const OWN: &[&str] = &["result"];
/// Parameters that are arguments of their own, as `PLACED` in plugin-gimp/gimp2/mend-inpaint; the
/// rest goes by name in the last argument, so that a new engine changes no script's call.
const PLACED: &[&str] = &["engine", "seed", "context", "grow", "feather"];
/// GIMP's integers have 32 bits.
const INT_MAX: f64 = 2147483647.0;

struct Field<'a> {
    json: &'a Json,
    name: &'a str,
    /// The label of the one engine that has it; empty: all.
    engine: &'a str,
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or("")
}

fn list<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json[key].as_array().map_or(&[], Vec::as_slice)
}

/// The parameters, the common ones first and each once: the order of plugin-gimp/job.py's fields.
fn fields(about: &Json) -> Vec<Field<'_>> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    let common = list(about, "params").iter().map(|p| (p, ""));
    let own = list(about, "engines")
        .iter()
        .flat_map(|e| list(e, "params").iter().map(move |p| (p, text(e, "label"))));
    for (json, engine) in common.chain(own) {
        let name = text(json, "name");
        if !OWN.contains(&name) && !fields.iter().any(|f| f.name == name) {
            fields.push(Field { json, name, engine });
        }
    }
    fields
}

/// A Scheme string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A number as Scheme and GIMP read it.
fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value}")
    }
}

/// The choices that can be taken here; an engine that cannot run is left out.
fn choices<'a>(field: &Field<'a>, about: &'a Json) -> Vec<(&'a str, &'a str)> {
    let out: Vec<&str> = list(about, "engines")
        .iter()
        .filter(|e| e["available"] == Json::Bool(false))
        .map(|e| text(e, "id"))
        .collect();
    list(field.json, "choices")
        .iter()
        .map(|c| (text(c, "id"), text(c, "label")))
        .filter(|(id, _)| field.name != "engine" || !out.contains(id))
        .collect()
}

/// A parameter's value as an argument of the procedure.
fn argument(field: &Field<'_>, value: &str) -> String {
    match text(field.json, "type") {
        "integer" | "number" => number(value.parse().unwrap_or(0.0)),
        "flag" => if value == "true" { "TRUE" } else { "FALSE" }.to_owned(),
        _ => quoted(value),
    }
}

/// A symbol for a parameter inside the script, which cannot meet one of Scheme's own.
fn symbol(field: &Field<'_>) -> String {
    let safe: String = field
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("mend-{safe}")
}

/// The dialog's widget.
fn widget(field: &Field<'_>, about: &Json) -> String {
    let mut label = text(field.json, "label").to_owned();
    if !field.engine.is_empty() {
        label.push_str(&format!(" ({})", field.engine));
    }
    let label = quoted(&label);
    let default = text(field.json, "default");
    match text(field.json, "type") {
        kind @ ("integer" | "number") => {
            let bound = |key: &str| field.json[key].as_f64().unwrap_or(0.0).min(INT_MAX);
            let (min, max) = (bound("min"), bound("max"));
            let digits = if kind == "integer" { 0 } else { 2 };
            let step = if kind == "integer" {
                1.0
            } else {
                ((max - min) / 100.0).max(0.01)
            };
            // The last 1 asks for a spin button, which suits any range.
            format!(
                "SF-ADJUSTMENT {label} '({default} {} {} {} {} {digits} 1)",
                number(min),
                number(max),
                number(step),
                number(step * 10.0)
            )
        }
        "flag" => format!("SF-TOGGLE {label} {}", argument(field, default)),
        "choice" => {
            let labels: Vec<String> = choices(field, about).iter().map(|c| quoted(c.1)).collect();
            format!("SF-OPTION {label} '({})", labels.join(" "))
        }
        _ => format!("SF-STRING {label} {}", quoted(default)),
    }
}

impl Field<'_> {
    fn place(&self) -> Option<usize> {
        PLACED.iter().position(|name| *name == self.name)
    }
}

/// The parameters that are arguments of their own, in their order.
fn placed<'a>(about: &'a Json) -> Vec<Field<'a>> {
    let mut placed = fields(about);
    placed.retain(|f| f.place().is_some());
    placed.sort_by_key(Field::place);
    placed
}

/// The line of the last argument that tells a parameter: a Scheme expression.
fn told(field: &Field<'_>, about: &Json) -> String {
    let value = handed_on(field, about);
    let value = match text(field.json, "type") {
        "integer" | "number" => format!("(number->string {value})"),
        "flag" => format!("(if (= {value} TRUE) \"true\" \"false\")"),
        _ => value,
    };
    format!("\"{}=\" {value} \"\\n\"", field.name)
}

/// What the dialog hands on for a parameter.
fn handed_on(field: &Field<'_>, about: &Json) -> String {
    let name = symbol(field);
    if text(field.json, "type") != "choice" {
        return name;
    }
    let ids: Vec<String> = choices(field, about).iter().map(|c| quoted(c.0)).collect();
    format!("(list-ref '({}) {name})", ids.join(" "))
}

/// A call of the plug-in with its defaults but for `settings`.
fn call(about: &Json, settings: &[(&str, &str)]) -> String {
    let values: Vec<String> = placed(about)
        .iter()
        .map(|f| {
            let set = settings.iter().find(|(name, _)| *name == f.name);
            argument(f, set.map_or(text(f.json, "default"), |(_, value)| value))
        })
        .collect();
    format!(
        "(plug-in-mend-inpaint RUN-NONINTERACTIVE image drawable \"in-place\" {} \"\")",
        values.join(" ")
    )
}

/// What *Remove object* sets: a little more than what was selected, for objects have rims.
pub const REMOVE: &[(&str, &str)] = &[("grow", "4")];
/// What *Fill quickly* sets: the engine that needs no model, and less of the surroundings.
pub const QUICK: &[(&str, &str)] = &[("engine", "exemplar"), ("context", "32")];

const REGISTERED: &str =
    "\"The Mend authors\" \"The Mend authors\" \"2026\" \"RGB* GRAY* INDEXED*\"
  SF-IMAGE \"Image\" 0 SF-DRAWABLE \"Drawable\" 0";

fn action(name: &str, label: &str, help: &str, call: &str) -> String {
    format!(
        "(define ({name} image drawable)\n  {call})\n\n(script-fu-register {name} {} {}\n  \
         {REGISTERED})\n(script-fu-menu-register {name} \"<Image>/Filters/Enhance\")\n",
        quoted(label),
        quoted(help)
    )
    .replace(
        &format!("(script-fu-register {name}"),
        &format!("(script-fu-register \"{name}\""),
    )
    .replace(
        &format!("(script-fu-menu-register {name}"),
        &format!("(script-fu-menu-register \"{name}\""),
    )
}

/// The whole script.
pub fn script(about: &Json) -> String {
    let fields = fields(about);
    let symbols: Vec<String> = fields.iter().map(symbol).collect();
    let widgets: Vec<String> = fields.iter().map(|f| widget(f, about)).collect();
    let mut handed: Vec<String> = placed(about).iter().map(|f| handed_on(f, about)).collect();
    let rest = fields.iter().filter(|f| f.place().is_none());
    let rest: Vec<String> = rest.map(|f| told(f, about)).collect();
    handed.push(format!("(string-append {})", rest.join("\n          ")));
    let dialog = format!(
        "(define (script-fu-mend-inpaint image drawable {symbols} mend-output mend-only-plan)
  (let ((output (list-ref '(\"in-place\" \"new-layer\") mend-output)))
    (if (= mend-only-plan TRUE)
      (gimp-message (car (plug-in-mend-plan RUN-NONINTERACTIVE image drawable output
        {handed})))
      (plug-in-mend-inpaint RUN-NONINTERACTIVE image drawable output
        {handed}))))

(script-fu-register \"script-fu-mend-inpaint\" \"_Inpaint...\"
  \"Fill the selection so that nobody sees it was filled\"
  {REGISTERED}
  {widgets}
  SF-OPTION \"Result\" '(\"Change the layer\" \"New layer above it\")
  SF-TOGGLE \"Only say what it would take\" FALSE)
(script-fu-menu-register \"script-fu-mend-inpaint\" \"<Image>/Filters/Enhance\")
",
        symbols = symbols.join(" "),
        handed = handed.join("\n        "),
        widgets = widgets.join("\n  "),
    );
    format!(
        "; SPDX-License-Identifier: MIT OR Apache-2.0\n; Written by `mend install gimp` for GIMP \
         2.10; it is written anew by the next one.\n\n{dialog}\n{}\n{}",
        action(
            "script-fu-mend-remove-object",
            "Remove _Object",
            "Fill the selection and a narrow rim around it",
            &call(about, REMOVE)
        ),
        action(
            "script-fu-mend-fill-quickly",
            "Fill _Quickly",
            "Fill the selection from what is close to it",
            &call(about, QUICK)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn about() -> Json {
        json!({
            "params": [
                {"name": "engine", "label": "Engine", "type": "choice", "default": "auto",
                 "choices": [{"id": "auto", "label": "Automatic"}, {"id": "exemplar", "label": "E"},
                             {"id": "big", "label": "Big"}]},
                {"name": "seed", "label": "A \"seed\"", "type": "integer", "default": "0",
                 "min": 0, "max": 4294967295u64},
                {"name": "context", "label": "Context", "type": "extent", "default": "auto"},
                {"name": "grow", "label": "Grow", "type": "integer", "default": "0", "min": 0, "max": 9},
                {"name": "result", "label": "Result", "type": "choice", "default": "image"},
            ],
            "engines": [
                {"id": "exemplar", "label": "E", "available": true, "params": []},
                {"id": "big", "label": "Big", "available": false, "params": [
                    {"name": "guidance", "label": "Guidance", "type": "number", "default": "7.5",
                     "min": 0.0, "max": 20.0},
                    {"name": "tile", "label": "Tile", "type": "flag", "default": "true"}]},
            ],
        })
    }

    #[test]
    fn the_calls_give_every_argument_in_order() {
        assert_eq!(
            call(&about(), REMOVE),
            "(plug-in-mend-inpaint RUN-NONINTERACTIVE image drawable \"in-place\" \"auto\" 0 \
             \"auto\" 4 \"\")"
        );
        assert!(call(&about(), QUICK).contains("\"in-place\" \"exemplar\" 0 \"32\" 0 \"\")"));
    }

    #[test]
    fn the_dialog_offers_what_can_run_and_escapes_what_it_shows() {
        let script = script(&about());
        assert!(
            script.contains("SF-OPTION \"Engine\" '(\"Automatic\" \"E\")"),
            "{script}"
        );
        assert!(
            script.contains("(list-ref '(\"auto\" \"exemplar\") mend-engine)"),
            "{script}"
        );
        assert!(script.contains("SF-ADJUSTMENT \"A \\\"seed\\\"\" '(0 0 2147483647 1 10 0 1)"));
        assert!(script.contains("SF-ADJUSTMENT \"Guidance (Big)\" '(7.5 0 20 0.2 2 2 1)"));
        // What engines bring goes by name.
        assert!(
            script.contains("(string-append \"guidance=\" (number->string mend-guidance) \"\\n\"")
        );
        assert!(script.contains("\"tile=\" (if (= mend-tile TRUE) \"true\" \"false\") \"\\n\")"));
        assert!(
            !script.contains("\"image\""),
            "the plug-in sets 'result' itself"
        );
        // Scheme wants its parentheses even; none stands in a string here.
        let (open, close) = (script.matches('(').count(), script.matches(')').count());
        assert_eq!(open, close, "{script}");
    }
}
