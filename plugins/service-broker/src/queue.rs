//! Where tasks lie: one bucket of `orch:kv`.
//!
//! Keys: `t/ID` a task; `q/RANK` the id of one that waits, `RANK` so that the first key is the first task; `l/UNTIL.ID` one
//! that is leased; `e/UNTIL.ID` one that ended and is removed by itself; `o/ID/STREAM/CELL` output, [`CELL_BYTES`] a cell; `n/sequence`, `n/fence` the last number given.
//! Invariant: a task that waits is under one `q/`, a leased one under one `l/`, an ended one under neither, and under
//! one `e/` if it says how long it is kept.
//! Invariant: what a call reads here is read again when it is kept (the host's word), so two calls never take one task.
//! Not here: what may become of a task (`task.rs`).

use orch_sdk::kv::Bucket;
use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::task::{OUTPUT_BYTES_MAX, Stream, Task};

const LABEL: &str = "queue";
/// Most that is appended at once.
pub const CELL_BYTES: usize = 48 * 1024;
/// Leases, and tasks that were kept long enough, that one call looks at: the others wait for the next.
const LAPSED_MAX: usize = 100;
/// Tasks that one list looks at.
const LOOKED_MAX: usize = 1000;
/// Bytes of commands that one list shows, about.
const SHOWN_BYTES_MAX: usize = 512 * 1024;

/// The queue, open.
pub struct Queue(Bucket);

impl Queue {
    /// # Errors
    /// 403.
    pub fn open() -> Result<Self, Problem> {
        Ok(Self(Bucket::open(LABEL).map_err(Problem::of_host)?))
    }

    fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Problem> {
        let Some(bytes) = self.0.value(key).map_err(Problem::of_host)? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes);
        read.map(Some).map_err(|_| Problem::new(500, "queue-damaged", format!("`{key}` cannot be read")))
    }

    fn put(&self, key: &str, value: &[u8]) -> Result<(), Problem> {
        self.0.set(key, value).map_err(Problem::of_host)
    }

    fn delete(&self, key: &str) -> Result<(), Problem> {
        self.0.delete(key).map_err(Problem::of_host)
    }

    fn first(&self, prefix: &str) -> Result<Vec<String>, Problem> {
        self.0.page(prefix, None).map_err(Problem::of_host)
    }

    /// The next number of that name, from 1.
    ///
    /// # Errors
    /// 403, 500, 503, 507, as each of these.
    pub fn count(&self, name: &str) -> Result<u64, Problem> {
        let key = format!("n/{name}");
        let number = self.get::<u64>(&key)?.unwrap_or(0) + 1;
        self.put(&key, number.to_string().as_bytes())?;
        Ok(number)
    }

    pub fn find(&self, id: &str) -> Result<Option<Task>, Problem> {
        self.get(&task_key(id))
    }

    /// 404 without one.
    pub fn task(&self, id: &str) -> Result<Task, Problem> {
        self.find(id)?.ok_or_else(|| Problem::unknown(id))
    }

    pub fn keep(&self, task: &Task) -> Result<(), Problem> {
        let text = serde_json::to_vec(task);
        let text = text.map_err(|_| Problem::new(500, "queue-damaged", "a task cannot be written"))?;
        self.put(&task_key(&task.id), &text)
    }

    /// Keeps a task that waits.
    pub fn wait(&self, task: &Task) -> Result<(), Problem> {
        self.put(&rank_key(task), task.id.as_bytes())?;
        self.keep(task)
    }

    /// The task that is first, if one waits; it waits no more.
    pub fn take(&self) -> Result<Option<Task>, Problem> {
        let Some(key) = self.first("q/")?.into_iter().next() else { return Ok(None) };
        let id = self.0.value(&key).map_err(Problem::of_host)?.unwrap_or_default();
        self.delete(&key)?;
        self.find(&String::from_utf8_lossy(&id))
    }

    /// Keeps a task that is leased.
    pub fn list_lease(&self, task: &Task) -> Result<(), Problem> {
        if let Some(lease) = &task.lease {
            self.put(&lease_key(lease.listed, &task.id), b"")?;
        }
        self.keep(task)
    }

    /// Keeps a task that ended.
    pub fn end(&self, task: &Task) -> Result<(), Problem> {
        if let Some(until) = task.kept_until() {
            self.put(&kept_key(until, &task.id), b"")?;
        }
        self.keep(task)
    }

    pub fn unlist_lease(&self, listed: u64, id: &str) -> Result<(), Problem> {
        self.delete(&lease_key(listed, id))
    }

    /// What stands below a prefix with a time that is over by now: ids, each taken off that list.
    fn due(&self, prefix: &str, now: u64) -> Result<Vec<String>, Problem> {
        let mut due = Vec::new();
        for key in self.first(prefix)?.into_iter().take(LAPSED_MAX) {
            let Some((at, id)) = key.strip_prefix(prefix).and_then(|key| key.split_once('.')) else {
                continue;
            };
            if u64::from_str_radix(at, 16).is_ok_and(|at| at > now) {
                break;
            }
            self.delete(&key)?;
            due.push(id.to_owned());
        }
        Ok(due)
    }

    /// Removes what was kept long enough, and gives back what leases that lapsed by now hold.
    pub fn settle(&self, now: u64) -> Result<(), Problem> {
        for id in self.due("e/", now)? {
            if let Some(task) = self.find(&id)? {
                self.remove(task)?;
            }
        }
        for id in self.due("l/", now)? {
            let Some(mut task) = self.find(&id)? else { continue };
            match &mut task.lease {
                Some(lease) if lease.until > now => {
                    lease.listed = lease.until;
                    self.list_lease(&task)?;
                }
                Some(_) => {
                    self.drop_output(&mut task)?;
                    task.lapse(now);
                    if task.ended.is_some() { self.end(&task)? } else { self.wait(&task)? }
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Tasks by id, after that one, and where the next list goes on.
    pub fn list(
        &self,
        after: Option<&str>,
        limit: usize,
        fits: impl Fn(&Task) -> bool,
    ) -> Result<(Vec<Task>, Option<String>), Problem> {
        let after = after.map(task_key);
        let keys = self.0.page("t/", after.as_deref()).map_err(Problem::of_host)?;
        let (mut found, mut bytes, mut last) = (Vec::new(), 0, None);
        for (looked, key) in keys.iter().enumerate() {
            if looked >= LOOKED_MAX - 1 || found.len() >= limit || bytes >= SHOWN_BYTES_MAX {
                return Ok((found, last));
            }
            let Some(task) = self.get::<Task>(key)? else { continue };
            last = Some(task.id.clone());
            if fits(&task) {
                bytes += serde_json::to_string(&task.command).map_or(0, |text| text.len());
                found.push(task);
            }
        }
        Ok((found, None))
    }

    /// Removes a task that nobody works on.
    ///
    /// # Errors
    /// 409: `in-progress`.
    pub fn remove(&self, mut task: Task) -> Result<(), Problem> {
        if task.lease.is_some() {
            return Err(Problem::new(409, "in-progress", "a worker has leased this task"));
        }
        if task.ended.is_none() {
            self.delete(&rank_key(&task))?;
        }
        if let Some(until) = task.kept_until() {
            self.delete(&kept_key(until, &task.id))?;
        }
        self.drop_output(&mut task)?;
        self.delete(&task_key(&task.id))
    }

    /// Appends output; the task is changed, and not kept. What is there already may come again, as it was.
    ///
    /// # Errors
    /// 409: `offset`; 413: `output-too-large`.
    pub fn append(&self, task: &mut Task, stream: Stream, offset: u64, bytes: &[u8]) -> Result<(), Problem> {
        let there = *task.bytes(stream);
        let end = offset.saturating_add(bytes.len() as u64);
        if end <= there {
            return Ok(());
        }
        if offset != there {
            return Err(Problem::new(
                409,
                "offset",
                format!("{there} bytes are there, the next go to {there}"),
            ));
        }
        if end > OUTPUT_BYTES_MAX {
            let what = format!("at most {OUTPUT_BYTES_MAX} bytes of a stream are kept");
            return Err(Problem::new(413, "output-too-large", what));
        }
        let (mut at, mut left) = (offset, bytes);
        while !left.is_empty() {
            let (key, into) = cell(&task.id, stream, at);
            let mut held = match into {
                0 => Vec::new(),
                _ => self.0.value(&key).map_err(Problem::of_host)?.unwrap_or_default(),
            };
            held.resize(into, 0);
            let (now, later) = left.split_at(left.len().min(CELL_BYTES - into));
            held.extend_from_slice(now);
            self.put(&key, &held)?;
            (at, left) = (at + now.len() as u64, later);
        }
        *task.bytes(stream) = end;
        Ok(())
    }

    /// Output from there on, as much as one answer has; nothing at its end and beyond.
    pub fn output(&self, task: &mut Task, stream: Stream, offset: u64) -> Result<Vec<u8>, Problem> {
        let there = *task.bytes(stream);
        let (mut found, mut at) = (Vec::new(), offset);
        while at < there && found.len() + CELL_BYTES <= SHOWN_BYTES_MAX {
            let (key, into) = cell(&task.id, stream, at);
            let held = self.0.value(&key).map_err(Problem::of_host)?.unwrap_or_default();
            let piece = held.get(into..).unwrap_or_default();
            if piece.is_empty() {
                return Err(Problem::new(500, "queue-damaged", format!("`{key}` is missing")));
            }
            found.extend_from_slice(piece);
            at += piece.len() as u64;
        }
        Ok(found)
    }

    /// Removes what its command printed; the task is changed, and not kept.
    pub fn drop_output(&self, task: &mut Task) -> Result<(), Problem> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let there = std::mem::take(task.bytes(stream));
            let mut at = 0;
            while at < there {
                self.delete(&cell(&task.id, stream, at).0)?;
                at += CELL_BYTES as u64;
            }
        }
        Ok(())
    }
}

fn task_key(id: &str) -> String {
    format!("t/{id}")
}

/// The highest priority first, then who came first.
fn rank_key(task: &Task) -> String {
    format!("q/{:03}-{:016x}", 100_u8.saturating_sub(task.priority), task.sequence)
}

fn lease_key(listed: u64, id: &str) -> String {
    format!("l/{listed:016x}.{id}")
}

fn kept_key(until: u64, id: &str) -> String {
    format!("e/{until:016x}.{id}")
}

/// The cell of that byte, and where in it.
fn cell(id: &str, stream: Stream, at: u64) -> (String, usize) {
    let (cell, into) = (at / CELL_BYTES as u64, at % CELL_BYTES as u64);
    (format!("o/{id}/{}/{cell:06}", stream.name()), usize::try_from(into).unwrap_or(0))
}
