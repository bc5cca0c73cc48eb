//! Models: a plugin asks, a provider sends, what came of it stands in the journal. Who runs the model is a server of this test on
//! the loopback, which answers as chat completions do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use orch_journal::Event;
use orch_journal::event::{Ending, ModelAnswer};
use orch_tests::Workspace;
use serde_json::{Value, json};

pub(crate) const PIECES: &str = "data: {\"id\":\"c-1\",\"model\":\"m-2026\",\"choices\":[{\"delta\":{\"content\":\"Th\"}}]}\n\n\
    data: {\"choices\":[{\"delta\":{\"content\":\"ree\"},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":10}}\n\ndata: [DONE]\n\n";

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

pub(crate) fn events(body: &str) -> String {
    answer("200 OK\r\ncontent-type: text/event-stream", body)
}

/// Answers each request in turn with these bytes, then no more; gives its port, and what it was asked.
pub(crate) fn serve(answers: Vec<impl Into<Vec<u8>> + Send + 'static>) -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, (say, asked)) = (listener.local_addr().unwrap().port(), channel());
    std::thread::spawn(move || {
        for answer in answers.into_iter().map(Into::<Vec<u8>>::into) {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            say.send(serde_json::from_slice(&body).unwrap()).unwrap();
            // Who is ended meanwhile does not read it.
            let _ = (&stream).write_all(&answer);
        }
    });
    (port, asked)
}

/// A workspace whose plugin asks a model at that port.
pub(crate) struct Bench {
    pub(crate) workspace: Workspace,
    pub(crate) guests: String,
}

impl Bench {
    pub(crate) fn new(tasks: &str, port: u16) -> Self {
        let workspace = Workspace::new(tasks);
        let allowed = "log = {}\nllm = { models = [\"*\"], tokens = 500 }\n";
        let guests = workspace.admit_guest("asks-models", allowed);
        let policy = workspace.operator().join("policy.toml");
        let text = fs::read_to_string(&policy).unwrap();
        fs::write(&policy, text.replace("127.0.0.1:11434", &format!("127.0.0.1:{port}"))).unwrap();
        let model = |name: &str| {
            format!(
                "[models.{name}]\nmodel = \"m-{name}\"\nbase_url = \"http://127.0.0.1:{port}/v1\"\ncontext_window = 8000\nmax_tokens = 400\nprice = {{ input = 0.5, output = 2.0 }}\n"
            )
        };
        let models = format!("currency = \"EUR\"\n{}{}", model("small"), model("other"));
        fs::write(workspace.operator().join("models.toml"), models).unwrap();
        let config =
            workspace.read("config.yaml").replace("executors: {", "executors: {ask: demo/asks-models, ");
        let bound = "providers: {llm: demo/provider-openai}\nsettings: {demo/provider-openai: {key: false}}\nnarrow: {demo/provider-openai: {secrets: {use: []}}}\n";
        workspace.write("config.yaml", &(config + bound));
        workspace.write("models.yaml", "kinds: {ask: small}\nmax_tokens: 300\n");
        Self { workspace, guests: guests.to_str().unwrap().to_owned() }
    }

    pub(crate) fn run(&self, exit: i32) {
        self.workspace.run(&["--plugins", &self.guests, "--jobs", "1"], exit);
    }

