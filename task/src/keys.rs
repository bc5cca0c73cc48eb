//! The keys of a task in a task file: the host's own, and words that are taken for them.
//!
//! In -> out: a key that the host does not know -> what to write in its place, if it is a slip or another tool's word.
//! Invariant: no key of the host is refused; what is neither a slip nor such a word is a setting of the executor.
//! Not here: what the values mean (`file/fields.rs`), which settings an executor reads (its plugin).

/// Keys of a task that mean something to the host.
pub const KEYS: [&str; 22] = [
    "id",
    "status",
    "description",
    "kind",
    "command",
    "env",
    "priority",
    "cost",
    "dependencies",
    "timeout",
    "retries",
    "verify",
    "on_doubt",
    "idempotent",
    "tags",
    "allow_failure",
    "always",
    "when",
    "inputs",
    "outputs",
    "tree",
    "added_by",
];

/// What other task runners call things, and what it is here. Nobody would read such a key: a command would not run, an
/// order not be kept, and the task be done all the same.
const FOREIGN: [(&[&str], &str); 15] = [
    (
        &["run", "runs", "cmd", "exec", "script"],
        "what it runs is its `command`, a list of words or one line for `sh`",
    ),
    (
        &["cmds", "scripts"],
        "what it runs is one `command`; several lines are one text, begun with `command: |`",
    ),
    (&["shell"], "a line for `sh` is its `command`, written as a text and not as a list"),
    (
        &["dependson", "dependon", "depends", "dependency", "needs", "deps", "requires", "after"],
        "what must be done before it is its `dependencies`, a list of ids",
    ),
    (
        &["dir", "cwd", "workdir", "workingdir", "workingdirectory"],
        "the folder of its command is `directory`, which the shell's executor reads",
    ),
    (
        &["environment", "environ", "envs", "envvars"],
        "the variables of its command are its `env`, a mapping of names to values",
    ),
    (&["name"], "its name is its `id`, and what people read is its `description`"),
    (
        &["if", "onlyif", "unless"],
        "when it is worth starting is its `when`, `exists` or `missing` with a path, or `variable` with a name and `is`",
    ),
    (&["sources"], "what it reads is its `inputs`, a list of paths and patterns"),
    (&["generates"], "what it makes is its `outputs`, a list of paths and patterns"),
    (
        &["ignoreerror", "ignoreerrors", "continueonerror"],
        "a failure that keeps nothing from starting is `allow_failure: true`",
    ),
    (
        &["finally", "defer"],
        "what runs however the others ended is a task with `always: true` and `dependencies`",
    ),
    (&["tag"], "words to choose it by are its `tags`, a list"),
    (&["matrix"], "each variant is a task with an `id` of its own; `<<: *anchor` takes what they share"),
    (&["retry"], "how often it is tried again is its `retries`, a number"),
];

/// The same beside `tasks`, where nothing but it is read.
const FOREIGN_BESIDE: [(&[&str], &str); 6] = [
    (
        &["env", "environment", "environ", "envs", "dotenv", "vars", "variables"],
        "the variables of all commands are the `env` of `config.yaml`, those of one are the task's own `env`",
    ),
    (
        &["jobs", "parallel", "parallelism", "concurrency", "workers", "maxjobs", "maxparallel"],
        "how many tasks run at once is `jobs` of `config.yaml`, and what is to do stands in `tasks`",
    ),
    (
        &["defaults", "default"],
        "what tasks share is written once, as `shared: &shared {..}`, and taken by `<<: *shared`",
    ),
    (&["version"], "a task file has no version, leave it out"),
    (&["include", "includes", "import", "imports", "extends"], "all tasks of a project stand in one file"),
    (
        &["steps", "stages", "targets", "recipes", "pipeline", "pipelines"],
        "what is to do stands in `tasks`, a list",
    ),
];

/// Words of their own that are as near to a key as a slip is.
const NO_SLIPS: [&str; 10] =
    ["added_at", "comma", "comment", "common", "entries", "replies", "retrieve", "series", "state", "static"];

/// What to write in the place of a key that a person wrote and that nobody would read; none for a setting.
pub(crate) fn instead_of(key: &str) -> Option<String> {
    let instead = foreign(&FOREIGN, key).map(str::to_owned);
    instead.or_else(|| meant_key(key).map(|meant| format!("the nearest is `{meant}`")))
}

/// The same of a key beside `tasks`; none for one that stands there for its anchor's sake, or for a person's.
pub(crate) fn instead_beside(key: &str) -> Option<String> {
    let of_a_task = || KEYS.contains(&key).then(|| format!("`{key}` is a key of each task"));
    let meant = || nearest(key, &["tasks"]).map(|meant| format!("the nearest is `{meant}`"));
    foreign(&FOREIGN_BESIDE, key).map(str::to_owned).or_else(of_a_task).or_else(meant)
}

