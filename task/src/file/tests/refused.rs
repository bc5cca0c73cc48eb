//! Every way in which a file is refused: code, place and the words that matter.
//!
//! In -> out: text -> [`TaskFileError`].
//! Not here: files that are read (`accepted.rs`).

use crate::file::{FILE_BYTES_MAX, TASKS_MAX, TaskFile};

#[track_caller]
fn check(text: &str, code: &str, place: (u32, u32), says: &str) {
    let error = match TaskFile::parse(text) {
        Ok(file) => panic!("accepted {} tasks: {text:?}", file.tasks().len()),
        Err(error) => error,
    };
    assert_eq!(error.code(), code, "{error}");
    let found = error.place().map(|place| (place.line, place.column));
    assert_eq!(found, Some(place), "{error}");
    let said = error.to_string();
    assert!(said.contains(says), "`{said}` does not say `{says}`");
    assert!(
        said.ends_with(&format!("line {}, column {}", place.0, place.1)) || code == "task-duplicate-id",
        "{said}"
    );
    assert!(!said.contains('\n') && !said.ends_with('.'), "{said}");
}

#[test]
fn syntax() {
    check("- id: [\n", "task-file-syntax", (1, 7), "unclosed bracket '['");
    check("- id: a\n   kind: b\n", "task-file-syntax", (2, 8), "mapping values are not allowed");
    check("- id: a\n\tkind: b\n", "task-file-syntax", (1, 7), "tab");
    check("- id: 'a\n", "task-file-syntax", (2, 1), "quoted scalar");
    check("}", "task-file-syntax", (1, 1), "bracket");
    check("- id: *nobody\n", "task-file-syntax", (1, 7), "unknown anchor");
    check("- id: a\n  : 1\n", "task-file-syntax", (2, 3), "a key is empty");
    check("- id: a\n  ? [b]\n  : 1\n", "task-file-syntax", (2, 5), "a key is a list or a mapping");
    check("- id: a\n  x: .nan\n", "task-file-syntax", (2, 6), "`.nan` is not finite");
    check("- id: a\u{7}\n", "task-file-syntax", (1, 7), "\\u{7}");
    check("- id: a\r\n  kind: 'x\r\n", "task-file-syntax", (3, 1), "quoted scalar");
}

#[test]
fn documents_and_encoding() {
    check("- id: a\n---\n- id: b\n", "task-file-second-document", (3, 1), "second YAML document");
    let error = TaskFile::parse(b"- id: a\n  description: \xc3\xa9\xff\n".as_slice()).unwrap_err();
    assert_eq!(error.code(), "task-file-not-utf8");
    assert_eq!(error.to_string(), "byte 25 is not UTF-8, at line 2, column 17");
}

#[test]
fn sizes() {
    let error = TaskFile::parse(vec![b' '; FILE_BYTES_MAX as usize + 1]).unwrap_err();
    assert_eq!(error.code(), "task-file-too-large");
    assert_eq!(error.to_string(), "task file is 67108865 bytes, limit is 67108864");
    assert_eq!(error.place(), None);
    assert_eq!(TaskFile::parse(vec![b'\n'; FILE_BYTES_MAX as usize]).unwrap_err().code(), "task-file-empty");

    let mut text: String = (0..TASKS_MAX).map(|at| format!("- {{id: t{at}}}\n")).collect();
    assert_eq!(TaskFile::parse(text.as_str()).unwrap().tasks().len(), TASKS_MAX);
    text.push_str("- {id: more}\n");
    check_too_many(&text);
}

#[track_caller]
fn check_too_many(text: &str) {
    let error = TaskFile::parse(text).unwrap_err();
    assert_eq!(error.code(), "task-file-too-many");
    assert_eq!(error.to_string(), "more than 200000 tasks, the first too many is at line 200001, column 3");
    assert!(error.hint().unwrap().contains("split the work"));
}

