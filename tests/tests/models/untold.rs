//! Servers that do not say what they used, or say what cannot be: it counts at its most, and everybody who reads it is told.

use super::*;

const USAGE: &str = ",\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":10}}";
/// Tokens of an answer, as the workspace bounds them.
const WRITTEN: u64 = 300;

/// The answer with that in the place of what it used.
fn saying(usage: &str) -> String {
    assert!(PIECES.contains(USAGE));
    events(&PIECES.replace(USAGE, &format!("{usage}}}")))
}

fn tasks(count: usize) -> String {
    let task = |number: usize| {
        format!("- {{id: t{number:02}, kind: ask, priority: {}, description: '- how many?'}}\n", 99 - number)
    };
    (0..count).map(task).collect()
}

/// What was held back for each question, in its order.
fn reserved(bench: &Bench) -> Vec<(u64, u64)> {
    let events = bench.workspace.events().into_iter();
    let held = events.filter_map(|event| match event {
        Event::IntentRecorded { provided: Some(asked), .. } => asked.reserved,
        _ => None,
    });
    held.map(|reserved| (reserved.tokens, reserved.cost.unwrap())).collect()
}

fn warned(bench: &Bench) -> Vec<String> {
    let events = bench.workspace.events().into_iter();
    let texts = events.filter_map(|event| match event {
        Event::Warned { code, text } if code == "model-usage-untold" => Some(text),
        _ => None,
    });
    texts.collect()
}

fn text_of(bench: &Bench, args: &[&str]) -> String {
    String::from_utf8(bench.workspace.host(args, 0).stdout).unwrap()
}

#[test]
fn a_budget_holds_a_server_that_says_no_usage_and_the_next_host_knows_it() {
    let (port, asked) = serve(vec![saying(""); 3]);
    let bench = Bench::new(&tasks(4), port);
    // A question costs at most some 680 millionths, and that is what each of these counts.
    bound(&bench, "[budgets]\nrun = { cost = 0.0022 }\nday = { cost = 5.0 }\n");
    bench.run(0);
    assert_eq!(asked.iter().count(), 3, "the fourth has no room");
    let said = bench.said();
    assert_eq!(said[..3], ["Ok(\"Three\") of small"; 3], "an answer is no worse for that");
    assert_eq!(said[3], "Err(Limit(\"budget-run\")) of small");
    let (answered, reserved) = (bench.answered(), reserved(&bench));
    assert_eq!(reserved.len(), 3);
    for (answer, (tokens, cost)) in answered.iter().zip(&reserved) {
        assert!(answer.estimated && answer.fault.is_none(), "{answer:?}");
        assert_eq!((answer.input + answer.output, answer.cost), (*tokens, Some(*cost)));
        assert_eq!((answer.cached, answer.output), (0, WRITTEN));
    }
    let warned = warned(&bench);
    assert_eq!(warned.len(), 1, "once, and not with each answer: {warned:?}");
    assert!(warned[0].starts_with("`demo/provider-openai` does not say all that `small` used"), "{warned:?}");

    let all: u64 = reserved.iter().map(|(_, cost)| cost).sum();
    let cost = json_of(&bench, &["metrics", "cost", "--format", "json"]);
    let row = &cost["costs"][0];
    assert_eq!((&row["estimated"], &row["cost"], &row["uncertain"]), (&json!(3), &json!(all), &json!(0)));
    assert_eq!(&cost["totals"][0]["estimated"], &json!(3));
    assert!(text_of(&bench, &["metrics", "cost"]).contains(" estimated "));
    let report = text_of(&bench, &["report"]);
    assert!(
        report.contains(" written, 0.00")
            && report.contains(", with 3 answers at their most, which do not say"),
        "{report}"
    );
    let folder = bench.workspace.path().to_str().unwrap().to_owned();
    let doctor = bench.workspace.command(&["doctor", "--workspace", &folder]).output().unwrap();
    let spent = format!("budget of the day: 0.{all:06} EUR of 5.000000 EUR spent or held back");
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.contains(&spent), "{spent}\n{doctor}");
}

