//! Runs that kept texts, gone through again: the same, or the first difference by its name. Nobody is asked.

use sha2::{Digest, Sha256};

use super::*;

const GUEST: &str = "log = {}\nfiles = { write = [\"*.txt\"] }\ntasks = { add = 9, kinds = [\"phase\"] }\n";

impl Project {
    /// One of a run that keeps texts.
    pub(super) fn recorded(seed: u64) -> Self {
        Self::new(seed, no_orders).keeping_texts()
    }

    pub(super) fn keeping_texts(self) -> Self {
        let project = self;
        let config = project.bench.0.read("config.yaml");
        project.bench.0.write("config.yaml", &format!("{config}record: full\n"));
        project.bench.git(&["commit", "--quiet", "--all", "--message=texts are kept"]);
        project
    }

    pub(super) fn replay(&self, run: &str, more: &[&str], exit: i32) -> String {
        // Whoever would start the provider would need its key.
        fs::write(self.bench.0.operator().join("key"), "").unwrap();
        let (asked, person) = (self.chats.heard().len(), self.bench.of_the_person());
        let refs = || self.bench.git(&["for-each-ref"]);
        let (before, runs) = (refs(), self.bench.0.reader().runs().unwrap().len());
        let said = self.bench.0.run(&[&["--replay", run], more].concat(), exit);
        assert_eq!(self.chats.heard().len(), asked, "somebody was asked");
        assert_eq!(self.bench.of_the_person(), person);
        assert_eq!((refs(), self.bench.0.reader().runs().unwrap().len()), (before, runs));
        let left = fs::read_dir(self.bench.0.path().join(".orch")).unwrap().flatten();
        let scratch = |name: &str| name.starts_with("replay-");
        assert!(!left.into_iter().any(|entry| scratch(entry.file_name().to_str().unwrap())));
        assert_eq!(self.bench.trees().len(), 0);
        self.bench.0.host(&["audit", "verify"], 0);
        out(&said) + &err(&said)
    }

    /// Puts another event in the place of one, in the store itself; gives the one before.
    fn put(&self, run: &str, place: u64, bytes: &[u8]) -> Vec<u8> {
        let store = rusqlite::Connection::open(self.bench.0.path().join(".orch/state.db")).unwrap();
        let at = (run, i64::try_from(place).unwrap());
        let before = store
            .query_row("SELECT bytes FROM events WHERE run = ?1 AND seq = ?2", at, |row| row.get(0))
            .unwrap();
        let put = "UPDATE events SET bytes = ?1 WHERE run = ?2 AND seq = ?3";
        assert_eq!(store.execute(put, (bytes, at.0, at.1)).unwrap(), 1);
        before
    }

    /// Changes one byte of the last answer of a model that is kept; gives its place and what was there before.
    fn change_an_answer(&self, run: &str) -> (u64, Vec<u8>) {
        let mut found = None;
        for (place, event) in self.bench.0.reader().events(run).map(Result::unwrap) {
            if let Event::AnswerKept(mut kept) = event
                && kept.of == "llm"
            {
                let mut text = kept.answer.bytes().unwrap();
                let at = text.windows(5).position(|five| five == b"text\"").unwrap() - 1;
                // `"text"` is another key then, so that the model said nothing.
                text[at + 1] = b'u';
                kept.answer = kept.answer.with_bytes(&text);
                found = Some((place, serde_json::to_vec(&Event::AnswerKept(kept)).unwrap()));
            }
        }
        let (place, event) = found.unwrap();
        (place, self.put(run, place, &event))
    }

