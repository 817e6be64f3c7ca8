//! What a licence asks of whoever uses the model.
#![forbid(unsafe_code)]

use super::manifest::Licence;
use serde_json::{Value as Json, json};

/// What a licence's name says of its terms, in short. It is no advice: the licence itself counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Terms {
    /// For any use.
    Free,
    /// Some uses are forbidden.
    UseRestricted,
    /// No commercial use.
    NonCommercial,
    /// Mend does not know it.
    Unknown,
}

impl Terms {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::UseRestricted => "use-restricted",
            Self::NonCommercial => "non-commercial",
            Self::Unknown => "unknown",
        }
    }
}

/// How the names of licences begin that set no limits to use.
const FREE: [&str; 8] = [
    "mit",
    "apache",
    "bsd",
    "isc",
    "zlib",
    "cc0",
    "cc-by-4",
    "unlicense",
];

impl Licence {
    /// What its name says of its terms.
    pub fn terms(&self) -> Terms {
        let name = self.name.to_lowercase();
        let words = || name.split(|c: char| !c.is_alphanumeric());
        if ["non-commercial", "noncommercial", "non commercial"]
            .iter()
            .any(|n| name.contains(n))
            || words().any(|w| w == "nc" || w == "research")
        {
            Terms::NonCommercial
        } else if words().any(|w| w.contains("rail")) {
            Terms::UseRestricted
        } else if FREE.iter().any(|f| name.starts_with(f)) {
            Terms::Free
        } else {
            Terms::Unknown
        }
    }
}

/// A licence as JSON for dialogs.
pub(super) fn licence_json(licence: Option<&Licence>) -> Json {
    let one = |l: &Licence| {
        let terms = l.terms();
        json!({
            "name": l.name, "url": l.url, "terms": terms.name(), "accept": terms != Terms::Free,
        })
    };
    json!(licence.map(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_forbidden() {
        for (name, want) in [
            ("MIT", Terms::Free),
            ("Apache-2.0", Terms::Free),
            ("CC-BY-4.0", Terms::Free),
            ("CC-BY-NC-4.0", Terms::NonCommercial),
            ("FLUX.1 [dev] Non-Commercial License", Terms::NonCommercial),
            ("MIT, for research only", Terms::NonCommercial),
            ("CreativeML OpenRAIL-M", Terms::UseRestricted),
            ("CreativeML Open RAIL++-M", Terms::UseRestricted),
            ("Somebody's own", Terms::Unknown),
            ("", Terms::Unknown),
        ] {
            let url = String::new();
            let name = name.to_owned();
            assert_eq!(Licence { name, url }.terms(), want);
        }
    }

    #[test]
    fn every_licence_of_the_catalogue_is_known() {
        for model in super::super::known() {
            let terms = model.licence.as_ref().map(Licence::terms);
            assert_ne!(terms, None, "{}", model.id);
            assert_ne!(terms, Some(Terms::Unknown), "{}", model.id);
        }
    }
}
