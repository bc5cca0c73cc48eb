//! The corpus, without libFuzzer: every input that fuzzing found worth keeping, and the valid examples.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what reads and changes a corpus for a test is no test function, so clippy.toml does not let it"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use orch_fuzz::TARGETS;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// Name and bytes of every input of a target.
fn inputs(target: &str) -> BTreeMap<String, Vec<u8>> {
    let entries =
        fs::read_dir(corpus(target)).unwrap_or_else(|error| panic!("corpus of `{target}`: {error}"));
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect()
}

#[test]
fn every_kept_input_is_survived() {
    for target in TARGETS {
        let taken = inputs(target.name).values().filter(|bytes| (target.run)(bytes)).count();
        assert!(taken >= (target.valid)().len(), "`{}` takes {taken} of its corpus", target.name);
    }
}

#[test]
fn the_corpus_has_a_current_valid_example_of_each_format() {
    for target in TARGETS {
        let valid = (target.valid)();
        assert!(!valid.is_empty(), "{}", target.name);
        for (name, bytes) in valid {
            assert!((target.run)(&bytes), "`{}` does not take its own `{name}`", target.name);
            let path = corpus(target.name).join(name);
            if std::env::var_os("BLESS").is_some() {
                fs::create_dir_all(corpus(target.name)).unwrap();
                fs::write(&path, &bytes).unwrap();
            }
            let kept = fs::read(&path).unwrap_or_default();
            assert!(kept == bytes, "`{}` is not current, run with BLESS=1 to write it", path.display());
        }
    }
}

#[test]
fn every_folder_of_the_corpus_has_its_target_and_all_are_small() {
    let mut total = 0;
    for entry in fs::read_dir(corpus("")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        // Without the engine the targets that need it are not compiled; their folders stay.
        assert!(!cfg!(feature = "engine") || orch_fuzz::target(&name).is_some(), "`{name}` has no target");
        total += inputs(&name).values().map(Vec::len).sum::<usize>();
    }
    assert!(total <= 1_500_000, "the corpus has {total} bytes");
}

#[test]
fn every_source_that_is_counted_is_there() {
    for target in TARGETS {
        for source in target.sources {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(source);
            assert!(path.is_file(), "`{source}` of `{}`", target.name);
        }
    }
}
