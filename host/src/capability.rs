//! Capabilities: the host functions behind each WIT interface.
//!
//! In -> out: a grant -> [`Granted`]; a need of the table -> its interface in a linker.
//! Invariant: one list of capabilities, [`add_to_linker`]; nothing that is not granted is in any linker; what was
//! denied and what is an effect goes through one [`Ledger`].
//! Not here: which import needs what (`orch-trust`'s `interfaces`), counting of calls (`engine/store.rs`).

pub mod clocks;
pub mod files;
pub mod findings;
pub mod http;
pub mod kv;
pub mod log;
pub mod metrics;
pub mod process;
pub mod random;
pub mod settings;
pub mod tasks;

#[cfg(test)]
pub(crate) mod bench;

use std::sync::Arc;

use orch_trust::interfaces::Need;
use orch_trust::permission::{KvPermission, Permissions, TasksPermission};
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::{clocks as wasi_clocks, io as wasi_io, random as wasi_random};
use wasmtime_wasi_http::WasiHttp;
use wasmtime_wasi_http::p2::bindings::http as wasi_http;

use crate::bindings;
use crate::call::{Effect, EffectGate, GateClosed};
use crate::engine::store::CallState;
use files::FilesGrant;
use process::{HostEnvironment, ProcessGrant};

/// Denials that one call's report keeps; a guest that asks on is told so all the same.
const DENIED_MAX: usize = 100;

/// A grant, prepared once for all calls of a plugin.
#[derive(Clone)]
pub struct Granted {
    pub(crate) kv: Arc<KvPermission>,
    pub(crate) tasks: Arc<TasksPermission>,
    pub(crate) files: Arc<FilesGrant>,
    pub(crate) process: Arc<ProcessGrant>,
    /// Clocks and random numbers are the same in each call.
    pub(crate) fixed: bool,
}

impl Granted {
    /// What these permissions open. Programs are looked up along this process's `PATH`, now and never again.
    pub fn new(permissions: &Permissions, fixed: bool) -> Self {
        let host = HostEnvironment::of_this_process();
        Self {
            kv: Arc::new(permissions.kv.clone().unwrap_or_default()),
            tasks: Arc::new(permissions.tasks.clone().unwrap_or_default()),
            files: Arc::new(FilesGrant::new(&permissions.files.clone().unwrap_or_default())),
            process: Arc::new(ProcessGrant::new(&permissions.process.clone().unwrap_or_default(), &host)),
            fixed,
        }
    }
}

/// What a call was denied, and the way to its effects.
pub struct Ledger {
    gate: Arc<dyn EffectGate>,
    denied: Vec<String>,
    intended: Vec<&'static str>,
    closed: bool,
}

impl Ledger {
    pub fn new(gate: Arc<dyn EffectGate>) -> Self {
        Self { gate, denied: Vec::new(), intended: Vec::new(), closed: false }
    }

    /// Notes a denial for the operator, each once; gives it back for the guest.
    pub(crate) fn deny(&mut self, interface: &str, what: String) -> bindings::types::types::Error {
        let line = format!("{interface}: {what}");
        if self.denied.len() < DENIED_MAX && !self.denied.contains(&line) {
            self.denied.push(line);
        }
        bindings::types::types::Error::Denied(what)
    }

    /// From now on there is no effect any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Records the intent of an effect, before the first of its kind.
    pub(crate) async fn intend(&mut self, effect: &'static str) -> Result<(), GateClosed> {
        if self.closed {
            return Err(GateClosed);
        }
        if !self.intended.contains(&effect) {
            self.gate.record(Effect::Intent { effect }).await?;
            self.intended.push(effect);
        }
        Ok(())
    }

    pub(crate) fn gate(&self) -> &Arc<dyn EffectGate> {
        &self.gate
    }

    /// The denials, and whether an intent was recorded.
    pub(crate) fn into_parts(self) -> (Vec<String>, bool) {
        (self.denied, !self.intended.is_empty())
    }
}

struct HasIo;

impl HasData for HasIo {
    type Data<'a> = &'a mut ResourceTable;
}

/// Adds the interfaces that a need stands for.
pub(crate) fn add_to_linker(linker: &mut Linker<CallState>, need: Need) -> wasmtime::Result<()> {
    match need {
        Need::Log => bindings::log::log::add_to_linker::<_, log::HasLog>(linker, CallState::log),
        Need::Settings => bindings::settings::settings::add_to_linker::<_, settings::HasSettings>(
            linker,
            CallState::settings,
        ),
        Need::Kv => bindings::kv::kv::add_to_linker::<_, kv::HasKv>(linker, CallState::kv),
        Need::Tasks => bindings::tasks::tasks::add_to_linker::<_, tasks::HasTasks>(linker, CallState::tasks),
        Need::Files => bindings::files::files::add_to_linker::<_, files::HasFiles>(linker, CallState::files),
        Need::Process => {
            bindings::process::process::add_to_linker::<_, process::HasProcess>(linker, CallState::process)
        }
        Need::Findings => bindings::findings::findings::add_to_linker::<_, findings::HasFindings>(
            linker,
            CallState::findings,
        ),
        Need::Metrics => {
            bindings::metrics::metrics::add_to_linker::<_, metrics::HasMetrics>(linker, CallState::metrics)
        }
        Need::WasiClocks => {
            wasi_clocks::monotonic_clock::add_to_linker::<_, clocks::HasClocks>(linker, CallState::clocks)?;
            wasi_clocks::wall_clock::add_to_linker::<_, clocks::HasClocks>(linker, CallState::clocks)
        }
        Need::WasiRandom => {
            wasi_random::random::add_to_linker::<_, random::HasRandom>(linker, CallState::random)
        }
        Need::WasiIo => {
            wasi_io::error::add_to_linker::<_, HasIo>(linker, CallState::io)?;
            wasi_io::poll::add_to_linker::<_, HasIo>(linker, CallState::io)?;
            wasi_io::streams::add_to_linker::<_, HasIo>(linker, CallState::io)
        }
        Need::WasiHttpTypes => {
            let options = wasi_http::types::LinkOptions::default();
            wasi_http::types::add_to_linker::<_, WasiHttp>(linker, &options, CallState::http)
        }
    }
}
