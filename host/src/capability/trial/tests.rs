//! Fakes answer in their moods, and whatever goes beyond a grant is seen.

use orch_journal::event::FileChange;
use orch_task::{Kind, TaskId};
use orch_trust::permission::{
    DomainName, FilesPermission, FindingsPermission, KvPermission, LogPermission, MetricsPermission,
    Permissions, ProcessPermission, TasksPermission,
};

use super::*;
use crate::capability::beyond;
use crate::capability::kv::KvReader;
use crate::capability::log::{LogLevel, LogSink};
use crate::capability::process::{ProcessRequest, Processes};
use crate::capability::tasks::TaskReader;
use crate::capability::{EffectGate, EffectRecord};

fn task(number: usize) -> Task {
    Task::new(TaskId::parse(&format!("t{number}")).unwrap(), Kind::shell())
}

#[test]
fn tasks_are_found_by_place_and_id_in_pages() {
    let fakes = Fakes::new((0..1500).map(task).collect(), Mood::Good);
    assert_eq!(fakes.tasks.find("t7"), Some(7));
    assert_eq!(fakes.tasks.find("t1500"), None);
    assert_eq!(fakes.tasks.describe(1500), None);
    let pages = [0, 1000, 1500].map(|start| fakes.tasks.scan(start).len());
    assert_eq!(pages, [1000, 500, 0]);
    assert_eq!(fakes.tasks.scan(1000)[0].index, 1000);
}

#[test]
fn keys_come_sorted_of_one_label_and_prefix_after_one() {
    let Fakes { kv, .. } = Fakes::default();
    for (label, key) in [("a", "x2"), ("a", "x1"), ("a", "y"), ("b", "x3")] {
        kv.commit(label, key, b"v");
    }
    assert_eq!(kv.keys("p", "a", "x", None).unwrap(), ["x1", "x2"]);
    assert_eq!(kv.keys("p", "a", "x", Some("x1")).unwrap(), ["x2"]);
    assert_eq!(kv.bytes("p").unwrap(), 11);
    assert_eq!(kv.asked(), [("p", "a"), ("p", "a"), ("p", "")].map(|(of, label)| (of.into(), label.into())));
}

#[test]
fn values_of_another_plugin_are_not_found() {
    let Fakes { kv, .. } = Fakes::default();
    kv.commit_of("other", "a", "x", b"v");
    assert_eq!(kv.read("p", "a", "x").unwrap(), None);
    assert_eq!(kv.keys("p", "a", "", None).unwrap(), [""; 0]);
    assert_eq!(kv.bytes("p").unwrap(), 0);
    assert_eq!(kv.read("other", "a", "x").unwrap(), Some(b"v".to_vec()));
}

#[test]
fn each_mood_answers_in_its_own_way() {
    let of = |mood| Fakes::new(vec![task(0)], mood);
    assert_eq!(of(Mood::Empty).tasks.scan(0).len(), 0);
    assert_eq!(of(Mood::Good).tasks.scan(0).len(), 1);
    assert!(of(Mood::Unavailable).kv.read("p", "a", "x").is_err());
    assert_eq!(of(Mood::Full).kv.bytes("p").unwrap(), u64::MAX);
    assert_eq!(of(Mood::Huge).kv.read("p", "a", "x").unwrap().unwrap().len(), 64 * 1024);
    assert_eq!(of(Mood::Huge).kv.keys("p", "a", "", None).unwrap().len(), 1000);
}

fn granted() -> Permissions {
    Permissions {
        log: Some(LogPermission {}),
        kv: Some(KvPermission { labels: vec!["own".to_owned()], bytes: 1 }),
        tasks: Some(TasksPermission { read: true, add: 1, kinds: vec!["note".to_owned()] }),
        files: Some(FilesPermission { read: Vec::new(), write: vec!["src/**".to_owned()] }),
        process: Some(ProcessPermission { programs: vec!["true".to_owned()], ..Default::default() }),
        findings: Some(FindingsPermission {}),
        metrics: Some(MetricsPermission::default()),
        ..Permissions::default()
    }
}

