//! Interrupts of a run: Ctrl-C, a polite end, a terminal that was closed.
//!
//! In -> out: SIGINT, SIGTERM, SIGHUP -> [`Control`]: the first lets running tasks end, the second ends them.
//! Invariant: heard on a thread of its own, whatever the loop does.
//! Not here: what the loop makes of it (`drive.rs`).

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch::{Sender, channel};

use crate::console::Console;
use crate::drive::desk::Control;
use crate::exit::Fault;

/// Begins to listen; says on standard error what was heard.
pub fn listen(console: Console) -> Result<Sender<Control>, Fault> {
    let (control, _) = channel(Control::GoOn);
    let say = control.clone();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let mut signals = {
        let _runtime = runtime.enter();
        Signals::new().map_err(anyhow::Error::from)?
    };
    let wait = async move {
        signals.next().await;
        console.note("interrupted: running tasks end first; a second interrupt ends them");
        say.send_replace(Control::Stop);
        signals.next().await;
        console.note("interrupted again: ending what runs");
        say.send_replace(Control::Abort);
        // Later ones change nothing: what runs is being ended.
        loop {
            signals.next().await;
        }
    };
    std::thread::Builder::new()
        .name("orch-signals".to_owned())
        .spawn(move || runtime.block_on(wait))
        .map_err(anyhow::Error::from)?;
    Ok(control)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
