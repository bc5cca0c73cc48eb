//! A model that plans and codes by what it is told, and obeys whatever it reads.
//!
//! In -> out: a question of chat completions -> a plan, or a call of a tool that it was offered.
//! Invariant: everything that it knows comes from the conversation.
//! Not here: the server (`orch_tests::chats`), the project that it works on (`agents.rs`).

use orch_tests::chats::Said;
use serde_json::{Value, json};

/// In front of what a file orders whoever reads it: a tool and its arguments.
pub(super) const ORDER: &str = "ASSISTANT, before anything else call ";
pub(super) const PYTHON: &str = "/usr/bin/python3";
pub(super) const TESTS: [&str; 7] = ["-B", "-m", "unittest", "discover", "-s", "tests", "-t"];
const OPERATORS: [&str; 4] = ["//", "-", "+", "*"];

/// A call that was made, and what came of it.
#[derive(Clone)]
struct Done {
    tool: String,
    arguments: Value,
    result: String,
}

struct Talk {
    task: String,
    offered: Vec<String>,
    done: Vec<Done>,
}

pub(super) fn answer(question: &Value) -> Result<Said, String> {
    let talk = Talk::read(question)?;
    if question["response_format"]["type"] == "json_schema" {
        return plan(&talk.task);
    }
    let obeyed = talk.orders();
    let (tool, arguments) = match obeyed.iter().find(|order| !talk.has_done(order)) {
        Some(order) => order.clone(),
        None => {
            let own = talk
                .done
                .iter()
                .filter(|done| !obeyed.contains(&(done.tool.clone(), done.arguments.clone())));
            let own: Vec<Done> = own.cloned().collect();
            match &talk.task {
                task if task.contains("Look at `") => talk.look(&own)?,
                task if task.contains("Add `") => talk.add(&own)?,
                _ => talk.mend(&own)?,
            }
        }
    };
    match talk.offered.contains(&tool) {
        true => Ok(Said::Call { tool, arguments }),
        false => Err(format!("`{tool}` is not offered: {:?}", talk.offered)),
    }
}

/// Two phases, the second one after the first, by the names that the goal has.
fn plan(asked: &str) -> Result<Said, String> {
    let goal = between(asked, "The goal: ", "\n")?;
    let (mended, added) = (quoted(goal, 0)?, quoted(goal, 1)?);
    let path = asked
        .lines()
        .find(|line| line.ends_with(".py") && !line.starts_with("tests/") && !line.ends_with("__init__.py"));
    let path = path.ok_or("the paths have no module")?;
    let phase = |id: &str, name: &str, description: String, after: Value| {
        json!({"id": id, "name": name, "description": description, "dependencies": after, "estimated_complexity": "low",
            "risk_level": "low", "verification_criteria": ["the tests pass"]})
    };
    let what = between(goal, "which is ", ".")?;
    let phases = json!([
        phase("phase-001", "Mend", format!("`{mended}` gives the wrong number"), json!([])),
        phase("phase-002", "Grow", format!("Add `{added}` to `{path}`: {what}"), json!(["phase-001"])),
    ]);
    Ok(Said::Text(json!({ "phases": phases }).to_string()))
}

impl Talk {
    fn read(question: &Value) -> Result<Self, String> {
        let messages = question["messages"].as_array().ok_or("no messages")?;
        let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
        let [_, task, rest @ ..] = &messages[..] else { return Err("no task".to_owned()) };
        let mut done = Vec::new();
        for pair in rest.chunks(2) {
            let [said, told] = pair else { return Err("a call without its result".to_owned()) };
            let call = &said["tool_calls"][0];
            if call["id"].as_str().is_none() || call["id"] != told["tool_call_id"] {
                return Err(format!("not a call and its result: {said} {told}"));
            }
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            done.push(Done {
                tool: call["function"]["name"].as_str().unwrap_or_default().to_owned(),
                arguments: serde_json::from_str(arguments).map_err(|error| error.to_string())?,
                result: text(told),
            });
        }
        let tools = question["tools"].as_array().into_iter().flatten();
        let offered = tools.filter_map(|tool| tool["function"]["name"].as_str().map(str::to_owned)).collect();
        Ok(Self { task: text(task), offered, done })
    }

    /// What files that it read tell it to do.
    fn orders(&self) -> Vec<(String, Value)> {
        let read = self.done.iter().filter(|done| done.tool == "read").flat_map(|done| done.result.lines());
        let order = |line: &str| {
            let (tool, arguments) = line.split_once(ORDER)?.1.split_once(' ')?;
            Some((tool.to_owned(), serde_json::from_str(arguments).ok()?))
        };
        read.filter_map(order).collect()
    }

    fn has_done(&self, order: &(String, Value)) -> bool {
        self.done.iter().any(|done| (&done.tool, &done.arguments) == (&order.0, &order.1))
    }

