//! What is simulated: nodes that take time, and what is done to them.
//!
//! In -> out: JSON -> [`Model`], nodes by their place.
//! Units: microseconds of simulated time. Limits: 1..=100 nodes, 10,000 actions, 100,000 slots and as many waiting a node.
//! Invariant: what a node names exists, and no request can come back to where it was.
//! Not here: requests (`trace.rs`), time going by (`simulation.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const NODES_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 64;
const ACTIONS_MAX: usize = 10_000;
const SLOTS_MAX: u32 = 100_000;

/// A model that can be simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// By name; a node's place is its number everywhere else.
    pub nodes: Vec<Node>,
    /// In order of time.
    pub actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A service or a database: so many requests at once, the others wait.
    Worker(Worker),
    Balancer(Balancer),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    pub is_database: bool,
    /// Requests at once: a service's threads, a database's connections.
    pub slots: u32,
    /// Requests that wait for a slot; more are refused.
    pub queue: u32,
    pub time_us: u64,
    /// How far the time varies around `time_us`, in percent of it.
    pub jitter_percent: u64,
    /// Asked one after the other, after its own time, with the slot held.
    pub calls: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Balancer {
    pub policy: Policy,
    pub to: Vec<usize>,
    /// Requests at once, all targets together; more are refused.
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    RoundRobin,
    LeastConnections,
}

/// Something that is done to a node, as an operator would.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    pub at_us: u64,
    pub node: usize,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// So many slots from now on.
    Scale(u32),
    /// It refuses what comes until it starts; what it has is finished.
    Stop,
    Start,
    Route(Policy),
    Limit(u32),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    services: BTreeMap<String, WrittenWorker>,
    #[serde(default)]
    databases: BTreeMap<String, WrittenWorker>,
    #[serde(default)]
    balancers: BTreeMap<String, WrittenBalancer>,
    #[serde(default)]
    actions: Vec<WrittenAction>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWorker {
    /// A database calls them connections.
    #[serde(alias = "connections")]
    slots: u32,
    #[serde(default)]
    queue: u32,
    time_us: u64,
    #[serde(default)]
    jitter_percent: u64,
    #[serde(default)]
    calls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBalancer {
    policy: Policy,
    to: Vec<String>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAction {
    at_us: u64,
    node: String,
    scale: Option<u32>,
    stop: Option<bool>,
    start: Option<bool>,
    route: Option<Policy>,
    limit: Option<u32>,
}

impl Model {
    /// Reads a model.
    ///
    /// # Errors
    /// What is wrong with which node or action, for people.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(json).map_err(|error| format!("the model: {error}"))?;
        let places = places(&written)?;
        let find = |of: &str, name: &String| {
            places.get(name).copied().ok_or_else(|| format!("`{of}` names `{name}`, which is no node"))
        };
        let mut nodes: Vec<Option<Node>> = places.iter().map(|_| None).collect();
        let mut put = |name: String, kind| {
            if let Some(slot) = places.get(&name).and_then(|place| nodes.get_mut(*place)) {
                *slot = Some(Node { name, kind });
            }
        };
        let workers = written.services.into_iter().map(|(name, worker)| (name, worker, false));
        for (name, worker, is_database) in
            workers.chain(written.databases.into_iter().map(|(name, worker)| (name, worker, true)))
        {
            let calls = worker.calls.iter().map(|target| find(&name, target)).collect::<Result<_, _>>()?;
            let worker = worker.check(&name, is_database, calls)?;
            put(name, Kind::Worker(worker));
        }
        for (name, balancer) in written.balancers {
            let to: Vec<usize> =
                balancer.to.iter().map(|target| find(&name, target)).collect::<Result<_, _>>()?;
            if to.is_empty() {
                return Err(format!("the balancer `{name}` has nothing to balance: `to` is empty"));
            }
            let limit = balancer.limit.unwrap_or(u32::MAX);
            put(name, Kind::Balancer(Balancer { policy: balancer.policy, to, limit }));
        }
        let nodes: Vec<Node> = nodes.into_iter().flatten().collect();
        check_ways(&nodes)?;
        if written.actions.len() > ACTIONS_MAX {
            return Err(format!("{} actions, limit is {ACTIONS_MAX}", written.actions.len()));
        }
        let mut actions = Vec::new();
        for action in written.actions {
            let place = find("actions", &action.node)?;
            let kind = nodes.get(place).map(|node| &node.kind);
            let what = action.what(matches!(kind, Some(Kind::Balancer(_))))?;
            actions.push(Action { at_us: action.at_us, node: place, what });
        }
        actions.sort_by_key(|action| action.at_us);
        Ok(Self { nodes, actions })
    }

    /// The place of the node of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.nodes.binary_search_by(|node| node.name.as_str().cmp(name)).ok()
    }
}

