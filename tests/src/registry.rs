//! A registry of this machine: the OCI distribution specification as far as packages need it, and what goes wrong at registries.
//!
//! In -> out: requests of `orch-plugin` and `orch-host` -> blobs, manifests, tags, referrers, in memory.
//! Invariant: a blob and a manifest are taken only under the digest that they have, a manifest only if its blobs are there, as
//! Debian's `docker-registry` does it; two tags a page.
//! Not here: what is asked of it (`tests/published.rs`), a registry of others (`registry/debian.rs`).

pub mod debian;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orch_trust::digest::Sha256Digest;
use serde_json::{Value, json};

/// Who may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// `me:word` as HTTP has it.
    Basic,
    /// A token that `/token` gives to `me:word`.
    Bearer,
}

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    pub gate: Gate,
    /// It knows `/referrers/`.
    pub referrers: bool,
    pub fault: Fault,
}

/// What it does to whoever reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Every request: 503.
    Refuses,
    /// Blobs of over 1000 bytes have one other byte.
    OtherBytes,
    /// Blobs of over 1000 bytes break off.
    BreaksOff,
    /// Blobs of over 1000 bytes go on.
    GoesOn,
    /// The header says another digest of a manifest.
    OtherDigest,
    /// Blobs are at another place of this server.
    Redirects,
    /// Blobs are on a plain server elsewhere.
    RedirectsElsewhere,
}

pub const LOGIN: &str = "me:word";
const TOKEN: &str = "Bearer of-this-repository";

#[derive(Default)]
struct Shelves {
    blobs: BTreeMap<String, Vec<u8>>,
    /// By repository and reference: media type and digest.
    tags: BTreeMap<(String, String), (String, String)>,
    asked: Vec<String>,
}

/// It answers for as long as the process lives.
pub struct Registry {
    pub address: SocketAddr,
    ways: Arc<Mutex<Ways>>,
    shelves: Arc<Mutex<Shelves>>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// What the head says of the body's length, if it lies.
    length: Option<usize>,
}

impl Registry {
    pub fn start(ways: Ways) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self {
            address: listener.local_addr().unwrap(),
            ways: Arc::new(Mutex::new(ways)),
            shelves: Arc::default(),
        };
        let (ways, shelves, address) = (registry.ways.clone(), registry.shelves.clone(), registry.address);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (ways, shelves) = (ways.clone(), shelves.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(request) = read(&mut stream) else { return };
                    let ways = *ways.lock().unwrap();
                    let mut shelves = shelves.lock().unwrap();
                    shelves.asked.push(format!("{} {}", request.method, request.path));
                    let answer = answer(&request, ways, address, &mut shelves);
                    drop(shelves);
                    write(&mut stream, &answer, request.method == "HEAD");
                });
            }
        });
        registry
    }

    /// A repository of it.
    pub fn named(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.address)
    }

    pub fn behave(&self, ways: Ways) {
        *self.ways.lock().unwrap() = ways;
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shelves().asked)
    }

    pub fn tags(&self, name: &str) -> Vec<String> {
        self.shelves().tags.keys().filter(|(found, _)| found == name).map(|(_, tag)| tag.clone()).collect()
    }

    /// Has a tag mean what another one means.
    pub fn move_tag(&self, name: &str, tag: &str, to: &str) {
        let mut shelves = self.shelves();
        let meant = shelves.tags[&(name.to_owned(), to.to_owned())].clone();
        shelves.tags.insert((name.to_owned(), tag.to_owned()), meant);
    }

    /// Changes the text of the manifest under a tag; its digest is the new one's.
    pub fn change(&self, name: &str, tag: &str, change: impl Fn(&mut Value)) {
        let mut shelves = self.shelves();
        let (media_type, digest) = shelves.tags[&(name.to_owned(), tag.to_owned())].clone();
        let mut manifest: Value = serde_json::from_slice(&shelves.blobs[&digest]).unwrap();
        change(&mut manifest);
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let digest = digest_of(&bytes);
        shelves.blobs.insert(digest.clone(), bytes);
        shelves.tags.insert((name.to_owned(), tag.to_owned()), (media_type, digest));
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap()
    }
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256Digest::of(bytes))
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}