#[test]
fn aliases_that_explode() {
    let mut bomb = "- id: a\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let list = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("  a{level}: &a{level} [{list}]\n"));
    }
    let error = TaskFile::parse(bomb).unwrap_err();
    assert_eq!(error.code(), "task-file-alias-bomb");
    assert!(error.place().is_some_and(|place| place.line > 2), "{error}");
}

#[test]
fn nesting() {
    let flow = format!("- id: a\n  x: {}1{}\n", "[".repeat(70), "]".repeat(70));
    check(&flow, "task-file-too-complex", (2, 68), "nesting is over the limit");
    let deeper = "[".repeat(100_000);
    assert_eq!(TaskFile::parse(deeper).unwrap_err().code(), "task-file-too-complex");
    let block = (0..1000).map(|at| format!("{}- \n", " ".repeat(at))).collect::<String>();
    assert_eq!(TaskFile::parse(block).unwrap_err().code(), "task-file-too-complex");
}

#[test]
fn keys() {
    check("- id: a\n  id: b\n", "task-file-duplicate-key", (2, 3), "key `id` is there twice");
    check("- id: a\n  x: {y: 1, \"y\": 2}\n", "task-file-duplicate-key", (2, 13), "key `y`");
    check("tasks: []\ntasks: []\n", "task-file-duplicate-key", (2, 1), "key `tasks`");
}

#[test]
fn words_that_nobody_would_read() {
    let words =
        "run cmd cmds script shell depends_on needs deps requires after dir cwd workdir name if matrix";
    for word in words.split(' ').chain(["comand", "dependancies", "Timeout", "depends-on"]) {
        for text in [format!("- id: a\n  {word}: x\n"), format!("- id: a\n  <<: {{{word}: x}}\n")] {
            let error = TaskFile::parse(text.as_str()).unwrap_err();
            assert_eq!(error.code(), "task-unknown-key", "{text}");
            assert!(error.to_string().starts_with(&format!("a task has no key `{word}`: ")), "{error}");
            assert_eq!(error.place().map(|place| place.line), Some(2));
        }
    }
    let says = "a task has no key `run`: what it runs is its `command`, a list of words or one line for `sh`";
    check("- id: a\n  run: make\n", "task-unknown-key", (2, 3), says);
    check(
        "- id: a\n- {id: b, needs: [a]}\n",
        "task-unknown-key",
        (2, 11),
        "its `dependencies`, a list of ids",
    );
    check("- id: a\n  comand: make\n", "task-unknown-key", (2, 3), "`comand`: the nearest is `command`");
    check("d: &d {cwd: src}\ntasks:\n- <<: *d\n  id: a\n", "task-unknown-key", (3, 7), "`directory`");
    // A plugin's name that came through a merge key excuses nothing.
    let text = "d: &d {added_by: demo/x}\ntasks:\n- <<: *d\n  id: a\n  run: x\n";
    check(text, "task-unknown-key", (5, 3), "`run`");
}

#[test]
fn words_beside_the_list_that_nobody_would_read() {
    let says =
        "nothing reads `env` beside `tasks`: the variables of all commands are the `env` of `config.yaml`";
    check("env: {A: b}\ntasks:\n- id: a\n", "task-file-unknown-key", (1, 1), says);
    check("tasks:\n- id: a\nmax-jobs: 4\n", "task-file-unknown-key", (3, 1), "`jobs` of `config.yaml`");
    check("defaults:\n  kind: note\ntasks: []\n", "task-file-unknown-key", (1, 1), "`<<: *shared`");
    check("timeout: 5m\ntasks: []\n", "task-file-unknown-key", (1, 1), "`timeout` is a key of each task");
    check("{tasks: [], task: [{id: a}]}\n", "task-file-unknown-key", (1, 13), "the nearest is `tasks`");
    for word in ["environment", "vars", "parallel", "version", "includes", "stages"] {
        check(&format!("{word}: x\ntasks: []\n"), "task-file-unknown-key", (1, 1), "`");
    }
    // What tasks share has a name, and what is a person's own says so.
    for text in [
        "defaults: &d {kind: note}\ntasks:\n- {<<: *d, id: a}\n",
        "defaults: &d\n  kind: note\ntasks:\n- <<: *d\n  id: a\n",
        "x-env: {A: b}\nproject: ledger\ntasks:\n- id: a\n",
    ] {
        assert_eq!(TaskFile::parse(text).unwrap().tasks().len(), 1, "{text}");
    }
}

