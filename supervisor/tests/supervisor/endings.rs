//! Endings drawn at random: exit codes, signals, both at once, time limits, with and without what is left running. The same in each
//! run.

use std::time::Duration;

use orch_supervisor::{Exit, Request};

use crate::bench::{Mark, pool, run, shell};

const DRAWN: usize = 90;

/// Signals that end a process which does nothing about them.
const FATAL: [i32; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24];

/// Of those that a shell can catch.
const CAUGHT: [i32; 6] = [1, 2, 3, 10, 12, 15];

/// For a command that does not end by itself.
const SHORT: Duration = Duration::from_millis(40);

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A command's words, and its end as its manual and the kernel's say.
struct Drawn {
    script: String,
    timeout: Option<Duration>,
    exit: Exit,
    left: u32,
}

fn drawn(random: &mut Random) -> Drawn {
    let left = random.below(3);
    let leaves = "sleep 300 &\n".repeat(left);
    let far = random.of(&[None, Some(Duration::from_secs(300))]);
    let code = random.below(256) as i32;
    let by_itself = |script: String, exit| Drawn { script, timeout: far, exit, left: left as u32 };
    let too_late = |script: String| Drawn { script, timeout: Some(SHORT), exit: Exit::TimedOut, left: 0 };
    match random.below(7) {
        0 => by_itself(format!("{leaves}exit {code}"), Exit::Code(code)),
        1 => {
            let signal = random.of(&FATAL);
            by_itself(format!("{leaves}kill -{signal} $$; exit {code}"), Exit::Signal(signal))
        }
        // Both: what is caught first says how it ends.
        2 => {
            let signal = random.of(&CAUGHT);
            by_itself(
                format!("trap 'exit {code}' {signal}\n{leaves}kill -{signal} $$; exit 1"),
                Exit::Code(code),
            )
        }
        // What is ignored is no end, nor is one of a process below it.
        3 => {
            let (ignored, below) = (random.of(&CAUGHT), random.of(&FATAL));
            let below = format!("sh -c 'kill -{below} $$'");
            by_itself(
                format!("trap '' {ignored}\n{below}\n{leaves}kill -{ignored} $$; exit {code}"),
                Exit::Code(code),
            )
        }
        4 => too_late(format!("{leaves}exec sleep 300")),
        // It hears that it is to end and says a code of its own: too late it was all the same.
        5 => too_late(format!("trap 'exit {code}' TERM\n{leaves}while :; do sleep 0.01; done")),
        _ => too_late(format!("trap '' TERM HUP INT\n{leaves}while :; do sleep 0.01; done")),
    }
}

#[tokio::test]
async fn any_end_of_a_command_is_told_as_it_was_and_nothing_is_left_of_it() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let pool = pool(1);
    for nth in 0..DRAWN {
        let (Drawn { script, timeout, exit, left }, mark) = (drawn(&mut random), Mark::new());
        let request = Request { timeout, kill_after: Duration::from_millis(60), ..shell(&script, &mark) };
        let ended = run(&pool, request).await.unwrap().ended;
        assert_eq!((ended.exit, ended.left), (exit, left), "{nth}: {script}");
        assert!(mark.carriers().is_empty(), "{nth}: {script}");
    }
}
