//! Changes files as the lines of its task's description say (`write PATH TEXT`, `rename FROM TO`), in every role that it has.
//! Ends as: done, with each answer; a task that is called `fails` as failed, one that is called `traps` in a trap.

use orch_sdk::{
    Attempt, Category, Completion, Error, Executor, Failure, Finding, Severity, Subject, Task, Verifier,
    files,
};

pub struct WritesFiles;

/// Every function that changes something, at a path that may be written where anything may.
const ALL: &str =
    "write out/v v\nappend out/v v\ntruncate out/v 0\nfolder out/w\nrename a.txt out/x\nremove a.txt";

fn one(line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    let mut word = || words.next().unwrap_or_default();
    let (verb, path, rest) = (word(), word(), word());
    let answer = match verb {
        "write" => files::write(path, rest.as_bytes()),
        "append" => files::append(path, rest.as_bytes()),
        "truncate" => files::truncate(path, rest.parse().unwrap_or_default()),
        "folder" => files::make_folder(path),
        "rename" => files::rename(path, rest),
        "remove" => files::remove(path),
        "read" => return files::read_text(path, 1000).unwrap_or_else(|error| told(&error)),
        _ => return "what?".to_owned(),
    };
    answer.map_or_else(|error| told(&error), |()| "ok".to_owned())
}

/// Without its words.
fn told(error: &Error) -> String {
    match error {
        Error::Denied(_) => "denied",
        Error::Invalid(_) => "invalid",
        Error::NotFound => "not-found",
        Error::Limit(_) => "limit",
        Error::Unavailable => "unavailable",
        _ => "another",
    }
    .to_owned()
}

fn all(lines: &str) -> String {
    lines.lines().map(one).collect::<Vec<_>>().join(" ")
}

impl Executor for WritesFiles {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let answers = all(&task.description);
        match task.id.as_str() {
            "fails" => Err(Failure::new(answers)),
            "traps" => panic!("as the task says"),
            _ => Ok(Completion::new(answers)),
        }
    }
}

impl Verifier for WritesFiles {
    fn verify(_subject: Subject) -> Result<Vec<Finding>, Failure> {
        Ok(vec![Finding::new(Severity::Minor, Category::Test, all(ALL))])
    }
}

orch_sdk::export!(executor: WritesFiles, verifier: WritesFiles);
