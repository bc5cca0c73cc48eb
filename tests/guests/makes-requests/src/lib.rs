//! Makes the requests that the description lists, a line each: `METHOD URL [name=value]..`, where `{token}` in a value is a
//! word for its secret, `{basic}` one for it with a user, `body=` the body. Says each answer. Ends as: done; a task whose id
//! begins with `fails` ends as failed with the same text.

use orch_sdk::{Attempt, Completion, Executor, Failure, Task, http, log, secrets};

pub struct MakesRequests;

impl Executor for MakesRequests {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let mut said = Vec::new();
        for line in task.description.lines() {
            said.push(call(line)?);
        }
        let said = said.join("\n");
        log::info(format_args!("{said}"));
        match task.id.starts_with("fails") {
            true => Err(Failure::new(said)),
            false => Ok(Completion::new(said)),
        }
    }
}

fn call(line: &str) -> Result<String, Failure> {
    let mut words = line.split_whitespace();
    let (method, url) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = http::request(method, url).redirects(3);
    for (name, value) in words.filter_map(|word| word.split_once('=')) {
        let value = value.replace("{token}", secrets::placeholder("token")?.as_str());
        let value = value.replace("{basic}", secrets::basic("me", "token")?.as_str());
        request = match name {
            "body" => request.body(value),
            _ => request.header(name, value.replace('+', " ")),
        };
    }
    let answer = match request.send() {
        Ok(answer) => answer,
        Err(error) => return Ok(format!("{:?}", error.fault)),
    };
    let (status, headers) = (answer.status, format!("{:?}", answer.header("x-echo")));
    Ok(match answer.text() {
        Ok(text) => format!("{status} {headers} {text}"),
        Err(error) => format!("{status} {:?}", error.fault),
    })
}

orch_sdk::export!(executor: MakesRequests);
