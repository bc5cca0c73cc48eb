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

const PIECES: &str = "data: {\"id\":\"c-1\",\"model\":\"m-2026\",\"choices\":[{\"delta\":{\"content\":\"Th\"}}]}\n\n\
    data: {\"choices\":[{\"delta\":{\"content\":\"ree\"},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":10}}\n\ndata: [DONE]\n\n";

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn events(body: &str) -> String {
    answer("200 OK\r\ncontent-type: text/event-stream", body)
}

/// Answers each request in turn with these bytes, then no more; gives its port, and what it was asked.
fn serve(answers: Vec<String>) -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, (say, asked)) = (listener.local_addr().unwrap().port(), channel());
    std::thread::spawn(move || {
        for answer in answers {
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
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    (port, asked)
}

struct Bench {
    workspace: Workspace,
    guests: String,
}

impl Bench {
    fn new(tasks: &str, port: u16) -> Self {
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

    fn run(&self, exit: i32) {
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
            ("demo/provider-openai", 0, None, Some("no-answer")),
            ("demo/provider-embed-hash", 0, Some(0), None),
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
    ];
    let (port, asked) = serve(answers);
    let task = |number: usize| {
        format!("- {{id: t{number}, kind: ask, priority: {}, description: '- how many?'}}\n", 9 - number)
    };
    let bench = Bench::new(&(0..6).map(task).collect::<String>(), port);
    bench.run(0);
    assert_eq!(asked.iter().count(), 6, "nobody asks again by itself");
    let said: Vec<String> =
        bench.said().into_iter().map(|said| said.trim_end_matches(" of small").to_owned()).collect();
    let busy = "Err(Busy(Some(7000)))";
    let (silent, long) = ("Err(Unavailable)", "Err(Invalid(\"status 400: too long\"))");
    assert_eq!(said, [busy, silent, silent, silent, silent, long]);
    let faults: Vec<Option<String>> = bench.answered().into_iter().map(|answer| answer.fault).collect();
    let none = "unavailable";
    assert_eq!(faults, ["busy", none, none, none, none, "invalid"].map(|word| Some(word.to_owned())));
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
