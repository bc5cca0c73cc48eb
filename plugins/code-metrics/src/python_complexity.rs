//! Cyclomatic complexity of Python, counted as radon 6.0.1 counts it.
//!
//! In -> out: source -> its functions, methods and classes, in file order, outer before inner.
//! Counted, one each: `if`, `elif`, conditional expression, `for`, `while`, loop `else`, `except`, `else` of
//! `try`, `assert`, comprehension and each of its `if`s, each operand of `and`/`or` after the first, each
//! `case` but one catch-all. Not counted: `with`, `finally`, `except*`, lambdas, decorators, parameters,
//! annotations of the signature, what an `assert` tests, functions and classes inside (they have their own).
//! Not here: what is done about it (the plugins).

use crate::block::{Block, BlockKind};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Comprehension, ElifElseClause, Expr, MatchCase, Pattern, Stmt, StmtClassDef, StmtFunctionDef,
};

/// What is defined in a module, and the decisions outside of it. Classes and methods inside functions, which radon leaves
/// out, are there as well.
pub(crate) struct Complexities<'a>(Counter<'a>);

impl<'a> Complexities<'a> {
    pub(crate) fn of(body: &'a [Stmt]) -> Self {
        let mut counter = Counter::inside("", BlockKind::Function);
        counter.visit_body(body);
        Self(counter)
    }

    /// The blocks, and the complexity of the whole file: what is in a function that is in a function is left out, as radon
    /// does.
    pub(crate) fn into_blocks(self, source: &str) -> (Vec<Block>, u32) {
        let Counter { complexity, found, .. } = self.0;
        let inside: u32 = found.iter().map(|found| found.complexity.saturating_sub(1)).sum();
        let lines = LineStarts::new(source);
        (found.into_iter().flat_map(|found| found.flatten(&lines)).collect(), 1 + complexity + inside)
    }
}

/// Counts one body. What is defined in it goes to `found` with a count of its own.
struct Counter<'a> {
    /// Qualified name of the enclosing block, with its final dot.
    prefix: String,
    /// What a `def` in this body is.
    functions_are: BlockKind,
    complexity: u32,
    found: Vec<Found<'a>>,
}

/// A definition and what is defined inside it.
struct Found<'a> {
    kind: BlockKind,
    name: String,
    node: &'a Stmt,
    /// Before averaging.
    complexity: u32,
    inner: Vec<Found<'a>>,
}

impl<'a> Counter<'a> {
    fn inside(prefix: &str, functions_are: BlockKind) -> Self {
        Self { prefix: prefix.to_owned(), functions_are, complexity: 0, found: Vec::new() }
    }

    fn add_function(&mut self, node: &'a Stmt, function: &'a StmtFunctionDef) {
        let name = format!("{}{}", self.prefix, function.name);
        let mut body = Counter::inside(&format!("{name}."), BlockKind::Function);
        body.visit_body(&function.body);
        let complexity = body.complexity + 1;
        self.found.push(Found { kind: self.functions_are, name, node, complexity, inner: body.found });
    }

    fn add_class(&mut self, node: &'a Stmt, class: &'a StmtClassDef) {
        let name = format!("{}{}", self.prefix, class.name);
        let mut body = Counter::inside(&format!("{name}."), BlockKind::Method);
        body.visit_body(&class.body);
        let methods: u32 =
            body.found.iter().filter(|found| found.is_method()).map(|found| found.complexity).sum();
        let complexity = 1 + body.complexity + methods;
        self.found.push(Found { kind: BlockKind::Class, name, node, complexity, inner: body.found });
    }
}

impl<'a> Visitor<'a> for Counter<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        self.complexity += match stmt {
            Stmt::FunctionDef(function) => return self.add_function(stmt, function),
            Stmt::ClassDef(class) => return self.add_class(stmt, class),
            Stmt::Assert(_) => {
                self.complexity += 1;
                return;
            }
            Stmt::If(_) => 1,
            Stmt::For(stmt) => 1 + u32::from(!stmt.orelse.is_empty()),
            Stmt::While(stmt) => 1 + u32::from(!stmt.orelse.is_empty()),
            Stmt::Try(stmt) if !stmt.is_star => {
                count(stmt.handlers.len()) + u32::from(!stmt.orelse.is_empty())
            }
            Stmt::Match(stmt) => {
                count(stmt.cases.len()).saturating_sub(u32::from(stmt.cases.iter().any(is_catch_all)))
            }
            _ => 0,
        };
        visitor::walk_stmt(self, stmt);
    }

    fn visit_elif_else_clause(&mut self, clause: &'a ElifElseClause) {
        self.complexity += u32::from(clause.test.is_some());
        visitor::walk_elif_else_clause(self, clause);
    }

    fn visit_comprehension(&mut self, comprehension: &'a Comprehension) {
        self.complexity += 1 + count(comprehension.ifs.len());
        visitor::walk_comprehension(self, comprehension);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        self.complexity += match expr {
            Expr::If(_) => 1,
            Expr::BoolOp(expr) => count(expr.values.len()).saturating_sub(1),
            _ => 0,
        };
        visitor::walk_expr(self, expr);
    }
}

