//! What does not go on from a file to the one that is written, and the note on it.
#![forbid(unsafe_code)]

/// What of a file did not go on because it may show what was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    things: Vec<String>,
    /// Tags of EXIF or TIFF that are not known.
    tags: Vec<u16>,
    /// Names of XMP's properties.
    properties: Vec<String>,
}

/// Names that a note lists before it only counts.
const LISTED: usize = 6;
/// Characters of a name that a note shows.
const NAME: usize = 40;

impl Dropped {
    /// Adds a thing, such as `the maker's notes`.
    pub fn add(&mut self, what: &str) {
        if !self.things.iter().any(|thing| thing == what) {
            self.things.push(what.to_owned());
        }
    }

    /// Adds a tag: as the thing `what`, or by its number where that is empty.
    pub fn tag(&mut self, what: &str, tag: u16) {
        if !what.is_empty() {
            self.add(what);
        } else if !self.tags.contains(&tag) {
            self.tags.push(tag);
        }
    }

    /// Adds a property of XMP by its name.
    pub fn property(&mut self, name: &str) {
        let name: String = name.chars().take(NAME).collect();
        if !self.properties.contains(&name) {
            self.properties.push(name);
        }
    }

    /// All of it as a sentence on the file called `name`; `None` where nothing was dropped.
    pub fn note(&self, name: &str) -> Option<String> {
        let mut all = self.things.clone();
        let tags: Vec<String> = self.tags.iter().map(|t| format!("{t:#06x}")).collect();
        for (kind, names) in [("tags", &tags), ("XMP's", &self.properties)] {
            if !names.is_empty() {
                let shown = names[..names.len().min(LISTED)].join(", ");
                let more = match names.len().saturating_sub(LISTED) {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                };
                all.push(format!("{kind} {shown}{more}"));
            }
        }
        if all.is_empty() {
            return None;
        }
        Some(format!(
            "{name}: left out, because it may show what was removed: {}",
            all.join("; ")
        ))
    }
}
