//! Where the list of tasks ends in a text, and in which style it is written.
//!
//! In -> out: text -> [`Tail`]: where and how new entries go.
//! Limits: one walk over the parser's events; nothing of the text is copied.
//! Not here: what the entries say (`render.rs`), the change itself (`patch.rs`).

use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Options, Parser, Span, StructureStyle};

/// Where and how new entries go.
#[derive(Debug, PartialEq)]
pub(crate) enum Tail {
    /// After the last entry of a block list.
    Block { items: Items },
    /// Before `close`, the bracket that ends a flow list; `open` is the end of the one that begins it.
    Flow { open: usize, close: usize, items: Option<Items> },
    /// The list stands behind an alias.
    Elsewhere,
}

/// What is known of the entries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Items {
    /// First byte of the last entry.
    pub(crate) last_start: usize,
    /// End of everything that belongs to the last entry, comments after it not counted.
    pub(crate) last_end: usize,
    pub(crate) last_is_flow: bool,
}

/// Finds the end of the list of tasks. `None` only for a text that does not parse.
pub(crate) fn tail_of(text: &str) -> Option<Tail> {
    let mut options = Options::default();
    options.emit_comments = false;
    let mut walk = Walk::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.ok()?;
        walk.step(&event, &span)?;
        if walk.tail.is_some() {
            return walk.tail;
        }
    }
    Some(Tail::Elsewhere)
}

#[derive(Default)]
struct Walk {
    depth: usize,
    /// Depth of the list's entries, once inside it.
    list: Option<(usize, bool, usize)>,
    /// True if the root is a mapping.
    is_mapping: bool,
    /// In that mapping: whether the key before is `tasks`, if a value comes next.
    key: Option<bool>,
    items: Option<Items>,
    tail: Option<Tail>,
}

impl Walk {
    fn step(&mut self, event: &Event<'_>, span: &Span) -> Option<()> {
        let range = span.byte_range()?;
        match event {
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                let is_flow = matches!(style, StructureStyle::Flow);
                self.node(event, &range, is_flow);
                self.depth += 1;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.depth -= 1;
                self.end(&range);
            }
            Event::Scalar(..) | Event::Alias(..) => {
                self.node(event, &range, false);
                self.touch(&range);
            }
            _ => {}
        }
        Some(())
    }

    /// A node begins.
    fn node(&mut self, event: &Event<'_>, range: &Range<usize>, is_flow: bool) {
        if let Some((depth, ..)) = self.list {
            if self.depth == depth {
                self.items =
                    Some(Items { last_start: range.start, last_end: range.end, last_is_flow: is_flow });
            }
            return;
        }
        match (self.depth, self.is_mapping) {
            (0, false) => match event {
                Event::MappingStart(..) => self.is_mapping = true,
                _ => self.found(event, range, is_flow),
            },
            (1, true) => match self.key.take() {
                None => self.key = Some(matches!(event, Event::Scalar(name, ..) if name == "tasks")),
                Some(true) => self.found(event, range, is_flow),
                Some(false) => {}
            },
            _ => {}
        }
    }

    /// The node that holds the tasks.
    fn found(&mut self, event: &Event<'_>, range: &Range<usize>, is_flow: bool) {
        match event {
            Event::SequenceStart(..) => self.list = Some((self.depth + 1, is_flow, range.end)),
            _ => self.tail = Some(Tail::Elsewhere),
        }
    }

    /// A list or mapping ends.
    fn end(&mut self, range: &Range<usize>) {
        let Some((depth, is_flow, open)) = self.list else { return };
        if self.depth + 1 != depth {
            // Block lists and mappings end where the next thing begins, and say nothing.
            if !range.is_empty() {
                self.touch(range);
            }
            return;
        }
        self.tail = Some(match (is_flow, self.items.take()) {
            (true, items) => Tail::Flow { open, close: range.start, items },
            (false, Some(items)) => Tail::Block { items },
            (false, None) => Tail::Elsewhere,
        });
    }

    /// Something of the last entry ends.
    fn touch(&mut self, range: &Range<usize>) {
        if let Some(items) = &mut self.items {
            items.last_end = items.last_end.max(range.end);
        }
    }
}
