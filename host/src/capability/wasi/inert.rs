//! Interfaces of WASI that open nothing: linked for whoever imports them, since standard libraries and languages do.
//!
//! In -> out: an inert import -> that interface in a linker.
//! Invariant: nothing comes in by them and nothing goes out: the environment and the arguments are empty, standard
//! input is at its end, no folder is open, no socket is made, no name is looked up, `wasi:random/insecure*` gives the
//! same numbers in every call; what is printed is what `orch:log` would have been told.
//! Not here: which imports are inert (`orch-trust`'s `permission/wasi.rs`), lines of what is printed (`log/lines.rs`).

use std::sync::Arc;

use bytes::Bytes;
use orch_trust::interfaces::Import;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliCtx, WasiCliCtxView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::{cli, filesystem, io, random, sockets};
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamResult};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtx, WasiSocketsCtxView};

use super::Wasi;
use super::random::Random;
use crate::capability::log::lines::{Lines, Printed};
use crate::capability::shape::{HasView, Holds, View};

/// What one write to standard output takes at most.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// State of these interfaces in one store. The library's own contexts are empty and deny, as they are made.
pub(super) struct Inert {
    cli: WasiCliCtx,
    filesystem: WasiFilesystemCtx,
    sockets: WasiSocketsCtx,
    insecure: Random,
    lines: Arc<Lines>,
}

impl Inert {
    pub(super) fn new(lines: Arc<Lines>) -> Self {
        Self {
            cli: WasiCliCtx::default(),
            filesystem: WasiFilesystemCtx::default(),
            sockets: WasiSocketsCtx::default(),
            insecure: Random::new(true),
            lines,
        }
    }
}

/// A call that its guest ended, with the status that it gave.
#[derive(Debug, thiserror::Error)]
#[error("exit with status {0}")]
pub(crate) struct Exited(pub(crate) u8);

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

fn table<S: Holds<Wasi>>(state: &mut S) -> &mut ResourceTable {
    state.view().table
}

fn cli<S: Holds<Wasi>>(state: &mut S) -> WasiCliCtxView<'_> {
    let view = state.view();
    WasiCliCtxView { ctx: &mut view.state.inert.cli, table: view.table }
}

fn folders<S: Holds<Wasi>>(state: &mut S) -> WasiFilesystemCtxView<'_> {
    let view = state.view();
    WasiFilesystemCtxView { ctx: &mut view.state.inert.filesystem, table: view.table }
}

fn network<S: Holds<Wasi>>(state: &mut S) -> WasiSocketsCtxView<'_> {
    let view = state.view();
    WasiSocketsCtxView { ctx: &mut view.state.inert.sockets, table: view.table }
}

/// Adds an inert interface.
pub(super) fn link<S: Holds<Wasi>>(linker: &mut Linker<S>, import: Import<'_>) -> wasmtime::Result<()> {
    match import.wasi() {
        Some("io/error") => io::error::add_to_linker::<_, HasTable>(linker, table),
        Some("io/poll") => io::poll::add_to_linker::<_, HasTable>(linker, table),
        Some("io/streams") => io::streams::add_to_linker::<_, HasTable>(linker, table),
        Some("cli/environment") => cli::environment::add_to_linker::<_, WasiCli>(linker, cli),
        Some("cli/exit") => cli::exit::add_to_linker::<_, HasView<Wasi>>(linker, S::view),
        Some("cli/stdin") => cli::stdin::add_to_linker::<_, WasiCli>(linker, cli),
        Some("cli/stdout") => cli::stdout::add_to_linker::<_, HasView<Wasi>>(linker, S::view),
        Some("cli/stderr") => cli::stderr::add_to_linker::<_, HasView<Wasi>>(linker, S::view),
        Some("cli/terminal-input") => cli::terminal_input::add_to_linker::<_, WasiCli>(linker, cli),
        Some("cli/terminal-output") => cli::terminal_output::add_to_linker::<_, WasiCli>(linker, cli),
        Some("cli/terminal-stdin") => cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, cli),
        Some("cli/terminal-stdout") => cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, cli),
        Some("cli/terminal-stderr") => cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, cli),
        Some("filesystem/types") => filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, folders),
        Some("filesystem/preopens") => {
            filesystem::preopens::add_to_linker::<_, WasiFilesystem>(linker, folders)
        }
        Some("random/insecure") => random::insecure::add_to_linker::<_, HasView<Wasi>>(linker, S::view),
        Some("random/insecure-seed") => {
            random::insecure_seed::add_to_linker::<_, HasView<Wasi>>(linker, S::view)
        }
        Some("sockets/network") => {
            let options = sockets::network::LinkOptions::default();
            sockets::network::add_to_linker::<_, WasiSockets>(linker, &options, network)
        }
        Some("sockets/instance-network") => {
            sockets::instance_network::add_to_linker::<_, WasiSockets>(linker, network)
        }
        Some("sockets/ip-name-lookup") => {
            sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(linker, network)
        }
        Some("sockets/tcp") => sockets::tcp::add_to_linker::<_, WasiSockets>(linker, network),
        Some("sockets/tcp-create-socket") => {
            sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(linker, network)
        }
        Some("sockets/udp") => sockets::udp::add_to_linker::<_, WasiSockets>(linker, network),
        Some("sockets/udp-create-socket") => {
            sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(linker, network)
        }
        _ => Err(wasmtime::Error::msg(format!("no host offers `{}`", import.0))),
    }
}

impl cli::exit::Host for View<'_, Wasi> {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        Err(Exited(u8::from(status.is_err())).into())
    }

    fn exit_with_code(&mut self, status: u8) -> wasmtime::Result<()> {
        Err(Exited(status).into())
    }
}

impl View<'_, Wasi> {
    fn open_output(&mut self, printed: Printed) -> wasmtime::Result<Resource<DynOutputStream>> {
        let output: DynOutputStream = Box::new(Output { lines: self.state.inert.lines.clone(), printed });
        Ok(self.table.push(output)?)
    }
}

impl cli::stdout::Host for View<'_, Wasi> {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        self.open_output(Printed::Output)
    }
}

impl cli::stderr::Host for View<'_, Wasi> {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        self.open_output(Printed::Error)
    }
}

impl random::insecure::Host for View<'_, Wasi> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.state.inert.insecure.bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.state.inert.insecure.number()
    }
}

impl random::insecure_seed::Host for View<'_, Wasi> {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        let mut seed = Random::new(true);
        Ok((seed.number()?, seed.number()?))
    }
}

/// What a guest prints to.
struct Output {
    lines: Arc<Lines>,
    printed: Printed,
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.lines.print(self.printed, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl Pollable for Output {
    fn ready<'a, 'b>(&'a mut self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        // Gives way, so that a guest that prints in circles starves nobody.
        Box::pin(tokio::task::yield_now())
    }
}

#[cfg(test)]
mod tests;
