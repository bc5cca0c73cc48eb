//! Reads the repository of its workspace: where it stands, its newest commit, what that changed, a file as it was and as it is.
//! Ends as: done, with a line for each; failed if the host does not answer.

use orch_sdk::{Attempt, Completion, Error, Executor, Failure, Task, diff, files, git};

pub struct ReadsHistory;

impl Executor for ReadsHistory {
    fn execute(_task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let lines = look().map_err(|error| Failure::new(format!("{error:?}")))?;
        Ok(Completion::new(lines.join("\n")))
    }
}

fn look() -> Result<Vec<String>, Error> {
    let at = git::head()?;
    let log = git::log(&at.commit, 0, 10)?;
    let mut lines = vec![
        format!("branch {}", at.branch.as_deref().unwrap_or("none")),
        format!("commits {}", log.len()),
        format!("branches {}", git::branches(None)?.len()),
    ];
    let first = log.last().map_or_else(|| at.commit.clone(), |commit| commit.id.clone());
    for changed in git::changes(&first, &at.commit, None)? {
        let how = match changed.how {
            git::How::Added => "added",
            git::How::Changed => "changed",
            git::How::Removed => "removed",
        };
        lines.push(format!("{how} {}", changed.path));
    }
    let was = String::from_utf8_lossy(&git::show(&first, "a.txt", 1000)?).into_owned();
    let of_git = git::diff(&first, &at.commit, "a.txt")?;
    let of_texts = diff::unified(&was, &files::read_text("a.txt", 1000)?, "a.txt")?;
    for patch in [of_git, of_texts] {
        lines.extend(patch.lines().filter(|line| line.starts_with('+')).map(str::to_owned));
    }
    let unseen = match git::show(&first, "src/b.txt", 1000) {
        Err(Error::Denied(_)) => "denied".to_owned(),
        other => format!("{other:?}"),
    };
    lines.push(format!("unseen {unseen}"));
    Ok(lines)
}

orch_sdk::export!(executor: ReadsHistory);
