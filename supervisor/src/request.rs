//! What is asked of a supervisor, and how it ended.
//!
//! In -> out: a [`Request`], checked before it is sent, -> [`Exit`] inside [`Ended`].
//! Limits: the whole request, encoded, is at most `frame::FRAME_BYTES_MAX` bytes.
//! Invariant: a checked request has an absolute program and folder and nothing that exec would cut short.
//! Not here: sending (`client.rs`), starting (`launch.rs`), which programs are granted (the host).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::sandbox::{LISTEN_MAX, Limit, Sandbox};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Sent", into = "Sent")]
pub struct Request {
    /// Absolute; executed as it is, without a search path and without a shell.
    pub program: PathBuf,
    /// Without the program's own name.
    pub args: Vec<OsString>,
    /// The whole environment; nothing is inherited. Names are not empty and hold no `=`.
    pub env: Vec<(OsString, OsString)>,
    /// Absolute.
    pub directory: PathBuf,
    /// From the start of the command; none is no limit.
    pub timeout: Option<Duration>,
    /// From SIGTERM, with which everything that the command left, or was at its timeout or cancel, is asked to end, to
    /// SIGKILL. Zero: it is not asked.
    pub kill_after: Duration,
    /// Soft limit of open files, as far as its supervisor's hard limit goes; none: its supervisor's.
    pub open_files_max: Option<u64>,
    pub sandbox: Sandbox,
}

impl Request {
    /// A command without arguments, environment or timeout, whose descendants are not asked to end.
    pub fn new(program: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            directory: directory.into(),
            timeout: None,
            kill_after: Duration::ZERO,
            open_files_max: None,
            sandbox: Sandbox::None,
        }
    }

    /// Refuses what exec would misread.
    ///
    /// # Errors
    /// `Invalid`: a relative path, a NUL byte, a name in the environment that is empty or holds `=`, or sockets for the host
    /// that are not on a loopback, or too many.
    pub(crate) fn check(&self) -> Result<(), RunError> {
        let refuse = |what: String| Err(RunError::Invalid { what });
        for (name, path) in [("program", &self.program), ("directory", &self.directory)] {
            if !path.is_absolute() {
                return refuse(format!("{name} `{}` is not an absolute path", path.display()));
            }
        }
        let paths = [self.program.as_os_str(), self.directory.as_os_str()];
        let names = self.env.iter().map(|(name, _)| name.as_os_str());
        for text in paths.into_iter().chain(self.args.iter().map(OsString::as_os_str)).chain(names) {
            if text.as_bytes().contains(&0) {
                return refuse(format!("`{}` contains a NUL byte", text.display()));
            }
        }
        // What a variable says may be nobody's to read.
        if let Some((name, _)) = self.env.iter().find(|(_, value)| value.as_bytes().contains(&0)) {
            return refuse(format!("value of `{}` contains a NUL byte", name.display()));
        }
        for (name, _) in &self.env {
            if name.is_empty() || name.as_bytes().contains(&b'=') {
                return refuse(format!("`{}` cannot name a variable of the environment", name.display()));
            }
        }
        let listen = match &self.sandbox {
            Sandbox::Walls(walls) => walls.listen.as_slice(),
            Sandbox::None => &[],
        };
        if let Some(address) = listen.iter().find(|address| !address.ip().is_loopback()) {
            return refuse(format!("`{address}`, where the host is to listen, is no address of a loopback"));
        }
        if listen.len() > LISTEN_MAX {
            let count = listen.len();
            return refuse(format!("{count} addresses where the host is to listen, limit is {LISTEN_MAX}"));
        }
        Ok(())
    }
}

/// How a command was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    Code(i32),
    /// Ended by this signal, which did not come from its supervisor.
    Signal(i32),
    /// Still there when `Request::timeout` had passed.
    TimedOut,
    /// The host asked for its end.
    Cancelled,
    /// It and its descendants were ended, since together they were beyond this limit of their sandbox.
    Beyond(Limit),
}

/// The end of a command. No descendant of it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub exit: Exit,
    /// From its start until it was over; the end of its descendants is not counted.
    pub duration: Duration,
    /// Processes that it left running when it ended by itself, and that were ended.
    pub left: u32,
}

