//! One download, on a thread of its own: whoever waits for it can be interrupted at any time.
#![forbid(unsafe_code)]

use super::url::Url;
use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body, Proxy};

/// Redirects that are followed.
const REDIRECTS: usize = 10;
/// Bytes of a piece, and pieces that may wait.
const PIECE: usize = 1 << 16;
const PIECES: usize = 32;

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub url: Url,
    /// From this byte on, and only if the file still has this entity tag.
    pub from: u64,
    pub if_range: Option<String>,
    /// The longest silence.
    pub timeout: Duration,
}

/// What comes back, in this order: a head, pieces, the end; or a failure at any point.
#[derive(Debug)]
pub(super) enum Event {
    Head(Head),
    Data(Vec<u8>),
    End,
    Failed(Failure),
}

/// An answer's head.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub status: u16,
    pub length: Option<u64>,
    /// A strong one.
    pub etag: Option<String>,
    pub range: Option<String>,
    pub encoding: Option<String>,
    pub retry_after: Option<u64>,
    /// Who answered.
    pub origin: String,
}

/// What went wrong on the way, and whether trying again can help.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub what: String,
    pub again: bool,
}

fn lasting(what: impl Into<String>) -> Failure {
    let what = what.into();
    Failure { what, again: false }
}

/// Starts it.
pub(super) fn start(request: Request) -> Receiver<Event> {
    let (tell, events) = sync_channel(PIECES);
    std::thread::spawn(move || {
        if let Err(failure) = run(&request, &tell) {
            // Nobody listens any more after an interrupt.
            let _ = tell.send(Event::Failed(failure));
        }
    });
    events
}

fn run(request: &Request, tell: &SyncSender<Event>) -> Result<(), Failure> {
    let (response, origin) = follow(request)?;
    let headers = response.headers();
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned)
    };
    let number = |name: &str| text(name).and_then(|v| v.trim().parse().ok());
    let head = Head {
        status: response.status().as_u16(),
        length: number("content-length"),
        etag: text("etag").filter(|e| e.starts_with('"') && e.len() < 300),
        range: text("content-range"),
        encoding: text("content-encoding").filter(|e| !e.eq_ignore_ascii_case("identity")),
        retry_after: number("retry-after"),
        origin,
    };
    let wanted = matches!(head.status, 200 | 206);
    if tell.send(Event::Head(head)).is_err() || !wanted {
        return Ok(());
    }
    let mut body = response.into_body().into_reader();
    loop {
        let mut piece = vec![0; PIECE];
        match body.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => {
                piece.truncate(n);
                if tell.send(Event::Data(piece)).is_err() {
                    return Ok(());
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => {
                let what = format!("the connection was lost ({e})");
                return Err(Failure { what, again: true });
            }
        }
    }
    let _ = tell.send(Event::End);
    Ok(())
}

/// Asks, and asks where the answer points to.
fn follow(request: &Request) -> Result<(Response<Body>, String), Failure> {
    let mut url = request.url.clone();
    for _ in 0..=REDIRECTS {
        let response = ask(request, &url)?;
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok((response, url.origin()));
        }
        let to = response
            .headers()
            .get("location")
            .and_then(|v| v.to_str().ok());
        let to = to.ok_or_else(|| lasting(format!("{} redirects to nowhere", url.origin())))?;
        let next = url.join(to).map_err(|e| {
            lasting(format!(
                "{} redirects to where Mend does not go: {e}",
                url.origin()
            ))
        })?;
        // Whoever asked for https is not given less.
        if url.https && !next.https {
            return Err(lasting(format!(
                "{} redirects to {}, which is not encrypted, and so is refused; use another mirror",
                url.origin(),
                next.origin()
            )));
        }
        url = next;
    }
    Err(lasting(format!(
        "{} redirects more than {REDIRECTS} times; use another mirror",
        request.url.origin()
    )))
}

fn ask(request: &Request, url: &Url) -> Result<Response<Body>, Failure> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .user_agent(concat!("mend/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .proxy(proxy(url)?)
        .timeout_resolve(Some(request.timeout))
        .timeout_connect(Some(request.timeout))
        .timeout_per_read(Some(request.timeout))
        .timeout_per_write(Some(request.timeout))
        .build()
        .into();
    let mut call = agent.get(url.to_string());
    if request.from > 0 {
        call = call.header("Range", format!("bytes={}-", request.from));
        if let Some(etag) = &request.if_range {
            call = call.header("If-Range", etag);
        }
    }
    call.call().map_err(|e| failure(url, &e))
}

fn failure(url: &Url, e: &ureq::Error) -> Failure {
    use ureq::Error as E;
    let origin = url.origin();
    match e {
        E::HostNotFound => Failure {
            what: format!(
                "{} was not found; is this machine on the network?",
                url.host()
            ),
            again: true,
        },
        E::Io(_) | E::Timeout(_) | E::ConnectionFailed | E::Protocol(_) | E::BodyStalled => {
            Failure {
                what: format!("{origin} does not answer as it should ({e})"),
                again: true,
            }
        }
        E::Rustls(_) | E::Tls(_) | E::TlsRequired => lasting(format!(
            "the encryption with {origin} failed ({e}); is the clock right, is a proxy in between?"
        )),
        _ => lasting(format!("{origin} cannot be reached ({e})")),
    }
}

/// The proxy that the environment names for this address.
fn proxy(url: &Url) -> Result<Option<Proxy>, Failure> {
    let names: &[&str] = match url.https {
        true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let set = |name: &&str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    let Some((name, value)) = names.iter().find_map(|n| Some((n, set(n)?))) else {
        return Ok(None);
    };
    // Its value may hold a password.
    let wrong = |_| {
        lasting(format!(
            "the environment variable {name} does not name a proxy; correct it"
        ))
    };
    let proxy = Proxy::new(value.trim()).map_err(wrong)?;
    let bypassed = Proxy::try_from_env().is_some_and(|env| {
        let uri = url.to_string().parse();
        uri.is_ok_and(|uri| env.is_no_proxy(&uri))
    });
    Ok((!bypassed).then_some(proxy))
}
