//! Keys of `config.yaml` that it does not have, and what to write in their place.
//!
//! In -> out: a key at the top of a file -> a sentence, if it is another tool's word or a slip.
//! Invariant: no key of ours is refused; what is neither is refused all the same, with the list of all keys (`workspace.rs`).
//! Not here: keys of a task (`orch-task`'s `keys.rs`), keys that would widen what plugins may do (`workspace.rs`).

use orch_task::keys::nearest;
use serde_json::Value;

/// All that there are at the top.
pub(super) const KEYS: [&str; 16] = [
    "roles",
    "providers",
    "env",
    "settings",
    "narrow",
    "notify",
    "asked",
    "audit",
    "budget",
    "findings",
    "retry",
    "jobs",
    "isolation",
    "record",
    "log_mib",
    "kill_after",
];

const TASKS: &str =
    "tasks are written in `tasks.yml`, and how many run at once is `jobs`, a number from 1 to 256";

/// What make, just, Task, workflows and compose files call things, and what it is here. Letters only, all small.
const FOREIGN: [(&[&str], &str); 18] = [
    (
        &[
            "parallel",
            "parallelism",
            "parallels",
            "maxparallel",
            "maxjobs",
            "numjobs",
            "njobs",
            "j",
            "concurrency",
            "concurrent",
            "maxconcurrency",
            "maxconcurrent",
            "workers",
            "maxworkers",
            "numworkers",
            "threads",
            "maxthreads",
            "numthreads",
            "procs",
            "processes",
            "cores",
            "slots",
            "strategy",
        ],
        "how many tasks run at once is `jobs`, a number from 1 to 256",
    ),
    (
        &[
            "tasks", "task", "targets", "target", "recipes", "recipe", "steps", "stages", "pipeline",
            "commands", "matrix",
        ],
        TASKS,
    ),
    (
        &["environment", "environ", "envs", "envvars", "vars", "var", "variables", "export"],
        "variables of all commands are `env`, a mapping of names to values; those of one task stand in `tasks.yml`",
    ),
    (
        &["dotenv", "dotenvload", "envfile", "envfiles"],
        "no file of variables is read: names and values stand under `env`, for one machine in `config.local.yaml`",
    ),
    (
        &["shell", "set", "defaults", "interpreter"],
        "what runs commands is bound under `roles`, as `executors: {shell: ID}`; `sh` runs a command that is one text",
    ),
    (
        &[
            "planner",
            "planners",
            "executor",
            "executors",
            "verifier",
            "verifiers",
            "auditor",
            "auditors",
            "reflector",
            "reflectors",
            "guard",
            "guards",
            "service",
            "services",
        ],
        "plugins are bound under `roles`, with this key one step further in",
    ),
    (
        &["notifications", "notification", "notifier", "alerts", "webhooks"],
        "who hears of a run's end is said under `notify`, by what happened, with a provider for it under `providers`",
    ),
    (
        &["timeout", "timeouts", "timeoutminutes", "timeoutseconds", "walltime"],
        "the time of a task is its own `timeout` in `tasks.yml`; of tasks that plugins ask for it stands under `asked`",
    ),
    (
        &["retries", "maxretries", "maxattempts", "attempts", "backoff", "retrydelay", "restart"],
        "how often a task is tried again is its own `retries` in `tasks.yml`, and how long that waits `retry`, with `base_ms` and `max_ms`",
    ),
    (
        &["failfast", "keepgoing", "continueonerror", "ignoreerrors", "ignoreerror"],
        "`run --fail-fast` starts nothing more after a failure; a task whose failure does not matter says `allow_failure: true` in `tasks.yml`",
    ),
    (
        &["stopgraceperiod", "graceperiod", "stoptimeout", "killtimeout", "killdelay", "killgraceperiod"],
        "the seconds from SIGTERM to SIGKILL are `kill_after`",
    ),
    (
        &["log", "logs", "logging", "logsize", "maxlog", "logmb", "logmax"],
        "how large one log may be is `log_mib`; what else is shown is said to the commands",
    ),
    (
        &["silent", "quiet", "verbose", "verbosity", "output", "color", "colour", "format", "interval"],
        "what a run shows is said to the command: `orch-host run --help` has `--output`, `--quiet` and `--format`",
    ),
    (
        &["include", "includes", "import", "imports", "extends", "mod"],
        "nothing is included: `config.local.yaml` lies over `config.yaml`, and `orch-host import` takes tasks of others into `tasks.yml`",
    ),
    (
        &["version", "name", "title", "schema", "apiversion"],
        "this file has no such line: there is one form of it, and a workspace is known by its folder",
    ),
    (
        &["on", "trigger", "triggers", "schedule", "cron", "workflow"],
        "nothing here starts a run: `orch-host run` does, or whoever asks a host that serves",
    ),
    (
        &[
            "resources",
            "limits",
            "memory",
            "memlimit",
            "cpus",
            "volumes",
            "mounts",
            "networks",
            "network",
            "ports",
            "image",
            "container",
            "sandbox",
        ],
        "what commands see and may take is the operator's word: `[sandbox]` in `policy.toml`",
    ),
    (
        &["secrets", "secret", "credentials", "tokens"],
        "where secrets come from is said in `secrets.toml` of the operator's folder, and never in a workspace",
    ),
];

