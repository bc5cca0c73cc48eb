//! The loop with a model that is a script and a world in memory.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;

use executor_agent::fault::Class;
use executor_agent::model::{Answer, Message, Model, NoAnswer, Offer, Stop, ToolCall};
use executor_agent::settings::Settings;
use executor_agent::turns::{Brief, Work, work};
use executor_agent::world::{Exit, NotDone, Note, Ran, World};
use serde_json::{Value, json};

/// Files in memory; below `src/` they may be written, `.env` may not be read.
#[derive(Default)]
struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    notes: Vec<Note>,
    ran: Vec<String>,
    ms: u64,
}

impl World for Memory {
    fn list(&mut self, _glob: &str, max: usize) -> Result<(Vec<(String, u64)>, bool), NotDone> {
        let all = self.files.iter().filter(|(path, _)| *path != ".env");
        let all: Vec<_> = all.map(|(path, bytes)| (path.clone(), bytes.len() as u64)).collect();
        let more = all.len() > max;
        Ok((all.into_iter().take(max).collect(), more))
    }

    fn read(&mut self, path: &str, bytes_max: u64) -> Result<(Vec<u8>, bool), NotDone> {
        if path == ".env" {
            return Err(NotDone::Denied("reading `.env`".to_owned()));
        }
        let bytes =
            self.files.get(path).ok_or_else(|| NotDone::Failed("there is no such file".to_owned()))?;
        Ok((bytes.iter().copied().take(bytes_max as usize).collect(), bytes.len() as u64 > bytes_max))
    }

    fn write(&mut self, path: &str, content: &[u8]) -> Result<(), NotDone> {
        if !path.starts_with("src/") {
            return Err(NotDone::Denied(format!("writing `{path}`")));
        }
        self.files.insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), NotDone> {
        self.files.remove(path).map(drop).ok_or_else(|| NotDone::Failed("there is no such file".to_owned()))
    }

    fn run(&mut self, program: &str, args: &[String], _ms: u64, _max: u32) -> Result<Ran, NotDone> {
        self.ran.push(format!("{program} {}", args.join(" ")));
        match program {
            "python3" => {
                Ok(Ran { exit: Exit::Code(1), stdout: b"1 failed\xff".to_vec(), stderr: Vec::new() })
            }
            _ => Err(NotDone::Denied(format!("program `{program}`"))),
        }
    }

    fn note(&mut self, note: &Note) -> Result<(), NotDone> {
        self.notes.push(note.clone());
        Ok(())
    }

    fn elapsed_ms(&mut self) -> u64 {
        self.ms += 1;
        self.ms
    }
}

/// Answers by a function of the conversation.
struct Script<F>(F, u64);

impl<F: FnMut(&[Message]) -> Result<Answer, NoAnswer>> Model for Script<F> {
    fn window(&self) -> u64 {
        self.1
    }

    fn ask(&mut self, messages: &[Message], _offers: &[Offer]) -> Result<Answer, NoAnswer> {
        (self.0)(messages)
    }
}

fn says(text: &str, calls: &[(&str, Value)]) -> Result<Answer, NoAnswer> {
    let calls = calls.iter().enumerate().map(|(nth, (name, arguments))| ToolCall {
        id: format!("c{nth}"),
        name: (*name).to_owned(),
        arguments: arguments.to_string(),
    });
    Ok(Answer { text: text.to_owned(), calls: calls.collect(), stop: Stop::Calls, read: 100, written: 10 })
}

fn calls(calls: &[(&str, Value)]) -> Result<Answer, NoAnswer> {
    says("", calls)
}

fn finish() -> Result<Answer, NoAnswer> {
    calls(&[("finish", json!({"summary": "done"}))])
}

/// The last results, in order.
fn results(messages: &[Message]) -> Vec<(String, bool)> {
    let last = messages.iter().rev().take_while(|message| matches!(message, Message::Tool { .. }));
    let mut found: Vec<_> = last
        .filter_map(|message| match message {
            Message::Tool { text, failed, .. } => Some((text.clone(), *failed)),
            _ => None,
        })
        .collect();
    found.reverse();
    found
}

