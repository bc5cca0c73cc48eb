//! `supervise PROGRAM [ARGUMENT...]`: runs one command under a supervisor, with this environment and folder.
//!
//! Says on stderr which processes it started. Its exit code is the command's, 128 and the signal, or 125 if the command
//! was not run. Nothing of the command is left when it ends, also not after a `kill -9`.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use orch_supervisor::{Exit, Request, RunError, SupervisorPool, pump};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let Some(program) = args.next() else {
        return fail("usage: supervise PROGRAM [ARGUMENT...]");
    };
    // Before anything else: a supervisor must be the only thread.
    if program == orch_supervisor::ARGUMENT {
        return match orch_supervisor::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    let request = env::current_dir().map(|directory| Request {
        args: args.collect(),
        env: env::vars_os().collect(),
        ..Request::new(program, directory)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match (request, runtime, env::current_exe()) {
        (Ok(request), Ok(runtime), Ok(executable)) => {
            match runtime.block_on(run(SupervisorPool::new(executable, 1), request)) {
                Ok(exit) => exit,
                Err(error) => fail(&error),
            }
        }
        (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => fail(&error),
    }
}

async fn run(pool: SupervisorPool, request: Request) -> Result<ExitCode, RunError> {
    let running = pool.run(request).await?;
    let line =
        format!("supervise: command {}, guardian {}\n", running.identity().pid, running.supervisor().pid);
    io::stderr().write_all(line.as_bytes()).map_err(|source| RunError::Log { source })?;
    let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(|source| RunError::Log { source })?;
    let output = pump(running, &mut tokio::fs::File::from(File::from(stdout)), 0).await?;
    let code = match output.ended.exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
        Exit::TimedOut | Exit::Cancelled | Exit::Beyond(_) => 125,
    };
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(125)))
}

fn fail(why: &(impl std::fmt::Display + ?Sized)) -> ExitCode {
    // If stderr is gone, the exit code has to say it alone.
    let _ = writeln!(io::stderr(), "error: {why}");
    ExitCode::from(125)
}
