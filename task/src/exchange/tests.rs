//! Edits, links and kills at every moment of a write.
//!
//! In -> out: a folder and what happens to it -> what is in it afterwards.
//! Not here: the host's own failpoints (`orch-host`'s tests).

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tempfile::TempDir;

use super::*;

const OLD: &[u8] = b"- id: a\n";
const NEW: &[u8] = b"- id: a\n  status: done\n";
const EDIT: &[u8] = b"- id: a\n- id: mine\n";
const EDIT_2: &[u8] = b"- id: a\n- id: mine-too\n";

fn folder(text: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("tasks.yml"), text).unwrap();
    folder
}

fn write(folder: &TempDir, on: impl Fn(&'static str)) -> Result<Exchanged, ExchangeError> {
    write_exchanging(folder.path(), "tasks.yml", NEW, &sha256(OLD), on)
}

fn write_without_swap(folder: &TempDir, on: impl Fn(&'static str)) -> Result<Exchanged, ExchangeError> {
    let opened = Folder::open(folder.path()).unwrap();
    Exchange { folder: &opened, name: "tasks.yml", new: NEW, expected: &sha256(OLD), can_swap: false }
        .run(&on)
}

/// Replaces the file as editors do.
fn edit(folder: &Path, bytes: &[u8]) {
    fs::write(folder.join("editor"), bytes).unwrap();
    fs::rename(folder.join("editor"), folder.join("tasks.yml")).unwrap();
}

/// Names and bytes of everything in the folder.
#[track_caller]
fn check(folder: &TempDir, expected: &[(&str, &[u8])]) {
    let mut found: Vec<(String, Vec<u8>)> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    found.sort();
    let found: Vec<(&str, &[u8])> =
        found.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_new_file_is_there_and_nothing_else() {
    for write in [write as fn(&TempDir, fn(&'static str)) -> _, write_without_swap] {
        let folder = folder(OLD);
        let path = folder.path().join("tasks.yml");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(write(&folder, |_| {}).unwrap(), Exchanged::Written);
        check(&folder, &[("tasks.yml", NEW)]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    }
}

#[test]
fn the_hook_is_told_each_moment() {
    let moments = RefCell::new(Vec::new());
    let edited = folder(OLD);
    let on = |moment| {
        moments.borrow_mut().push(moment);
        if moment == "before-exchange" {
            assert_eq!(fs::read(edited.path().join("tasks.yml")).unwrap(), OLD);
            edit(edited.path(), EDIT);
        } else if moment == "after-exchange" {
            assert_eq!(fs::read(edited.path().join("tasks.yml")).unwrap(), NEW);
        }
    };
    write(&edited, on).unwrap();
    assert_eq!(
        *moments.borrow(),
        ["before-draft", "before-exchange", "after-exchange", "before-exchange-back"]
    );
}

#[test]
fn an_edit_before_the_write_is_found() {
    for write in [write as fn(&TempDir, fn(&'static str)) -> _, write_without_swap] {
        let folder = folder(EDIT);
        let found = write(&folder, |_| panic!("nothing is written")).unwrap();
        assert_eq!(found, Exchanged::Edited { found: EDIT.to_vec(), kept: None });
        check(&folder, &[("tasks.yml", EDIT)]);
    }
}

#[test]
fn an_edit_right_before_the_exchange_is_put_back() {
    let swapped = folder(OLD);
    let found = write(&swapped, |moment| {
        if moment == "before-exchange" {
            edit(swapped.path(), EDIT);
        }
    });
    assert_eq!(found.unwrap(), Exchanged::Edited { found: EDIT.to_vec(), kept: None });
    check(&swapped, &[("tasks.yml", EDIT)]);

    let replaced = folder(OLD);
    let found = write_without_swap(&replaced, |moment| {
        if moment == "before-exchange" {
            edit(replaced.path(), EDIT);
        }
    });
    assert_eq!(found.unwrap(), Exchanged::Edited { found: EDIT.to_vec(), kept: None });
    check(&replaced, &[("tasks.yml", EDIT)]);
}

#[test]
fn two_edits_around_the_exchange_are_both_kept() {
    let folder = folder(OLD);
    let found = write(&folder, |moment| match moment {
        "before-exchange" => edit(folder.path(), EDIT),
        "before-exchange-back" => edit(folder.path(), EDIT_2),
        _ => {}
    });
    let kept = format!("tasks.yml.edited-{}", &hex::encode(sha256(EDIT))[..16]);
    assert_eq!(found.unwrap(), Exchanged::Edited { found: EDIT_2.to_vec(), kept: Some(kept.clone()) });
    check(&folder, &[("tasks.yml", EDIT_2), (&kept, EDIT)]);
}

#[test]
fn an_edit_right_after_the_exchange_stays() {
    let folder = folder(OLD);
    let found = write(&folder, |moment| {
        if moment == "after-exchange" {
            edit(folder.path(), EDIT);
        }
    });
    assert_eq!(found.unwrap(), Exchanged::Written);
    check(&folder, &[("tasks.yml", EDIT)]);
}

#[test]
fn links_and_other_things_are_refused_and_never_followed() {
    let outside = folder(OLD);
    let target = outside.path().join("tasks.yml");
    let inside = TempDir::new().unwrap();
    let path = inside.path().join("tasks.yml");
    symlink(&target, &path).unwrap();
    let error = write(&inside, |_| {}).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("task-file-not-a-file", "`tasks.yml` is a link, expected a regular file")
    );
    assert_eq!(read_task_file(inside.path(), "tasks.yml", None).unwrap_err().code(), "task-file-not-a-file");

    // Put there in the last moment.
    fs::remove_file(&path).unwrap();
    fs::write(&path, OLD).unwrap();
    let error = write(&inside, |moment| {
        if moment == "before-exchange" {
            fs::remove_file(&path).unwrap();
            symlink(&target, &path).unwrap();
        }
    });
    assert_eq!(error.unwrap_err().code(), "task-file-not-a-file");
    assert_eq!(fs::read_link(&path).unwrap(), target);
    assert_eq!(fs::read_dir(inside.path()).unwrap().count(), 1);
    check(&outside, &[("tasks.yml", OLD)]);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = write(&inside, |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "`tasks.yml` is a folder, expected a regular file");
    fs::remove_dir(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    assert_eq!(
        write(&inside, |_| {}).unwrap_err().to_string(),
        "`tasks.yml` is a pipe, expected a regular file"
    );
}

#[test]
fn a_file_that_is_gone_is_said_to_be_gone() {
    let folder = TempDir::new().unwrap();
    assert_eq!(write(&folder, |_| {}).unwrap_err().code(), "task-file-missing");
    let error = read_task_file(folder.path(), "tasks.yml", None).unwrap_err();
    assert_eq!(error.code(), "task-file-missing");
    assert!(error.hint().is_some());
    let nowhere = read_task_file(&folder.path().join("no"), "tasks.yml", None).unwrap_err();
    assert_eq!(nowhere.code(), "task-file-missing");

    fs::write(folder.path().join("tasks.yml"), OLD).unwrap();
    let error = write(&folder, |moment| {
        if moment == "before-exchange" {
            fs::remove_file(folder.path().join("tasks.yml")).unwrap();
        }
    });
    assert_eq!(error.unwrap_err().code(), "task-file-missing");
    check(&folder, &[]);
}

/// Dies at a moment of a write, after doing `before`.
fn killed_at(folder: &TempDir, at: &'static str, before: impl Fn(&'static str)) {
    let died = catch_unwind(AssertUnwindSafe(|| {
        write(folder, |moment| {
            before(moment);
            if moment == at {
                std::panic::resume_unwind(Box::new("killed"));
            }
        })
    }));
    assert!(died.is_err(), "it did not reach {at}");
}

#[test]
fn a_kill_leaves_one_of_the_two_versions_and_recovery_tidies_up() {
    for (at, expected) in [("before-exchange", OLD), ("after-exchange", NEW)] {
        let folder = folder(OLD);
        killed_at(&folder, at, |_| {});
        assert_eq!(fs::read(folder.path().join("tasks.yml")).unwrap(), expected);
        if at == "before-exchange" {
            assert_eq!(write(&folder, |_| {}).unwrap_err().code(), "task-file-leftover");
        }
        let recovered = recover(folder.path(), "tasks.yml").unwrap();
        assert!(matches!(recovered.as_slice(), [Recovered::Removed { .. }]), "{recovered:?}");
        check(&folder, &[("tasks.yml", expected)]);
        assert_eq!(recover(folder.path(), "tasks.yml").unwrap(), []);
    }
}

#[test]
fn an_edit_survives_a_kill_at_any_moment() {
    for at in ["before-exchange", "after-exchange", "before-exchange-back"] {
        let folder = folder(OLD);
        killed_at(&folder, at, |moment| {
            if moment == "before-exchange" {
                edit(folder.path(), EDIT);
            }
        });
        let recovered = recover(folder.path(), "tasks.yml").unwrap();
        match at {
            "before-exchange" => assert!(matches!(recovered.as_slice(), [Recovered::Removed { .. }])),
            _ => assert_eq!(recovered, [Recovered::Restored]),
        }
        check(&folder, &[("tasks.yml", EDIT)]);
    }
}

#[test]
fn an_edit_is_kept_beside_a_later_one() {
    let kept = format!("tasks.yml.edited-{}", &hex::encode(sha256(EDIT))[..16]);
    let folder = folder(OLD);
    killed_at(&folder, "after-exchange", |moment| {
        edit(folder.path(), if moment == "before-exchange" { EDIT } else { EDIT_2 })
    });
    assert_eq!(recover(folder.path(), "tasks.yml").unwrap(), [Recovered::Kept { file: kept.clone() }]);
    check(&folder, &[("tasks.yml", EDIT_2), (&kept, EDIT)]);
    // Removed by a person meanwhile: the edit takes the place.
    let other = self::folder(OLD);
    killed_at(&other, "after-exchange", |moment| {
        if moment == "before-exchange" {
            edit(other.path(), EDIT)
        }
    });
    fs::remove_file(other.path().join("tasks.yml")).unwrap();
    assert_eq!(recover(other.path(), "tasks.yml").unwrap(), [Recovered::Restored]);
    check(&other, &[("tasks.yml", EDIT)]);
}

#[test]
fn a_draft_that_was_cut_off_is_removed_and_strangers_are_left_alone() {
    let folder = folder(OLD);
    let draft = format!(".tasks.yml.{}-{}.orch-new", "0".repeat(16), "a".repeat(16));
    let strangers = [".tasks.yml.swp", "tasks.yml~", ".tasks.yml.x-y.orch-swap", ".other.yml.0-0.orch-new"];
    for name in strangers.into_iter().chain([draft.as_str()]) {
        fs::write(folder.path().join(name), "half").unwrap();
    }
    assert!(is_exchange_name("tasks.yml", &draft));
    assert!(!strangers.iter().any(|name| is_exchange_name("tasks.yml", name)));
    assert_eq!(recover(folder.path(), "tasks.yml").unwrap(), [Recovered::Removed { file: draft }]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
    // A link with the name of a leftover is not read.
    let swap = format!(".tasks.yml.{}-{}.orch-swap", "0".repeat(16), "a".repeat(16));
    symlink("/etc/hostname", folder.path().join(&swap)).unwrap();
    assert_eq!(recover(folder.path(), "tasks.yml").unwrap_err().code(), "task-file-not-a-file");
}

#[test]
fn a_file_that_did_not_change_is_not_parsed_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tasks.yml"), "- {id: a}\n").unwrap();
    let first = read_task_file(folder.path(), "tasks.yml", None).unwrap();
    // What is given back is the very value that was handed in: its text lies where it lay.
    let place = first.bytes().as_ptr();
    let again = read_task_file(folder.path(), "tasks.yml", Some(first)).unwrap();
    assert_eq!(again.bytes().as_ptr(), place);
    std::fs::write(folder.path().join("tasks.yml"), "- {id: b}\n").unwrap();
    let changed = read_task_file(folder.path(), "tasks.yml", Some(again)).unwrap();
    assert_eq!(changed.tasks()[0].task.id.as_str(), "b");
}
