//! Requests going through the nodes of a model in simulated time.
//!
//! In -> out: a model, a trace, a seed -> the [`State`] at some time, with what was counted on the way.
//! Units: microseconds. At one moment actions go first, then what ends, then what comes.
//! Invariant: the same input gives the same state, also when it was kept and restored in between; a request holds what it was let
//! into until it is answered or refused.
//! Not here: reading models and traces (`model.rs`, `trace.rs`), keeping a state (`lib.rs`).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::model::{Action, Kind, Model, Policy, What, Worker};
use crate::tally::Tally;
use crate::trace::Trace;

/// Everything at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    pub now_us: u64,
    pub nodes: Vec<NodeState>,
    /// Of whole requests, as whoever sent them saw it.
    pub total: Tally,
    random: u64,
    actions_done: usize,
    requests: Vec<Request>,
    unused: Vec<u32>,
    /// When something ends, in which order it was begun, and for which request.
    ends: BinaryHeap<Reverse<(u64, u64, u32)>>,
    begun: u64,
}

/// A node at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeState {
    pub name: String,
    pub tally: Tally,
    pub slots: u32,
    /// Requests in it now; at a balancer on their way through it.
    pub busy: u32,
    pub longest_queue: u64,
    /// Time that its slots were held, all of them together.
    pub busy_us: u64,
    stopped: bool,
    policy: Policy,
    limit: u32,
    turn: usize,
    waiting: VecDeque<u32>,
    changed_us: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Request {
    came_us: u64,
    /// Where it is, outermost first.
    inside: Vec<Stay>,
}

/// A request's stay in a node.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Stay {
    node: usize,
    came_us: u64,
    /// Calls that were made.
    called: usize,
    holds: bool,
}

impl State {
    /// Before anything came.
    #[must_use]
    pub fn new(model: &Model, seed: u64) -> Self {
        let nodes = model.nodes.iter().map(|node| {
            let (slots, policy, limit) = match &node.kind {
                Kind::Worker(worker) => (worker.slots, Policy::RoundRobin, u32::MAX),
                Kind::Balancer(balancer) => (0, balancer.policy, balancer.limit),
            };
            NodeState {
                name: node.name.clone(),
                tally: Tally::default(),
                slots,
                busy: 0,
                longest_queue: 0,
                busy_us: 0,
                stopped: false,
                policy,
                limit,
                turn: 0,
                waiting: VecDeque::new(),
                changed_us: 0,
            }
        });
        Self {
            now_us: 0,
            nodes: nodes.collect(),
            total: Tally::default(),
            random: seed,
            actions_done: 0,
            requests: Vec::new(),
            unused: Vec::new(),
            ends: BinaryHeap::new(),
            begun: 0,
        }
    }

    /// True if it is a state of that model: the same nodes, and requests that are in them.
    #[must_use]
    pub fn fits(&self, model: &Model) -> bool {
        let names = model.nodes.iter().map(|node| &node.name).eq(self.nodes.iter().map(|node| &node.name));
        let known = |request: &u32| self.requests.get(*request as usize).is_some();
        names
            && self.actions_done <= model.actions.len()
            && self
                .requests
                .iter()
                .flat_map(|request| &request.inside)
                .all(|stay| stay.node < self.nodes.len())
            && self.ends.iter().all(|Reverse((_, _, request))| known(request))
            && self.nodes.iter().flat_map(|node| &node.waiting).chain(&self.unused).all(known)
    }

    /// Goes on until `until_us`, or until nothing more comes or ends. What happens at `until_us` itself is still to come.
    pub fn run(&mut self, model: &Model, trace: &Trace, until_us: Option<u64>) {
        let mut arrivals = trace.requests(self.now_us).peekable();
        loop {
            let end = self.ends.peek().map(|Reverse((at, ..))| *at);
            let arrival = arrivals.peek().map(|(at, _)| *at);
            let Some(work) = end.into_iter().chain(arrival).min() else { break };
            let action = model.actions.get(self.actions_done).filter(|action| action.at_us <= work);
            let next = action.map_or(work, |action| action.at_us.max(self.now_us));
            if until_us.is_some_and(|until| next >= until) {
                break;
            }
            self.now_us = next;
            if let Some(action) = action {
                self.actions_done += 1;
                self.act(model, action);
            } else if end == Some(work) {
                if let Some(Reverse((_, _, request))) = self.ends.pop() {
                    self.go_on(model, request);
                }
            } else if let Some((_, node)) = arrivals.next() {
                let request = self.new_request();
                self.enter(model, request, node);
            }
        }
        self.now_us = until_us.map_or(self.now_us, |until| until.max(self.now_us));
        (0..self.nodes.len()).for_each(|node| self.change_busy(node, 0));
    }

    fn act(&mut self, model: &Model, action: &Action) {
        let Some(node) = self.nodes.get_mut(action.node) else { return };
        match action.what {
            What::Scale(slots) => node.slots = slots,
            What::Stop => node.stopped = true,
            What::Start => node.stopped = false,
            What::Route(policy) => node.policy = policy,
            What::Limit(limit) => node.limit = limit,
        }
        self.let_in(model, action.node);
    }

    fn new_request(&mut self) -> u32 {
        let came_us = self.now_us;
        if let Some(request) = self.unused.pop() {
            if let Some(slot) = self.requests.get_mut(request as usize) {
                slot.came_us = came_us;
            }
            return request;
        }
        self.requests.push(Request { came_us, inside: Vec::new() });
        u32::try_from(self.requests.len() - 1).unwrap_or(u32::MAX)
    }

