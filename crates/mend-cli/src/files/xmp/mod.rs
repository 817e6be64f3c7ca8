//! XMP: taking out of a packet what may show an earlier state of the picture, or announces parts of
//! the file that do. All else stays byte for byte.
//!
//! Source: ISO 16684-1:2019 (XMP data model and serialisation); Adobe, XMP Specification Part 3
//! (2020), section 1.1.3 (extended XMP in JPEG); Google, Dynamic Depth 1.0 and Motion Photo 1.0;
//! Adobe, Gain Map Specification 1.0.
#![forbid(unsafe_code)]

use super::hidden::{holds_data, holds_picture};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{QName, ResolveResult};
use quick_xml::{NsReader, escape};
use std::ops::Range;

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const META: &str = "adobe:ns:meta/";
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Elements inside one another, at most.
const MAX_DEPTH: usize = 64;
/// Characters of a property of an unknown kind, at most: too few for a picture.
const UNKNOWN: usize = 1024;
/// Characters of what is no property, at most.
const FRAME: usize = 512;

/// Namespaces that hold pictures, or say where in the file further ones are: thumbnails, extended
/// XMP's link, Google's images, depth and containers, gain maps of Adobe and Apple.
const BARRED: &[&str] = &[
    "http://ns.adobe.com/xap/1.0/g/img/",
    "http://ns.adobe.com/xmp/note/",
    "http://ns.google.com/photos/1.0/image/",
    "http://ns.google.com/photos/1.0/depthmap/",
    "http://ns.google.com/photos/1.0/audio/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/dd/1.0/",
    "http://ns.adobe.com/hdr-gain-map/",
    "http://ns.apple.com/HDRGainMap/",
    "http://ns.apple.com/pixeldatainfo/",
];
/// Single properties of the same kind, by their local names' beginnings: namespaces that also say
/// harmless things.
const BARRED_NAMES: &[&str] = &[
    "Thumbnail",
    "MicroVideo",
    "MotionPhoto",
    "Pantry",
    // Of a C2PA manifest.
    "provenance",
    "hdrp_makernote",
    "shot_log_data",
];

/// Namespaces whose properties may be of any length as long as they are no data.
const KNOWN: &[&str] = &[
    "http://purl.org/dc/",
    "http://ns.adobe.com/",
    "http://iptc.org/std/",
    "http://ns.useplus.org/",
    "http://www.metadataworkinggroup.com/",
    "http://cipa.jp/exif/",
    "http://creativecommons.org/ns",
    "http://www.digikam.org/ns/",
    "http://ns.microsoft.com/",
    "http://ns.acdsee.com/",
    "http://darktable.sf.net/",
    "http://www.gimp.org/",
    "http://www.w3.org/",
];

/// A packet without what may show the past.
#[derive(Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// `None` where nothing is left to say.
    pub packet: Option<Vec<u8>>,
    /// Names of the properties that went.
    pub dropped: Vec<String>,
}

/// Cleans `packet`; `None` where it is no XMP that can be read, so that nobody knows what is in it.
pub fn cleaned(packet: &[u8]) -> Option<Cleaned> {
    let text = text(packet)?;
    let walk = walk(text)?;
    let packet = match walk.kept.is_empty() {
        true => None,
        false => Some(without(text, walk.cuts).into_bytes()),
    };
    Some(Cleaned {
        packet,
        dropped: walk.dropped,
    })
}

/// `packet` with the properties of `extension` among its own; `None` where they cannot be joined.
pub fn joined(packet: &[u8], extension: &[u8]) -> Option<Vec<u8>> {
    let (main, more) = (text(packet)?, text(extension)?);
    let (to, from) = (walk(main)?, walk(more)?);
    let mut all = main[..to.end].to_owned();
    for range in from.descriptions {
        all.push_str(&more[range]);
    }
    all.push_str(&main[to.end..]);
    // Prefixes that only the extension's frame declared would mean nothing here.
    walk(&all)?;
    Some(all.into_bytes())
}

/// A clean packet of no more than `most` bytes: the largest properties are left out, and named.
/// `None` where even an empty one is too long.
pub fn shortened(packet: &[u8], most: usize) -> Option<Cleaned> {
    let text = text(packet)?;
    let mut walk = walk(text)?;
    let mut dropped = Vec::new();
    loop {
        let short = without(text, walk.cuts.clone());
        // Room for editing in place is the first to go.
        let short = short.trim_end();
        let short = match short.strip_suffix("?>").and_then(|s| s.rfind("<?xpacket")) {
            Some(at) => [short[..at].trim_end(), &short[at..]].concat(),
            None => short.to_owned(),
        };
        if short.len() <= most {
            return Some(Cleaned {
                packet: Some(short.into_bytes()),
                dropped,
            });
        }
        let largest = (0..walk.kept.len()).max_by_key(|i| walk.kept[*i].1.len())?;
        let (name, range) = walk.kept.swap_remove(largest);
        dropped.push(name);
        walk.cuts.push(range);
    }
}

