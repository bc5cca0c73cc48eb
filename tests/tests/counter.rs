//! One counter of a service, counted up by many clients while the host is killed and started again: each answer is one count,
//! each request without an answer at most one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use orch_journal::Event;
use orch_journal::event::Bytes;
use orch_tests::random::Random;
use orch_tests::served::{Served, exchange, serve, whole_answer};
use orch_tests::{Workspace, out};

/// How much of it; `ORCH_COUNTER` is the seed of the whole (`cargo xtask campaign counter`).
struct Size {
    seed: u64,
    counts: u64,
    clients: u64,
    kills: u64,
}

/// What one request was answered; none: nothing, or not all of it.
struct Asked {
    client: u64,
    number: u64,
    answered: Option<(u16, String)>,
}

/// What all clients share.
struct Campaign<'a> {
    size: &'a Size,
    token: String,
    /// Where the host of now answers.
    at: Mutex<SocketAddr>,
    /// Requests that were answered well.
    good: AtomicU64,
}

impl Campaign<'_> {
    fn is_over(&self) -> bool {
        self.good.load(Ordering::Relaxed) >= self.size.counts
    }

    /// Counts under a number of its own each time, until all is counted.
    fn client(&self, client: u64) -> Vec<Asked> {
        let mut all = Vec::new();
        while !self.is_over() {
            let number = all.len() as u64;
            let at = *self.at.lock().unwrap();
            let request = format!(
                "POST /count/count?c{client}-{number} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Length: 0\r\n\r\n",
                self.token
            );
            let answered = exchange(at, &request).ok().and_then(|text| whole_answer(&text));
            let answered = answered.map(|answer| (answer.status, answer.body));
            match answered.as_ref().map(|(status, _)| *status) {
                Some(200) => drop(self.good.fetch_add(1, Ordering::Relaxed)),
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
            all.push(Asked { client, number, answered });
        }
        all
    }
}

/// Each count as the workspace's stream has it: client and number, and the counter after it.
fn kept(workspace: &Workspace) -> Vec<((u64, u64), u64)> {
    let reader = workspace.reader();
    let stream = reader.stream().unwrap().unwrap();
    let counted = |event: Event| {
        let Event::Called(called) = event else { return None };
        let mut values = called.writes.kv["notes"].clone();
        let number =
            |value: Option<Bytes>| -> u64 { String::from_utf8(value.unwrap().0).unwrap().parse().unwrap() };
        let counter = number(values.remove("n").unwrap());
        let (client, value) = values.pop_first().unwrap();
        Some(((client.strip_prefix('c').unwrap().parse().unwrap(), number(value)), counter))
    };
    reader.events(&stream).filter_map(|event| counted(event.unwrap().1)).collect()
}

#[test]
fn one_counter_of_many_clients_is_exact_whatever_is_killed() {
    let size = match std::env::var("ORCH_COUNTER") {
        Ok(seed) => Size { seed: seed.parse().unwrap(), counts: 10_000, clients: 64, kills: 5 },
        Err(_) => Size { seed: 0x5eed_0007, counts: 600, clients: 16, kills: 2 },
    };
    let begun = Instant::now();
    let workspace = Workspace::new("- {id: t, kind: note}\n");
    let root = workspace.admit_hostile("counts-requests").to_str().unwrap().to_owned();
    let config = workspace.read("config.yaml");
    workspace.write("config.yaml", &format!("{config}  services: {{/count: demo/counts-requests}}\n"));
    workspace.make_known();
    let begin = || -> Served { serve(&workspace, &["--plugins", &root]) };
    let mut served = begin();
    let campaign = Campaign {
        size: &size,
        token: out(&workspace.host(&["token", "add", "all", "--scope", "run"], 0)).trim().to_owned(),
        at: Mutex::new(served.services),
        good: AtomicU64::new(0),
    };
    let mut random = Random(size.seed);
    let asked: Vec<Asked> = std::thread::scope(|scope| {
        let campaign = &campaign;
        let clients: Vec<_> =
            (0..size.clients).map(|client| scope.spawn(move || campaign.client(client))).collect();
        for kill in 1..=size.kills {
            let share = size.counts / (size.kills + 1);
            let moment = share * kill + random.below(share / 2);
            while campaign.good.load(Ordering::Relaxed) < moment {
                std::thread::sleep(Duration::from_millis(1));
            }
            served.host.kill().unwrap();
            served.host.wait().unwrap();
            served = begin();
            *campaign.at.lock().unwrap() = served.services;
        }
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });

    let answer = served.get("/count/count", Some(&campaign.token));
    assert_eq!(served.signal(rustix::process::Signal::TERM), 0);
    let kept = kept(&workspace);
    assert_eq!(answer.body, kept.len().to_string(), "the counter is how often it was counted");
    // One after the other, and each count under a number of its own.
    let counters: Vec<u64> = kept.iter().map(|(_, counter)| *counter).collect();
    assert_eq!(counters, (1..=kept.len() as u64).collect::<Vec<_>>());
    let mut by_request: BTreeMap<(u64, u64), u64> = kept.iter().copied().collect();
    assert_eq!(by_request.len(), kept.len(), "something was counted twice");
    let (mut good, mut refused, mut silent, mut silently_kept) = (0, BTreeMap::new(), 0, 0);
    for Asked { client, number, answered } in &asked {
        let counter = by_request.remove(&(*client, *number));
        match answered {
            Some((200, body)) => {
                assert_eq!(
                    counter.map(|counter| counter.to_string()).as_ref(),
                    Some(body),
                    "c{client}-{number}"
                );
                good += 1;
            }
            Some((status, body)) => {
                assert_eq!(counter, None, "c{client}-{number} was refused and counted: {status} {body}");
                *refused.entry(*status).or_insert(0) += 1;
            }
            None => {
                silent += 1;
                silently_kept += u64::from(counter.is_some());
            }
        }
    }
    assert_eq!(by_request, BTreeMap::new(), "counted and never asked for");
    assert_eq!(refused.keys().filter(|status| **status != 503).collect::<Vec<_>>(), Vec::<&u16>::new());
    assert!(good >= size.counts);
    workspace.host(&["audit", "verify"], 0);
    workspace.host(&["db", "check"], 0);
    println!(
        "seed {:#x}: {good} counts answered to {} clients, {silently_kept} kept of {silent} without an answer, refused {refused:?}, \
         {} kills, {} s",
        size.seed,
        size.clients,
        size.kills,
        begun.elapsed().as_secs()
    );
}
