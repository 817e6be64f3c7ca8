//! Servers that lie, names that want out.
#![forbid(unsafe_code)]

use super::server::{Server, head, whole};
use super::{Place, lora, sha256, tree};
use serde_json::json;
use std::fs;
use std::io::Write;

#[test]
fn lies_about_the_size_are_refused() {
    let bytes = lora();
    for (lie, said) in [
        ("shorter", "offers"),
        ("longer", "offers"),
        ("longer in pieces", "sends more than"),
        ("other bytes", "has the SHA-256"),
        ("encoded", "though plain bytes were asked for"),
        ("a part unasked", "a part was sent"),
    ] {
        let (place, sent) = (Place::new(), bytes.clone());
        let server = Server::new(move |request, stream| {
            let mut sent = sent.clone();
            match lie {
                "shorter" => sent.truncate(1_000_000),
                "longer" => sent.extend([0; 1000]),
                "longer in pieces" => {
                    head(stream, "200 OK", &[("Transfer-Encoding", "chunked".into())]);
                    for piece in sent.chunks(100_000).chain([&[0; 10][..]]) {
                        let _ = stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes());
                        let _ = stream.write_all(&[piece, b"\r\n"].concat());
                    }
                    let _ = stream.write_all(b"0\r\n\r\n");
                    return;
                }
                "encoded" => {
                    let length = sent.len().to_string();
                    let headers = [
                        ("Content-Encoding", "gzip".into()),
                        ("Content-Length", length),
                    ];
                    head(stream, "200 OK", &headers);
                }
                "a part unasked" => {
                    let range = format!("bytes 0-{}/{}", sent.len() - 1, sent.len());
                    head(stream, "206 Partial Content", &[("Content-Range", range)]);
                }
                _ => sent[100_000] ^= 1,
            }
            whole(request, stream, &sent, "\"v1\"");
        });
        place.exact(&server.url(), &bytes);
        place.refused(&["a/m.safetensors", said]);
        assert_eq!(place.part(), 0, "{lie}");
    }
}

#[test]
fn redirects_are_followed_where_they_may_lead() {
    let (place, bytes) = (Place::new(), lora());
    let sent = bytes.clone();
    let server = Server::new(move |request, stream| {
        let to = match request.path.as_str() {
            "/m/a/m.safetensors" => "../b?x=1",
            "/m/a/../b?x=1" => "/c",
            _ => return whole(request, stream, &sent, "\"v1\""),
        };
        head(stream, "302 Found", &[("Location", to.into())]);
    });
    place.exact(&format!("{}/m", server.url()), &bytes);
    assert_eq!(place.fetch(&[]).code, 0);
    assert_eq!(place.fetched(), bytes);

    for (to, said) in [
        ("/again", "redirects more than 10 times"),
        ("ftp://127.0.0.1/x", "redirects to where Mend does not go"),
        ("file:///etc/passwd", "redirects to where Mend does not go"),
        ("http://user:secret@127.0.0.1/", "a name or a password"),
    ] {
        let place = Place::new();
        let server = Server::new(move |_, stream| {
            head(stream, "301 Moved", &[("Location", to.into())]);
        });
        place.exact(&server.url(), &bytes);
        let run = place.refused(&[said]);
        assert!(!run.stderr.contains("secret"), "{run:?}");
        assert!(server.seen().len() <= 11);
    }
}

#[test]
fn refusals_of_a_server_say_what_to_do() {
    let bytes = lora();
    for (status, said) in [
        ("404 Not Found", "has no such file"),
        ("403 Forbidden", "mend models import"),
        ("451 Unavailable", "status 451"),
        ("503 Busy", "is busy (status 503), 2 times"),
    ] {
        let place = Place::new();
        let server = Server::new(move |_, stream| head(stream, status, &[]));
        place.exact(&server.url(), &bytes);
        place.refused(&[said]);
    }
    let place = Place::new();
    let server = Server::new(|_, stream| {
        head(stream, "429 Too Many", &[("Retry-After", "9000".into())]);
    });
    place.exact(&server.url(), &bytes);
    place.refused(&["asks to wait 9000 s"]);
    // Nobody at all.
    let place = Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    place.exact(&format!("http://127.0.0.1:{port}"), &bytes);
    place.refused(&["does not answer as it should", "2 times"]);
}

#[test]
fn a_login_page_is_no_model() {
    let place = Place::new();
    let server = Server::good(b"<!doctype html><title>Sign in</title>");
    place.catalogue(&server.url(), &json!([{"path": "a/m.safetensors"}]));
    place.refused(&["a web page"]);
    place.catalogue(&server.url(), &json!([{"path": "a/c.json"}]));
    place.refused(&["a web page"]);
}