#[test]
fn nothing_is_no_list() {
    for text in [
        "",
        "\n",
        " \n \n",
        "# all done\n",
        "---\n",
        "...\n",
        "~",
        "null\n",
        "\u{feff}",
        "# x\n--- # y\n",
        "tasks:\n",
        "tasks: ~\n",
        "{tasks: }",
        "x: 1\ntasks:\ny: 2\n",
    ] {
        let error = TaskFile::parse(text).unwrap_err();
        assert_eq!((error.code(), error.place()), ("task-file-empty", None), "{text:?}: {error}");
    }
    let error = TaskFile::parse("").unwrap_err();
    assert_eq!(error.to_string(), "task file names no tasks, expected a list, `[]` if there are none");
    assert!(error.hint().unwrap().contains("`tasks: []`"));
}

#[test]
fn shape() {
    check("# note\n\n  hello\n", "task-file-not-tasks", (3, 3), "file is a text, expected a list");
    check("7", "task-file-not-tasks", (1, 1), "a number");
    check("-7", "task-file-not-tasks", (1, 1), "a number");
    check("0.5", "task-file-not-tasks", (1, 1), "a number");
    check("---\ntrue\n", "task-file-not-tasks", (2, 1), "a boolean");
    check("\nname: x\ntask: []\n", "task-file-no-tasks-key", (2, 1), "no key `tasks`");
    check("{}", "task-file-no-tasks-key", (1, 1), "no key `tasks`");
    check(
        "x: 1\ntasks: {id: a}\n",
        "task-wrong-type",
        (2, 1),
        "`tasks` is a mapping, expected a list of tasks",
    );
    check("tasks: a\n", "task-wrong-type", (1, 1), "`tasks` is a text");
    check("tasks: 1\n", "task-wrong-type", (1, 1), "`tasks` is a number");
    check("tasks: true\n", "task-wrong-type", (1, 1), "`tasks` is a boolean");
    check("- a\n", "task-not-a-mapping", (1, 3), "task is a text, expected a mapping");
    check("- id: a\n-\n", "task-not-a-mapping", (2, 2), "task is nothing");
    check("- [id]\n", "task-not-a-mapping", (1, 3), "task is a list");
}

#[test]
fn ids() {
    check("- id: a\n- kind: shell\n", "task-without-id", (2, 3), "task without `id`");
    check("- kind: shell\n  id:\n", "task-without-id", (2, 5), "task without `id`");
    check("- {}\n", "task-without-id", (1, 3), "task without `id`");
    check("- id: a b\n", "task-id", (1, 7), "`a b` has a character");
    check("- id: \"\"\n", "task-id", (1, 7), "task id is empty");
    check("- id: ü\n", "task-id", (1, 7), "\\u{fc}");
    check(&format!("- id: {}\n", "a".repeat(129)), "task-id", (1, 7), "129 bytes, limit is 128");
    check("- id: 1.5\n", "task-wrong-type", (1, 7), "`id` is `1.5`, expected a text or a whole number");
    check("- id: [a]\n", "task-wrong-type", (1, 7), "`id` is a list");
    check(
        "- id: a\n- id: b\n- id: a\n",
        "task-duplicate-id",
        (3, 3),
        "`a` at line 3, column 3 is already used at line 1, column 3",
    );
    check("- id: 7\n- id: '7'\n", "task-duplicate-id", (2, 3), "task id `7`");
}