/// `dependsOn` and `depends-on` are `depends_on`.
fn foreign(table: &[(&[&str], &'static str)], key: &str) -> Option<&'static str> {
    let word: String = key.chars().filter(|letter| !"_-".contains(*letter)).collect();
    let word = word.to_ascii_lowercase();
    table.iter().find(|(words, _)| words.contains(&word.as_str())).map(|(_, instead)| *instead)
}

/// The key of ours that this one is probably meant to be.
fn meant_key(key: &str) -> Option<&'static str> {
    match NO_SLIPS.contains(&key) || KEYS.contains(&key) {
        true => None,
        false => nearest(key, &KEYS),
    }
}

/// The known word that this one is probably meant to be: at most two letters away, one for a short one.
pub fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    const LETTERS_MIN: usize = 4;
    const LETTERS_MAX: usize = 256;
    const SHORT: usize = 5;
    if !(LETTERS_MIN..=LETTERS_MAX).contains(&key.len()) {
        return None;
    }
    let key = key.to_ascii_lowercase();
    let distance = |known: &&'a str| strsim::damerau_levenshtein(&key, known);
    let nearest = known.iter().copied().filter(|known| known.len() <= LETTERS_MAX).min_by_key(distance)?;
    let is_near = match nearest.len() > SHORT {
        true => distance(&nearest) <= 2,
        // `host` is as near to `cost` as `cots` is, but nobody errs in the first of four letters.
        false => distance(&nearest) <= 1 && key.chars().next() == nearest.chars().next(),
    };
    is_near.then_some(nearest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_of_other_tools_say_what_to_write_here() {
        let words = "run cmd cmds script shell depends_on needs deps requires after dir cwd workdir environment name if matrix";
        for word in words.split(' ') {
            assert!(instead_of(word).is_some_and(|instead| instead.contains('`')), "{word}");
        }
        for spelling in ["depends_on", "depends-on", "dependsOn", "DEPENDS_ON", "dependency"] {
            assert!(instead_of(spelling).unwrap().contains("`dependencies`"), "{spelling}");
        }
        assert!(instead_of("working-directory").unwrap().contains("`directory`"));
    }

    #[test]
    fn slips_name_the_key_that_is_nearest() {
        for (slip, meant) in [
            ("comand", "command"),
            ("commnad", "command"),
            ("Command", "command"),
            ("KIND", "kind"),
            ("commands", "command"),
            ("dependancies", "dependencies"),
            ("retires", "retries"),
            ("time_out", "timeout"),
            ("time-out", "timeout"),
            ("on-doubt", "on_doubt"),
            ("idempotant", "idempotent"),
            ("discription", "description"),
            ("kinds", "kind"),
            ("cots", "cost"),
        ] {
            assert_eq!(instead_of(slip), Some(format!("the nearest is `{meant}`")), "{slip}");
        }
    }

    #[test]
    fn settings_and_our_own_keys_are_nobodys_slip() {
        let settings =
            "retry_on directory model prompt tags args host find bind post mode x y ids comment state";
        for key in settings.split(' ').chain(KEYS) {
            assert_eq!(instead_of(key), None, "{key}");
        }
    }

    /// A key of ours with one letter lost, doubled, swapped with the next or mistaken.
    fn slip() -> impl Strategy<Value = (&'static str, String)> {
        let long = || KEYS.into_iter().filter(|key| key.len() > 5).collect::<Vec<_>>();
        (prop::sample::select(long()), 0..4usize, any::<prop::sample::Index>(), "[a-z]").prop_map(
            |(key, how, at, other)| {
                let mut letters: Vec<char> = key.chars().collect();
                let at = at.index(letters.len() - 1);
                match how {
                    0 => drop(letters.remove(at)),
                    1 => letters.insert(at, letters[at]),
                    2 => letters.swap(at, at + 1),
                    _ => letters[at] = other.chars().next().unwrap(),
                }
                (key, letters.into_iter().collect())
            },
        )
    }

    proptest! {
        #[test]
        fn one_wrong_letter_is_a_slip((key, slip) in slip()) {
            let expected = (key != slip).then(|| format!("the nearest is `{key}`"));
            prop_assert_eq!(instead_of(&slip), expected);
        }

        #[test]
        fn what_is_far_from_every_key_is_a_setting(key in "[a-z_]{1,16}") {
            let is_near = KEYS.iter().any(|known| strsim::damerau_levenshtein(&key, known) <= 2);
            let word = key.replace('_', "");
            let is_foreign = FOREIGN.iter().any(|(words, _)| words.contains(&word.as_str()));
            prop_assume!(!is_near && !is_foreign);
            prop_assert_eq!(instead_of(&key), None);
        }
    }
}