fn write(stream: &mut TcpStream, answer: &Answer, is_head: bool) {
    let length = answer.length.unwrap_or(answer.body.len());
    let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {length}\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // Whoever asked may be gone: that is its own affair.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    if !is_head {
        let _ = stream.write_all(&answer.body);
    }
}

fn says(status: &'static str, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, headers: Vec::new(), body: body.into(), length: None }
}

fn answer(request: &Request, ways: Ways, address: SocketAddr, shelves: &mut Shelves) -> Answer {
    if ways.fault == Fault::Refuses {
        return says("503 Service Unavailable", "");
    }
    let login = format!("Basic {}", STANDARD.encode(LOGIN));
    let said = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
    if request.path == "/token" {
        let good = said == login && request.query.contains("scope=repository:");
        let token = json!({ "token": TOKEN.strip_prefix("Bearer ").unwrap() }).to_string();
        return if good { says("200 OK", token) } else { says("401 Unauthorized", "") };
    }
    let (expected, challenge) = match ways.gate {
        Gate::Open => (said, String::new()),
        Gate::Basic => (login.as_str(), "Basic realm=\"here\"".to_owned()),
        Gate::Bearer => (TOKEN, format!("Bearer realm=\"http://{address}/token\",service=\"here\"")),
    };
    if said != expected && !request.path.starts_with("/elsewhere/") {
        let mut refused =
            says("401 Unauthorized", json!({ "errors": [{ "code": "UNAUTHORIZED" }] }).to_string());
        refused.headers.push(("WWW-Authenticate", challenge));
        return refused;
    }
    let path = request.path.clone();
    if let Some(digest) = path.strip_prefix("/elsewhere/") {
        return says("200 OK", shelves.blobs[digest].clone());
    }
    for (part, does) in [
        ("/tags/list", tags as fn(&Request, &str, &str, Ways, &mut Shelves) -> Answer),
        ("/manifests/", manifests),
        ("/blobs/uploads/", uploads),
        ("/blobs/", blobs),
        ("/referrers/", referrers),
    ] {
        if let Some((name, rest)) = path.strip_prefix("/v2/").and_then(|path| path.split_once(part)) {
            return does(request, name, rest, ways, shelves);
        }
    }
    says("404 Not Found", "")
}

fn tags(request: &Request, name: &str, _: &str, _: Ways, shelves: &mut Shelves) -> Answer {
    let all = shelves.tags.keys().filter(|(found, _)| found == name).map(|(_, tag)| tag.as_str());
    let all: Vec<&str> = all.filter(|tag| !tag.starts_with("sha256:")).collect();
    if all.is_empty() {
        return says("404 Not Found", json!({ "errors": [{ "code": "NAME_UNKNOWN" }] }).to_string());
    }
    let last = request.query.split('&').find_map(|part| part.strip_prefix("last=")).unwrap_or_default();
    let rest: Vec<&str> = all.into_iter().filter(|tag| *tag > last).collect();
    let page = &rest[..rest.len().min(2)];
    let mut answer = says("200 OK", json!({ "name": name, "tags": page }).to_string());
    if rest.len() > 2 {
        let next = format!("</v2/{name}/tags/list?last={}&n=2>; rel=\"next\"", page[1]);
        answer.headers.push(("Link", next));
    }
    answer
}

