//! Asks what its task's description says: `WAY METHOD URL`, then its body. By `whole` it says status and text, by `lines` each
//! line by itself, by `parts` it sends the body a byte at a time. Ends as: done; as failed if there was no answer.

use orch_sdk::http;
use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

pub struct CallsOut;

impl Executor for CallsOut {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        let mut words = task.description.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (way, method, url, body) = (word(), word(), word(), word());
        let request = http::request(method, url).header("accept", "*/*");
        let answer = match way.as_str() {
            "parts" => {
                let mut upload = request.start()?;
                for byte in body.as_bytes() {
                    upload.write(&[*byte])?;
                }
                upload.finish()?
            }
            _ => request.body(body).send()?,
        };
        let status = answer.status;
        let said = match way.as_str() {
            "lines" => format!("{status} {:?}", answer.lines().collect::<Result<Vec<_>, _>>()?),
            _ => format!("{status} {}", answer.text()?),
        };
        Ok(Completion::new(said))
    }
}

orch_sdk::export!(executor: CallsOut);
