//! Executor: lets a model answer what a task asks; it may look which files there are.

use orch_sdk::llm::{Chat, StopReason, Tool, ToolCall};
use orch_sdk::{Attempt, Completion, Executor, Failure, Task, files, log};

/// How often the model is asked about one task.
const TURNS_MAX: usize = 8;

struct Plugin;

impl Executor for Plugin {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let mut chat = Chat::new().system(order()).user(&task.description);
        chat = chat.tool(Tool::new("files", "Names every file.", r#"{"type":"object","properties":{}}"#));
        for _ in 0..TURNS_MAX {
            // A busy model is a failure that may pass, and is tried again as the task says.
            let answer = chat.send()?;
            log::debug(format_args!("{} tokens", answer.usage.output));
            match answer.stop {
                StopReason::ToolCalls => {
                    for call in &answer.said.tool_calls {
                        chat = match use_tool(call) {
                            Ok(text) => chat.result(&call.id, text),
                            Err(why) => chat.failed(&call.id, why),
                        };
                    }
                }
                _ => return Ok(Completion::new(answer.said.text)),
            }
        }
        Err(Failure::new(format!("no answer after {TURNS_MAX} turns")))
    }
}

orch_sdk::export!(executor: Plugin);

/// What the model is told before every task.
fn order() -> String {
    "Answer in one short sentence. Ask for `files` before you speak of a file.".to_owned()
}

/// What a tool gives the model.
fn use_tool(call: &ToolCall) -> Result<String, String> {
    match call.name.as_str() {
        "files" => {
            let paths: Result<Vec<String>, _> = files::find("**").map(|entry| entry.map(|it| it.path)).collect();
            paths.map(|paths| paths.join("\n")).map_err(|error| error.to_string())
        }
        other => Err(format!("there is no tool `{other}`")),
    }
}

#[cfg(test)]
mod tests {
    use orch_sdk::testing::Host;

    use super::*;

    #[test]
    fn tools_answer_and_what_is_no_tool_is_said() {
        let call = |name: &str| ToolCall { id: "c1".to_owned(), name: name.to_owned(), arguments: "{}".to_owned() };
        let host = Host::new().with_file("a.txt", "").with_file("b/c.txt", "");
        assert_eq!(host.play(|| use_tool(&call("files"))), Ok("a.txt\nb/c.txt".to_owned()));
        assert_eq!(host.play(|| use_tool(&call("dance"))), Err("there is no tool `dance`".to_owned()));
        assert_eq!(host.without("files").play(|| use_tool(&call("files"))), Err("files is not granted".to_owned()));
    }
}
