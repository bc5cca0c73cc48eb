//! The fake of `orch:log`: keeps lines.

use std::sync::Mutex;

use super::backend::{LogLevel, LogSink};
use crate::capability::mood::{lock, remember};

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
