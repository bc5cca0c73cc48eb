//! The interfaces of [`Host`](super::Host), in the shapes of the bindings.
//!
//! Invariant: one module an interface, with the names and types of the generated one, so that the SDK's functions are the same with
//! both; errors are those that the interfaces document.

use crate::bindings::capabilities::orch as wit;
use crate::bindings::capabilities::orch::types::types as wire;
use wire::Error;

use super::{EPOCH, glob, here, permitted};

/// Keys, summaries and entries at once.
const PAGE_MAX: usize = 1000;

pub(crate) mod log {
    pub(crate) use super::wit::log::log::Level;
    use super::*;

    pub(crate) fn write(level: Level, text: &str) {
        let level = match level {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        };
        here(|state| state.log.push(format!("{level}: {text}")));
    }
}

pub(crate) mod settings {
    use super::*;

    pub(crate) fn read() -> String {
        here(|state| state.settings.clone().unwrap_or_else(|| "{}".to_owned()))
    }
}

pub(crate) mod kv {
    use super::*;

    pub(crate) struct Bucket(String);

    fn check(key: &str) -> Result<(), Error> {
        match key.len() {
            1..=256 => Ok(()),
            bytes => Err(Error::Invalid(format!("key of {bytes} bytes, expected 1..=256"))),
        }
    }

    impl Bucket {
        pub(crate) fn open(label: &str) -> Result<Self, Error> {
            permitted("kv", |_| Ok(Self(label.to_owned())))
        }

        pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
            check(key)?;
            permitted("kv", |state| Ok(state.kv.get(&(self.0.clone(), key.to_owned())).cloned()))
        }

        pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
            check(key)?;
            if value.len() > 64 * 1024 {
                return Err(Error::Invalid(format!("value of {} bytes, limit is 64 KiB", value.len())));
            }
            permitted("kv", |state| {
                state.kv.insert((self.0.clone(), key.to_owned()), value.to_owned());
                Ok(())
            })
        }

        pub(crate) fn delete(&self, key: &str) -> Result<(), Error> {
            check(key)?;
            permitted("kv", |state| {
                state.kv.remove(&(self.0.clone(), key.to_owned()));
                Ok(())
            })
        }

        pub(crate) fn keys(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, Error> {
            permitted("kv", |state| {
                let own = state.kv.keys().filter(|(label, _)| *label == self.0).map(|(_, key)| key);
                let wanted =
                    own.filter(|key| key.starts_with(prefix) && after.is_none_or(|it| key.as_str() > it));
                Ok(wanted.take(PAGE_MAX).cloned().collect())
            })
        }
    }
}

pub(crate) mod files {
    pub(crate) use super::wit::files::files::Entry;
    use super::*;

    const READ_BYTES_MAX: usize = 1 << 20;

    fn check(path: &str) -> Result<(), Error> {
        let is_inside = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        match is_inside && path.len() <= 4096 {
            true => Ok(()),
            false => Err(Error::Invalid(format!("`{path}` is not inside the workspace"))),
        }
    }