fn with(
    settings: &str,
    world: &mut Memory,
    script: impl FnMut(&[Message]) -> Result<Answer, NoAnswer>,
) -> Result<Work, (Class, String)> {
    windowed(settings, world, 0, script)
}

fn windowed(
    settings: &str,
    world: &mut Memory,
    window: u64,
    script: impl FnMut(&[Message]) -> Result<Answer, NoAnswer>,
) -> Result<Work, (Class, String)> {
    let settings = Settings::parse(settings).unwrap();
    let agent = settings.agent_of("").unwrap();
    let (system, task) = ("who".to_owned(), "what".to_owned());
    let brief = Brief { settings: &settings, agent: &agent, system, task, ms: 100_000 };
    work(&brief, &mut Script(script, window), world).map_err(|fault| (fault.class, fault.message))
}

fn project() -> Memory {
    let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    let files = [
        file("src/a.py", "def add(a, b):\n    return a - b\n"),
        file(".env", "TOKEN=1"),
        file("config.yaml", "roles: {}\n"),
    ];
    Memory { files: files.into(), ..Memory::default() }
}

#[test]
fn a_file_is_found_read_edited_and_said() {
    let mut world = project();
    let mut turn = 0;
    let done = with(r#"{"programs": ["python3"]}"#, &mut world, |messages| {
        turn += 1;
        let told = results(messages);
        match turn {
            1 => calls(&[("search", json!({"text": "a - b"})), ("list", json!({}))]),
            2 => {
                assert_eq!(told[0].0, "src/a.py:2:     return a - b");
                assert!(!told[1].0.contains(".env"), "{told:?}");
                calls(&[("read", json!({"path": "src/a.py"}))])
            }
            3 => {
                assert_eq!(told[0].0, "    1 def add(a, b):\n    2     return a - b\n");
                calls(&[
                    ("edit", json!({"path": "src/a.py", "old": "a - b", "new": "a + b"})),
                    ("run", json!({"program": "python3", "args": ["-m", "unittest"]})),
                ])
            }
            4 => {
                assert_eq!(told[1], ("exit code 1\nstdout:\n1 failed\u{fffd}".to_owned(), false));
                calls(&[
                    ("note", json!({"kind": "log", "text": "fixed"})),
                    ("finish", json!({"summary": "fixed add"})),
                ])
            }
            _ => panic!("asked again"),
        }
    })
    .unwrap();
    assert_eq!(world.files["src/a.py"], b"def add(a, b):\n    return a + b\n");
    assert_eq!((done.summary.as_str(), done.turns, done.changes, done.commands), ("fixed add", 4, 1, 1));
    assert_eq!((done.tokens, world.notes.len(), world.ran.len()), (440, 1, 1));
}

#[test]
fn what_is_refused_is_told_as_a_failed_result_and_ends_nothing() {
    let mut world = project();
    let mut turn = 0;
    let done = with(r#"{"programs": ["python3", "git"]}"#, &mut world, |messages| {
        turn += 1;
        match turn {
            1 => calls(&[
                ("read", json!({"path": ".env"})),
                ("write", json!({"path": "config.yaml", "content": "mine"})),
                ("run", json!({"program": "git", "args": ["push"]})),
            ]),
            2 => {
                let told = results(messages);
                assert!(
                    told.iter().all(|(text, failed)| *failed && text.contains("is not granted")),
                    "{told:?}"
                );
                finish()
            }
            _ => panic!("asked again"),
        }
    })
    .unwrap();
    assert_eq!((done.denials, done.changes), (3, 0));
    assert_eq!(world.files["config.yaml"], b"roles: {}\n");
}