/// Every name's place, in the order of names.
fn places(written: &Written) -> Result<BTreeMap<String, usize>, String> {
    let names = || written.services.keys().chain(written.databases.keys()).chain(written.balancers.keys());
    let places: BTreeMap<String, usize> = names().cloned().map(|name| (name, 0)).collect();
    let count = names().count();
    if !(1..=NODES_MAX).contains(&count) {
        return Err(format!("the model has {count} nodes, expected 1..={NODES_MAX}"));
    }
    if let Some(long) = places.keys().find(|name| !(1..=NAME_BYTES_MAX).contains(&name.len())) {
        return Err(format!("a node's name has {} bytes, expected 1..={NAME_BYTES_MAX}", long.len()));
    }
    if places.len() < count {
        let twice = places.keys().find(|name| names().filter(|other| other == name).count() > 1);
        return Err(format!("two nodes are called `{}`", twice.map_or("", String::as_str)));
    }
    Ok(places.into_keys().enumerate().map(|(place, name)| (name, place)).collect())
}

impl WrittenWorker {
    fn check(self, name: &str, is_database: bool, calls: Vec<usize>) -> Result<Worker, String> {
        let Self { slots, queue, time_us, jitter_percent, .. } = self;
        if !(1..=SLOTS_MAX).contains(&slots) {
            return Err(format!("`{name}` has {slots} slots, expected 1..={SLOTS_MAX}"));
        }
        if queue > SLOTS_MAX {
            return Err(format!("`{name}` lets {queue} wait, limit is {SLOTS_MAX}"));
        }
        if jitter_percent > 100 {
            return Err(format!("`jitter_percent` of `{name}` is {jitter_percent}, expected 0..=100"));
        }
        if is_database && !calls.is_empty() {
            return Err(format!("the database `{name}` has `calls`; only services call others"));
        }
        Ok(Worker { is_database, slots, queue, time_us, jitter_percent, calls })
    }
}

impl WrittenAction {
    fn what(&self, is_balancer: bool) -> Result<What, String> {
        let mut found = Vec::new();
        found.extend(self.scale.map(What::Scale));
        found.extend(self.stop.filter(|stop| *stop).map(|_| What::Stop));
        found.extend(self.start.filter(|start| *start).map(|_| What::Start));
        found.extend(self.route.map(What::Route));
        found.extend(self.limit.map(What::Limit));
        let place = format!("the action at {} us on `{}`", self.at_us, self.node);
        let [what] = found.as_slice() else {
            return Err(format!("{place} needs exactly one of `scale`, `stop`, `start`, `route`, `limit`"));
        };
        match what {
            What::Scale(slots) if !(1..=SLOTS_MAX).contains(slots) => {
                Err(format!("{place} scales to {slots} slots, expected 1..={SLOTS_MAX}"))
            }
            What::Scale(_) if is_balancer => Err(format!("{place}: a balancer has no slots to scale")),
            What::Route(_) | What::Limit(_) if !is_balancer => {
                Err(format!("{place}: only a balancer has a `route` and a `limit`"))
            }
            what => Ok(*what),
        }
    }
}