    /// Changes the files, if these paths may be.
    fn change(
        paths: &[&str],
        change: impl FnOnce(&mut std::collections::BTreeMap<String, Vec<u8>>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for path in paths {
            check(path)?;
        }
        permitted("files", |state| change(&mut state.files))
    }

    pub(crate) fn find(glob: &str, after: Option<&str>) -> Result<Vec<Entry>, Error> {
        permitted("files", |state| {
            let mut found = Vec::new();
            for (path, content) in &state.files {
                let matches = super::glob::matches(glob, path);
                let unknown =
                    || Error::Invalid(format!("`{glob}`: the host of tests knows `*`, `**` and `?`"));
                if matches.ok_or_else(unknown)? && after.is_none_or(|it| path.as_str() > it) {
                    found.push(Entry { path: path.clone(), size: content.len() as u64 });
                }
            }
            found.truncate(PAGE_MAX);
            Ok(found)
        })
    }

    pub(crate) fn read(path: &str, offset: u64) -> Result<Vec<u8>, Error> {
        check(path)?;
        permitted("files", |state| {
            let content = state.files.get(path).ok_or(Error::NotFound)?;
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
            Ok(content.iter().skip(from).take(READ_BYTES_MAX).copied().collect())
        })
    }

    pub(crate) fn write(path: &str, content: &[u8]) -> Result<(), Error> {
        change(&[path], |files| {
            files.insert(path.to_owned(), content.to_owned());
            Ok(())
        })
    }

    pub(crate) fn append(path: &str, content: &[u8]) -> Result<(), Error> {
        change(&[path], |files| {
            files.entry(path.to_owned()).or_default().extend_from_slice(content);
            Ok(())
        })
    }

    pub(crate) fn truncate(path: &str, size: u64) -> Result<(), Error> {
        change(&[path], |files| {
            let content = files.get_mut(path).ok_or(Error::NotFound)?;
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > content.len() {
                return Err(Error::Invalid(format!("`{path}` is shorter than that")));
            }
            content.truncate(size);
            Ok(())
        })
    }

    /// Folders are where files are.
    pub(crate) fn make_folder(path: &str) -> Result<(), Error> {
        change(&[path], |_| Ok(()))
    }

    pub(crate) fn rename(from: &str, to: &str) -> Result<(), Error> {
        change(&[from, to], |files| {
            if files.contains_key(to) {
                return Err(Error::Invalid(format!("`{to}` is there already")));
            }
            let content = files.remove(from).ok_or(Error::NotFound)?;
            files.insert(to.to_owned(), content);
            Ok(())
        })
    }

    pub(crate) fn remove(path: &str) -> Result<(), Error> {
        change(&[path], |files| files.remove(path).map(drop).ok_or(Error::NotFound))
    }
}

pub(crate) mod tasks {
    pub(crate) use super::wit::tasks::tasks::{Counts, Status, Summary};
    use super::*;
    use crate::{NewTask, Task};

    pub(crate) fn describe(index: u32) -> Result<Task, Error> {
        permitted("tasks", |state| state.tasks.get(index as usize).cloned().ok_or(Error::NotFound))
    }

    pub(crate) fn find(id: &str) -> Result<u32, Error> {
        permitted("tasks", |state| {
            let place = state.tasks.iter().zip(0..).find(|(task, _)| task.id == id);
            place.map(|(_, place)| place).ok_or(Error::NotFound)
        })
    }

    pub(crate) fn scan(start: u32) -> Result<Vec<Summary>, Error> {
        permitted("tasks", |state| {
            let page = state.tasks.iter().zip(0..).skip(start as usize).take(PAGE_MAX);
            let summary = |(task, index): (&Task, u32)| Summary {
                index,
                id: task.id.clone(),
                kind: task.kind.clone(),
                status: Status::Pending,
                priority: task.priority,
                cost: task.cost,
            };
            Ok(page.map(summary).collect())
        })
    }

    pub(crate) fn count() -> Result<Counts, Error> {
        let none = Counts {
            pending: 0,
            in_progress: 0,
            waiting_approval: 0,
            done: 0,
            failed: 0,
            blocked: 0,
            in_doubt: 0,
            cancelled: 0,
        };
        permitted("tasks", |state| {
            Ok(Counts { pending: u32::try_from(state.tasks.len()).unwrap_or(u32::MAX), ..none })
        })
    }

    pub(crate) fn add(task: &NewTask) -> Result<(), Error> {
        permitted("tasks", |state| {
            state.asked.push(task.clone());
            Ok(())
        })
    }
}

pub(crate) mod findings {
    use super::*;

    pub(crate) fn report(finding: &crate::Finding) -> Result<(), Error> {
        permitted("findings", |state| {
            state.findings.push(finding.clone());
            Ok(())
        })
    }
}

pub(crate) mod metrics {
    use super::wit::metrics::metrics::{Page, Place, Query};
    use super::*;

    pub(crate) fn record(metric: &crate::Metric) -> Result<(), Error> {
        if !metric.value.is_finite() {
            return Err(Error::Invalid(format!("value of `{}` is not finite", metric.name)));
        }
        permitted("metrics", |state| {
            state.metrics.push(metric.clone());
            Ok(())
        })
    }

    pub(crate) fn record_all(metrics: &[crate::Metric]) -> Result<(), Error> {
        if let Some(number) = metrics.iter().position(|metric| !metric.value.is_finite()) {
            return Err(Error::Invalid(format!("metric {number}: value is not finite")));
        }
        permitted("metrics", |state| {
            state.metrics.extend_from_slice(metrics);
            Ok(())
        })
    }

