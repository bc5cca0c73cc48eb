//! A terminal on which a program can ask.
//!
//! In -> out: a word -> written where the program reads; what the program writes there.
//! Invariant: what is typed is not shown again, so that a case holds the program's words only.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

pub(super) struct Terminal {
    ours: OwnedFd,
    childs: OwnedFd,
}

impl Terminal {
    pub(super) fn open() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let childs = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        let mut modes = tcgetattr(&childs).unwrap();
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&childs, OptionalActions::Now, &modes).unwrap();
        Self { ours, childs }
    }

    /// The program's end of it.
    pub(super) fn child_end(&self) -> Stdio {
        self.childs.try_clone().unwrap().into()
    }

    /// Types the word; gives our end, to read from.
    pub(super) fn answer(self, word: &str) -> File {
        let mut ours = File::from(self.ours);
        writeln!(ours, "{word}").unwrap();
        ours
    }
}
