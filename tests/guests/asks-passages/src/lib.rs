//! Asks for passages: its task's description is a way (`both`, `keyword`, `semantic`; another word is a collection), a path (`.`: any)
//! and a question. Says where the passages are, `nothing`, or why there are none. Ends as: done.

use orch_sdk::retrieve::{Query, Way, find};
use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct AsksPassages;

impl Executor for AsksPassages {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let mut words = task.description.splitn(3, ' ');
        let (way, path, text) =
            (words.next().unwrap_or(""), words.next().unwrap_or("."), words.next().unwrap_or(""));
        let (way, collection) = match way {
            "keyword" => (Way::Keyword, "code"),
            "semantic" => (Way::Semantic, "code"),
            "both" => (Way::Both, "code"),
            other => (Way::Both, other),
        };
        let paths = if path == "." { Vec::new() } else { vec![path.to_owned()] };
        let query = Query { way, paths, ..Query::new(collection, text) };
        Ok(Completion::new(match find(&query) {
            Ok(found) if found.is_empty() => "nothing".to_owned(),
            Ok(found) => found.iter().map(|passage| passage.citation()).collect::<Vec<_>>().join(" "),
            Err(error) => format!("{error:?}"),
        }))
    }
}

orch_sdk::export!(executor: AsksPassages);
