//! The program: parse, carry out, print an error if there is one, exit.

use clap::Parser;
use orch_host::commands::doctor::limits::attempt;
use orch_host::commands::{Args, dispatch};
use orch_host::console::{self, Console};
use orch_host::exit::{Exit, Fault};
use orch_host::machine::with_stack;

/// What the system says when a limit of processes or threads is reached.
const EAGAIN: i32 = 11;

/// A library that gets no thread panics, and the half of a host that is there would wait for the other one for ever.
fn end_without_threads(console: Console) {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if !said.contains("spawn") || !said.contains("thread") {
            return usual(panic);
        }
        console.error(&Fault::no_threads(std::io::Error::from_raw_os_error(EAGAIN).into()));
        std::process::exit(Exit::HostError.code().into());
    }));
}

fn main() {
    // Before any thread exists: the same program is the supervisor of its commands.
    if std::env::args_os().nth(1).is_some_and(|first| first == orch_supervisor::ARGUMENT) {
        std::process::exit(i32::from(orch_supervisor::serve().is_err()));
    }
    // And what hostile processes are tried with: one of them.
    if std::env::args_os().nth(1).is_some_and(|first| first == attempt::ARGUMENT) {
        std::process::exit(attempt::run(std::env::args_os().skip(2)).into());
    }
    with_stack(carry_out);
}

fn carry_out() {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // Help goes to standard output, a wrong use to standard error.
            console::note_loss(error.print());
            std::process::exit(Console::detect().conclude(Ok(exit)).code().into());
        }
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("ORCH_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(console::Trace::default)
        .with_ansi(false)
        .init();
    let console = Console::detect();
    end_without_threads(console);
    std::process::exit(console.conclude(dispatch(args, console)).code().into());
}
