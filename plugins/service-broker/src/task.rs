//! One task of the queue, and what may become of it.
//!
//! In -> out: a task, the time, what a worker says -> the task afterwards, or why not.
//! Invariant: pending -> leased -> ended, back only by a lease that lapsed or was given back; an ended task never changes again; each lease has
//! a greater fence than all before it, and only who shows the fence of the lease that counts changes the task.
//! Not here: where tasks lie (`queue.rs`), what is in a request (`wanted.rs`).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::problem::Problem;

const ID_CHARACTERS_MAX: usize = 64;
/// Bytes of each stream that are kept of one attempt.
pub const OUTPUT_BYTES_MAX: u64 = 32 << 20;

/// A line for `sh -c`, or a program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    Line(String),
    Words(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Stdout, Self::Stderr].into_iter().find(|stream| stream.name() == name)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// True of 1 to 64 letters, digits, `.`, `_`, `-`, of which the first is a letter or a digit, and which are not `next`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    is_name(text) && text != "next"
}

/// The same with `next`: the form of a worker's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= ID_CHARACTERS_MAX
        && text.bytes().all(fits)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    InProgress,
    Done,
    Failed,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Pending, Self::InProgress, Self::Done, Self::Failed];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// Who works on a task, and how long nobody else does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub worker: String,
    pub fence: u64,
    pub seconds: u32,
    /// Milliseconds since 1970.
    pub until: u64,
    /// The time that the queue's list of leases has for it; a heartbeat leaves it as it is.
    pub listed: u64,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Of the lease whose result was accepted; none if none came.
    pub fence: Option<u64>,
    pub worker: Option<String>,
    /// None if the command did not exit by itself.
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    /// Milliseconds since 1970.
    pub at: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub id: String,
    pub title: Option<String>,
    pub command: Command,
    /// 0 to 100; the highest goes first.
    pub priority: u8,
    pub timeout_seconds: Option<u32>,
    /// Leases that may lapse until nobody tries any more.
    pub max_attempts: u32,
    /// After its end, until it is removed by itself; none: it stays.
    #[serde(default)]
    pub keep_seconds: Option<u32>,
    /// Leases so far.
    pub attempts: u32,
    /// Which one it was to be added.
    pub sequence: u64,
    /// Milliseconds since 1970.
    pub created: u64,
    pub lease: Option<Lease>,
    pub ended: Option<Ended>,
    /// Bytes that there are of the output of the last attempt.
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
}

impl Task {
    #[must_use]
    pub fn status(&self) -> Status {
        match (&self.ended, &self.lease) {
            (Some(ended), _) if ended.exit_code == Some(0) => Status::Done,
            (Some(_), _) => Status::Failed,
            (None, Some(_)) => Status::InProgress,
            (None, None) => Status::Pending,
        }
    }

    pub fn bytes(&mut self, stream: Stream) -> &mut u64 {
        match stream {
            Stream::Stdout => &mut self.stdout_bytes,
            Stream::Stderr => &mut self.stderr_bytes,
        }
    }

    /// Gives a pending task to a worker.
    pub fn lease(&mut self, worker: String, fence: u64, seconds: u32, now: u64) {
        let until = now + u64::from(seconds) * 1000;
        self.attempts += 1;
        self.lease = Some(Lease { worker, fence, seconds, until, listed: until });
    }

    /// The lease, if its fence is that one.
    ///
    /// # Errors
    /// 409: `task-ended`, `lease-lost`, `not-leased`.
    pub fn leased(&mut self, fence: u64) -> Result<&mut Lease, Problem> {
        if let Some(ended) = &self.ended {
            let what = match ended.fence == Some(fence) {
                true => {
                    return Err(Problem::new(409, "result-accepted", "the result of this lease is there"));
                }
                false => "the task ended with the result of another lease",
            };
            return Err(Problem::new(409, "task-ended", what));
        }
        match &mut self.lease {
            Some(lease) if lease.fence == fence => Ok(lease),
            Some(_) => Err(Problem::new(409, "lease-lost", "another lease of this task counts")),
            None if self.attempts == 0 => Err(Problem::new(409, "not-leased", "nobody has this task leased")),
            None => Err(Problem::new(409, "lease-lost", "the lease lapsed, and the task waits for another")),
        }
    }

    /// From now on as long as it was leased for.
    ///
    /// # Errors
    /// As of [`leased`](Self::leased).
    pub fn renew(&mut self, fence: u64, now: u64) -> Result<(), Problem> {
        let lease = self.leased(fence)?;
        // A clock that was put back takes nothing away.
        lease.until = lease.until.max(now + u64::from(lease.seconds) * 1000);
        Ok(())
    }

    /// Ends the task with what the worker says.
    ///
    /// # Errors
    /// As of [`leased`](Self::leased).
    pub fn end(
        &mut self,
        fence: u64,
        exit_code: Option<i32>,
        reason: Option<String>,
        now: u64,
    ) -> Result<Lease, Problem> {
        let lease = self.leased(fence)?.clone();
        let worker = Some(lease.worker.clone());
        self.ended = Some(Ended { fence: Some(fence), worker, exit_code, reason, at: now });
        self.lease = None;
        Ok(lease)
    }

    /// Takes a lease back whose worker ends: the task waits again, and the lease counts as none.
    ///
    /// # Errors
    /// As of [`leased`](Self::leased).
    pub fn release(&mut self, fence: u64) -> Result<Lease, Problem> {
        let lease = self.leased(fence)?.clone();
        self.lease = None;
        self.attempts = self.attempts.saturating_sub(1);
        Ok(lease)
    }

