//! A run as one page: read by a parser of HTML that nobody here wrote, whatever plugins and people say in it, and looked at in a
//! browser.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use orch_journal::Event;
use orch_tests::isolated::Bench;
use orch_tests::{err, left_out, out};
use serde_json::Value;

/// Says which elements there are and what is wrong: what is not closed in its order, what runs, what leads elsewhere.
const PARSER: &str = r#"
import json, sys
from html.parser import HTMLParser
VOID = {"meta", "path", "rect"}
class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.count, self.text, self.folded = [], [], {}, [], []
    def handle_startendtag(self, tag, attrs):
        self.look(tag, attrs)
    def handle_starttag(self, tag, attrs):
        self.look(tag, attrs)
        if tag not in VOID and tag != "br":
            self.open.append(tag)
    def look(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag in {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}:
            self.wrong.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in {"src", "href", "srcset", "action"} or "url(" in (value or ""):
                self.wrong.append(f"{tag} {name}={value}")
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")
    def handle_data(self, data):
        (self.folded if "details" in self.open else self.text).append(data)
page = Page()
page.feed(sys.stdin.buffer.read().decode())
page.close()
print(json.dumps({"wrong": page.wrong + page.open, "count": page.count, "text": "".join(page.text), "folded": "".join(page.folded)}))
"#;

fn parsed(page: &[u8]) -> Value {
    let mut python = Command::new("/usr/bin/python3");
    let mut child = python.args(["-c", PARSER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(page).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn an_exported_page_is_well_formed_needs_nobody_and_takes_text_as_text() {
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\\\" ' &lt; </pre></details>";
    let bench = Bench::new(&format!(
        "- {{id: first, command: [sh, -c, 'echo \"<b>new</b>\" > \"new<i>.txt\"'], description: \"{hostile}\"}}\n\
         - {{id: second, command: [sh, -c, 'echo \"<u>said</u>\" >&2; exit 3'], dependencies: [first]}}\n\
         - {{id: third, command: ['true'], dependencies: [first]}}\n"
    ));
    bench.0.run(&["--jobs", "1"], 1);
    let run = bench.run_id();
    let page = bench.0.host(&["export", &run], 0).stdout;
    let seen = parsed(&page);
    assert_eq!(seen["wrong"], Value::Array(Vec::new()), "{}", String::from_utf8_lossy(&page));
    let count = |tag: &str| seen["count"][tag].as_u64().unwrap_or(0);
    // A picture with a box for each task and a line for each dependency, a bar for each task.
    assert_eq!((count("svg"), count("rect"), count("path")), (1, 3, 2));
    let edits = bench.0.events().iter().filter(|event| matches!(event, Event::EditsKept(_))).count();
    assert_eq!((count("details"), edits), (3 + 1, 1), "attempts of three tasks, edits of one");
    let (text, folded) = (seen["text"].as_str().unwrap(), seen["folded"].as_str().unwrap());
    assert!(text.contains("<script>alert(1)</script><img src=x onerror=alert(2)>"), "{text}");
    assert!(folded.contains("+<b>new</b>") && folded.contains("<u>said</u>"), "{folded}");

    // The same in a file; the other formats are those of `report`.
    for own in [".orch/state.db", "tasks.yml", "config.yaml", "orch.lock", ".git/config", "logs/page.html"] {
        let before = fs::read(bench.0.path().join(own)).ok();
        assert!(err(&bench.0.host(&["export", &run, "--out", own], 2)).contains("code: export-out"), "{own}");
        assert_eq!(fs::read(bench.0.path().join(own)).ok(), before, "{own}");
    }
    bench.0.host(&["export", &run, "--out", "run.html"], 0);
    assert_eq!(bench.0.read("run.html").as_bytes(), page);
    for format in ["json", "markdown"] {
        let exported = out(&bench.0.host(&["export", &run, "--format", format], 0));
        assert_eq!(exported, out(&bench.0.host(&["report", &run, "--format", format], 0)));
    }
}

/// How many points of a picture (PNG of 8 bits, without interlacing) have each colour that is asked for, as `rrggbb`.
const COLOURS: &str = r#"
import json, struct, sys, zlib
data, wanted = sys.stdin.buffer.read(), sys.argv[1:]
at, packed = 8, b""
while at < len(data):
    size, kind = struct.unpack(">I4s", data[at:at + 8])
    body = data[at + 8:at + 8 + size]
    if kind == b"IHDR":
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
    packed += body if kind == b"IDAT" else b""
    at += size + 12
assert depth == 8 and colour in (2, 6) and not interlaced
step, raw = (3 if colour == 2 else 4), zlib.decompress(packed)
line, count, before = width * step, dict.fromkeys(wanted, 0), bytes(width * step)
for row in range(height):
    how, now = raw[row * (line + 1)], bytearray(raw[row * (line + 1) + 1:(row + 1) * (line + 1)])
    for x in range(line):
        left, above = (now[x - step] if x >= step else 0), before[x]
        corner = before[x - step] if x >= step else 0
        guess = left + above - corner
        nearest = min((left, above, corner), key=lambda one: abs(guess - one))
        now[x] = (now[x] + (0, left, above, (left + above) // 2, nearest)[how]) % 256
    for x in range(0, line, step):
        found = now[x:x + 3].hex()
        if found in count:
            count[found] += 1
    before = now
print(json.dumps(count))
"#;

/// Only in `cargo xtask test --full`: Debian's `chromium` is 380 MB with all that it needs.
#[test]
fn a_browser_shows_an_exported_page_as_it_is_meant_and_runs_nothing_of_it() {
    if !left_out::is_full("all of it: a browser") {
        return;
    }
    let hostile = "<script>document.title='run'</script><img src=x onerror=document.title='run'>";
    let bench = Bench::new(&format!(
        "- {{id: first, command: [sh, -c, 'echo new > new.txt'], description: \"{hostile}\"}}\n\
         - {{id: second, command: [sh, -c, 'exit 3'], dependencies: [first]}}\n"
    ));
    bench.0.run(&["--jobs", "1"], 1);
    let page = bench.0.outside().join("page.html");
    bench.0.host(&["export", &bench.run_id(), "--out", page.to_str().unwrap()], 0);
    let (home, picture) = (bench.0.outside().join("browser"), bench.0.outside().join("page.png"));
    let browser = |more: &[&str]| {
        let mut browser = Command::new("chromium");
        browser.args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--enable-logging=stderr",
        ]);
        browser
            .arg(format!("--user-data-dir={}", home.display()))
            .args(["--window-size=1100,900"])
            .args(more);
        let output = browser.arg(format!("file://{}", page.display())).output();
        let output = output.unwrap_or_else(|error| panic!("Debian's `chromium` is needed: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    };
    // As the browser has it once everything that would run has run.
    let shown = browser(&["--dump-dom"]);
    let (dom, said) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert!(dom.contains(&format!("<title>Run {}</title>", bench.run_id())), "{dom}");
    assert_eq!((dom.matches("<rect").count(), dom.matches("<script").count()), (2, 0), "{dom}");
    // What the page's own rule refuses, and what fails in it, the browser says so.
    assert!(!said.contains("CONSOLE") && !said.contains("Content Security Policy"), "{said}");

    browser(&[&format!("--screenshot={}", picture.display())]);
    let (done, failed) = ("bfe5c8", "f3c0bb");
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", COLOURS, done, failed, "ffffff"]).stdin(std::fs::File::open(&picture).unwrap());
    let count: Value = serde_json::from_slice(&python.output().unwrap().stdout).unwrap();
    let points = |colour: &str| count[colour].as_u64().unwrap();
    // A box of 200 by 34 for each task, less its corners and its name; a bar for the longer one at least.
    assert!(points(done) > 6000 && points(failed) > 6000, "{count}");
    assert!(points("ffffff") > 500_000, "the rest is paper: {count}");
}