#[test]
fn whatever_is_said_of_usage_the_answer_is_heard_and_what_is_missing_counts_at_its_most() {
    let early =
        PIECES.replacen("{\"id\"", "{\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":2},\"id\"", 1);
    let cut = events(&early[..early.find("data: {\"choices\":[],").unwrap()]);
    let lost = cut.replace("content-length: ", "content-length: 9").replace("\"finish_reason\"", "\"x\"");
    // Number of tokens read and written as it is recorded; none: at its most.
    let most = (None, None);
    let all = [
        (saying(""), most),
        (saying(",\"usage\":null"), most),
        (saying(",\"usage\":\"none\""), most),
        (saying(",\"usage\":{}"), most),
        (saying(",\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}"), most),
        (saying(",\"usage\":{\"prompt_tokens\":-1000,\"completion_tokens\":-10}"), most),
        (saying(",\"usage\":{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":1e99}"), most),
        (saying(",\"usage\":{\"prompt_tokens\":\"1000\",\"completion_tokens\":[]}"), most),
        (saying(",\"usage\":{\"prompt_tokens\":1000}"), (Some(1000), None)),
        (saying(",\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":-10}"), (Some(1000), None)),
        (saying(",\"usage\":{\"completion_tokens\":10}"), (None, Some(10))),
        (saying(",\"usage\":{\"prompt_tokens\":1000,\"total_tokens\":1010}"), (Some(1000), Some(10))),
        // What was said early holds, whatever is said or not said at the end.
        (cut, (Some(50), Some(2))),
        (
            events(&early.replace(USAGE, ",\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}")),
            (Some(50), Some(2)),
        ),
        (events(&early), (Some(1000), Some(10))),
    ];
    let count = all.len();
    let mut answers: Vec<String> = all.iter().map(|(answer, _)| answer.clone()).collect();
    answers.push(lost);
    let (port, asked) = serve(answers);
    let bench = Bench::new(&tasks(count + 1), port);
    bench.run(0);
    assert_eq!(asked.iter().count(), count + 1);
    let (said, answered, reserved) = (bench.said(), bench.answered(), reserved(&bench));
    for (nth, (_, expected)) in all.iter().enumerate() {
        assert_eq!(said[nth], "Ok(\"Three\") of small", "{nth}");
        let (answer, (tokens, held)) = (&answered[nth], reserved[nth]);
        let (input, output) = *expected;
        let counted = (input.unwrap_or(tokens - WRITTEN), output.unwrap_or(WRITTEN));
        assert_eq!((answer.input, answer.output), counted, "{nth}: {answer:?}");
        assert_eq!(answer.estimated, input.is_none() || output.is_none(), "{nth}");
        assert_eq!(answer.cost, Some(counted.0.div_ceil(2) + counted.1 * 2), "{nth}");
        if (input, output) == (None, None) {
            assert_eq!(answer.cost, Some(held), "{nth}");
        }
    }
    // Half an answer is none, whatever it said of itself: it may have been charged for, and stands beside the sum.
    assert_eq!(said[count], "Err(Unavailable) of small");
    let last = &answered[count];
    assert_eq!((last.fault.as_deref(), last.input, last.estimated), (Some("unavailable"), 0, false));
    let cost = json_of(&bench, &["metrics", "cost", "--format", "json"]);
    let row = &cost["costs"][0];
    let estimated = all.iter().filter(|(_, (input, output))| input.is_none() || output.is_none()).count();
    assert_eq!((&row["estimated"], &row["unanswered"]), (&json!(estimated), &json!(1)));
    assert_eq!(row["uncertain"], json!(reserved[count].1));
}

#[test]
fn vectors_without_usage_count_a_token_for_each_byte_that_the_model_reads() {
    let vectors = |usage: &str| {
        let data = "{\"data\":[{\"embedding\":[0.5,0.25]},{\"embedding\":[1.0,0.0]}]";
        answer("200 OK\r\ncontent-type: application/json", &format!("{data}{usage}}}"))
    };
    let (port, asked) = serve(vec![
        vectors(""),
        vectors(",\"usage\":null"),
        vectors(",\"usage\":{\"prompt_tokens\":-6}"),
        vectors(",\"usage\":{\"total_tokens\":4}"),
        vectors(""),
    ]);
    let task = |number: usize, text: &str| {
        format!("- {{id: t{number}, kind: embed, priority: {}, description: '- {text}'}}\n", 9 - number)
    };
    let long = format!("{}|two", "x".repeat(40));
    let tasks: String =
        ["one|two"; 4].into_iter().chain([&*long]).enumerate().map(|(n, text)| task(n, text)).collect();
    let bench = Bench::new(&tasks, port);
    let workspace = &bench.workspace;
    let guests =
        workspace.admit_guest("asks-vectors", "log = {}\nembed = { models = [\"*\"], bytes = 64 }\n");
    let models = fs::read_to_string(workspace.operator().join("models.toml")).unwrap();
    let vectors = format!(
        "[models.vectors]\nmodel = \"e\"\nbase_url = \"http://127.0.0.1:{port}/v1\"\ncontext_window = 10\ndimension = 2\nprice = {{ input = 2.0, output = 0.0 }}\n"
    );
    fs::write(workspace.operator().join("models.toml"), models + &vectors).unwrap();
    let config = workspace.read("config.yaml");
    let config = config.replace("executors: {", "executors: {embed: demo/asks-vectors, ");
    workspace.write(
        "config.yaml",
        &config.replace("providers: {llm:", "providers: {embed: demo/provider-openai, llm:"),
    );
    workspace.write("models.yaml", "embed: vectors\n");
    workspace.run(&["--plugins", guests.to_str().unwrap(), "--jobs", "1"], 0);
    assert_eq!(asked.iter().count(), 5);
    let came: Vec<_> =
        bench.answered().iter().map(|answer| (answer.input, answer.cost, answer.estimated)).collect();
    // Of the long text the model reads ten tokens, as its window says, and of the other one three.
    let untold = (6, Some(12), true);
    assert_eq!(came, [untold, untold, untold, (4, Some(8), false), (13, Some(26), true)]);
    assert_eq!(reserved(&bench)[4], (13, 26), "of each text what fits is held back, and not of all together");
    assert_eq!(warned(&bench).len(), 1);
    assert!(bench.said().iter().all(|said| said.starts_with("[2, 2] equal false")), "{:?}", bench.said());
}