impl Found<'_> {
    fn is_method(&self) -> bool {
        self.kind == BlockKind::Method
    }

    fn flatten(self, lines: &LineStarts) -> Vec<Block> {
        let complexity = match self.kind {
            BlockKind::Class => self.average(),
            BlockKind::Function | BlockKind::Method => self.complexity,
        };
        let line = lines.line_of(definition_offset(self.node));
        let mut blocks = vec![Block { kind: self.kind, name: self.name, line, complexity }];
        blocks.extend(self.inner.into_iter().flat_map(|inner| inner.flatten(lines)));
        blocks
    }

    /// A class's complexity shared out among its methods, rounded down, and one more when there are several.
    fn average(&self) -> u32 {
        let methods = count(self.inner.iter().filter(|found| found.is_method()).count());
        match self.complexity.checked_div(methods) {
            None => self.complexity,
            Some(share) => share + u32::from(methods > 1),
        }
    }
}

/// `case _` and `case name`, with or without a guard.
fn is_catch_all(case: &MatchCase) -> bool {
    matches!(&case.pattern, Pattern::MatchAs(pattern) if pattern.pattern.is_none())
}

/// Where the definition's name is: decorators come before it.
fn definition_offset(node: &Stmt) -> usize {
    match node {
        Stmt::FunctionDef(function) => function.name.range.start().to_usize(),
        Stmt::ClassDef(class) => class.name.range.start().to_usize(),
        _ => 0,
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Byte offsets at which lines begin.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn new(source: &str) -> Self {
        Self(source.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    fn line_of(&self, offset: usize) -> u32 {
        count(self.0.partition_point(|start| *start <= offset)).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::MeasureError;
    use crate::python::{blocks, measure};

    #[track_caller]
    fn check(body: &str, complexity: u32) {
        let found = blocks(&format!("def f(x, y):\n    {body}\n")).unwrap();
        assert_eq!(found[0].complexity, complexity, "{body}");
    }

    #[test]
    fn each_construct_counts_as_radon_counts_it() {
        check("pass", 1);
        check("return x if y else 1", 2);
        check("return x and y and f or x", 4);
        check("assert x and y", 2);
        check("return [a for a in x if a if y for b in a]", 5);
        check("return lambda: x or y", 2);
        check("with x as a, y as b:\n        pass", 1);
        check("for a in x:\n        pass\n    else:\n        pass", 3);
        check("while x:\n        pass", 2);
        check(
            "try:\n        pass\n    except A:\n        pass\n    except B:\n        pass\n    else:\n        pass\n    finally:\n        pass",
            4,
        );
        check("try:\n        pass\n    except* A:\n        pass", 1);
        check("if x:\n        pass\n    elif y:\n        pass\n    else:\n        pass", 3);
        check("match x:\n        case 1:\n            pass\n        case _:\n            pass", 2);
        check("match x:\n        case 1:\n            pass\n        case 2:\n            pass", 3);
        check("return f'{x or y}'", 2);
    }

    #[test]
    fn inner_functions_do_not_count_for_the_outer_one() {
        let found = blocks("def f():\n    def g():\n        if a: pass\n    return g\n").unwrap();
        let seen: Vec<_> =
            found.iter().map(|block| (block.name.as_str(), block.line, block.complexity)).collect();
        assert_eq!(seen, [("f", 1, 1), ("f.g", 2, 2)]);
    }

    #[test]
    fn a_class_inside_a_function_is_measured_too() {
        let found = blocks("def f():\n    class C:\n        def m(self):\n            if a: pass\n").unwrap();
        let seen: Vec<_> =
            found.iter().map(|block| (block.kind, block.name.as_str(), block.complexity)).collect();
        assert_eq!(
            seen,
            [(BlockKind::Function, "f", 1), (BlockKind::Class, "f.C", 3), (BlockKind::Method, "f.C.m", 2)]
        );
    }

    #[test]
    fn what_is_not_python_is_an_error_and_no_crash() {
        for source in ["def f(:\n", "print 'x'\n", "(", "\u{0}", "def f():\n\tx\n        y\n"] {
            assert!(matches!(blocks(source), Err(MeasureError::Syntax(_))), "{source:?}");
        }
    }

    #[test]
    fn a_whole_file_has_what_is_outside_of_blocks_too_and_no_closures() {
        let complexity = |source| measure(source).unwrap().complexity;
        assert_eq!(complexity(""), 1);
        assert_eq!(complexity("if a: pass\n"), 2);
        assert_eq!(complexity("def f():\n    if a: pass\n    def g():\n        if a: pass\n"), 2);
        assert_eq!(complexity("class C:\n    x = 1 if a else 2\n    def f(self):\n        if a: pass\n"), 4);
    }
}
