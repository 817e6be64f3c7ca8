//! A web server that can misbehave.
#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path, or what else stood after GET.
    pub path: String,
    pub headers: Vec<(String, String)>,
    /// How many came before it.
    pub number: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The first byte that is asked for.
    pub fn from(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=")?;
        range.strip_suffix('-')?.parse().ok()
    }
}

type Answer = dyn Fn(&Request, &mut TcpStream) + Send + Sync;

/// Runs until the test ends.
pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn new(answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer): (_, Arc<Answer>) = (seen.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || {
                    let Ok(mut stream) = stream else { return };
                    let Some(mut request) = read(&stream) else {
                        return;
                    };
                    if request.path.starts_with("CONNECT ") {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                        let through = request.path.clone();
                        let Some(inner) = read(&stream) else { return };
                        request = inner;
                        request.headers.push(("via".into(), through));
                    }
                    {
                        let mut log = log.lock().unwrap();
                        request.number = log.len();
                        log.push(request.clone());
                    }
                    answer(&request, &mut stream);
                });
            }
        });
        Self { port, seen }
    }

    /// One that serves these bytes under any path, with ranges and an entity tag.
    pub fn good(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::new(move |request, stream| whole(request, stream, &bytes, "\"v1\""))
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = match first.strip_prefix("GET ") {
        Some(rest) => rest.split(' ').next()?.to_owned(),
        None => first,
    };
    let mut headers = Vec::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(Request {
        path,
        headers,
        number: 0,
    })
}

/// A head.
pub fn head(stream: &mut TcpStream, status: &str, headers: &[(&str, String)]) {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{text}\r\n").as_bytes());
}

/// A good answer's head to what is asked for; gives the bytes that belong behind it.
pub fn opening<'a>(
    request: &Request,
    stream: &mut TcpStream,
    bytes: &'a [u8],
    etag: &str,
) -> &'a [u8] {
    let fits = request.header("if-range").is_none_or(|tag| tag == etag);
    let from = request.from().filter(|from| fits && *from < bytes.len());
    let rest = &bytes[from.unwrap_or(0)..];
    let mut headers = vec![
        ("Content-Length", rest.len().to_string()),
        ("ETag", etag.to_owned()),
    ];
    let status = match from {
        None => "200 OK",
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            headers.push(("Content-Range", range));
            "206 Partial Content"
        }
    };
    head(stream, status, &headers);
    rest
}

pub fn whole(request: &Request, stream: &mut TcpStream, bytes: &[u8], etag: &str) {
    let rest = opening(request, stream, bytes, etag);
    let _ = stream.write_all(rest);
}

/// Stays silent until the other side has had enough.
pub fn silence() {
    std::thread::sleep(Duration::from_secs(20));
}