/// A [`Request`] on its way. The standard library's texts need not be UTF-8, JSON's must.
#[derive(Serialize, Deserialize)]
struct Sent {
    program: Text,
    args: Vec<Text>,
    env: Vec<(Text, Text)>,
    directory: Text,
    timeout: Option<Duration>,
    kill_after: Duration,
    open_files_max: Option<u64>,
    sandbox: Sandbox,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl From<OsString> for Text {
    fn from(text: OsString) -> Self {
        text.into_string().map_or_else(|text| Self::Bytes(text.into_vec()), Self::Utf8)
    }
}

impl From<Text> for OsString {
    fn from(text: Text) -> Self {
        match text {
            Text::Utf8(text) => text.into(),
            Text::Bytes(bytes) => Self::from_vec(bytes),
        }
    }
}

impl From<Request> for Sent {
    fn from(request: Request) -> Self {
        let Request { program, args, env, directory, timeout, kill_after, open_files_max, sandbox } = request;
        Self {
            program: program.into_os_string().into(),
            args: args.into_iter().map(Text::from).collect(),
            env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            directory: directory.into_os_string().into(),
            timeout,
            kill_after,
            open_files_max,
            sandbox,
        }
    }
}

impl From<Sent> for Request {
    fn from(sent: Sent) -> Self {
        let Sent { program, args, env, directory, timeout, kill_after, open_files_max, sandbox } = sent;
        Self {
            program: OsString::from(program).into(),
            args: args.into_iter().map(OsString::from).collect(),
            env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            directory: OsString::from(directory).into(),
            timeout,
            kill_after,
            open_files_max,
            sandbox,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::sandbox::Walls;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Request), refused: Option<&str>) {
        let mut request = Request::new("/bin/true", "/");
        change(&mut request);
        let found = request.check().map_err(|error| error.to_string());
        match refused {
            None => assert_eq!(found, Ok(())),
            Some(part) => assert!(found.as_ref().is_err_and(|text| text.contains(part)), "{found:?}"),
        }
    }

    #[test]
    fn refuses_what_exec_would_misread() {
        check(|_| {}, None);
        check(|request| request.args.push("a=b".into()), None);
        check(|request| request.env.push(("A".into(), "b=c".into())), None);
        check(|request| request.program = "true".into(), Some("program `true` is not an absolute path"));
        check(|request| request.directory = "here".into(), Some("directory `here`"));
        check(|request| request.args.push("a\0b".into()), Some("NUL byte"));
        check(
            |request| request.env.push(("A".into(), "x\0".into())),
            Some("value of `A` contains a NUL byte"),
        );
        check(|request| request.env.push(("".into(), "b".into())), Some("cannot name a variable"));
        check(|request| request.env.push(("A=B".into(), "b".into())), Some("cannot name a variable"));
        let listening = |addresses: Vec<&str>| {
            let listen = addresses.into_iter().map(|address| address.parse().unwrap()).collect();
            Sandbox::from(Walls { listen, ..Walls::around(Vec::new()) })
        };
        check(|request| request.sandbox = listening(vec!["127.0.0.1:80", "[::1]:80", "127.9.9.9:1"]), None);
        check(|request| request.sandbox = listening(vec!["0.0.0.0:80"]), Some("no address of a loopback"));
        check(|request| request.sandbox = listening(vec!["127.0.0.1:80"; 129]), Some("limit is 128"));
    }

    #[test]
    fn survives_the_wire_with_bytes_that_are_not_utf_8() {
        let odd = OsStr::from_bytes(b"/a\xffb");
        let mut request = Request::new(odd, odd);
        request.args.extend([odd.to_owned(), "é\n".into(), "".into()]);
        request.env.push((odd.to_owned(), odd.to_owned()));
        request.timeout = Some(Duration::from_millis(1_500));
        request.kill_after = Duration::from_millis(2_500);
        request.open_files_max = Some(1024);
        let text = serde_json::to_vec(&request).unwrap();
        assert_eq!(serde_json::from_slice::<Request>(&text).unwrap(), request);
    }
}