#[test]
fn what_the_disk_cannot_hold_is_not_begun() {
    let (place, server) = (Place::new(), Server::good(b"x"));
    let file = json!({"path": "a/m.safetensors", "size": 1u64 << 60, "sha256": sha256(b"")});
    place.catalogue(&server.url(), &json!([file]));
    place.refused(&["the disk has", "--models"]);
    assert!(server.seen().is_empty());
}

#[test]
fn names_that_lead_out_are_refused() {
    let server = Server::good(b"{}");
    for path in [
        "../evil.json",
        "a/../../evil.json",
        "/tmp/evil.json",
        "C:/evil.json",
        "C:evil.json",
        "a\\..\\evil.json",
        "a//evil.json",
        "./evil.json",
        ".bashrc",
        "a/.ssh",
        "nul",
        "a/CON.json",
        "a/com1.safetensors",
        "a/LPT9 .json",
        "evil.json\0.png",
        "evil\n.json",
        "evil.json.",
        "evil.json ",
        "e\u{202e}vil.json",
        "mend-model.json",
        "x.part",
        "",
        "a/b/c/d/e.json",
    ] {
        let place = Place::new();
        place.catalogue(&server.url(), &json!([{"path": path}]));
        let run = place.fetch(&[]);
        assert_eq!(run.code, 1, "{path:?}: {run:?}");
        assert!(
            run.stderr.contains("catalog.json: this is not a catalogue"),
            "{run:?}"
        );
        assert_eq!(tree(place.dir.path()), ["catalog.json"], "{path:?}");
    }
    let place = Place::new();
    for files in [
        json!([{"path": "a.json"}, {"path": "A.json"}]),
        json!([{"path": "a"}, {"path": "a/b"}]),
    ] {
        place.catalogue(&server.url(), &files);
        assert_eq!(place.fetch(&[]).code, 1);
    }
    for id in ["../x", "X", "nul", "", ".hidden", "a/b", "a b"] {
        for job in ["path", "remove", "verify"] {
            let run = place.run(&[job, id]);
            assert_ne!(run.code, 0, "{job} {id:?}: {run:?}");
        }
    }
    assert!(server.seen().is_empty());
}

#[test]
#[cfg(unix)]
fn links_in_the_models_folder_are_not_followed() {
    use std::os::unix::fs::symlink;
    let bytes = lora();
    let server = Server::good(&bytes);
    for at in [
        "models/tiny",
        "models/tiny/a",
        "models/tiny/a/m.safetensors",
        "models/tiny/a/m.safetensors.part",
    ] {
        let place = Place::new();
        place.exact(&server.url(), &bytes);
        let outside = place.path("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), b"mine").unwrap();
        let link = place.path(at);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        let to = if at.contains('.') {
            outside.join("file")
        } else {
            outside.clone()
        };
        symlink(to, &link).unwrap();
        let run = place.fetch(&[]);
        assert_eq!(run.code, 1, "{at}: {run:?}");
        assert!(run.stderr.contains("move it away"), "{at}: {run:?}");
        assert_eq!(tree(&outside), ["file"], "{at}");
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"mine");
    }

    // A folder that became a link after the model was installed.
    let place = Place::new();
    place.exact(&server.url(), &bytes);
    assert_eq!(place.fetch(&[]).code, 0);
    fs::rename(place.path("models/tiny/a"), place.path("outside")).unwrap();
    symlink(place.path("outside"), place.path("models/tiny/a")).unwrap();
    let run = place.run(&["verify", "--json"]);
    assert_eq!(run.json()["models"][0]["files"][0]["state"], "odd");
    assert_eq!(place.run(&["remove", "tiny"]).code, 1);
    assert_eq!(tree(&place.path("outside")), ["m.safetensors"]);
}

#[test]
fn a_manifest_from_elsewhere_deletes_nothing_outside() {
    let place = Place::new();
    fs::create_dir_all(place.path("models/evil")).unwrap();
    fs::write(place.path("precious"), b"mine").unwrap();
    let digest = sha256(b"mine");
    for path in ["../../precious", "/etc/passwd"] {
        let manifest = json!({
            "format": 1, "id": "evil", "kind": "lora", "base": "any", "source": "x",
            "installed": "2026-01-01T00:00:00Z",
            "files": [{"path": path, "size": 4, "sha256": digest, "trust": "local"}],
        });
        fs::write(
            place.path("models/evil/mend-model.json"),
            manifest.to_string(),
        )
        .unwrap();
        for job in ["remove", "verify", "path"] {
            let run = place.run(&[job, "evil"]);
            assert_eq!(run.code, 1, "{run:?}");
            assert!(run.stderr.contains("the manifest is damaged"), "{run:?}");
        }
        assert_eq!(
            place.ok(&["list", "--json"]).json()["models"][0]["state"],
            "broken"
        );
    }
    assert_eq!(fs::read(place.path("precious")).unwrap(), b"mine");
}