fn seen(permissions: &Permissions, fakes: &Fakes, writes: &Writes, asked: &[AskedTask]) -> Vec<String> {
    beyond(permissions, Watched { plugin: "p", fakes, writes, asked })
}

fn asked(kind: &str) -> AskedTask {
    AskedTask {
        id: None,
        description: String::new(),
        kind: Kind::parse(kind).unwrap(),
        command: None,
        priority: 0,
        cost: 1,
        dependencies: Vec::new(),
        settings: serde_json::Map::new(),
    }
}

#[tokio::test]
async fn what_is_granted_is_not_beyond_and_each_permission_is_missed() {
    let fakes = Fakes::default();
    fakes.log.line("p", LogLevel::Info, "x");
    fakes.kv.read("p", "own", "k").unwrap();
    fakes.tasks.scan(0);
    let request = ProcessRequest {
        program: "/bin/true".into(),
        args: Vec::new(),
        env: Vec::new(),
        directory: "/".into(),
        timeout: Duration::from_secs(1),
        wall_left: Duration::from_secs(1),
        capture_bytes: 0,
        network: Vec::new(),
    };
    fakes.processes.run(request, fakes.gate.clone()).await.unwrap();
    for effect in [
        EffectRecord::Intent { domain: DomainName::Files, effect: "files-write", spends: false },
        EffectRecord::FileWritten {
            path: "src/a.py".to_owned(),
            change: FileChange::Written,
            before: None,
            after: Some(String::new()),
            size: Some(0),
            in_tree: false,
        },
        EffectRecord::Intent { domain: DomainName::Process, effect: "process", spends: false },
    ] {
        fakes.gate.record(effect).await.unwrap();
    }
    let writes = serde_json::json!({
        "findings": [{"severity": "major", "category": "test", "message": "m", "location": null}],
        "metrics": [{"name": "a", "value": 1.0, "unit": "1", "attributes": []}],
        "kv": {"own": {"k": null}},
    });
    let (writes, asked): (Writes, _) = (serde_json::from_value(writes).unwrap(), [asked("note")]);
    assert_eq!(seen(&granted(), &fakes, &writes, &asked), [""; 0]);
    // Whatever leaves a trace is seen once its permission is gone; settings and the time leave none.
    for (gone, less) in granted().less() {
        let found = seen(&less, &fakes, &writes, &asked);
        let traceless = ["kv.bytes"].contains(&gone);
        let expected = gone.split('.').next().unwrap();
        assert!(traceless || found.iter().any(|what| what.contains(expected)), "without {gone}: {found:?}");
    }
}

#[tokio::test]
async fn labels_plugins_and_paths_of_others_are_beyond() {
    let (none, granted) = (Writes::default(), granted());
    let fakes = Fakes::default();
    fakes.kv.read("p", "other", "k").unwrap();
    assert_eq!(seen(&granted, &fakes, &none, &[]), ["kv: the label `other` was asked for"]);
    let fakes = Fakes::default();
    fakes.kv.read("q", "own", "k").unwrap();
    assert_eq!(seen(&granted, &fakes, &none, &[]), ["kv: values of another plugin were asked for"]);
    let fakes = Fakes::default();
    let (path, change) = ("docs/a.py".to_owned(), FileChange::Removed);
    let effect =
        EffectRecord::FileWritten { path, change, before: None, after: None, size: None, in_tree: false };
    fakes.gate.record(effect).await.unwrap();
    assert_eq!(seen(&granted, &fakes, &none, &[]), ["files: `docs/a.py` was written"]);
    assert_eq!(
        seen(&granted, &Fakes::default(), &none, &[asked("shell")]),
        ["tasks: one of kind `shell` was asked for"]
    );
}
