//! Addresses: enough of RFC 3986 for downloads and their redirects.
#![forbid(unsafe_code)]

use crate::error::{Error, ErrorKind, Result};

/// An address of http or https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub https: bool,
    /// Host and port.
    pub authority: String,
    /// Path and query, from the slash on.
    pub path: String,
}

fn wrong(text: &str, what: &str) -> Error {
    let shown: String = text.chars().take(200).filter(|c| !c.is_control()).collect();
    Error::new(ErrorKind::Argument, format!("the address '{shown}' {what}"))
}

impl Url {
    /// Reads an absolute address.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`].
    pub fn parse(text: &str) -> Result<Self> {
        let odd = |c: char| !c.is_ascii_graphic() || "\\\"<>^`{|}".contains(c);
        if text.chars().any(odd) || text.len() > 8000 {
            return Err(wrong(text, "has a character that no address has"));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong(text, "does not begin with https:// or http://")),
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            // It would end up in manifests and messages.
            let what = "has a name or a password in it; give one without";
            return Err(wrong("…", what));
        }
        if authority.is_empty() {
            return Err(wrong(text, "names no host"));
        }
        let path = match path.strip_prefix('?') {
            Some(_) => format!("/{path}"),
            None if path.is_empty() => "/".into(),
            None => path.to_owned(),
        };
        Ok(Self {
            https,
            authority: authority.to_owned(),
            path,
        })
    }

    /// Where a redirect from here to `to` leads.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn join(&self, to: &str) -> Result<Self> {
        // A colon before any slash makes a scheme.
        let colon = to
            .find(':')
            .filter(|at| !to[..*at].contains(['/', '?', '#']));
        if colon.is_some() {
            return Self::parse(to);
        }
        let scheme = if self.https { "https" } else { "http" };
        if to.starts_with("//") {
            return Self::parse(&format!("{scheme}:{to}"));
        }
        let path = if to.starts_with('/') {
            to.to_owned()
        } else {
            let own = self.path.split('?').next().unwrap_or("/");
            let folder = own.rfind('/').map_or("/", |at| &own[..=at]);
            format!("{folder}{to}")
        };
        Self::parse(&format!("{scheme}://{}{path}", self.authority))
    }

    /// A file below here; its name is one of the catalogue's.
    pub fn below(&self, path: &str) -> Self {
        let escaped: String = path
            .chars()
            .flat_map(|c| {
                let plain = c.is_ascii_alphanumeric() || "/-._~".contains(c);
                let text = if plain {
                    c.to_string()
                } else {
                    format!("%{:02X}", u32::from(c))
                };
                text.chars().collect::<Vec<_>>()
            })
            .collect();
        Self {
            path: format!("{}/{escaped}", self.path.trim_end_matches('/')),
            ..self.clone()
        }
    }

    /// The host without its port.
    pub fn host(&self) -> &str {
        match self
            .authority
            .strip_prefix('[')
            .and_then(|a| a.split_once(']'))
        {
            Some((six, _)) => six,
            None => self.authority.split(':').next().unwrap_or(""),
        }
    }

    /// Whether it is this machine.
    pub fn local(&self) -> bool {
        matches!(self.host(), "localhost" | "127.0.0.1" | "::1")
    }

    /// Scheme and host: a redirect's path may hold a signature, which is nobody's business.
    pub fn origin(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_they_say() {
        let base = Url::parse("https://a.example:8443/m/r/unet/x.bin?download=true").unwrap();
        for (to, want) in [
            (
                "https://cdn.example/y?sig=1#f",
                "https://cdn.example/y?sig=1",
            ),
            ("//cdn.example/y", "https://cdn.example/y"),
            ("/y", "https://a.example:8443/y"),
            ("y", "https://a.example:8443/m/r/unet/y"),
            ("http://a.example", "http://a.example/"),
            ("/y:z", "https://a.example:8443/y:z"),
        ] {
            assert_eq!(base.join(to).unwrap().to_string(), want);
        }
        for to in [
            "ftp://a/",
            "file:///etc/passwd",
            "https://u:p@a/",
            "https://",
            "javascript:x",
            "a b",
        ] {
            assert!(base.join(to).is_err(), "{to}");
        }
        assert!(!base.below("u net/ä").path.contains(' '));
        assert_eq!(Url::parse("http://[::1]:80/").unwrap().host(), "::1");
    }
}