    /// What a lease that nobody renewed leaves: a task that waits again, or one that was tried often enough.
    pub fn lapse(&mut self, now: u64) {
        self.lease = None;
        if self.attempts >= self.max_attempts {
            let reason = Some(format!("no result came of {} leases (`max_attempts`)", self.attempts));
            self.ended = Some(Ended { fence: None, worker: None, exit_code: None, reason, at: now });
        }
    }

    /// When it is removed by itself, in milliseconds since 1970; none before its end, and of one that stays.
    #[must_use]
    pub fn kept_until(&self) -> Option<u64> {
        Some(self.ended.as_ref()?.at + u64::from(self.keep_seconds?) * 1000)
    }

    /// As everybody may see it: without the fence.
    #[must_use]
    pub fn shown(&self) -> Value {
        let lease = self.lease.as_ref();
        let lease = lease.map(|lease| json!({ "worker": lease.worker, "until_ms": lease.until }));
        let ended = self.ended.as_ref().map(|ended| {
            let Ended { fence: _, worker, exit_code, reason, at } = ended;
            json!({ "worker": worker, "exit_code": exit_code, "reason": reason, "ended_at_ms": at })
        });
        json!({
            "id": self.id,
            "title": self.title,
            "command": self.command,
            "status": self.status().name(),
            "priority": self.priority,
            "timeout_seconds": self.timeout_seconds,
            "attempts": self.attempts,
            "max_attempts": self.max_attempts,
            "keep_seconds": self.keep_seconds,
            "created_at_ms": self.created,
            "lease": lease,
            "result": ended,
            "stdout_bytes": self.stdout_bytes,
            "stderr_bytes": self.stderr_bytes,
        })
    }

    /// As its worker sees it.
    #[must_use]
    pub fn handed_out(&self) -> Value {
        let fence = self.lease.as_ref().map(|lease| lease.fence);
        let mut shown = self.shown();
        if let Value::Object(shown) = &mut shown {
            shown.insert("fence".to_owned(), json!(fence));
        }
        shown
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn task(id: &str) -> Task {
        Task {
            id: id.to_owned(),
            title: None,
            command: Command::Line("true".to_owned()),
            priority: 50,
            timeout_seconds: None,
            max_attempts: 2,
            keep_seconds: None,
            attempts: 0,
            sequence: 1,
            created: 1,
            lease: None,
            ended: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
        }
    }

    fn code(problem: Problem) -> String {
        let body = problem.into_response();
        assert_eq!(body.status, 409);
        serde_json::from_slice::<Value>(&body.body).unwrap()["code"].as_str().unwrap().to_owned()
    }

    #[test]
    fn only_the_fence_that_counts_changes_a_task() {
        let mut found = task("a");
        assert_eq!(code(found.renew(1, 5).unwrap_err()), "not-leased");
        found.lease("w".to_owned(), 7, 10, 1000);
        assert_eq!((found.status(), found.attempts), (Status::InProgress, 1));
        assert_eq!(code(found.renew(6, 5).unwrap_err()), "lease-lost");
        found.renew(7, 5000).unwrap();
        let lease = found.lease.clone().unwrap();
        assert_eq!((lease.until, lease.listed), (15_000, 11_000));
        found.renew(7, 0).unwrap();
        assert_eq!(found.lease.as_ref().unwrap().until, 15_000, "a clock that went back");
        found.lapse(20_000);
        assert_eq!(found.status(), Status::Pending);
        assert_eq!(code(found.end(7, Some(0), None, 1).unwrap_err()), "lease-lost");
        found.lease("x".to_owned(), 8, 10, 20_000);
        assert_eq!(code(found.end(7, Some(0), None, 1).unwrap_err()), "lease-lost");
        found.end(8, Some(0), None, 21_000).unwrap();
        assert_eq!(found.status(), Status::Done);
        assert_eq!(code(found.end(8, Some(0), None, 1).unwrap_err()), "result-accepted");
        assert_eq!(code(found.end(7, Some(1), None, 1).unwrap_err()), "task-ended");
        assert_eq!(found.ended.unwrap().worker.as_deref(), Some("x"));
    }

    #[test]
    fn what_nobody_ends_is_tried_so_often_and_no_more() {
        let mut found = task("a");
        for (fence, status) in [(1, Status::Pending), (2, Status::Failed)] {
            found.lease("w".to_owned(), fence, 1, 0);
            found.lapse(5);
            assert_eq!(found.status(), status);
        }
        assert_eq!(
            found.ended.as_ref().unwrap().reason.as_deref(),
            Some("no result came of 2 leases (`max_attempts`)")
        );
        assert_eq!(code(found.end(2, Some(0), None, 6).unwrap_err()), "task-ended");
    }

    #[test]
    fn only_a_zero_is_a_success() {
        for (exit_code, status) in
            [(Some(0), Status::Done), (Some(1), Status::Failed), (None, Status::Failed)]
        {
            let mut found = task("a");
            found.lease("w".to_owned(), 1, 1, 0);
            found.end(1, exit_code, None, 1).unwrap();
            assert_eq!(found.status(), status);
        }
    }

    #[test]
    fn a_fence_is_shown_to_its_worker_only() {
        let mut found = task("a");
        found.lease("w".to_owned(), 41, 1, 0);
        assert_eq!(found.handed_out()["fence"], 41);
        found.end(41, Some(0), None, 1).unwrap();
        assert!(!found.shown().to_string().contains("41"), "{}", found.shown());
    }

    #[test]
    fn ids_are_plain() {
        for (id, fits) in [
            ("a", true),
            ("A.b_c-9", true),
            ("next", false),
            ("", false),
            ("-a", false),
            ("a/b", false),
            ("ä", false),
        ] {
            assert_eq!(is_id(id), fits, "{id}");
        }
        assert!(is_id(&"a".repeat(64)) && !is_id(&"a".repeat(65)));
    }
}
