//! Doing what a tool is asked for.
//!
//! In -> out: a [`Call`] -> what the model is told of it.
//! Limits: files of 4 MiB, 2000 files and 100 lines a search; of each result the bytes of the settings.
//! Invariant: what the host refuses is told as a failed result and ends nothing; text of files and programs is never read as
//! anything but text.
//! Not here: what is granted (the host's), when the work ends (`turns.rs`).

use orch_sdk::{Category, Severity};

use crate::repeats::{Repeats, Turn};
use crate::tool::{Call, Delete, Edit, List, Note, NoteKind, Read, Run, Search, Write};
use crate::world::{self, Exit, NotDone, World};

const FILE_BYTES_MAX: u64 = 4 << 20;
const SEARCH_FILE_BYTES_MAX: u64 = 1 << 20;
const FILES_MAX: usize = 2000;
const LINES_MAX: usize = 100;
const LINE_BYTES_MAX: usize = 400;
const RUN_BYTES_MAX: u32 = 256 << 10;

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Result {
    pub text: String,
    pub failed: bool,
}

/// Limits of hands.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    pub result_bytes_max: usize,
    /// For one program.
    pub run_ms_max: u64,
}

/// Whoever does it, and what it did.
pub struct Hands<'a, W> {
    pub world: &'a mut W,
    reach: Reach,
    pub changes: u32,
    pub commands: u32,
    pub denials: u32,
    /// What the last change means.
    pub turn: Turn,
}

type Told = std::result::Result<String, String>;

impl<'a, W: World> Hands<'a, W> {
    pub fn new(world: &'a mut W, reach: Reach) -> Self {
        Self { world, reach, changes: 0, commands: 0, denials: 0, turn: Turn::New }
    }

    /// Does it; `ms`: what is left of the attempt.
    pub fn perform(&mut self, call: &Call, repeats: &mut Repeats, ms: u64) -> Result {
        self.turn = Turn::New;
        let told = match call {
            Call::List(list) => self.list(list),
            Call::Read(read) => self.read(read),
            Call::Search(search) => self.search(search),
            Call::Edit(edit) => self.edit(edit, repeats),
            Call::Write(write) => self.write(write, repeats),
            Call::Delete(delete) => self.delete(delete, repeats),
            Call::Run(run) => self.run(run, ms),
            Call::Note(note) => self.note(note),
            Call::Finish(_) => Ok(String::new()),
        };
        let (text, failed) = match told {
            Ok(text) => (text, false),
            Err(text) => (text, true),
        };
        Result { text: shortened(&text, self.reach.result_bytes_max), failed }
    }

    /// What the model is told of something that was not done.
    fn refused(&mut self, what: &str, why: NotDone) -> String {
        match why {
            NotDone::Denied(asked) => {
                self.denials = self.denials.saturating_add(1);
                format!("refused: {asked} is not granted ({what})")
            }
            NotDone::Failed(why) => format!("{what}: {why}"),
            NotDone::Unavailable => format!("{what}: not available now"),
        }
    }

    fn list(&mut self, List { glob }: &List) -> Told {
        let (files, more) = self.world.list(glob, FILES_MAX).map_err(|why| self.refused(glob, why))?;
        if files.is_empty() {
            return Ok("no file that may be read matches".to_owned());
        }
        let mut text: String = files.iter().map(|(path, size)| format!("{path} ({size} bytes)\n")).collect();
        if more {
            text.push_str("and more: name a narrower glob\n");
        }
        Ok(text)
    }

    fn read(&mut self, Read { path, from_line, lines }: &Read) -> Told {
        let (bytes, more) = self.world.read(path, FILE_BYTES_MAX).map_err(|why| self.refused(path, why))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut shown = String::new();
        if matches!(text, std::borrow::Cow::Owned(_)) {
            shown.push_str("(not UTF-8: what is not is shown as \u{fffd}, and the file cannot be edited)\n");
        }
        let all = text.lines().count();
        let skipped = from_line.saturating_sub(1);
        for (nth, line) in text.lines().enumerate().skip(skipped).take((*lines).max(1)) {
            shown.push_str(&format!("{:>5} {line}\n", nth.saturating_add(1)));
            if shown.len() > self.reach.result_bytes_max {
                break;
            }
        }
        if skipped >= all && all > 0 {
            return Err(format!("{path} has {all} lines"));
        }
        let end = skipped.saturating_add(*lines);
        if end < all || more {
            shown.push_str(&format!("({all} lines{})\n", if more { " and more" } else { " in all" }));
        }
        Ok(if shown.is_empty() { "(empty)".to_owned() } else { shown })
    }

    fn search(&mut self, Search { text, glob }: &Search) -> Told {
        if text.is_empty() || text.contains('\n') {
            return Err("`text` is one line that is not empty".to_owned());
        }
        let (files, more) = self.world.list(glob, FILES_MAX).map_err(|why| self.refused(glob, why))?;
        let mut found = Vec::new();
        for (path, size) in files {
            if size > SEARCH_FILE_BYTES_MAX || found.len() >= LINES_MAX {
                continue;
            }
            // One that went meanwhile, or may not be read, has no line.
            let Ok((bytes, _)) = self.world.read(&path, SEARCH_FILE_BYTES_MAX) else { continue };
            let content = String::from_utf8_lossy(&bytes);
            let lines = content.lines().enumerate().filter(|(_, line)| line.contains(text.as_str()));
            for (nth, line) in lines.take(LINES_MAX.saturating_sub(found.len())) {
                found.push(format!(
                    "{path}:{}: {}",
                    nth.saturating_add(1),
                    beginning(line.trim_end(), LINE_BYTES_MAX)
                ));
            }
        }
        Ok(match found.len() {
            0 if more => "no line of the first 2000 files: name a narrower glob".to_owned(),
            0 => "no line".to_owned(),
            LINES_MAX => format!("{}\nand perhaps more", found.join("\n")),
            _ => found.join("\n"),
        })
    }