    /// Changes one byte of what a tool was to be called with, in the first answer of a model to an agent that has such, and the
    /// chain with it, so that it holds; twice is as before.
    fn forge_an_answer(&self, run: &str, with_its_digest: bool) {
        let events = self.bench.0.reader();
        let mut all = events.events(run).map(Result::unwrap);
        let changed = |text: &[u8]| {
            let from = text.windows(9).position(|nine| nine == b"arguments")?;
            let begins = text[from..].windows(3).position(|three| three == b":\\\"")?;
            let mut text = text.to_vec();
            text[from + begins + 3] ^= 1;
            Some(text)
        };
        let (place, mut kept, text) = all
            .find_map(|(place, event)| match event {
                Event::AnswerKept(kept) if kept.of == "llm" && kept.line.role == "executor" => {
                    let text = changed(&kept.answer.bytes().unwrap())?;
                    Some((place, kept, text))
                }
                _ => None,
            })
            .unwrap();
        kept.answer = kept.answer.with_bytes(&text);
        if with_its_digest {
            kept.answer.sha256 = hex::encode(Sha256::digest(&text));
        }
        self.put(run, place, &serde_json::to_vec(&Event::AnswerKept(kept)).unwrap());
        let store = rusqlite::Connection::open(self.bench.0.path().join(".orch/state.db")).unwrap();
        let mut read = store.prepare("SELECT seq, bytes FROM events WHERE run = ?1 ORDER BY seq").unwrap();
        let rows = read.query_map([run], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let rows: Vec<(i64, Vec<u8>)> = rows.map(Result::unwrap).collect();
        let mut link = Sha256::digest(run);
        for (seq, bytes) in rows {
            let next = Sha256::new().chain_update(link).chain_update(&bytes).finalize();
            let put = "UPDATE events SET prev = ?1, hash = ?2 WHERE run = ?3 AND seq = ?4";
            assert_eq!(store.execute(put, (link.as_slice(), next.as_slice(), run, seq)).unwrap(), 1);
            link = next;
        }
    }
}

#[test]
fn a_run_is_the_same_again_though_it_was_killed_on_its_way_and_nobody_is_asked() {
    let project = Project::recorded(0x7e9_1a7);
    let said = File::create(project.bench.0.outside().join("said")).unwrap();
    let kill = |args: &[&str], at| kill::run_and_kill(&project.bench.0, args, at, &said);
    assert!(kill(&["--goal", &project.goal], Moment::At("after-intent", 4)));
    assert!(kill(&[], Moment::At("after-edits", 1)));
    project.bench.0.run(&[], 0);
    project.is_reached();
    let run = project.bench.run_id();
    let events = project.bench.0.events();
    let kept = |event: &&Event| matches!(event, Event::AnswerKept(_));
    assert!(events.iter().filter(kept).count() > 10);
    let key = serde_json::to_string(&events).unwrap();
    assert!(!key.contains(KEY));

    let said = project.replay(&run, &[], 0);
    assert!(
        said.contains(&format!("run {run} is the same again: ")) && said.contains("2 kept edits"),
        "{said}"
    );
    // What a person did since does not matter to it.
    project.bench.0.write("README.md", "# Something else\n");
    project.bench.git(&["commit", "--quiet", "--all", "--message=else"]);
    let said = project.replay(&run, &["--format", "json"], 0);
    let said: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!((&said["replayed"], &said["same"]["edits"]), (&Value::from(run), &Value::from(2)));
}

#[test]
fn a_run_diverges_where_its_base_its_plugin_or_what_it_kept_is_another() {
    let project = Project::recorded(0xd1_ff);
    project.bench.0.run(&["--goal", &project.goal], 0);
    let run = project.bench.run_id();

    // A file of the base: the first who reads it asks something else.
    let path = format!("{}.py", project.module.replace('.', "/"));
    let text = project.bench.0.read(&path);
    assert!(text.contains("Numbers of"), "{text}");
    project.bench.0.write(&path, &text.replace("Numbers of", "Figures of"));
    project.bench.git(&["commit", "--quiet", "--all", "--message=another base"]);
    let head = project.bench.git(&["rev-parse", "HEAD"]);
    let said = project.replay(&run, &["--onto", &head], 1);
    assert!(said.contains("code: replay-diverged") && said.contains("question "), "{said}");
    assert!(said.contains(": byte "), "{said}");
    let said = project.replay(&run, &["--onto", &"0".repeat(40)], 2);
    assert!(said.contains("code: commit-unknown"), "{said}");

    // What a model answered: nothing is gone through of a journal that is not as it was written.
    let (place, before) = project.change_an_answer(&run);
    let said = err(&project.bench.0.run(&["--replay", &run], 5));
    assert!(
        said.contains(&format!(
            "is broken at event {place}: its hash is not that of its bytes, and keeps question "
        )),
        "{said}"
    );
    assert!(
        said.contains(" of `demo/executor-agent` as executor of task `phase-") && said.contains(", of `llm`"),
        "{said}"
    );
    project.put(&run, place, &before);
    project.replay(&run, &[], 0);

    // Who does the phases.
    let config = project.bench.0.read("config.yaml");
    assert!(config.contains("phase: demo/executor-agent"), "{config}");
    let other = project.bench.0.admit_guest("plans-and-mends", GUEST);
    project
        .bench
        .0
        .write("config.yaml", &config.replace("phase: demo/executor-agent", "phase: demo/plans-and-mends"));
    let said = project.replay(&run, &["--plugins", other.to_str().unwrap()], 1);
    assert!(said.contains("code: replay-diverged"), "{said}");
    assert!(said.contains("end of attempt 1 at task `phase-001`: byte 0: "), "{said}");
}

#[test]
fn what_cannot_be_gone_through_again_is_refused_by_name() {
    let bench = Bench::new("- {id: a, command: [sh, -c, 'echo x > new']}\n");
    bench.0.run(&[], 0);
    let refused = |run: &str, code: &str| {
        let said = err(&bench.0.run(&["--replay", run], 2));
        assert!(said.contains(&format!("code: {code}")), "{code}: {said}");
    };
    refused(&bench.run_id(), "replay-no-texts");
    refused("20200101-000000-0000", "run-unknown");

    let config = bench.0.read("config.yaml");
    bench.0.write("config.yaml", &format!("{config}record: full\n"));
    bench.0.write("tasks.yml", "- {id: b, command: [sh, -c, 'echo y > other; exit 3']}\n- {id: c, kind: shell, command: ['true'], dependencies: [b]}\n");
    bench.git(&["add", "--all"]);
    bench.git(&["commit", "--quiet", "--message=more"]);
    bench.0.run(&[], 1);
    bench.0.run(&["--replay", &bench.run_id()], 0);
    bench.0.host(&["task", "skip", "b"], 0);
    refused(&bench.run_id(), "replay-by-people");

    bench.0.write("config.yaml", &config.replace("isolation: worktree", "record: full"));
    bench.0.write("tasks.yml", "- {id: d, command: ['true']}\n");
    bench.git(&["commit", "--quiet", "--all", "--message=even more"]);
    // It waits for what is over and stands in the file no more.
    let said = out(&bench.0.run(&[], 6));
    assert!(said.contains("c is not in the task file any more"), "{said}");
    bench.0.host(&["task", "cancel", "c"], 0);
    bench.0.run(&[], 0);
    bench.0.write("tasks.yml", "- {id: e, command: ['true']}\n");
    bench.0.run(&[], 0);
    refused(&bench.run_id(), "replay-no-branch");
}

#[test]
fn an_answer_that_is_changed_with_all_that_vouches_for_it_is_a_difference_where_the_guest_says_it_again() {
    let project = Project::recorded(0xf0_96);
    project.bench.0.run(&["--goal", &project.goal], 0);
    let run = project.bench.run_id();
    project.replay(&run, &[], 0);

    // The chain holds, the text's own digest does not.
    project.forge_an_answer(&run, false);
    let said = err(&project.bench.0.run(&["--replay", &run], 2));
    assert!(said.contains("code: replay-text-changed"), "{said}");
    let whose =
        "the answer that is question 2 of `demo/executor-agent` as executor of task `phase-001`, of `llm`";
    assert!(said.contains(whose), "{said}");

    // Nothing shows it but what the agent makes of it: its next question has the name of the call, as it was told.
    project.forge_an_answer(&run, false);
    project.replay(&run, &[], 0);
    project.forge_an_answer(&run, true);
    let said = err(&project.bench.0.run(&["--replay", &run], 1));
    assert!(said.contains("code: replay-diverged"), "{said}");
    let (_, at) = said.split_once("is not the same again: question ").unwrap();
    let (number, at) = at.split_once(' ').unwrap();
    assert!(number.parse::<u32>().unwrap() > 2, "{said}");
    assert!(at.starts_with("of `demo/executor-agent` as executor of task `phase-001`: byte "), "{said}");
    // Whoever asks for the host's own word for it is told.
    let verified = project.bench.0.host(&["audit", "verify"], 5);
    assert!((out(&verified) + &err(&verified)).contains("journal-rewritten"), "{verified:?}");
}