#[test]
fn fields() {
    let wrong = |line: &str, column: u32, says: &str| {
        check(&format!("- id: a\n  {line}\n"), "task-wrong-type", (2, column), says);
    };
    wrong("description: [x]", 16, "`description` is a list, expected a text");
    wrong("command: {a: b}", 12, "`command` is a mapping, expected a line of text, or a list of a program");
    // Who writes the key and forgets what stands in it would have a green task that did nothing.
    wrong("command:", 10, "`command` is nothing, expected a line of text");
    wrong("command: null", 12, "`command` is nothing");
    wrong("retries: '3'", 12, "`retries` is the text `3` in quotes, expected a whole number");
    wrong("always: \"true\"", 11, "`always` is the text `true` in quotes, expected `true` or `false`");
    wrong("command: []", 12, "`command` is an empty list");
    wrong("when: {}", 9, "`when` is an empty mapping, expected a mapping with `exists`");
    wrong("command: ' '", 12, "`command` is ` `");
    wrong("command: '# nothing'", 12, "`command` is a comment alone, expected a line that runs something");
    wrong("command: \"# a\\n\\n  # b\"", 12, "`command` is a comment alone");
    wrong(
        "command: ['', x]",
        12,
        "`command` is a list, expected one whose first word is a program, not an empty word",
    );
    wrong("command: [a, [b]]", 16, "`command` is a list, expected a text");
    let says = "`command` is nothing, expected a text";
    check("- id: a\n  command:\n  - a\n  -\n", "task-wrong-type", (4, 4), says);
    wrong("priority: high", 13, "`priority` is `high`, expected a whole number from -2147483648");
    wrong("priority: 2147483648", 13, "`priority` is `2147483648`");
    wrong("priority: 1.5", 13, "`priority` is `1.5`");
    wrong("cost: -1", 9, "`cost` is `-1`, expected a whole number from 0 to 4294967295");
    wrong("cost: '1'", 9, "`cost` is the text `1` in quotes");
    wrong("retries: true", 12, "`retries` is `true`");
    wrong("timeout: 0", 12, "`timeout` is `0`, expected seconds, from 0.001 to 31536000");
    wrong("timeout: -1", 12, "`timeout` is `-1`");
    wrong("timeout: 0.0004", 12, "`timeout` is `0.0004`");
    wrong("timeout: 31536001", 12, "`timeout` is `31536001`");
    wrong("timeout: 1h", 12, "`timeout` is `1h`");
    wrong("dependencies: b", 17, "`dependencies` is `b`, expected a list of task ids");
    wrong("dependencies: [b, {c: d}]", 21, "`dependencies` is a mapping, expected a text or a whole number");
    wrong("verify: x", 11, "`verify` is `x`, expected a list of plugin ids");
    wrong("verify: [[x]]", 12, "`verify` is a list, expected a plugin id, or `ID: [CHECK, ..]`");
    wrong("verify: [{x: y}]", 16, "`verify` is `y`, expected a list of names of checks");
    wrong("verify: [{x: []}]", 16, "`verify` is an empty list, expected a list of names of checks");
    wrong("verify: [{x: [{}]}]", 17, "`verify` is an empty mapping, expected a text");
    wrong("on_doubt: maybe", 13, "`on_doubt` is `maybe`, expected `ask`, `retry`, `fail` or `done`");
    wrong("idempotent: yes", 15, "`idempotent` is `yes`, expected `true` or `false`");
    wrong("always: 1", 11, "`always` is `1`, expected `true` or `false`");
    wrong("allow_failure: no", 18, "`allow_failure` is `no`, expected `true` or `false`");
    wrong("tree: own", 9, "`tree` is `own`, expected `mine`, or no `tree`");
    for path in ["inputs: [a]", "outputs: [a]", "when: {exists: a}", "when: {missing: a}"] {
        let text = format!("- {{id: a, tree: mine, {path}}}\n");
        assert_eq!(TaskFile::parse(text).unwrap_err().code(), "task-files-of-mine", "{path}");
    }
    wrong("tags: slow", 9, "`tags` is `slow`, expected a list of words");
    for tags in ["['']", "[a b]", "[\"a\\n\"]"] {
        wrong(&format!("tags: {tags}"), 9, "expected a list of words of at most 64 bytes");
    }
    wrong("inputs: src", 11, "`inputs` is `src`, expected a list of paths and patterns");
    for path in ["/etc/passwd", "a/../b", "..", "\"\"", "\"a\\tb\""] {
        wrong(&format!("inputs: [{path}]"), 12, "expected a path below the workspace, without `..`");
        wrong(&format!("outputs: [{path}]"), 13, "expected a path below the workspace, without `..`");
        wrong(&format!("when: {{exists: {path}}}"), 18, "expected a path below the workspace, without `..`");
    }
    for when in ["[]", "{}", "CI", "{is: x}", "{variable: A=B}", "{variable: \"\"}", "{variable: 1A, is: x}"]
    {
        wrong(
            &format!("when: {when}"),
            9,
            "expected a mapping with `exists` or `missing` and a path, or `variable`",
        );
    }
    wrong("when: {exist: a}", 10, "expected a mapping with `exists` or `missing` and a path");
    wrong("status: [done]", 11, "`status` is a list, expected a status");
    wrong("added_by: {}", 13, "`added_by` is an empty mapping, expected a text");
    check("- id: a\n  kind: Shell\n", "task-kind", (2, 9), "kind `Shell` is not 1 to 64");
    check("- id: a\n  dependencies: [é]\n", "task-id", (2, 18), "has a character");
    check(
        "- id: a\n  status: finished\n",
        "task-unknown-status",
        (2, 11),
        "status is `finished`, expected one of `pending`, ",
    );
    check("- id: a\n  status: 1\n", "task-unknown-status", (2, 11), "status is `1`");
    check("- id: a\n  status: \"\\e[31mdone\"\n", "task-unknown-status", (2, 11), "`\\u{1b}[31mdone`");
}