    /// The file as text that may be changed.
    fn text_of(&mut self, path: &str) -> std::result::Result<String, String> {
        let (bytes, more) = self.world.read(path, FILE_BYTES_MAX).map_err(|why| self.refused(path, why))?;
        if more {
            return Err(format!("{path} is larger than {FILE_BYTES_MAX} bytes"));
        }
        String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8"))
    }

    fn edit(&mut self, Edit { path, old, new, all }: &Edit, repeats: &mut Repeats) -> Told {
        let before = self.text_of(path)?;
        if old.is_empty() {
            return Err("`old` is empty: `write` writes a whole file".to_owned());
        }
        let places = before.matches(old.as_str()).count();
        let after = match places {
            0 => {
                let crlf = before.contains("\r\n") && !old.contains("\r\n") && old.contains('\n');
                let why = if crlf { ": its lines end in CR LF" } else { ", white space included" };
                return Err(format!("`old` is not in {path}{why}"));
            }
            1 => before.replacen(old.as_str(), new, 1),
            _ if *all => before.replace(old.as_str(), new),
            _ => {
                return Err(format!(
                    "`old` is in {path} {places} times: say more of what is around it, or `all`"
                ));
            }
        };
        if after == before {
            return Err("`old` and `new` are the same".to_owned());
        }
        self.put(path, Some(before.as_bytes()), after.as_bytes(), repeats)?;
        Ok(format!("{path}: {} changed", if places == 1 { "one place" } else { "all places" }))
    }

    fn write(&mut self, Write { path, content }: &Write, repeats: &mut Repeats) -> Told {
        // What cannot be read is judged by who writes.
        let before = self.world.read(path, FILE_BYTES_MAX).ok().map(|(bytes, _)| bytes);
        self.put(path, before.as_deref(), content.as_bytes(), repeats)?;
        Ok(format!("{path}: written, {} bytes", content.len()))
    }

    fn put(
        &mut self,
        path: &str,
        before: Option<&[u8]>,
        after: &[u8],
        repeats: &mut Repeats,
    ) -> std::result::Result<(), String> {
        self.world.write(path, after).map_err(|why| self.refused(path, why))?;
        self.changes = self.changes.saturating_add(1);
        self.turn = repeats.changed(path, before, Some(after));
        Ok(())
    }

    fn delete(&mut self, Delete { path }: &Delete, repeats: &mut Repeats) -> Told {
        let before = self.world.read(path, FILE_BYTES_MAX).ok().map(|(bytes, _)| bytes);
        self.world.remove(path).map_err(|why| self.refused(path, why))?;
        self.changes = self.changes.saturating_add(1);
        self.turn = repeats.changed(path, before.as_deref(), None);
        Ok(format!("{path}: removed"))
    }

    fn run(&mut self, Run { program, args }: &Run, ms: u64) -> Told {
        let ms = ms.min(self.reach.run_ms_max).max(1);
        let ran =
            self.world.run(program, args, ms, RUN_BYTES_MAX).map_err(|why| self.refused(program, why))?;
        self.commands = self.commands.saturating_add(1);
        let how = match ran.exit {
            Exit::Code(code) => format!("exit code {code}"),
            Exit::Signal(signal) => format!("ended by signal {signal}"),
            Exit::TimedOut => format!("did not end within {ms} ms and was ended"),
        };
        let room = self.reach.result_bytes_max / 2;
        let mut text = how;
        for (name, bytes) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            let printed = String::from_utf8_lossy(bytes);
            if !printed.trim().is_empty() {
                text.push_str(&format!("\n{name}:\n{}", shortened(printed.trim_end(), room)));
            }
        }
        // That a program failed is news, and no failure of the tool.
        Ok(text)
    }

    fn note(&mut self, note: &Note) -> Told {
        let Note { kind, text, name, severity, category, location } = note;
        let kept = match kind {
            NoteKind::Log => world::Note::Log(text.clone()),
            NoteKind::Finding => world::Note::Finding {
                severity: match severity.as_str() {
                    "major" => Severity::Major,
                    "medium" => Severity::Medium,
                    "minor" => Severity::Minor,
                    _ => return Err("`severity` is `major`, `medium` or `minor`".to_owned()),
                },
                category: match category.as_str() {
                    "build" => Category::Build,
                    "test" => Category::Test,
                    "lint" => Category::Lint,
                    "security" => Category::Security,
                    "custom" => Category::Custom,
                    _ => {
                        return Err(
                            "`category` is `build`, `test`, `lint`, `security` or `custom`".to_owned()
                        );
                    }
                },
                message: text.clone(),
                location: location.clone(),
            },
            NoteKind::Artifact if name.is_empty() => return Err("an artifact has a `name`".to_owned()),
            NoteKind::Artifact => world::Note::Artifact { name: name.clone(), text: text.clone() },
        };
        self.world.note(&kept).map_err(|why| self.refused("note", why))?;
        Ok("noted".to_owned())
    }
}

/// The beginning of a text, between characters.
#[must_use]
pub fn beginning(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// A text of at most that many bytes and a line: its beginning and its end, and what is left out between them.
#[must_use]
pub fn shortened(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let half = bytes_max / 2;
    let tail_at = text.ceil_char_boundary(text.len().saturating_sub(half));
    let (head, tail) = (beginning(text, half), text.get(tail_at..).unwrap_or_default());
    let left = text.len().saturating_sub(head.len()).saturating_sub(tail.len());
    format!("{head}\n[... {left} bytes are left out here ...]\n{tail}")
}
