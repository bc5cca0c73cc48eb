//! libFuzzer around one target, named by `ORCH_FUZZ_TARGET`; with `list` there: names and sources of all, and no run.
//!
//! Not here: the targets (`orch-fuzz`), flags, corpora and coverage (`cargo xtask fuzz`).
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use orch_fuzz::{TARGETS, Target, target};

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn choose() {
    let name = std::env::var("ORCH_FUZZ_TARGET").unwrap_or_default();
    match target(&name) {
        Some(found) => {
            TARGET.get_or_init(|| found);
        }
        None => {
            for Target { name, sources, .. } in TARGETS {
                println!("{name} {}", sources.join(" "));
            }
            std::process::exit(i32::from(name != "list"));
        }
    }
}

fuzz_target!(init: choose(), |bytes: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(bytes);
    }
});