    /// What each task's plugin said, in the order of their ends.
    fn said(&self) -> Vec<String> {
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

    fn answered(&self) -> Vec<ModelAnswer> {
        let events = self.workspace.events().into_iter();
        let answered = events.filter_map(|event| match event {
            Event::ModelAnswered(answered) => Some(answered.answer),
            _ => None,
        });
        answered.collect()
    }
}

#[test]
fn a_question_goes_by_its_provider_and_its_tokens_and_cost_stand_in_the_journal() {
    let (port, asked) = serve(vec![events(PIECES), events(PIECES)]);
    let tasks = "- {id: picked, kind: ask, priority: 3, description: '- how many?'}\n\
                 - {id: named, kind: ask, priority: 2, description: small how many?}\n\
                 - {id: other, kind: ask, priority: 1, description: other how many?}\n";
    let bench = Bench::new(tasks, port);
    bench.run(0);
    let said = bench.said();
    assert_eq!(said[..2], ["Ok(\"Three\") of small", "Ok(\"Three\") of small"]);
    assert_eq!(said[2], "Err(Denied(\"model `other`\")) of small", "nobody granted it");
    let question = asked.recv().unwrap();
    assert_eq!(question["model"], "m-small");
    assert_eq!(question["messages"], json!([{ "role": "user", "content": "how many?" }]));
    assert_eq!(question["max_tokens"], 300, "the workspace's word is the least");
    assert_eq!(asked.iter().count(), 1, "the other two of three");
    let answered = bench.answered();
    assert_eq!(answered.len(), 2);
    let ModelAnswer {
        consumer, provider, model, answered_by, id, input, output, cost, currency, fault, ..
    } = &answered[0];
    assert_eq!((&**consumer, &**provider, &**model), ("demo/asks-models", "demo/provider-openai", "small"));
    assert_eq!((&**answered_by, &**id, *input, *output), ("m-2026", "c-1", 1000, 10));
    assert_eq!((*cost, &**currency, fault), (Some(520), "EUR", &None));
    assert_eq!(answered[0].question, answered[1].question, "the same was asked");
    assert_ne!(answered[0].key, answered[1].key);
}

#[test]
fn a_plugin_gets_vectors_by_the_provider_of_their_model_and_what_they_cost_is_recorded() {
    let vectors = "{\"data\":[{\"index\":1,\"embedding\":[0.5,0.25]},{\"index\":0,\"embedding\":[1.0,0.0]}],\
                   \"model\":\"e-2026\",\"usage\":{\"prompt_tokens\":1000}}";
    let good = answer("200 OK\r\ncontent-type: application/json", vectors);
    let (port, asked) = serve(vec![good.clone(), good.replace("0.5,0.25", "0.5")]);
    let tasks = "- {id: picked, kind: embed, priority: 5, description: '- one|two'}\n\
                 - {id: short, kind: embed, priority: 4, description: vectors one|two}\n\
                 - {id: hashed, kind: embed, priority: 3, description: others one|one}\n\
                 - {id: chats, kind: embed, priority: 2, description: small one}\n";
    let bench = Bench::new(tasks, port);
    let workspace = &bench.workspace;
    let guests =
        workspace.admit_guest("asks-vectors", "log = {}\nembed = { models = [\"*\"], bytes = 64 }\n");
    let model = |name: &str, provider: &str, dimension: u32| {
        format!(
            "[models.{name}]\nprovider = \"demo/{provider}\"\nmodel = \"e\"\nbase_url = \"http://127.0.0.1:{port}/v1\"\ncontext_window = 512\ndimension = {dimension}\nprice = {{ input = 0.5, output = 0.0 }}\n"
        )
    };
    let models = fs::read_to_string(workspace.operator().join("models.toml")).unwrap();
    let models =
        models + &model("vectors", "provider-openai", 2) + &model("others", "provider-embed-hash", 32);
    fs::write(workspace.operator().join("models.toml"), models).unwrap();
    let config =
        workspace.read("config.yaml").replace("executors: {", "executors: {embed: demo/asks-vectors, ");
    let both = "providers: {embed: [demo/provider-openai, demo/provider-embed-hash], llm:";
    workspace.write("config.yaml", &config.replace("providers: {llm:", both));
    workspace.write("models.yaml", "embed: vectors\n");
    workspace.run(&["--plugins", guests.to_str().unwrap(), "--jobs", "1"], 0);
    let known = "of others 32, vectors 2";
    assert_eq!(
        bench.said(),
        [
            format!("[2, 2] equal false {known}"),
            format!("Unavailable {known}"),
            format!("[32, 32] equal true {known}"),
            format!("Denied(\"model `small`\") {known}"),
        ]
    );
    let question = asked.recv().unwrap();
    assert_eq!((&question["model"], &question["input"]), (&json!("e"), &json!(["one", "two"])));
    let answered = bench.answered();
    let came: Vec<_> = answered
        .iter()
        .map(|answer| (&*answer.provider, answer.input, answer.cost, answer.fault.as_deref()))
        .collect();
    assert_eq!(
        came,
        [
            ("demo/provider-openai", 1000, Some(500), None),
            ("demo/provider-openai", 0, None, Some("unavailable")),
            ("demo/provider-embed-hash", 2, Some(1), None),
        ]
    );
}

#[test]
fn whoever_runs_the_model_answers_badly_and_each_time_the_plugin_hears_why() {
    let half = events("data: {\"choices\":[{\"delta\":{\"content\":\"Th\"}}]}\n\n");
    let cut = half.replace("content-length: ", "content-length: 9");
    let answers = vec![
        answer("429 Too Many Requests\r\nretry-after: 7", "{}"),
        answer("500 Internal Server Error", "<html>"),
        half,
        cut,
        String::new(),
        answer("400 Bad Request", "{\"error\":{\"message\":\"too long\"}}"),
        answer("429 Too Many Requests", "{}"),
        events("data: <html>\n\n"),
        answer("200 OK\r\ncontent-type: application/json", "[]"),
        answer("404 Not Found", "{\"error\":{\"message\":\"no such model\"}}"),
        // More than any answer may have.
        events(&format!("data: {}\n\n", "x".repeat(9 << 20))),
    ];
    let (port, asked) = serve(answers);
    let task = |number: usize| {
        format!("- {{id: t{number}, kind: ask, priority: {}, description: '- how many?'}}\n", 99 - number)
    };
    let bench = Bench::new(&(0..11).map(task).collect::<String>(), port);
    bench.run(0);
    assert_eq!(asked.iter().count(), 11, "nobody asks again by itself");
    let said: Vec<String> =
        bench.said().into_iter().map(|said| said.trim_end_matches(" of small").to_owned()).collect();
    let busy = "Err(Busy(Some(7000)))";
    let (silent, long) = ("Err(Unavailable)", "Err(Invalid(\"status 400: too long\"))");
    let (any_time, unknown) = ("Err(Busy(None))", "Err(Invalid(\"status 404: no such model\"))");
    assert_eq!(said, [busy, silent, silent, silent, silent, long, any_time, silent, silent, unknown, silent]);
    let faults: Vec<Option<String>> = bench.answered().into_iter().map(|answer| answer.fault).collect();
    let none = "unavailable";
    let expected = ["busy", none, none, none, none, "invalid", "busy", none, none, "invalid", none];
    assert_eq!(faults, expected.map(|word| Some(word.to_owned())));
}

#[test]
fn what_is_no_text_is_read_as_far_as_it_is_one_and_a_megabyte_of_words_is_paid_for_whatever_becomes_of_it() {
    let mut odd = PIECES.as_bytes().to_vec();
    let at = odd.windows(3).position(|three| three == b"ree").unwrap();
    odd[at] = 0xff;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        odd.len()
    );
    let long = PIECES.replace("ree", &"e".repeat(900 << 10));
    let (port, _asked) = serve(vec![[head.as_bytes(), &odd].concat(), events(&long).into_bytes()]);
    let tasks = "- {id: odd, kind: ask, priority: 2, description: '- how many?'}\n\
                 - {id: long, kind: ask, priority: 1, description: '- how many?'}\n";
    let bench = Bench::new(tasks, port);
    bench.run(1);
    let said = bench.said();
    assert_eq!(said[0], "Ok(\"Th\u{fffd}ee\") of small");
    // The plugin says it again, and that is more than any may say.
    assert!(said[1].contains("limit-output"), "{:.200}", said[1]);
    let answered = bench.answered();
    assert!(answered.iter().all(|answer| answer.fault.is_none() && answer.cost == Some(520)), "{answered:?}");
    // What both cost is counted once each, and of the text there is a digest.
    assert_ne!(answered[0].answer, answered[1].answer);
}