#[test]
fn an_edit_that_fits_nowhere_or_twice_changes_nothing_and_says_so() {
    let mut world = project();
    world.files.insert("src/b.txt".to_owned(), b"x\r\ny\r\nx\r\n".to_vec());
    world.files.insert("src/c.bin".to_owned(), vec![0xff, 0xfe]);
    let mut turn = 0;
    with("{}", &mut world, |messages| {
        turn += 1;
        let edit = |path: &str, old: &str, new: &str| ("edit", json!({"path": path, "old": old, "new": new}));
        match turn {
            1 => calls(&[
                edit("src/b.txt", "z", "q"),
                edit("src/b.txt", "x\ny", "q"),
                edit("src/b.txt", "x", "q"),
                edit("src/b.txt", "y", "y"),
                edit("src/b.txt", "", "q"),
                edit("src/c.bin", "a", "q"),
                edit("src/none", "a", "q"),
                ("edit", json!({"path": "src/b.txt", "old": "x", "new": "z", "all": true})),
            ]),
            _ => {
                let told: Vec<String> = results(messages).into_iter().map(|(text, _)| text).collect();
                for (text, part) in told.iter().zip([
                    "white space included",
                    "CR LF",
                    "2 times",
                    "are the same",
                    "is empty",
                    "not UTF-8",
                    "no such file",
                    "all places changed",
                ]) {
                    assert!(text.contains(part), "{text}: {part}");
                }
                finish()
            }
        }
    })
    .unwrap();
    assert_eq!(world.files["src/b.txt"], b"z\r\ny\r\nz\r\n");
}

#[test]
fn malformed_calls_are_answered_and_then_the_end() {
    let mut asked = 0;
    let broken = |name: &str, arguments: &str| {
        let call = ToolCall { id: String::new(), name: name.to_owned(), arguments: arguments.to_owned() };
        Ok(Answer { text: String::new(), calls: vec![call], stop: Stop::Calls, read: 1, written: 1 })
    };
    let failed = with(r#"{"malformed_max": 3}"#, &mut project(), |messages| {
        asked += 1;
        if asked > 1 {
            assert!(results(messages)[0].1, "{messages:?}");
            let Message::Assistant { calls, .. } = &messages[messages.len() - 2] else { panic!("no call") };
            assert!(serde_json::from_str::<serde_json::Map<String, Value>>(&calls[0].arguments).is_ok());
            assert!(!calls[0].id.is_empty() && !calls[0].name.contains(' '));
        }
        match asked % 3 {
            0 => broken("read", "{\"path\""),
            1 => broken("rm -rf", "{}"),
            _ => broken("read", "[]"),
        }
    })
    .unwrap_err();
    assert_eq!((failed.0, asked), (Class::Model, 4), "{failed:?}");
}

#[test]
fn empty_answers_words_alone_and_cut_answers_are_told_and_then_the_end() {
    for (text, stop, part) in [
        ("", Stop::End, "was empty"),
        ("I would…", Stop::End, "words alone"),
        ("def", Stop::Length, "cut off"),
    ] {
        let mut asked = 0;
        let failed = with(r#"{"malformed_max": 2}"#, &mut project(), |messages| {
            asked += 1;
            if asked > 1 {
                let Some(Message::User(said)) = messages.last() else { panic!("nothing said") };
                assert!(said.contains(part), "{said}");
            }
            Ok(Answer { text: text.to_owned(), calls: Vec::new(), stop, read: 1, written: 1 })
        });
        assert_eq!((failed.unwrap_err().0, asked), (Class::Model, 3), "{part}");
    }
}

#[test]
fn a_megabyte_of_text_and_ten_thousand_calls_stay_within_limits() {
    let mut turn = 0;
    let mut longest = 0;
    let done = with(r#"{"repeats_max": 99}"#, &mut project(), |messages| {
        turn += 1;
        longest = longest.max(messages.iter().map(Message::bytes).sum::<usize>());
        match turn {
            1 => {
                let one =
                    ToolCall { id: "same".to_owned(), name: "list".to_owned(), arguments: "{}".to_owned() };
                let text = "\u{202e}ü".repeat(1 << 18);
                Ok(Answer { text, calls: vec![one; 200], stop: Stop::Calls, read: 1, written: 1 })
            }
            2 => {
                let told = results(messages);
                assert_eq!(told.len(), 200);
                assert!(told[32..].iter().all(|(text, failed)| *failed && text.contains("more than 32")));
                finish()
            }
            _ => panic!("asked again"),
        }
    });
    assert!(done.is_ok(), "{done:?}");
    assert!(longest < 128 << 10, "{longest}");
}