fn text(packet: &[u8]) -> Option<&str> {
    let packet = packet.strip_prefix(b"\xef\xbb\xbf").unwrap_or(packet);
    let end = packet.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
    std::str::from_utf8(&packet[..end]).ok()
}

fn without(text: &str, mut cuts: Vec<Range<usize>>) -> String {
    cuts.sort_by_key(|cut| cut.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for cut in cuts {
        if cut.start > at {
            out.push_str(&text[at..cut.start]);
        }
        at = at.max(cut.end);
    }
    out.push_str(&text[at.min(text.len())..]);
    out
}

/// What an element is in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// `x:xmpmeta`.
    Meta,
    /// `rdf:RDF`.
    Rdf,
    /// An `rdf:Description` right below.
    Description,
    /// A property, or inside one.
    Property,
    /// Anything else.
    Foreign,
}

/// The property that is being read.
struct Property {
    name: String,
    start: usize,
    depth: usize,
    known: bool,
    barred: bool,
    values: String,
}

/// What a way through a packet found.
#[derive(Default)]
struct Walk {
    /// Stretches that have to go.
    cuts: Vec<Range<usize>>,
    /// Properties that may stay, with their stretches.
    kept: Vec<(String, Range<usize>)>,
    dropped: Vec<String>,
    descriptions: Vec<Range<usize>>,
    /// Where `</rdf:RDF>` stands.
    end: usize,
}

fn walk(text: &str) -> Option<Walk> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut walk = Walk::default();
    let mut stack: Vec<(Place, usize)> = Vec::new();
    let mut property: Option<Property> = None;
    let mut seen = false;
    loop {
        let start = usize::try_from(reader.buffer_position()).ok()?;
        let event = reader.read_event().ok()?;
        let span = start..usize::try_from(reader.buffer_position()).ok()?;
        match event {
            Event::Start(e) => {
                let place = place(&reader, &e, stack.last().map(|(p, _)| *p), &mut seen)?;
                if stack.len() >= MAX_DEPTH {
                    return None;
                }
                stack.push((place, start));
                if let (Place::Property, None) = (place, &property) {
                    property = Some(Property {
                        name: e.name().0.to_owned(),
                        start,
                        depth: stack.len(),
                        known: false,
                        barred: false,
                        values: String::new(),
                    });
                    if let Some(p) = &mut property {
                        p.known = is_known(&namespace(&reader, e.name(), true)?);
                    }
                }
                match &mut property {
                    Some(p) => inner(&reader, &e, p)?,
                    None if place != Place::Foreign => outer(&reader, &e, text, &mut walk)?,
                    None => {}
                }
            }
            Event::End(_) => {
                let (place, from) = stack.pop()?;
                match place {
                    Place::Property if property.as_ref()?.depth == stack.len() + 1 => {
                        walk.settle(property.take()?, span.end);
                    }
                    Place::Foreign if stack.last().is_none_or(|(p, _)| *p != Place::Foreign) => {
                        walk.cut(from..span.end, "what is not a property");
                    }
                    Place::Description => walk.descriptions.push(from..span.end),
                    Place::Rdf => walk.end = start,
                    _ => {}
                }
            }
            Event::Text(t) => match &mut property {
                Some(p) => p.values.push_str(&t),
                None if t.trim().is_empty() => {}
                None => walk.cut(span, "what is not a property"),
            },
            Event::CData(t) => match &mut property {
                Some(p) => p.values.push_str(&t),
                None => walk.cut(span, "what is not a property"),
            },
            Event::GeneralRef(r) => {
                let c = match r.resolve_char_ref().ok()? {
                    Some(c) => c.to_string(),
                    None => escape::resolve_predefined_entity(&r)?.to_owned(),
                };
                match &mut property {
                    Some(p) => p.values.push_str(&c),
                    None => walk.cut(span, "what is not a property"),
                }
            }
            // Nothing of a packet stands in comments, and anything may.
            Event::Comment(_) => walk.cut(span, "comments"),
            Event::PI(_) | Event::Decl(_) if span.len() <= FRAME => {}
            Event::Eof => break,
            // Document types bring entities; long instructions bring anything.
            _ => return None,
        }
    }
    (seen && stack.is_empty()).then_some(walk)
}

