//! What attempts made: kept with a good result, shown by reports, gone with a failure.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use orch_journal::Event;
use orch_tests::{Workspace, out};

#[test]
fn artifacts_are_kept_with_a_good_result_and_vanish_with_a_failure() {
    let workspace = Workspace::new("- {id: works, kind: make, priority: 1}\n- {id: fails, kind: make}\n");
    workspace.write("made.txt", "hello");
    let root = workspace.admit_hostile("makes-artifacts");
    let bound = "executors: {make: demo/makes-artifacts, ";
    let config = workspace.read("config.yaml").replace("executors: {", bound);
    workspace.write("config.yaml", &config);
    workspace.run(&["--plugins", root.to_str().unwrap()], 1);

    let reader = workspace.reader();
    let run = reader.runs().unwrap()[0].id.clone();
    let rows = reader.artifacts(&run).unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            (row.task.as_deref().unwrap(), row.name.as_str(), row.path.as_str(), row.kind.as_str(), row.size)
        })
        .collect();
    let expected = [
        ("works", "made", "made.txt", "text/plain", Some(5)),
        ("works", "notes", "", "text/markdown", Some(7)),
    ];
    assert_eq!(shown, expected);
    // sha256 of `hello`.
    assert_eq!(rows[0].hash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert!(rows.iter().all(|row| row.created_at.is_some()));

    let events = workspace.events();
    let kept = events.iter().find_map(|event| match event {
        Event::AttemptFinished(finished) if !finished.writes.artifacts.is_empty() => Some(&finished.writes),
        _ => None,
    });
    assert_eq!(kept.unwrap().artifacts[1].bytes(), Some(b"# seen\n".to_vec()));
    let denied =
        |event: &Event| matches!(event, Event::Denied { what, .. } if what == "artifacts: type `image/png`");
    assert!(events.iter().any(denied));

    for (format, word) in
        [("text", "made (made.txt)"), ("markdown", "## Artifacts"), ("json", "\"artifacts\"")]
    {
        let report = out(&workspace.host(&["report", "--format", format], 0));
        assert!(report.contains(word) && report.contains("notes"), "{report}");
    }
    // What is derived can be made again from the events.
    workspace.host(&["db", "check"], 0);
}