/// No way through the nodes comes back: a request would wait for itself.
fn check_ways(nodes: &[Node]) -> Result<(), String> {
    let mut open: Vec<usize> = (0..nodes.len()).collect();
    loop {
        let before = open.len();
        let still: Vec<usize> = open
            .iter()
            .copied()
            .filter(|place| targets(nodes, *place).iter().any(|target| open.contains(target)))
            .collect();
        open = still;
        if open.len() == before {
            break;
        }
    }
    let names: Vec<&str> = open.iter().filter_map(|place| Some(nodes.get(*place)?.name.as_str())).collect();
    if names.is_empty() {
        Ok(())
    } else {
        Err(format!("requests would come back to where they were: {}", names.join(", ")))
    }
}

fn targets(nodes: &[Node], place: usize) -> &[usize] {
    match nodes.get(place).map(|node| &node.kind) {
        Some(Kind::Worker(worker)) => &worker.calls,
        Some(Kind::Balancer(balancer)) => &balancer.to,
        None => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_by_name_and_name_each_other_by_place() {
        let model = Model::parse(
            br#"{"services": {"web": {"slots": 2, "time_us": 5, "calls": ["db"]}},
                 "databases": {"db": {"connections": 1, "time_us": 9}},
                 "balancers": {"a": {"policy": "round-robin", "to": ["web"]}},
                 "actions": [{"at_us": 9, "node": "web", "scale": 3}, {"at_us": 1, "node": "a", "limit": 4}]}"#,
        )
        .unwrap();
        let names: Vec<&str> = model.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["a", "db", "web"]);
        assert_eq!((model.find("web"), model.find("x")), (Some(2), None));
        assert!(matches!(&model.nodes[2].kind, Kind::Worker(worker) if worker.calls == [1]));
        let actions: Vec<_> =
            model.actions.iter().map(|action| (action.at_us, action.node, action.what)).collect();
        assert_eq!(actions, [(1, 0, What::Limit(4)), (9, 2, What::Scale(3))]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let web = r#""web": {"slots": 1, "time_us": 5"#;
        for (json, part) in [
            ("{}".to_owned(), "the model has 0 nodes"),
            ("3".to_owned(), "the model:"),
            (format!("{{\"services\": {{{web}, \"speed\": 3}}}}}}"), "unknown field `speed`"),
            (
                format!("{{\"services\": {{{web}, \"calls\": [\"db\"]}}}}}}"),
                "`web` names `db`, which is no node",
            ),
            (
                format!("{{\"services\": {{{web}, \"calls\": [\"web\"]}}}}}}"),
                "come back to where they were: web",
            ),
            (
                format!("{{\"services\": {{{web}, \"jitter_percent\": 101}}}}}}"),
                "`jitter_percent` of `web` is 101",
            ),
            (
                format!("{{\"services\": {{{web}}}}}, \"databases\": {{{web}}}}}}}"),
                "two nodes are called `web`",
            ),
            (r#"{"services": {"": {"slots": 1, "time_us": 1}}}"#.to_owned(), "a node's name has 0 bytes"),
            (r#"{"services": {"a": {"slots": 0, "time_us": 1}}}"#.to_owned(), "`a` has 0 slots"),
            (
                r#"{"balancers": {"a": {"policy": "least-connections", "to": []}}}"#.to_owned(),
                "has nothing to balance",
            ),
            (
                format!("{{\"services\": {{{web}}}}}, \"actions\": [{{\"at_us\": 1, \"node\": \"web\"}}]}}"),
                "needs exactly one of",
            ),
            (
                format!(
                    "{{\"services\": {{{web}}}}}, \"actions\": [{{\"at_us\": 1, \"node\": \"web\", \"limit\": 2}}]}}"
                ),
                "only a balancer has",
            ),
        ] {
            let error = Model::parse(json.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
