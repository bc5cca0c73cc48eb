//! Retrieval: files are indexed, only what changed is indexed again, and passages are found by words and by vectors. Vectors are made by
//! hashing, on this machine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;

use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::Workspace;

const MODELS: &str = "[models.vectors]\nprovider = \"demo/provider-embed-hash\"\nmodel = \"hash\"\ncontext_window = 8192\ndimension = 256\n";
const RETRY: &str =
    "def retry(call, times):\n    \"\"\"Tries a call again until it succeeds.\"\"\"\n    return call()\n";
const PARSE: &str = "def parse_header(line):\n    name, value = line.split(':')\n    return name, value\n";
const NOTES: &str = "# Colours\n\nThe sea is blue, grass is green.\n";

struct Bench {
    workspace: Workspace,
    guests: String,
}

impl Bench {
    fn new() -> Self {
        let workspace = Workspace::new("- {id: index, kind: index}\n");
        let allowed = "log = {}\nretrieve = { collections = [\"*\"] }\n";
        let guests = workspace.admit_guest("asks-passages", allowed);
        fs::write(workspace.operator().join("models.toml"), MODELS).unwrap();
        let kinds = "executors: {index: demo/executor-index, find: demo/asks-passages, ";
        let config = workspace.read("config.yaml").replace("executors: {", kinds);
        let bound = "providers: {embed: demo/provider-embed-hash, retrieve: demo/provider-retrieve}\n\
                     settings: {demo/executor-index: {paths: [\"src/**\"]}}\n";
        workspace.write("config.yaml", &(config + bound));
        for (path, text) in [("src/retry.py", RETRY), ("src/parse.py", PARSE), ("src/notes.md", NOTES)] {
            workspace.write(path, text);
        }
        Self { workspace, guests: guests.to_str().unwrap().to_owned() }
    }

    /// Runs these tasks; what each said, in the order of their ends.
    fn run(&self, tasks: &str) -> Vec<String> {
        self.workspace.write("tasks.yml", tasks);
        self.workspace.run(&["--plugins", &self.guests, "--jobs", "1"], 0);
        let events = self.workspace.events().into_iter();
        let finished = events.filter_map(|event| match event {
            Event::AttemptFinished(finished) => Some(finished.ending),
            _ => None,
        });
        let said = |ending| match ending {
            Ending::Done { summary } => summary,
            other => format!("{other:?}"),
        };
        finished.map(said).collect()
    }
}

#[test]
fn files_are_indexed_once_again_when_they_changed_and_found() {
    let bench = Bench::new();
    let said = bench.run(
        "- {id: index, kind: index}\n\
         - {id: both, kind: find, dependencies: [index], description: 'both . try a call again'}\n\
         - {id: words, kind: find, dependencies: [both], description: 'keyword . header'}\n\
         - {id: near, kind: find, dependencies: [words], description: 'semantic . parse headers'}\n\
         - {id: inside, kind: find, dependencies: [near], description: 'both src/notes.md a call of the sea'}\n",
    );
    assert_eq!(said[0], "3 files indexed in 3 passages, 0 unchanged, 0 removed, 0 passed over");
    assert!(said[1].starts_with("src/retry.py:1-3"), "{said:?}");
    assert_eq!(said[2], "src/parse.py:1-3");
    assert!(said[3].starts_with("src/parse.py:1-3 "), "{said:?}");
    assert_eq!(said[4], "src/notes.md:1-3");
    let put = bench.workspace.events().into_iter().find_map(|event| match event {
        Event::AttemptFinished(finished) => finished.writes.vectors.get("code").cloned(),
        _ => None,
    });
    let put = put.unwrap();
    assert_eq!((put.documents, put.chunks, put.removed, put.digest.len()), (3, 3, 0, 64));

    let shown = bench.workspace.host(&["search", "header of a line"], 0).stdout;
    assert!(
        String::from_utf8_lossy(&shown).starts_with("src/parse.py:1-3  def parse_header(line):"),
        "{shown:?}"
    );
    let shown =
        bench.workspace.host(&["search", "call", "--path", "src/retry.py", "--format", "json"], 0).stdout;
    let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(
        (&shown["passages"][0]["path"], &shown["passages"][0]["text"]),
        (&"src/retry.py".into(), &RETRY.into())
    );
    bench.workspace.host(&["search", "nowhere"], 1);

    bench.workspace.write("src/parse.py", &PARSE.replace("header", "trailer"));
    fs::remove_file(bench.workspace.path().join("src/notes.md")).unwrap();
    let said = bench.run(
        "- {id: again, kind: index}\n\
         - {id: gone, kind: find, dependencies: [again], description: 'keyword . sea header'}\n\
         - {id: new, kind: find, dependencies: [gone], description: 'keyword . trailer'}\n",
    );
    assert_eq!(said[0], "1 file indexed in 1 passage, 1 unchanged, 1 removed, 0 passed over");
    assert_eq!(said[1..], ["nothing", "src/parse.py:1-3"]);

    let cache = bench.workspace.path().join(".orch/vectors.sqlite");
    fs::write(&cache, "something else that is no database, and long enough to be looked at as one").unwrap();
    let said = bench.run("- {id: lost, kind: find, description: 'both . trailer'}\n- {id: once-more, kind: index, dependencies: [lost]}\n");
    assert_eq!(said[0], "nothing", "a cache that is lost is empty");
    assert_eq!(said[1], "2 files indexed in 2 passages, 0 unchanged, 0 removed, 0 passed over");
}

#[test]
fn an_attempt_that_fails_puts_nothing_and_a_collection_that_is_not_granted_is_denied() {
    let bench = Bench::new();
    fs::write(bench.workspace.operator().join("models.toml"), MODELS.replace("vectors]", "others]")).unwrap();
    bench.workspace.run(&["--plugins", &bench.guests, "--jobs", "1"], 1);
    fs::write(bench.workspace.operator().join("models.toml"), MODELS).unwrap();
    let said = bench.run(
        "- {id: find, kind: find, description: 'keyword . header'}\n\
         - {id: other, kind: find, dependencies: [find], description: 'other . header'}\n",
    );
    assert_eq!(said, ["nothing", "Denied(\"collection `other`\")"]);
}