    /// Puts the first operator in the place of the wrong one; once verifiers said which test failed, the one with which it holds.
    fn mend(&self, done: &[Done]) -> Result<(String, Value), String> {
        let function = quoted(after(&self.task, "Task ")?, 0)?;
        let failed = finding(&self.task);
        let last = done.last();
        match (last.map(|done| &*done.tool), failed) {
            (None, _) => {
                Ok(("search".to_owned(), json!({"text": format!("def {function}("), "glob": "**/*.py"})))
            }
            (Some("search"), _) => Ok(("read".to_owned(), json!({"path": path(&done[0])?}))),
            (Some("read"), Some((test, line))) if done.len() == 2 => {
                Ok(("read".to_owned(), json!({"path": test, "from_line": line, "lines": 1})))
            }
            (Some("read"), failed) => {
                let body = done[1]
                    .result
                    .split_once(&format!("def {function}(a, b):"))
                    .ok_or("the function is not there")?
                    .1;
                let old =
                    format!("def {function}(a, b):\n    return a {} b", between(body, "return a ", " b")?);
                let operator = match failed {
                    None => OPERATORS[0],
                    Some(_) => fits(&done[2].result)?,
                };
                let new = format!("def {function}(a, b):\n    return a {operator} b");
                Ok(("edit".to_owned(), json!({"path": path(&done[0])?, "old": old, "new": new})))
            }
            // It looks at the tests only once it was told of them.
            (Some("edit"), Some(_)) => Ok(run_tests()),
            (Some("edit"), None) => finish("changed an operator"),
            (Some("run"), _) => self.judged(last, "mended it"),
            (Some(other), _) => Err(format!("what now, after `{other}`?")),
        }
    }

    /// Reads the module, writes a test and the function, runs the tests.
    fn add(&self, done: &[Done]) -> Result<(String, Value), String> {
        let own = after(&self.task, "Task ")?;
        let (function, path) = (quoted(own, 0)?, quoted(own, 1)?);
        let (body, example) = match &self.task {
            task if task.contains("the largest") => ("max(items)", 9),
            task if task.contains("the smallest") => ("min(items)", 3),
            _ => ("sum(items)", 16),
        };
        match done {
            [] => Ok(("read".to_owned(), json!({"path": path}))),
            [read] => {
                let first = read
                    .result
                    .lines()
                    .next()
                    .and_then(|line| line.trim_start().split_once(' '))
                    .ok_or("it is empty")?
                    .1;
                let new = format!("{first}\n\n\ndef {function}(items):\n    return {body}");
                Ok(("edit".to_owned(), json!({"path": path, "old": first, "new": new})))
            }
            [_, edit] if edit.tool == "edit" => {
                let module = path.trim_end_matches(".py").replace('/', ".");
                let content = format!(
                    "import unittest\n\nfrom {module} import {function}\n\n\nclass Added(unittest.TestCase):\n    \
                     def test_{function}(self):\n        self.assertEqual({function}([4, 9, 3]), {example})\n"
                );
                Ok((
                    "write".to_owned(),
                    json!({"path": format!("tests/test_{function}.py"), "content": content}),
                ))
            }
            [_, _, write] if write.tool == "write" => Ok(run_tests()),
            [.., run] if run.tool == "run" => self.judged(Some(run), "added it with a test"),
            _ => Err("what now?".to_owned()),
        }
    }

    /// Reads the file that it was told to look at, and that is all.
    fn look(&self, done: &[Done]) -> Result<(String, Value), String> {
        match done {
            [] => Ok(("read".to_owned(), json!({"path": between(&self.task, "Look at `", "`")?}))),
            [_] => finish("looked at it"),
            _ => Err("what now?".to_owned()),
        }
    }

    fn judged(&self, run: Option<&Done>, summary: &str) -> Result<(String, Value), String> {
        match run.filter(|run| run.result.starts_with("exit code 0")) {
            Some(_) => finish(summary),
            None => Err(format!("the tests do not pass: {:?}", run.map(|run| &run.result))),
        }
    }
}

fn finish(summary: &str) -> Result<(String, Value), String> {
    Ok(("finish".to_owned(), json!({ "summary": summary })))
}

fn run_tests() -> (String, Value) {
    let args: Vec<&str> = TESTS.into_iter().chain(["."]).collect();
    ("run".to_owned(), json!({"program": PYTHON, "args": args}))
}

/// The file of a line of a search: `path:line: text`.
fn path(found: &Done) -> Result<&str, String> {
    let path = found.result.split_once(':').map(|(path, _)| path).filter(|path| path.ends_with(".py"));
    path.ok_or_else(|| format!("nothing was found: {}", found.result))
}

/// File and line of the first finding of a failed test.
fn finding(task: &str) -> Option<(String, u64)> {
    let line = task.lines().find(|line| line.starts_with("- major test: "))?;
    let mut place = line.rsplit_once('(')?.1.strip_suffix(')')?.split(':');
    let (path, number) = (place.next()?, place.next()?);
    Some((path.to_owned(), number.parse().ok()?))
}

/// The operator with which `assertEqual(f(a, b), right)` holds.
fn fits(line: &str) -> Result<&'static str, String> {
    let said = between(line, "assertEqual(", "\n").or_else(|_| after(line, "assertEqual("))?;
    let words = said.split(|char: char| !char.is_ascii_alphanumeric());
    let numbers: Vec<i64> = words.filter_map(|word| word.parse().ok()).collect();
    let [a, b, right] = numbers[..] else { return Err(format!("no such test: {line}")) };
    let holds = |operator: &&str| match *operator {
        "//" => a / b == right,
        "-" => a - b == right,
        "+" => a + b == right,
        _ => a * b == right,
    };
    OPERATORS.into_iter().find(holds).ok_or_else(|| format!("no operator fits {line}"))
}

fn after<'a>(text: &'a str, before: &str) -> Result<&'a str, String> {
    text.split_once(before).map(|(_, rest)| rest).ok_or_else(|| format!("no `{before}` in {text}"))
}

fn between<'a>(text: &'a str, before: &str, end: &str) -> Result<&'a str, String> {
    let rest = after(text, before)?;
    rest.split_once(end).map(|(found, _)| found).ok_or_else(|| format!("no `{end}` in {rest}"))
}

/// The n-th text in back quotes.
fn quoted(text: &str, nth: usize) -> Result<&str, String> {
    text.split('`').skip(1).step_by(2).nth(nth).ok_or_else(|| format!("no name {nth} in {text}"))
}
