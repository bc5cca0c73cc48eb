//! The fake of `orch:log`: keeps lines.

use std::sync::Mutex;

use super::{LogLevel, LogSink};
use crate::trial::{lock, remember};

#[derive(Default)]
pub struct FakeLog {
    lines: Mutex<Vec<(LogLevel, String)>>,
}

impl FakeLog {
    pub fn lines(&self) -> Vec<(LogLevel, String)> {
        lock(&self.lines).clone()
    }
}

impl LogSink for FakeLog {
    fn line(&self, _plugin: &str, level: LogLevel, text: &str) {
        remember(&self.lines, (level, text.to_owned()));
    }
}
