//! Tests of cleaning XMP.
#![forbid(unsafe_code)]

use super::*;

const HEAD: &str = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
    <x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"some toolkit\"><rdf:RDF \
    xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">";
const TAIL: &str = "</rdf:RDF></x:xmpmeta>\n     \n<?xpacket end=\"w\"?>";

fn packet(attributes: &str, inside: &str) -> String {
    format!(
        "{HEAD}<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
         xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" xmlns:my=\"http://example.org/mine/\" \
         xmlns:g=\"http://ns.adobe.com/xap/1.0/g/img/\" \
         xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" \
         xmlns:GCamera=\"http://ns.google.com/photos/1.0/camera/\" {attributes}>{inside}\
         </rdf:Description>{TAIL}"
    )
}

fn kept(text: &str) -> (String, Vec<String>) {
    let done = cleaned(text.as_bytes()).unwrap();
    let packet = done.packet.unwrap_or_default();
    (String::from_utf8(packet).unwrap(), done.dropped)
}

const TITLE: &str = "<dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">A &amp; B &#x2713;</rdf:li>\
                     </rdf:Alt></dc:title>";

#[test]
fn a_packet_without_pictures_stays_as_it_is() {
    let text = packet("xmp:Rating=\"4\" my:note=\"short\"", TITLE);
    assert_eq!(kept(&text), (text.clone(), vec![]));
    // So does one with other padding, or none of the frame.
    let bare = &text[text.find("<x:").unwrap()..text.find("\n     ").unwrap()];
    assert_eq!(kept(bare), (bare.to_owned(), vec![]));
}

#[test]
fn pictures_and_what_announces_them_go_and_the_rest_stays() {
    let data = "QUJD".repeat(100);
    let plain = packet("xmp:Rating=\"4\"", TITLE);
    for (attributes, inside, name) in [
        (
            "",
            format!(
                "<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType='Resource'><g:image>{data}</g:image></rdf:li></rdf:Alt></xmp:Thumbnails>"
            ),
            "xmp:Thumbnails",
        ),
        (
            "",
            "<my:a><rdf:Bag><rdf:li g:format='JPEG'/></rdf:Bag></my:a>".into(),
            "my:a",
        ),
        ("", format!("<my:a>{data}</my:a>"), "my:a"),
        ("", format!("<my:a><![CDATA[{data}]]></my:a>"), "my:a"),
        (
            "",
            format!("<my:a>{}</my:a>", "words, ".repeat(200)),
            "my:a",
        ),
        (
            "",
            format!(
                "<dc:subject>{}</dc:subject>",
                data.replace("QUJDQUJDQUJDQUJDQUJD", "QUJDQUJDQUJDQUJDQUJD&#65;")
            ),
            "dc:subject",
        ),
        (
            "",
            "<GCamera:MicroVideoOffset>9</GCamera:MicroVideoOffset>".into(),
            "GCamera:MicroVideoOffset",
        ),
        (" hdrgm:Version=\"1.0\"", String::new(), "hdrgm:Version"),
        (
            " GCamera:MotionPhoto='1'",
            String::new(),
            "GCamera:MotionPhoto",
        ),
    ] {
        let text = packet(
            &format!("xmp:Rating=\"4\"{attributes}"),
            &format!("{inside}{TITLE}"),
        );
        assert_eq!(kept(&text), (plain.clone(), vec![name.to_owned()]));
    }
    let (gone, _) = kept(&packet("hdrgm:Version=\"1.0\"", ""));
    assert_eq!(gone, "");
}

#[test]
fn nothing_hides_outside_the_properties() {
    let data = "QUJD".repeat(100);
    let plain = packet("xmp:Rating=\"4\"", TITLE);
    for foreign in [
        format!("<!-- {data} -->"),
        format!("<my:x xmlns:my='u'>{data}<my:y/></my:x>"),
        data.clone(),
    ] {
        let text = plain.replace("</rdf:RDF>", &format!("{foreign}</rdf:RDF>"));
        assert_eq!(kept(&text).0, plain);
    }
    for bad in [
        format!("<!DOCTYPE x [<!ENTITY e '{data}'>]>{plain}"),
        plain.replace("xmlns:my=\"http:", &format!("xmlns:my=\"{data}{data}http:")),
        plain.replace("A &amp; B", "&e;"),
        plain.replace("</dc:title>", ""),
        plain.replace("<dc:", "<undeclared:"),
        "no XML".into(),
        String::new(),
    ] {
        assert_eq!(cleaned(bad.as_bytes()), None, "{bad}");
    }
    assert_eq!(cleaned(b"\xff\xfe<\0"), None);
}

#[test]
fn an_extension_is_joined_and_a_long_packet_shortened() {
    let main = packet("xmp:Rating=\"4\"", "");
    let all = joined(main.as_bytes(), packet("", TITLE).as_bytes()).unwrap();
    let (text, dropped) = kept(std::str::from_utf8(&all).unwrap());
    assert!(text.contains(TITLE) && text.contains("Rating") && dropped.is_empty());
    let long = packet(
        "xmp:Rating=\"4\"",
        &TITLE.replace("A ", &"word ".repeat(900)),
    );
    let short = shortened(long.as_bytes(), 2000).unwrap();
    assert_eq!(short.dropped, ["dc:title"]);
    let short = String::from_utf8(short.packet.unwrap()).unwrap();
    assert!(short.len() <= 2000 && short.contains("Rating"));
    assert_eq!(shortened(long.as_bytes(), 100), None);
}

#[test]
fn hostile_packets_are_survived() {
    let good = packet("xmp:Rating=\"4\" hdrgm:Version=\"1\"", TITLE);
    for i in 0..good.len() {
        for v in [b'<', b'"', b'&', 0xff] {
            let mut bad = good.clone().into_bytes();
            bad[i] = v;
            let _ = cleaned(&bad);
            let _ = joined(&bad, good.as_bytes());
        }
        let _ = cleaned(&good.as_bytes()[..i]);
    }
    assert_eq!(cleaned("<a>".repeat(100_000).as_bytes()), None);
}