    pub(crate) fn read(query: &Query) -> Result<Page, Error> {
        if !(1..=PAGE_MAX).contains(&(query.limit as usize)) {
            return Err(Error::Invalid(format!("limit is {}, expected 1 to {PAGE_MAX}", query.limit)));
        }
        permitted("metrics", |state| {
            let newest = state.measured.iter().enumerate().rev();
            let mut wanted = newest.filter(|(place, found)| {
                found.metric.name == query.name
                    && query.plugin.as_ref().is_none_or(|plugin| *plugin == found.plugin)
                    && query.attributes.iter().all(|one| found.metric.attributes.contains(one))
                    && query.before.is_none_or(|before| (*place as i64) < before.position)
            });
            let page: Vec<_> = wanted.by_ref().take(query.limit as usize).collect();
            let last = page.last().map(|(place, _)| Place { position: *place as i64, nth: 0 });
            let next = last.filter(|_| wanted.next().is_some());
            Ok(Page { values: page.into_iter().map(|(_, found)| found.clone()).collect(), next })
        })
    }
}

pub(crate) mod artifacts {
    pub(crate) use super::wit::artifacts::artifacts::Label;
    use super::*;

    fn add(
        label: &Label,
        content: impl FnOnce(&super::super::State) -> Result<Vec<u8>, Error>,
    ) -> Result<(), Error> {
        permitted("artifacts", |state| {
            if state.artifacts.contains_key(&label.name) {
                return Err(Error::Invalid(format!("the name `{}` is taken", label.name)));
            }
            let content = content(state)?;
            state.artifacts.insert(label.name.clone(), content);
            Ok(())
        })
    }

    pub(crate) fn add_file(label: &Label, path: &str) -> Result<(), Error> {
        add(label, |state| state.files.get(path).cloned().ok_or(Error::NotFound))
    }

    pub(crate) fn add_bytes(label: &Label, content: &[u8]) -> Result<(), Error> {
        add(label, |_| Ok(content.to_owned()))
    }
}

pub(crate) mod notify {
    pub(crate) use super::wit::notify::shapes::{Message, Receipt};
    use super::*;

    pub(crate) fn send(message: &Message) -> Result<Receipt, Error> {
        permitted("notify", |state| {
            state.notices.push(message.clone());
            Ok(Receipt { id: state.notices.len().to_string() })
        })
    }
}

pub(crate) mod process {
    pub(crate) use super::wit::process::process::{Command, Output};
    use super::*;

    /// What the test said that the next command answers.
    ///
    /// # Panics
    /// There is no answer left: a test that does not know what is run tests nothing.
    pub(crate) fn run(command: &Command) -> Result<Output, Error> {
        permitted("process", |state| {
            let mut line = vec![command.program.clone()];
            line.extend(command.args.iter().cloned());
            let Some(answer) = state.answers.pop_front() else {
                panic!("no answer for the command {line:?}: say it by `Host::with_answer`")
            };
            state.commands.push(line);
            Ok(Output {
                exit: answer.exit,
                stdout: answer.stdout,
                stderr: answer.stderr,
                stdout_bytes: answer.stdout_bytes,
                stderr_bytes: answer.stderr_bytes,
                duration_ms: u64::try_from(answer.duration.as_millis()).unwrap_or(u64::MAX),
            })
        })
    }
}

pub(crate) mod wall_clock {
    use super::*;

    pub(crate) struct Datetime {
        pub(crate) seconds: u64,
        pub(crate) nanoseconds: u32,
    }

    pub(crate) fn now() -> Datetime {
        let now = here(|state| state.start.unwrap_or(EPOCH) + state.look());
        Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() }
    }
}

pub(crate) mod monotonic_clock {
    use super::*;
    use std::time::Duration;

    pub(crate) struct Pollable(Duration);

    impl Pollable {
        /// No time passes but the clock's.
        pub(crate) fn block(&self) {
            here(|state| state.clock += self.0);
        }
    }

    pub(crate) fn now() -> u64 {
        u64::try_from(here(super::super::State::look).as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn subscribe_duration(nanoseconds: u64) -> Pollable {
        Pollable(Duration::from_nanos(nanoseconds))
    }
}

pub(crate) mod random {
    use super::*;

    pub(crate) fn get_random_u64() -> u64 {
        here(super::super::State::number)
    }

    pub(crate) fn get_random_bytes(length: u64) -> Vec<u8> {
        (0..length).map(|_| get_random_u64().to_le_bytes()[0]).collect()
    }
}