fn manifests(request: &Request, name: &str, reference: &str, ways: Ways, shelves: &mut Shelves) -> Answer {
    if request.method == "PUT" {
        let manifest: Value = serde_json::from_slice(&request.body).unwrap();
        let parts =
            [vec![manifest["config"].clone()], manifest["layers"].as_array().cloned().unwrap_or_default()];
        let missing =
            parts.concat().into_iter().filter_map(|part| part["digest"].as_str().map(str::to_owned));
        if missing.into_iter().any(|digest| !shelves.blobs.contains_key(&digest)) {
            return says(
                "400 Bad Request",
                json!({ "errors": [{ "code": "MANIFEST_BLOB_UNKNOWN" }] }).to_string(),
            );
        }
        let digest = digest_of(&request.body);
        if reference.starts_with("sha256:") && reference != digest {
            return says("400 Bad Request", "");
        }
        let media_type = request.headers["content-type"].clone();
        shelves.blobs.insert(digest.clone(), request.body.clone());
        for reference in [reference, &digest] {
            shelves
                .tags
                .insert((name.to_owned(), reference.to_owned()), (media_type.clone(), digest.clone()));
        }
        let mut answer = says("201 Created", "");
        answer.headers.push(("Docker-Content-Digest", digest));
        if let (Some(subject), true) = (manifest["subject"]["digest"].as_str(), ways.referrers) {
            answer.headers.push(("OCI-Subject", subject.to_owned()));
        }
        return answer;
    }
    let Some((media_type, digest)) = shelves.tags.get(&(name.to_owned(), reference.to_owned())) else {
        return says("404 Not Found", json!({ "errors": [{ "code": "MANIFEST_UNKNOWN" }] }).to_string());
    };
    let mut answer = says("200 OK", shelves.blobs[digest].clone());
    let said = if ways.fault == Fault::OtherDigest { digest_of(b"other") } else { digest.clone() };
    answer.headers.extend([("Content-Type", media_type.clone()), ("Docker-Content-Digest", said)]);
    answer
}

fn uploads(request: &Request, name: &str, _: &str, _: Ways, shelves: &mut Shelves) -> Answer {
    if request.method == "POST" {
        let mut answer = says("202 Accepted", "");
        answer.headers.push(("Location", format!("/v2/{name}/blobs/uploads/one?_state=x")));
        return answer;
    }
    let digest = digest_of(&request.body);
    if !request.query.contains("_state=x") || !request.query.contains(&format!("digest={digest}")) {
        return says("400 Bad Request", json!({ "errors": [{ "code": "DIGEST_INVALID" }] }).to_string());
    }
    shelves.blobs.insert(digest, request.body.clone());
    says("201 Created", "")
}

fn blobs(request: &Request, _: &str, digest: &str, ways: Ways, shelves: &mut Shelves) -> Answer {
    let Some(bytes) = shelves.blobs.get(digest) else { return says("404 Not Found", "") };
    let mut answer = says("200 OK", bytes.clone());
    let is_large = bytes.len() > 1000 && request.method == "GET";
    match ways.fault {
        Fault::OtherBytes if is_large => answer.body[500] ^= 1,
        Fault::BreaksOff if is_large => {
            (answer.length, answer.body) = (Some(bytes.len()), bytes[..500].to_vec())
        }
        Fault::GoesOn if is_large => answer.body.extend_from_slice(&bytes.clone()),
        Fault::Redirects | Fault::RedirectsElsewhere => {
            let host = if ways.fault == Fault::Redirects { "" } else { "http://registry.invalid" };
            let place = format!("{host}/elsewhere/{digest}");
            answer = says("307 Temporary Redirect", "");
            answer.headers.push(("Location", place));
        }
        _ => {}
    }
    answer
}

fn referrers(_: &Request, name: &str, digest: &str, ways: Ways, shelves: &mut Shelves) -> Answer {
    if !ways.referrers {
        return says("404 Not Found", "");
    }
    let mut found = Vec::new();
    for ((repository, reference), (media_type, of)) in &shelves.tags {
        let manifest: Value = serde_json::from_slice(&shelves.blobs[of]).unwrap();
        if repository == name && reference == of && manifest["subject"]["digest"] == digest {
            found.push(json!({
                "mediaType": media_type, "digest": of, "size": shelves.blobs[of].len(),
                "artifactType": manifest["artifactType"], "annotations": manifest["annotations"],
            }));
        }
    }
    let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": found });
    says("200 OK", index.to_string())
}
