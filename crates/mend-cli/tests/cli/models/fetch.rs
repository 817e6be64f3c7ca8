//! Fetching: what goes wrong on the way, and what is there in the end.
#![forbid(unsafe_code)]

use super::server::{Server, head, opening, silence, whole};
use super::{FETCH, Place, lora, sha256, tree};
use crate::support::Run;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_model_comes_whole_and_is_told_of() {
    let (place, bytes) = (Place::new(), lora());
    let config = b"{\"a\": 1}".to_vec();
    let sent = (bytes.clone(), config.clone());
    let server = Server::new(move |request, stream| {
        let bytes = if request.path.ends_with("json") {
            &sent.1
        } else {
            &sent.0
        };
        whole(request, stream, bytes, "\"v1\"");
    });
    let files = json!([
        {"path": "a/m.safetensors", "size": bytes.len(), "sha256": sha256(&bytes)},
        {"path": "config.json"},
    ]);
    place.catalogue(&format!("{}/r/main", server.url()), &files);
    let run = place.fetch(&[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stdout
            .contains("Licence: Test-1.0, https://example.org/licence"),
        "{run:?}"
    );
    assert!(
        run.stdout
            .contains("No published SHA-256 is known for config.json"),
        "{run:?}"
    );
    assert!(run.stderr.contains("\"event\":\"progress\""), "{run:?}");
    let models = place.path("models");
    assert_eq!(
        tree(&models),
        [
            "tiny/a/m.safetensors",
            "tiny/config.json",
            "tiny/mend-model.json"
        ]
    );
    assert_eq!(place.fetched(), bytes);
    let paths: Vec<_> = server.seen().iter().map(|r| r.path.clone()).collect();
    assert_eq!(paths, ["/r/main/a/m.safetensors", "/r/main/config.json"]);
    assert_eq!(server.seen()[0].header("accept-encoding"), Some("identity"));

    // A second fetch looks at what is there and asks nobody.
    let json = place.fetch(&["--json"]).json();
    assert_eq!(server.seen().len(), 2);
    assert_eq!(json["files"][0]["trust"], "published");
    assert_eq!(json["files"][1]["trust"], "first-use");
    assert_eq!(json["files"][1]["sha256"], sha256(&config).as_str());

    let list = place.ok(&["list", "--json"]).json();
    assert_eq!(list["models"][0]["id"], "tiny");
    assert_eq!(list["models"][0]["state"], "installed");
    assert!(place.ok(&["list"]).stdout.contains("sd15-inpainting"));
    assert_eq!(
        place.ok(&["path", "tiny"]).stdout.trim(),
        models.join("tiny/a/m.safetensors").to_str().unwrap()
    );
    place.ok(&["verify"]);

    // What is damaged is found, and a fetch puts it right.
    let mut wrong = bytes.clone();
    wrong[5000] ^= 1;
    fs::write(models.join("tiny/a/m.safetensors"), &wrong).unwrap();
    let run = place.run(&["verify", "--json"]);
    assert_eq!(run.code, 1);
    assert_eq!(run.json()["models"][0]["files"][0]["state"], "hash");
    assert_eq!(run.json()["error"]["kind"], "model");
    assert_eq!(place.fetch(&[]).code, 0);
    assert_eq!(place.fetched(), bytes);

    let run = place.ok(&["remove", "tiny", "--json"]);
    assert_eq!(run.json()["left"], json!([]));
    assert!(!models.join("tiny").exists());
    assert_eq!(place.run(&["remove", "tiny"]).code, 1);
}

#[test]
fn what_breaks_off_goes_on_where_it_stopped() {
    let (place, bytes) = (Place::new(), lora());
    let sent = bytes.clone();
    let server = Server::new(move |request, stream| {
        let rest = opening(request, stream, &sent, "\"v1\"");
        let n = if request.number < 3 {
            rest.len() / 3
        } else {
            rest.len()
        };
        let _ = stream.write_all(&rest[..n]);
    });
    place.exact(&server.url(), &bytes);
    assert_eq!(place.fetch(&["--tries", "2"]).code, 0);
    assert_eq!(place.fetched(), bytes);
    let seen = server.seen();
    let from: Vec<_> = seen.iter().map(super::server::Request::from).collect();
    assert_eq!(from.len(), 4);
    assert!(from[0].is_none() && from[1].is_some() && from[1] < from[2] && from[2] < from[3]);
    assert_eq!(seen[1].header("if-range"), Some("\"v1\""));
}

#[test]
fn a_server_without_ranges_starts_over_and_so_does_a_changed_file() {
    let bytes = lora();
    for behaviour in [
        "no ranges",
        "another tag",
        "another tag, part sent",
        "wrong part",
        "416",
    ] {
        let (place, sent) = (Place::new(), bytes.clone());
        let server = Server::new(move |request, stream| {
            let mut request = request.clone();
            if request.number == 0 {
                let rest = opening(&request, stream, &sent, "\"v1\"");
                let _ = stream.write_all(&rest[..rest.len() / 2]);
                return;
            }
            match behaviour {
                "no ranges" => request.headers.retain(|(name, _)| name != "range"),
                "another tag, part sent" => request.headers.retain(|(name, _)| name != "if-range"),
                "wrong part" if request.from().is_some() => {
                    for (name, value) in &mut request.headers {
                        if name == "range" {
                            *value = "bytes=77-".into();
                        }
                    }
                }
                "416" if request.from().is_some() => {
                    return head(stream, "416 Range Not Satisfiable", &[]);
                }
                _ => {}
            }
            let tag = if behaviour.starts_with("another") {
                "\"v2\""
            } else {
                "\"v1\""
            };
            whole(&request, stream, &sent, tag);
        });
        place.exact(&server.url(), &bytes);
        let run = place.fetch(&[]);
        assert_eq!(run.code, 0, "{behaviour}: {run:?}");
        assert_eq!(place.fetched(), bytes, "{behaviour}");
        assert_eq!(place.part(), 0);
    }
}

#[test]
fn a_file_of_no_known_digest_is_never_pieced_together_blindly() {
    let (place, bytes) = (Place::new(), lora());
    let sent = bytes.clone();
    let server = Server::new(move |request, stream| {
        // Half of one file first, then another file of the same length under another tag.
        let mut sent = sent.clone();
        if request.number == 0 {
            sent.iter_mut().skip(5000).for_each(|b| *b ^= 255);
            let rest = opening(request, stream, &sent, "\"old\"");
            let _ = stream.write_all(&rest[..rest.len() / 2]);
            return;
        }
        whole(request, stream, &sent, "\"new\"");
    });
    place.catalogue(&server.url(), &json!([{"path": "a/m.safetensors"}]));
    assert_eq!(place.fetch(&[]).code, 0);
    assert_eq!(place.fetched(), bytes);
}

#[test]
fn busy_servers_are_asked_again_and_silent_ones_too() {
    let bytes = lora();
    for (first, least) in [
        ("500 Oops", 0.0),
        ("429 Too Many", 1.0),
        ("silence", 1.0),
        ("stall", 1.0),
    ] {
        let (place, sent) = (Place::new(), bytes.clone());
        let server = Server::new(move |request, stream| {
            if request.number > 0 {
                return whole(request, stream, &sent, "\"v1\"");
            }
            match first {
                "silence" => silence(),
                "stall" => {
                    let rest = opening(request, stream, &sent, "\"v1\"");
                    let _ = stream.write_all(&rest[..100_000]);
                    silence();
                }
                "429 Too Many" => head(stream, first, &[("Retry-After", "1".into())]),
                _ => head(stream, first, &[]),
            }
        });
        place.exact(&server.url(), &bytes);
        let start = Instant::now();
        let run = place.fetch(&[]);
        assert_eq!(run.code, 0, "{first}: {run:?}");
        assert!(start.elapsed().as_secs_f64() > least, "{first}");
        assert!(start.elapsed() < Duration::from_secs(15), "{first}");
        let resumed = server.seen()[1].from().is_some();
        assert_eq!(resumed, first == "stall");
    }
}

#[test]
fn a_proxy_is_used_and_left_out_as_the_environment_says() {
    let (place, bytes) = (Place::new(), lora());
    let proxy = Server::good(&bytes);
    place.exact("http://models.example/m", &bytes);
    let mut command = place.command(&FETCH);
    let run = Run::of(&command.env("http_proxy", proxy.url()).output().unwrap());
    assert_eq!(run.code, 0, "{run:?}");
    let seen = &proxy.seen()[0];
    assert!(format!("{seen:?}").contains("models.example"), "{seen:?}");

    // The proxy would serve it; the variable keeps it out.
    let place = Place::new();
    let server = Server::good(&bytes);
    place.exact(&server.url(), &bytes);
    let mut command = place.command(&FETCH);
    command
        .env("HTTP_PROXY", proxy.url())
        .env("NO_PROXY", "127.0.0.1");
    let run = Run::of(&command.output().unwrap());
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!((server.seen().len(), proxy.seen().len()), (1, 1));
}

#[test]
fn a_mirror_stands_in_for_the_host() {
    let (place, bytes) = (Place::new(), lora());
    let server = Server::good(&bytes);
    place.exact("https://huggingface.co/o/r/resolve/1", &bytes);
    let url = format!("{}/mirror/", server.url());
    let mut command = place.command(&FETCH);
    let run = Run::of(&command.env("MEND_MODELS_URL", &url).output().unwrap());
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        server.seen()[0].path,
        "/mirror/o/r/resolve/1/a/m.safetensors"
    );
    // Without a digest, an open wire to elsewhere is refused before anything is sent.
    place.catalogue("https://huggingface.co/o/r", &json!([{"path": "b.json"}]));
    let run = place.fetch(&["--from", "http://models.example"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("is not encrypted"), "{run:?}");
}

/// A server that sends some bytes and then only a few at a time, so that there is time to interrupt.
fn slow(bytes: Vec<u8>) -> Server {
    Server::new(move |request, stream| {
        let rest = opening(request, stream, &bytes, "\"v1\"");
        if request.from().is_some() {
            let _ = stream.write_all(rest);
            return;
        }
        let _ = stream.write_all(&rest[..1_000_000]);
        for piece in rest[1_000_000..].chunks(100) {
            if stream.write_all(piece).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    })
}

#[test]
fn killed_interrupted_or_at_once_it_goes_on() {
    let bytes = lora();
    let signals: &[&str] = if cfg!(unix) {
        &["-KILL", "-INT"]
    } else {
        &["-KILL"]
    };
    for signal in signals {
        let place = Place::new();
        let server = slow(bytes.clone());
        place.exact(&server.url(), &bytes);
        let mut command = place.command(&FETCH);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let start = Instant::now();
        while place.part() < 900_000 {
            assert!(start.elapsed() < Duration::from_secs(30), "it never began");
            std::thread::sleep(Duration::from_millis(5));
        }
        // Two at once: the second says so and leaves the first alone.
        let other = place.fetch(&[]);
        assert_eq!(other.code, 1, "{other:?}");
        assert!(
            other.stderr.contains("another mend is at work"),
            "{other:?}"
        );
        assert!(place.ok(&["list"]).stdout.contains("half fetched"));
        if *signal == "-KILL" {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            let id = child.id().to_string();
            let kill = std::process::Command::new("kill")
                .args([signal, id.as_str()])
                .status();
            assert!(kill.unwrap().success());
            let interrupted = Instant::now();
            let run = Run::of(&child.wait_with_output().unwrap());
            assert!(interrupted.elapsed() < Duration::from_secs(2), "{run:?}");
            assert_eq!(run.code, 130, "{run:?}");
            assert!(
                run.stderr.contains("the same command continues from there"),
                "{run:?}"
            );
        }
        let kept = place.part();
        assert!(kept >= 900_000);
        assert_eq!(place.fetch(&[]).code, 0);
        assert_eq!(place.fetched(), bytes);
        let last = server.seen().last().unwrap().clone();
        assert_eq!(last.from(), Some(kept as usize));
    }
}

#[test]
fn what_a_broken_fetch_left_can_be_removed() {
    let (place, bytes) = (Place::new(), lora());
    let sent = bytes.clone();
    let server = Server::new(move |request, stream| {
        let rest = opening(request, stream, &sent, "\"v1\"");
        let _ = stream.write_all(&rest[..rest.len() / 2]);
        silence();
    });
    place.exact(&server.url(), &bytes);
    let run = place.fetch(&["--tries", "1"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("are kept"), "{run:?}");
    assert!(place.part() > 0);
    place.ok(&["remove", "tiny"]);
    assert_eq!(tree(&place.path("models")), Vec::<String>::new());
}
