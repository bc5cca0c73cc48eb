//! The text of `tasks.yml` -> its tasks, one after the other.
//!
//! In -> out: `&str` -> [`FileTask`]s in file order.
//! Limits: the YAML budget (`yaml_options.rs`); only one task's values are held at a time.
//! Invariant: what comes back passed `check_graph`; a text without a list is no list without tasks.
//! Not here: single fields (`fields.rs`), bytes and their hash (`file.rs`).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::file::error::{Place, TaskFileError};
use crate::file::fields::{Read, read_task};
use crate::file::node::{Key, Node, Placed};
use crate::file::yaml_error::from_yaml;
use crate::file::yaml_options::options;
use crate::file::{FileTask, TASKS_MAX};
use crate::graph::{GraphError, check_graph};
use crate::keys::instead_beside;

/// The tasks of a file, in its order.
pub(crate) fn parse_text(text: &str) -> Result<Vec<FileTask>, TaskFileError> {
    let mut reader = Reader { text, tasks: Vec::new(), dependency_places: Vec::new(), fault: None };
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |deserializer| {
        deserializer.deserialize_any(Root(&mut reader))
    });
    match (reader.fault.take(), read) {
        (Some(fault), _) => return Err(fault),
        (None, Err(error)) => return Err(from_yaml(&error)),
        (None, Ok(())) => {}
    }
    reader.check_graph()?;
    Ok(reader.tasks)
}

struct Reader<'a> {
    text: &'a str,
    tasks: Vec<FileTask>,
    dependency_places: Vec<Vec<Place>>,
    /// Why reading stopped, if it was not the parser who stopped it.
    fault: Option<TaskFileError>,
}

impl Reader<'_> {
    /// Remembers the fault and makes the error that ends the parser's work.
    fn stop<E: Error>(&mut self, fault: TaskFileError) -> E {
        self.fault = Some(fault);
        E::custom("the reader stopped")
    }

    fn place_of_task(&self, at: usize) -> Place {
        self.tasks.get(at).map_or(Place { line: 1, column: 1 }, FileTask::place)
    }

    fn check_graph(&self) -> Result<(), TaskFileError> {
        check_graph(self.tasks.iter().map(|read| &read.task)).map_err(|why| match why {
            GraphError::DuplicateId { id, first, second } => TaskFileError::DuplicateId {
                id,
                first: self.place_of_task(first.unwrap_or(second)),
                place: self.place_of_task(second),
            },
            GraphError::UnknownDependency { task, dependency, at, nth } => {
                let place = self.dependency_places.get(at).and_then(|places| places.get(nth)).copied();
                TaskFileError::UnknownDependency {
                    task,
                    dependency,
                    place: place.unwrap_or_else(|| self.place_of_task(at)),
                }
            }
            GraphError::Cycle { tasks, at } => TaskFileError::Cycle { tasks, place: self.place_of_task(at) },
        })
    }
}

/// The whole document: a list, or a mapping with `tasks`.
struct Root<'r, 'a>(&'r mut Reader<'a>);

impl<'de> Visitor<'de> for Root<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of tasks or a mapping with `tasks`")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(self.0.stop(TaskFileError::Empty))
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        read_list(self.0, list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut first = None;
        let (mut has_tasks, mut unread) = (false, None);
        while let Some(Key(key)) = map.next_key()? {
            first.get_or_insert(key.at.place);
            match &key.node {
                Node::Text(name) if name == "tasks" => {
                    has_tasks = true;
                    map.next_value_seed(List { reader: self.0, place: key.at.place })?;
                }
                Node::Text(name) => {
                    let place = key.at.place;
                    let instead = instead_beside(name).filter(|_| !has_anchor(self.0.text, place));
                    let key = name.clone();
                    unread =
                        unread.or(instead.map(|instead| TaskFileError::NotARootKey { key, instead, place }));
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (has_tasks, unread) {
            (true, None) => Ok(()),
            (true, Some(unread)) => Err(self.0.stop(unread)),
            (false, _) => {
                let place = first.unwrap_or(Place { line: 1, column: 1 });
                Err(self.0.stop(TaskFileError::NoTasksKey { place }))
            }
        }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(self.not_tasks("a boolean"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(self.not_tasks("a number"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(self.not_tasks("a number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(self.not_tasks("a number"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(self.not_tasks("a text"))
    }
}

impl Root<'_, '_> {
    fn not_tasks<E: Error>(self, found: &'static str) -> E {
        let text = self.0.text;
        let place = first_content(text);
        self.0.stop(TaskFileError::NotTasks { found, place })
    }
}

/// True if what stands behind the key at that place has a name that tasks can take it by.
fn has_anchor(text: &str, key: Place) -> bool {
    let line = text.lines().nth((key.line as usize).saturating_sub(1)).unwrap_or_default();
    let from_key = line.chars().skip((key.column as usize).saturating_sub(1)).collect::<String>();
    from_key.split_once(": ").is_some_and(|(_, value)| value.trim_start().starts_with('&'))
}

/// The first line that is neither empty nor a comment nor the start of a document.
fn first_content(text: &str) -> Place {
    for (nth, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let content = line.trim_start();
        if !content.is_empty() && !content.starts_with(['#', '%']) && content.trim_end() != "---" {
            let column = line.len() - content.len() + 1;
            return Place { line: u32::try_from(nth + 1).unwrap_or(u32::MAX), column: column as u32 };
        }
    }
    Place { line: 1, column: 1 }
}

/// The value of `tasks`.
struct List<'r, 'a> {
    reader: &'r mut Reader<'a>,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of tasks")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(self.reader.stop(TaskFileError::Empty))
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        read_list(self.reader, list)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.wrong("a mapping"))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(self.wrong("a boolean"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(self.wrong("a number"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(self.wrong("a number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(self.wrong("a number"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(self.wrong("a text"))
    }
}

impl List<'_, '_> {
    fn wrong<E: Error>(self, found: &'static str) -> E {
        self.reader.stop(TaskFileError::WrongType {
            key: "tasks".to_owned(),
            found: found.to_owned(),
            expected: "a list of tasks",
            place: self.place,
        })
    }
}

fn read_list<'de, A: SeqAccess<'de>>(reader: &mut Reader<'_>, mut list: A) -> Result<(), A::Error> {
    while let Some(placed) = list.next_element::<Placed>()? {
        if reader.tasks.len() >= TASKS_MAX {
            return Err(reader.stop(TaskFileError::TooMany { place: placed.at.place }));
        }
        match read_task(reader.text, placed) {
            Ok(Read { task, dependency_places }) => {
                reader.tasks.push(task);
                reader.dependency_places.push(dependency_places);
            }
            Err(fault) => return Err(reader.stop(fault)),
        }
    }
    Ok(())
}
