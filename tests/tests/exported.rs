//! A run as one page: read by a parser of HTML that nobody here wrote, whatever plugins and people say in it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::io::Write;
use std::process::{Command, Stdio};

use orch_journal::Event;
use orch_tests::isolated::Bench;
use orch_tests::out;
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
    bench.0.host(&["export", &run, "--out", "run.html"], 0);
    assert_eq!(bench.0.read("run.html").as_bytes(), page);
    for format in ["json", "markdown"] {
        let exported = out(&bench.0.host(&["export", &run, "--format", format], 0));
        assert_eq!(exported, out(&bench.0.host(&["report", &run, "--format", format], 0)));
    }
}
