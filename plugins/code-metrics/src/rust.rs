//! A Rust file measured in one parse.
//!
//! In -> out: source -> [`FileMetrics`], or its blocks alone.
//! Not here: each count (`rust_complexity.rs`, `rust_halstead.rs`, `rust_raw.rs`).

use proc_macro2::TokenStream;

use crate::FileMetrics;
use crate::block::{Block, MeasureError};
use crate::maintainability;
use crate::rust_nesting::check_rust;
use crate::{rust_complexity, rust_halstead, rust_raw};

pub(crate) fn measure(source: &str) -> Result<FileMetrics, MeasureError> {
    parsed(source, |file| {
        let (blocks, complexity) = rust_complexity::count(file);
        let (halstead, functions) = rust_halstead::count(file);
        let raw = rust_raw::count(source, file);
        let maintainability = maintainability::index(halstead.volume(), complexity, raw);
        FileMetrics { blocks, complexity, halstead, functions, raw, maintainability }
    })
}

pub(crate) fn blocks(source: &str) -> Result<Vec<Block>, MeasureError> {
    parsed(source, |file| rust_complexity::count(file).0)
}

/// What `count` makes of the file's tree.
fn parsed<T>(source: &str, count: impl FnOnce(&syn::File) -> T) -> Result<T, MeasureError> {
    let counted = parse(without_shebang(source)).map(|file| count(&file));
    // Spans keep every text that was ever lexed until they are given up.
    proc_macro2::extra::invalidate_current_thread_spans();
    counted
}

fn parse(source: &str) -> Result<syn::File, MeasureError> {
    let tokens: TokenStream = source.parse().map_err(|error: proc_macro2::LexError| {
        MeasureError::Syntax(format!("{error} at line {}", error.span().start().line))
    })?;
    check_rust(&tokens)?;
    syn::parse2(tokens)
        .map_err(|error| MeasureError::Syntax(format!("{error} at line {}", error.span().start().line)))
}

/// The source from its first newline on if it starts with `#!` and is no attribute.
fn without_shebang(source: &str) -> &str {
    match source.strip_prefix("#!") {
        Some(rest) if !rest.trim_start().starts_with('[') => {
            source.find('\n').and_then(|at| source.get(at..)).unwrap_or("")
        }
        _ => source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shebang_is_no_code_and_keeps_the_lines() {
        let found = blocks("#!/usr/bin/env run\nfn a() {}\n").unwrap();
        assert_eq!(found[0].line, 2);
        assert_eq!(blocks("#![allow(x)]\nfn a() {}\n").unwrap()[0].line, 2);
    }

    #[test]
    fn what_is_not_rust_is_an_error_and_no_crash() {
        for source in ["fn", "fn f() { let x = ; }", "}", "\"", "fn f() { a < b < c }"] {
            let error = blocks(source).unwrap_err();
            assert!(
                matches!(&error, MeasureError::Syntax(text) if text.contains("at line 1")),
                "{source}: {error}"
            );
        }
    }
}
