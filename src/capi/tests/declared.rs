//! What the header declares.

use std::collections::BTreeSet;

/// The functions of a header's text.
pub fn functions(header: &str) -> BTreeSet<String> {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '('))
        .filter_map(|word| word.split_once('('))
        .filter(|(name, _)| name.starts_with("mend_"))
        .map(|(name, _)| name.to_owned())
        .collect()
}