/// What to write in the place of a key; none for one of ours, and for what means nothing to anybody.
pub(super) fn instead_of(key: &str, value: &Value) -> Option<String> {
    // Of a workflow these are the tasks themselves.
    if key == "jobs" && (value.is_object() || value.is_array()) {
        return Some(TASKS.to_owned());
    }
    if KEYS.contains(&key) {
        return None;
    }
    let word: String = key.chars().filter(|letter| !"_-".contains(*letter)).collect();
    let word = word.to_ascii_lowercase();
    match FOREIGN.iter().find(|(words, _)| words.contains(&word.as_str())) {
        Some((_, instead)) => Some((*instead).to_owned()),
        None => nearest(key, &KEYS).map(|meant| format!("the nearest is `{meant}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::workspace::{WorkspaceConfig, WorkspaceError};

    fn refused(text: &str) -> String {
        let error = WorkspaceConfig::of_text("config.yaml".as_ref(), text).unwrap_err();
        assert_eq!(error.code(), "workspace-unknown-key", "{text}");
        assert!(matches!(error, WorkspaceError::NotAKey { .. }), "{error:?}");
        format!("{error}; {}", error.hint().unwrap_or_default())
    }

    #[test]
    fn words_of_other_tools_say_what_to_write_in_a_configuration() {
        let jobs = "parallel max_jobs max-parallel concurrency workers maxWorkers threads PARALLELISM";
        for word in jobs.split(' ') {
            let said = refused(&format!("roles: {{}}\n{word}: 4\n"));
            assert!(said.contains(&format!("`config.yaml`, line 2, has no key `{word}`")), "{said}");
            assert!(said.contains("`jobs`, a number from 1 to 256"), "{said}");
        }
        for (text, says) in [
            ("tasks: []\n", "`tasks.yml`"),
            ("jobs: {build: {steps: []}}\n", "`tasks.yml`"),
            ("environment: {A: b}\n", "`env`"),
            ("env_file: .env\n", "`env`"),
            ("executors: {shell: demo/x}\n", "`roles`"),
            ("timeout-minutes: 5\n", "`timeout`"),
            ("retries: 3\n", "`retries`"),
            ("stop_grace_period: 10\n", "`kill_after`"),
            ("secrets: {a: b}\n", "`secrets.toml`"),
            ("version: '3'\n", "one form"),
            ("on: [push]\n", "nothing here starts a run"),
        ] {
            let said = refused(text);
            assert!(said.contains(says), "{text}: {said}");
        }
    }

    #[test]
    fn slips_in_a_configuration_name_the_key_that_is_nearest() {
        for (slip, meant) in
            [("job", "jobs"), ("settigns", "settings"), ("kill-after", "kill_after"), ("role", "roles")]
        {
            let said = instead_of(slip, &Value::Null);
            let expected = (slip.len() > 3).then(|| format!("the nearest is `{meant}`"));
            assert_eq!(said, expected, "{slip}");
        }
    }

    #[test]
    fn these_are_all_keys_and_none_of_them_is_another_tools() {
        for (words, instead) in FOREIGN {
            assert!(words.iter().all(|word| !KEYS.contains(word)), "{words:?}");
            assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())), "{words:?}");
            assert!(instead.contains('`') || instead.contains("one form"), "{instead}");
        }
        for key in KEYS {
            assert_eq!(instead_of(key, &Value::Null), None, "{key}");
        }
        // The list that the reader itself has.
        let error = WorkspaceConfig::of_text("config.yaml".as_ref(), "qqqqqqqq: 1\n").unwrap_err();
        let WorkspaceError::Malformed { source, .. } = error else { panic!("{error:?}") };
        let named = format!("expected one of {}", KEYS.join(", "));
        assert!(source.to_string().contains(&named), "{source}: {named}");
    }
}
