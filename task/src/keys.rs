//! The keys of a task in a task file.

/// Keys of a task that mean something to the host.
pub(crate) const KEYS: [&str; 14] = [
    "id",
    "status",
    "description",
    "kind",
    "command",
    "priority",
    "cost",
    "dependencies",
    "timeout",
    "retries",
    "verify",
    "on_doubt",
    "idempotent",
    "added_by",
];