#[test]
fn going_in_circles_is_told_and_then_the_end() {
    let (mut asked, mut told) = (0, 0);
    let failed = with("{}", &mut project(), |messages| {
        asked += 1;
        told += usize::from(results(messages).iter().any(|(text, _)| text.contains("go on in another way")));
        calls(&[("read", json!({"path": "src/a.py"}))])
    });
    assert_eq!((failed.unwrap_err().0, asked, told), (Class::Model, 7, 3));
    let (mut asked, mut told) = (0, 0);
    let failed = with("{}", &mut project(), |messages| {
        asked += 1;
        told += usize::from(results(messages).iter().any(|(text, _)| text.contains("going in circles")));
        let (old, new) = if asked % 2 == 1 { ("a - b", "a + b") } else { ("a + b", "a - b") };
        calls(&[("edit", json!({"path": "src/a.py", "old": old, "new": new}))])
    });
    let (class, message) = failed.unwrap_err();
    assert_eq!((class, told), (Class::Model, 3), "{message}");
    assert!(message.contains("undo each other"), "{message}");
}

#[test]
fn each_limit_ends_the_attempt_and_says_which() {
    for (settings, part) in [
        (r#"{"turns_max": 2, "repeats_max": 99}"#, "turns_max"),
        (r#"{"tokens_max": 200, "repeats_max": 99}"#, "tokens_max"),
        (r#"{"results_bytes_max": 100, "repeats_max": 99}"#, "results_bytes_max"),
    ] {
        let (class, message) =
            with(settings, &mut project(), |_| calls(&[("read", json!({"path": "src/a.py"}))])).unwrap_err();
        assert!(class == Class::Budget && message.contains(part), "{message}");
        assert!(!class.is_retriable());
    }
    let mut late = Memory { ms: 200_000, ..project() };
    let (class, message) = with("{}", &mut late, |_| finish()).unwrap_err();
    assert!(class == Class::Budget && message.contains("its time is over"), "{message}");
}

#[test]
fn who_gives_up_or_refuses_is_not_tried_again_and_who_is_busy_is() {
    let gave_up = with("{}", &mut project(), |_| {
        calls(&[("finish", json!({"done": false, "summary": "there is no such module"}))])
    });
    assert_eq!(gave_up.unwrap_err(), (Class::GaveUp, "there is no such module".to_owned()));
    let refused = with("{}", &mut project(), |_| {
        Ok(Answer { text: "no".to_owned(), calls: Vec::new(), stop: Stop::Refused, read: 1, written: 1 })
    });
    assert_eq!(refused.unwrap_err().0, Class::GaveUp);
    for (why, class) in
        [(NoAnswer::Busy, Class::Transient), (NoAnswer::Denied("x".to_owned()), Class::Permission)]
    {
        let failed = with("{}", &mut project(), |_| Err(why.clone()));
        assert_eq!(failed.unwrap_err().0, class);
    }
}

#[test]
fn a_conversation_that_fills_the_window_is_shortened_then_summarised_and_goes_on() {
    let mut world = project();
    for nth in 0..40 {
        world.files.insert(format!("src/f{nth}.py"), "x = 1  # long\n".repeat(400).into_bytes());
    }
    let (mut turn, mut summaries, mut most) = (0, 0, 0);
    let done = windowed("{}", &mut world, 12_000, |messages| {
        most = most.max(messages.iter().map(Message::bytes).sum::<usize>() / 3);
        if matches!(messages.last(), Some(Message::User(text)) if text.contains("will be replaced")) {
            summaries += 1;
            return says(&"seen many files ".repeat(20), &[]);
        }
        turn += 1;
        match turn {
            1..=40 => calls(&[("read", json!({"path": format!("src/f{}.py", turn - 1)}))]),
            _ => finish(),
        }
    })
    .unwrap();
    assert_eq!(done.turns, 41);
    assert!(most <= 12_000, "{most}");
    assert!(summaries >= 1, "what is only shortened grows as well");
}

#[test]
fn a_tool_that_the_agent_does_not_have_is_none() {
    let mut turn = 0;
    with(r#"{"agent": "analyst"}"#, &mut project(), |messages| {
        turn += 1;
        match turn {
            1 => calls(&[
                ("write", json!({"path": "src/a.py", "content": ""})),
                ("run", json!({"program": "python3"})),
            ]),
            _ => {
                assert!(
                    results(messages)
                        .iter()
                        .all(|(text, failed)| *failed && text.contains("there is no tool"))
                );
                finish()
            }
        }
    })
    .unwrap();
}
