//! What stands behind `orch:log`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// Where a plugin's lines go. Already cut and counted; not yet escaped.
pub trait LogSink: Send + Sync {
    fn line(&self, plugin: &str, level: LogLevel, text: &str);

    /// How many lines of which plugin had no room.
    fn dropped(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}