impl Walk {
    /// Leaves out a stretch that is no property.
    fn cut(&mut self, range: Range<usize>, what: &str) {
        self.cuts.push(range);
        self.dropped.push(what.to_owned());
    }

    /// Decides on a property that ends at `end`.
    fn settle(&mut self, p: Property, end: usize) {
        let long = !p.known && p.values.chars().count() > UNKNOWN;
        let range = p.start..end;
        if p.barred || long || hides(&p.values) {
            self.dropped.push(p.name);
            self.cuts.push(range);
        } else {
            self.kept.push((p.name, range));
        }
    }
}

fn hides(value: &str) -> bool {
    holds_data(value) || holds_picture(value.as_bytes())
}

/// The namespace of a name; empty where it has none. `None` for a prefix that nobody declared.
fn namespace(reader: &NsReader<&[u8]>, name: QName<'_>, element: bool) -> Option<String> {
    let resolver = reader.resolver();
    let (found, _) = match element {
        true => resolver.resolve_element(name),
        false => resolver.resolve_attribute(name),
    };
    match found {
        ResolveResult::Bound(ns) => Some(ns.0.to_owned()),
        ResolveResult::Unbound => Some(String::new()),
        ResolveResult::Unknown(_) => None,
    }
}

/// What the element `e` below `parent` is. There is one RDF in a packet.
fn place(
    reader: &NsReader<&[u8]>,
    e: &BytesStart<'_>,
    parent: Option<Place>,
    seen: &mut bool,
) -> Option<Place> {
    let ns = namespace(reader, e.name(), true)?;
    let local = e.local_name();
    let local: &str = local.as_ref();
    Some(match parent {
        None if ns == META => Place::Meta,
        None | Some(Place::Meta) if ns == RDF && local == "RDF" && !*seen => {
            *seen = true;
            Place::Rdf
        }
        Some(Place::Rdf) if ns == RDF && local == "Description" => Place::Description,
        Some(Place::Description | Place::Property) => Place::Property,
        _ => Place::Foreign,
    })
}

fn is_barred(ns: &str, local: &str) -> bool {
    BARRED.iter().any(|barred| ns.starts_with(barred))
        || BARRED_NAMES.iter().any(|name| local.starts_with(name))
}

fn is_known(ns: &str) -> bool {
    KNOWN.iter().any(|known| ns.starts_with(known))
}

/// Takes up an element of a property: its own name, and its attributes' names and values.
fn inner(reader: &NsReader<&[u8]>, e: &BytesStart<'_>, p: &mut Property) -> Option<()> {
    let ns = namespace(reader, e.name(), true)?;
    p.barred |= is_barred(&ns, e.local_name().as_ref());
    p.values.push('\n');
    for attribute in e.attributes() {
        let attribute = attribute.ok()?;
        let ns = namespace(reader, attribute.key, false)?;
        p.barred |= is_barred(&ns, attribute.key.local_name().as_ref());
        let value = escape::unescape(&attribute.value).ok()?;
        p.values.push_str(&value);
        p.values.push('\n');
    }
    Some(())
}

/// Takes up an element around properties, whose attributes may be properties themselves.
fn outer(reader: &NsReader<&[u8]>, e: &BytesStart<'_>, text: &str, walk: &mut Walk) -> Option<()> {
    for attribute in e.attributes() {
        let attribute = attribute.ok()?;
        let value = escape::unescape(&attribute.value).ok()?;
        if attribute.key.as_namespace_binding().is_some() {
            if value.len() > FRAME {
                return None;
            }
            continue;
        }
        let ns = namespace(reader, attribute.key, false)?;
        // With the blank before it and the quote behind it.
        let begin = offset(text, attribute.key.0)?.checked_sub(1)?;
        let end = offset(text, &attribute.value)? + attribute.value.len() + 1;
        let name = attribute.key.0.to_owned();
        let frame = [RDF, META, XML, ""].contains(&&*ns);
        let long = value.chars().count() > if frame { FRAME } else { UNKNOWN };
        let barred = is_barred(&ns, attribute.key.local_name().as_ref());
        if barred || (long && !is_known(&ns)) || hides(&value) {
            walk.cuts.push(begin..end);
            walk.dropped.push(name);
        } else if !frame {
            walk.kept.push((name, begin..end));
        }
    }
    Some(())
}

/// Where `part`, a piece of `text`, stands in it.
fn offset(text: &str, part: &str) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (at + part.len() <= text.len()).then_some(at)
}

#[cfg(test)]
mod tests;