#[test]
fn limits_of_fields() {
    let text = "x".repeat(4097);
    check(
        &format!("- id: a\n  description: {text}\n"),
        "task-over-limit",
        (2, 16),
        "`description` is 4097, limit is 4096",
    );
    let many = vec!["b"; 10_001].join(", ");
    check(
        &format!("- id: a\n  dependencies: [{many}]\n"),
        "task-over-limit",
        (2, 17),
        "10001, limit is 10000",
    );
    let blob = "x".repeat(64 * 1024);
    check(
        &format!("- id: a\n  blob: {blob}\n"),
        "task-over-limit",
        (1, 3),
        "`settings` is 65547, limit is 65536",
    );
}

#[test]
fn graph() {
    check(
        "- id: a\n- id: b\n  dependencies: [a, c]\n",
        "task-unknown-dependency",
        (3, 21),
        "task `b` depends on `c`, which does not exist",
    );
    check("- id: a\n  dependencies:\n    - a\n", "task-cycle", (1, 3), "`a` -> `a`");
    check(
        "- id: x\n  dependencies: [b]\n- id: a\n  dependencies: [b]\n- id: b\n  dependencies: [a]\n",
        "task-cycle",
        (3, 3),
        "tasks depend on each other: `a` -> `b` -> `a`",
    );
}

#[test]
fn what_people_can_do_about_it_is_said() {
    let hint = |text: &str| TaskFile::parse(text).unwrap_err().hint();
    assert_eq!(hint("- id: a\n- id: a\n").unwrap(), "rename one of the two; `7` and `\"7\"` are the same id");
    assert_eq!(hint("x").unwrap(), "a task file looks like `- id: build`, one entry for each task");
    assert!(hint("- id: [\n").unwrap().contains("brackets"));
    assert_eq!(hint("- id: a\n  priority: x\n"), None);
}
