//! Hostile guests against a real engine, once each and many times;
//! the components that they are made of.

use std::fs;

use super::super::ground::Ground;
use super::*;
use crate::engine::fixture;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/doctor/limits/");
/// In every test run; `cargo xtask campaign limits` asks for more.
const ROUNDS: usize = 63;

/// `BLESS=1` makes the components anew; then the crate is built again.
#[test]
fn the_hostile_components_are_made_from_the_text_beside_them() {
    for (name, carried) in [("hostile", HOSTILE), ("starts", STARTS)] {
        let text = fs::read_to_string(format!("{FOLDER}{name}.wat")).unwrap();
        let made = fixture::component("executor", &text);
        if std::env::var_os("BLESS").is_some() {
            fs::write(format!("{FOLDER}{name}.wasm"), made).unwrap();
            continue;
        }
        assert!(made == carried, "{name}.wasm is not made from {name}.wat");
    }
}

/// Bytes that are resident.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
}

/// `ORCH_LIMITS`: so many calls; then what each took is held against its limit, and the memory after them against that before.
#[tokio::test]
async fn every_hostile_guest_ends_at_its_limit_and_nothing_is_left_of_many() {
    let campaign = std::env::var("ORCH_LIMITS").ok().map(|rounds| rounds.parse::<usize>().unwrap());
    let (ground, trial) = (Ground::new().unwrap(), Trial::new().unwrap());
    let workspace = ground.workspace();
    let mut slowest: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut before = 0;
    for (nth, guest) in GUESTS.iter().cycle().take(campaign.unwrap_or(ROUNDS) + GUESTS.len()).enumerate() {
        if nth == GUESTS.len() {
            before = resident();
        }
        let seen = trial.call(guest, &workspace).await.unwrap();
        assert_eq!(seen.ended, Ok(()), "{} ({nth})", guest.does);
        let limits = guest.tried.limits();
        assert!(seen.used.memory_bytes <= u64::from(limits.memory_mib) << 20, "{}", guest.does);
        assert!(seen.used.host_calls <= u64::from(limits.host_calls) + 1, "{}", guest.does);
        let longest = slowest.entry(guest.does).or_default();
        *longest = (*longest).max(seen.took);
        if let (Some(time), Some(_)) = (guest.tried.time(), campaign) {
            assert!(seen.took <= time.mul_f64(1.2), "{}: {:?} of {time:?}", guest.does, seen.took);
        }
    }
    let after = resident();
    for made in [ground.made_outside().unwrap(), ground.made_inside().unwrap()] {
        assert!(made.is_empty(), "{made:?}");
    }
    if campaign.is_some() {
        for (does, took) in &slowest {
            println!("{does}: at most {} ms", took.as_millis());
        }
        println!("resident before {} KiB, after {} KiB", before >> 10, after >> 10);
        assert!(after as f64 <= before as f64 * 1.1, "{before} {after}");
    }
}
