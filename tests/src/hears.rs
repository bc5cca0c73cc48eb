//! What a program says while it goes on, and interrupts that wait until the host said that it heard.
//!
//! In -> out: a child with a pipe as its standard error -> its words so far, waits for words.
//! Invariant: everything is read, so that nobody who says more is held up; no wait is for a time that a busy machine exceeds.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::until;

/// What a host says on standard error.
pub struct Hears {
    host: Pid,
    said: Arc<Mutex<String>>,
    reader: std::thread::JoinHandle<()>,
}

impl Hears {
    /// Listens to a child that was started with a pipe there.
    pub fn to(child: &mut Child) -> Self {
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let into = said.clone();
        let reader = std::thread::spawn(move || {
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).unwrap() > 0 {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { host: Pid::from_child(child), said, reader }
    }

    /// Waits until it said that.
    #[track_caller]
    pub fn until(&self, text: &str) {
        until(|| self.said.lock().unwrap().contains(text));
    }

    /// A first interrupt, which the host has heard when this returns.
    #[track_caller]
    pub fn interrupt(&self, signal: Signal) {
        kill_process(self.host, signal).unwrap();
        self.until("running tasks end first");
    }

    /// A second one, which is no echo of the first.
    #[track_caller]
    pub fn interrupt_again(&self, signal: Signal) {
        std::thread::sleep(orch_host::interrupt::ECHO + Duration::from_millis(100));
        kill_process(self.host, signal).unwrap();
    }

    /// All that it said, once it says no more.
    pub fn end(self) -> String {
        self.reader.join().unwrap();
        Arc::into_inner(self.said).unwrap().into_inner().unwrap()
    }
}
