//! `wasi:*`: the engine's own interfaces of WASI 0.2, as far as a permission opens them.
//!
//! In -> out: an import -> that interface in a linker.
//! Invariant: no environment, no folder, no socket, no outgoing request, whatever is granted; time and random numbers
//! are the host's, or the same ones in each call where certification wants that.
//! Not here: what the engine does behind `wasi:io` and `wasi:http/types`, which imports open nothing (`orch-trust`).

mod clocks;
mod http;
mod inert;
mod random;

use std::sync::Arc;

use orch_trust::interfaces::Import;
use orch_trust::permission::WasiPermission;
use orch_trust::time::UnixSeconds;
use wasmtime::component::Linker;
use wasmtime_wasi::p2::bindings::{clocks as wasi_clocks, random as wasi_random};
use wasmtime_wasi_http::p2::bindings::http as wasi_http;
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtx, WasiHttpCtxView};

use super::environment::HostEnvironment;
use super::log::lines::Lines;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use clocks::Clocks;
use http::NoOutgoing;
pub(crate) use inert::Exited;
use inert::Inert;
use random::Random;

/// State of these interfaces in one store.
pub struct Wasi {
    clocks: Clocks,
    random: Random,
    http: WasiHttpCtx,
    no_outgoing: NoOutgoing,
    inert: Inert,
}

impl Capability for Wasi {
    type Permission = WasiPermission;
    type Granted = ();

    fn grant(_permission: WasiPermission, _host: &HostEnvironment) {}

    fn open(_granted: &(), opening: Opening<'_>) -> Self {
        Self::new(opening.fixed, opening.lent.fixed_start, opening.lines.clone())
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, import: Import<'_>) -> wasmtime::Result<()> {
        match import.wasi() {
            Some("clocks/monotonic-clock") => {
                wasi_clocks::monotonic_clock::add_to_linker::<_, HasView<Self>>(linker, S::view)
            }
            Some("clocks/wall-clock") => {
                wasi_clocks::wall_clock::add_to_linker::<_, HasView<Self>>(linker, S::view)
            }
            Some("random/random") => wasi_random::random::add_to_linker::<_, HasView<Self>>(linker, S::view),
            Some("http/types") => {
                let options = wasi_http::types::LinkOptions::default();
                wasi_http::types::add_to_linker::<_, WasiHttp>(linker, &options, |state: &mut S| {
                    Self::http(state.view())
                })
            }
            _ => inert::link(linker, import),
        }
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(_granted: Option<&WasiPermission>, _watched: &Watched<'_>) -> Vec<String> {
        // What is not open is in no linker, and what is open leaves no trace.
        Vec::new()
    }
}

impl Wasi {
    fn new(fixed: bool, start: Option<UnixSeconds>, lines: Arc<Lines>) -> Self {
        let (clocks, random) = (Clocks::new(fixed, start), Random::new(fixed));
        Self { clocks, random, http: WasiHttpCtx::new(), no_outgoing: NoOutgoing, inert: Inert::new(lines) }
    }

    /// What the engine's own host functions of HTTP borrow.
    pub(crate) fn http(view: View<'_, Self>) -> WasiHttpCtxView<'_> {
        let Self { http, no_outgoing, .. } = view.state;
        WasiHttpCtxView { hooks: no_outgoing, table: view.table, ctx: http }
    }
}