    /// A request comes to a node.
    fn enter(&mut self, model: &Model, request: u32, mut place: usize) {
        loop {
            let (Some(node), Some(at)) = (model.nodes.get(place), self.nodes.get_mut(place)) else { return };
            let mut stay = Stay { node: place, came_us: self.now_us, called: 0, holds: true };
            match &node.kind {
                _ if at.stopped => return self.refuse(model, request, place),
                Kind::Balancer(_) if at.busy >= at.limit => return self.refuse(model, request, place),
                Kind::Balancer(balancer) => {
                    let target = match at.policy {
                        Policy::RoundRobin => {
                            at.turn = (at.turn + 1) % balancer.to.len();
                            balancer.to.get(at.turn).copied()
                        }
                        Policy::LeastConnections => {
                            let load = |target: &usize| {
                                self.nodes.get(*target).map_or(usize::MAX, |node| {
                                    if node.stopped {
                                        usize::MAX
                                    } else {
                                        node.busy as usize + node.waiting.len()
                                    }
                                })
                            };
                            balancer.to.iter().copied().min_by_key(load)
                        }
                    };
                    self.stay(request, stay);
                    self.change_busy(place, 1);
                    let Some(target) = target else { return };
                    place = target;
                }
                Kind::Worker(worker) if at.busy < at.slots => {
                    self.stay(request, stay);
                    self.change_busy(place, 1);
                    return self.begin(worker, request);
                }
                Kind::Worker(worker) if at.waiting.len() < worker.queue as usize => {
                    at.waiting.push_back(request);
                    at.longest_queue = at.longest_queue.max(at.waiting.len() as u64);
                    stay.holds = false;
                    return self.stay(request, stay);
                }
                Kind::Worker(_) => return self.refuse(model, request, place),
            }
        }
    }

    fn stay(&mut self, request: u32, stay: Stay) {
        if let Some(request) = self.requests.get_mut(request as usize) {
            request.inside.push(stay);
        }
    }

    /// A worker's own time for a request begins.
    fn begin(&mut self, worker: &Worker, request: u32) {
        let span = worker.time_us.saturating_mul(worker.jitter_percent) / 100;
        let more = if span == 0 { 0 } else { self.next_random() % span.saturating_mul(2).saturating_add(1) };
        let time = (worker.time_us - span).saturating_add(more);
        self.begun += 1;
        self.ends.push(Reverse((self.now_us.saturating_add(time), self.begun, request)));
    }

    /// The worker in which the request is innermost has done its part, or was answered: it calls the next, or answers.
    fn go_on(&mut self, model: &Model, request: u32) {
        loop {
            let Some(inside) = self.requests.get_mut(request as usize).map(|request| &mut request.inside)
            else {
                return;
            };
            let Some(stay) = inside.last_mut() else { return self.answer(request) };
            let place = stay.node;
            if let Some(Kind::Worker(worker)) = model.nodes.get(place).map(|node| &node.kind)
                && let Some(target) = worker.calls.get(stay.called)
            {
                stay.called += 1;
                return self.enter(model, request, *target);
            }
            let came_us = stay.came_us;
            inside.pop();
            if let Some(node) = self.nodes.get_mut(place) {
                node.tally.serve(self.now_us - came_us);
            }
            self.leave(model, place);
        }
    }

    fn answer(&mut self, request: u32) {
        let came_us = self.requests.get(request as usize).map_or(self.now_us, |request| request.came_us);
        self.total.serve(self.now_us - came_us);
        self.unused.push(request);
    }

    /// A node does not let the request in; whatever it was in fails with it.
    fn refuse(&mut self, model: &Model, request: u32, place: usize) {
        if let Some(node) = self.nodes.get_mut(place) {
            node.tally.refused += 1;
        }
        let inside =
            self.requests.get_mut(request as usize).map(|request| std::mem::take(&mut request.inside));
        self.total.failed += 1;
        self.unused.push(request);
        for stay in inside.into_iter().flatten().rev() {
            if let Some(node) = self.nodes.get_mut(stay.node) {
                node.tally.failed += 1;
            }
            if stay.holds {
                self.leave(model, stay.node);
            }
        }
    }

    /// A slot of the node is free again.
    fn leave(&mut self, model: &Model, place: usize) {
        self.change_busy(place, -1);
        self.let_in(model, place);
    }

    /// Those who wait come in as far as there are slots.
    fn let_in(&mut self, model: &Model, place: usize) {
        let Some(Kind::Worker(worker)) = model.nodes.get(place).map(|node| &node.kind) else { return };
        while let Some(node) = self.nodes.get_mut(place).filter(|node| node.busy < node.slots)
            && let Some(request) = node.waiting.pop_front()
        {
            if let Some(stay) =
                self.requests.get_mut(request as usize).and_then(|request| request.inside.last_mut())
            {
                stay.holds = true;
            }
            self.change_busy(place, 1);
            self.begin(worker, request);
        }
    }

    fn change_busy(&mut self, place: usize, by: i32) {
        let Some(node) = self.nodes.get_mut(place) else { return };
        let span = self.now_us.saturating_sub(node.changed_us);
        node.busy_us = node.busy_us.saturating_add(span.saturating_mul(u64::from(node.busy)));
        node.changed_us = self.now_us;
        node.busy = node.busy.saturating_add_signed(by);
    }

    /// SplitMix64: small, even, and the same everywhere.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
#[path = "simulation_tests.rs"]
mod tests;
