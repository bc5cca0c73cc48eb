//! Trains the agent from jobs that were done, and says the settings that follow.
//!
//! In -> out: lines of JSON on standard input, `{"value": 8, "size": 3, "took": 12}` each; the authority so far and a seed as
//! arguments -> `agent` and `authority` for `config.yaml`, on standard output.
//! The first half is learned from; by the second it is judged, as it would have ordered those jobs.

#![allow(clippy::unwrap_used, reason = "a tool for developers that fails loudly")]

use planner_wsjf::agent::{Agent, Authority, Experience};
use planner_wsjf::wsjf::Job;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    value: f64,
    size: f64,
    took: f64,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let authority = arguments.next().map_or(0.0, |text| text.parse().unwrap());
    let seed = arguments.next().map_or(1, |text| text.parse().unwrap());
    let lines = std::io::stdin().lines().map(Result::unwrap).filter(|line| !line.trim().is_empty());
    let experience: Vec<Experience> = lines
        .map(|line| {
            let Done { value, size, took } = serde_json::from_str(&line).unwrap();
            Experience { job: Job { value, size }, took }
        })
        .collect();
    let (learned, judged) = experience.split_at(experience.len() / 2);
    let agent = Agent::train(learned, seed);
    let gain = agent.gain(judged);
    let authority = Authority::new(authority).after(gain);
    eprintln!("{} jobs, gain {:.1} %", experience.len(), gain * 100.0);
    println!("agent: {:?}\nauthority: {}", agent.factors(), authority.value());
}