#[test]
fn an_attempt_that_spent_and_then_broke_is_not_in_doubt() {
    let (port, _asked) = serve(vec![events(PIECES)]);
    let bench = Bench::new("- {id: traps, kind: ask, description: '- how many?'}\n", port);
    bench.run(1);
    let said = bench.said();
    assert!(said[0].contains("Broken") && said[0].contains("plugin-trap"), "{said:?}");
    assert_eq!(bench.answered().len(), 1);
    let spends = |event: &Event| matches!(event, Event::IntentRecorded { spends: true, .. });
    let intents = bench.workspace.events().iter().filter(|event| spends(event)).count();
    assert_eq!(intents, 2, "the question, and what the provider sent for it");
}

/// `[budgets]` and `[rates]` beside the models.
fn bound(bench: &Bench, text: &str) {
    let models = bench.workspace.operator().join("models.toml");
    let written = fs::read_to_string(&models).unwrap();
    fs::write(&models, written + text).unwrap();
}

fn json_of(bench: &Bench, args: &[&str]) -> Value {
    serde_json::from_slice(&bench.workspace.host(args, 0).stdout).unwrap()
}

#[test]
fn a_budget_ends_the_questions_of_a_run_and_what_it_cost_is_said_by_task_and_model() {
    let (port, asked) = serve(vec![events(PIECES), events(PIECES)]);
    let task = |number: usize| {
        format!("- {{id: t{number}, kind: ask, priority: {}, description: '- how many?'}}\n", 9 - number)
    };
    let bench = Bench::new(&(0..3).map(task).collect::<String>(), port);
    // A question costs at most some 680 millionths, and 520 after it was answered.
    bound(&bench, "[budgets]\nrun = { cost = 0.0013 }\n");
    bench.run(0);
    assert_eq!(asked.iter().count(), 2, "the third has no room");
    assert_eq!(bench.said()[2], "Err(Limit(\"budget-run\")) of small");
    let warned: Vec<String> = (bench.workspace.events().into_iter())
        .filter_map(|event| match event {
            Event::Warned { code, text } if code.starts_with("model-budget") => {
                Some(format!("{code} {text}"))
            }
            _ => None,
        })
        .collect();
    assert!(warned.iter().any(|one| one.starts_with("model-budget-low")), "{warned:?}");
    assert!(warned.iter().any(|one| one.contains("0.001300 EUR, 0.001040 EUR are spent")), "{warned:?}");

    let cost = json_of(&bench, &["metrics", "cost", "--by", "task,model", "--format", "json"]);
    let rows: Vec<(&str, &str, u64)> = (cost["costs"].as_array().unwrap().iter())
        .map(|row| {
            (row["task"].as_str().unwrap(), row["model"].as_str().unwrap(), row["cost"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(rows, [("t0", "small", 520), ("t1", "small", 520)]);
    assert_eq!((&cost["totals"][0]["cost"], &cost["totals"][0]["currency"]), (&json!(1040), &json!("EUR")));
    let table = bench.workspace.host(&["metrics", "cost", "--all", "--by", "day"], 0);
    assert!(String::from_utf8_lossy(&table.stdout).contains("0.001040 EUR"));
    let report = bench.workspace.host(&["report"], 0);
    let line = "demo/asks-models asked small 2 times: 2000 tokens read, 20 written, 0.001040 EUR";
    assert!(String::from_utf8_lossy(&report.stdout).contains(line));
}

#[test]
fn a_question_that_was_cut_off_counts_at_its_most_in_the_next_host() {
    let (port, asked) = serve(Vec::<String>::new());
    let bench = Bench::new("- {id: one, kind: ask, description: '- how many?'}\n", port);
    // Room for one such question, and not for two.
    bound(&bench, "[budgets]\nrun = { cost = 0.0012 }\n");
    let args = ["run", "--trust-workspace", "--plugins", &bench.guests, "--jobs", "1"];
    let killed = bench.workspace.command(&args).env("ORCH_FAILPOINT", "after-intent:1").output().unwrap();
    assert!(!killed.status.success());
    bench.run(0);
    assert_eq!(bench.said().last().unwrap(), "Err(Limit(\"budget-run\")) of small");
    assert_eq!(asked.iter().count(), 0, "the first was cut off before its provider sent anything");
    let cost = json_of(&bench, &["metrics", "cost", "--format", "json"]);
    let row = &cost["costs"][0];
    assert_eq!((&row["questions"], &row["unseen"], &row["cost"]), (&json!(1), &json!(1), &json!(0)));
    assert!((601..900).contains(&row["uncertain"].as_u64().unwrap()), "{row}");
}

#[test]
fn what_has_no_price_is_not_asked_where_money_is_bounded_and_the_doctor_says_what_is_wrong() {
    let (port, asked) = serve(Vec::<String>::new());
    let bench = Bench::new("- {id: one, kind: ask, description: '- how many?'}\n", port);
    let models = bench.workspace.operator().join("models.toml");
    let text = fs::read_to_string(&models).unwrap();
    let unpriced = text.replacen("price = { input = 0.5, output = 2.0 }\n", "", 1);
    fs::write(&models, unpriced + "[budgets]\nday = { cost = 5.0 }\n").unwrap();
    bench.run(0);
    assert!(bench.said()[0].contains("`small` has no `price`"), "{:?}", bench.said());
    assert_eq!(asked.iter().count(), 0);

    let text = fs::read_to_string(&models).unwrap();
    let elsewhere = text.replace("[models.other]", "[models.other]\nprovider = \"demo/provider-anthropic\"");
    fs::write(&models, elsewhere).unwrap();
    let workspace = bench.workspace.path();
    let found =
        bench.workspace.command(&["doctor", "--workspace", workspace.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    for line in [
        "BAD  model `small`: no `price`, and `budgets` of `models.toml` bounds money: nobody may ask it",
        "BAD  model `other`: its provider `demo/provider-anthropic` is not bound by `providers` of `config.yaml`",
        "ok   model `small` is asked through `demo/provider-openai`",
        "ok   budget of the day: 0.000000 EUR of 5.000000 EUR spent or held back",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn pieces_of_an_answer_are_shown_to_who_watches_and_kept_nowhere() {
    let (port, _asked) = serve(vec![events(PIECES)]);
    let bench = Bench::new("- {id: one, kind: ask, description: '- how many?'}\n", port);
    let args = ["--plugins", &bench.guests, "--jobs", "1", "--output", "prefixed"];
    let shown = bench.workspace.run(&args, 0);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let lines: Vec<&str> = shown.lines().filter(|line| line.ends_with("\u{2502} Three")).collect();
    assert_eq!(lines.len(), 1, "{shown}");
    // There may be no log at all.
    let logs = fs::read_dir(bench.workspace.path().join("logs")).into_iter().flatten();
    let files = logs.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let text: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(!text.contains("Three"), "{text}");
}
