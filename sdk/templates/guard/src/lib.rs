//! Guard: refuses commands that delete a folder and all below it.

use orch_sdk::{Command, Failure, Guard, Judgement, ProposedChange, Risk};

struct Plugin;

impl Guard for Plugin {
    fn judge(change: ProposedChange) -> Result<Judgement, Failure> {
        // What attempts changed (`Edits`) and what people take in (`Merge`) is judged by others.
        let ProposedChange::Task(task) = change else { return Ok(Judgement::Allow) };
        Ok(match task.command {
            Some(Command::Argv(words)) if deletes(&words) => Judgement::refuse("it deletes folders"),
            // What a line does cannot be read off its text: a person decides.
            Some(Command::Shell(line)) if line.contains("rm ") => {
                Judgement::escalate(Risk::Medium, format!("it may delete something: {line}"))
            }
            _ => Judgement::Allow,
        })
    }
}

orch_sdk::export!(guard: Plugin);

/// True of `rm` with an option that goes into folders.
fn deletes(words: &[String]) -> bool {
    let recursive = |word: &String| match word.strip_prefix("--") {
        Some(long) => long == "recursive",
        None => word.strip_prefix('-').is_some_and(|short| short.contains(['r', 'R'])),
    };
    words.split_first().is_some_and(|(program, rest)| {
        program.rsplit('/').next() == Some("rm") && rest.iter().any(recursive)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn only_what_goes_into_folders_deletes_them() {
        for line in ["rm -r a", "/bin/rm -fR a", "rm --recursive a"] {
            assert!(deletes(&words(line)), "{line}");
        }
        for line in ["rm a", "rm -f a", "ls -r", "echo rm -r"] {
            assert!(!deletes(&words(line)), "{line}");
        }
    }
}
