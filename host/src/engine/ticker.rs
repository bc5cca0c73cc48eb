//! Ticks: the clock that guest code is interrupted by.
//!
//! In -> out: an engine -> its epoch, one higher every [`TICK`].
//! Invariant: the thread holds no engine alive; it ends within a tick of the last one.
//! Not here: what happens at a tick (`store.rs`).

use std::io;
use std::time::Duration;

/// Between two looks at a running guest.
pub const TICK: Duration = Duration::from_millis(10);

/// Starts the ticks of one engine.
pub(super) fn start(engine: &wasmtime::Engine) -> io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        loop {
            std::thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => break,
            }
        }
    };
    std::thread::Builder::new().name("engine-ticks".to_owned()).spawn(tick).map(drop)
}
