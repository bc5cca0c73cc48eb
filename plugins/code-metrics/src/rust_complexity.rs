//! Cyclomatic complexity of Rust.
//!
//! In -> out: source -> its functions and methods, in file order, outer before inner.
//! Counted, one each: `if`, `while`, `for`, `loop`, the `else` of `let`, each `&&` and `||`, each `match` arm
//! after the first, each guard. Not counted: `?`, `unsafe`, `async`, plain blocks, what a macro's arguments
//! hold, functions inside (they have their own count). A closure counts for the function around it.
//! Not here: what is done about it (the plugins).

use syn::visit::{self, Visit};
use syn::{Arm, BinOp, Block as Body, ExprBinary, ItemFn, ItemImpl, ItemMod, ItemTrait, Signature, Type};

use crate::block::{Block, BlockKind};

/// The blocks, and the complexity of the whole file: what is in a function that is in a function is left out, as in Python.
pub(crate) fn count(file: &syn::File) -> (Vec<Block>, u32) {
    let mut counter = Counter::default();
    counter.visit_file(file);
    let whole = 1 + counter.complexity + counter.inside;
    (counter.found, whole)
}

/// Counts one body. Functions in it go to `found` with a count of their own.
#[derive(Default)]
struct Counter {
    /// Qualified name of what encloses the code, with its final `::`.
    prefix: String,
    in_type: bool,
    complexity: u32,
    /// Decisions of the functions that are in no other.
    inside: u32,
    found: Vec<Block>,
}

impl Counter {
    fn add_function(&mut self, signature: &Signature, body: &Body) {
        let name = format!("{}{}", self.prefix, signature.ident);
        let kind = if self.in_type { BlockKind::Method } else { BlockKind::Function };
        let line = u32::try_from(signature.ident.span().start().line).unwrap_or(u32::MAX);
        let mut inside = Counter { prefix: format!("{name}::"), ..Counter::default() };
        inside.visit_block(body);
        self.inside += inside.complexity;
        self.found.push(Block { kind, name, line, complexity: inside.complexity + 1 });
        self.found.append(&mut inside.found);
    }

    /// Visits what `name` encloses; its decisions are the file's and no block's.
    fn add_scope(&mut self, name: &str, in_type: bool, visit: impl FnOnce(&mut Self)) {
        let mut inside =
            Counter { prefix: format!("{}{name}::", self.prefix), in_type, ..Counter::default() };
        visit(&mut inside);
        self.inside += inside.complexity + inside.inside;
        self.found.append(&mut inside.found);
    }
}

impl<'ast> Visit<'ast> for Counter {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add_function(&item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add_function(&item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.add_function(&item.sig, body);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        self.add_scope(&type_name(&item.self_ty), true, |inside| visit::visit_item_impl(inside, item));
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.add_scope(&item.ident.to_string(), true, |inside| visit::visit_item_trait(inside, item));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.add_scope(&item.ident.to_string(), false, |inside| visit::visit_item_mod(inside, item));
    }

    fn visit_expr_if(&mut self, expr: &'ast syn::ExprIf) {
        self.complexity += 1;
        visit::visit_expr_if(self, expr);
    }

    fn visit_expr_while(&mut self, expr: &'ast syn::ExprWhile) {
        self.complexity += 1;
        visit::visit_expr_while(self, expr);
    }

    fn visit_expr_for_loop(&mut self, expr: &'ast syn::ExprForLoop) {
        self.complexity += 1;
        visit::visit_expr_for_loop(self, expr);
    }

    fn visit_expr_loop(&mut self, expr: &'ast syn::ExprLoop) {
        self.complexity += 1;
        visit::visit_expr_loop(self, expr);
    }

    fn visit_expr_match(&mut self, expr: &'ast syn::ExprMatch) {
        self.complexity += u32::try_from(expr.arms.len()).unwrap_or(u32::MAX).saturating_sub(1);
        visit::visit_expr_match(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        self.complexity += u32::from(arm.guard.is_some());
        visit::visit_arm(self, arm);
    }

    fn visit_expr_binary(&mut self, expr: &'ast ExprBinary) {
        self.complexity += u32::from(matches!(expr.op, BinOp::And(_) | BinOp::Or(_)));
        visit::visit_expr_binary(self, expr);
    }

    fn visit_local_init(&mut self, init: &'ast syn::LocalInit) {
        self.complexity += u32::from(init.diverge.is_some());
        visit::visit_local_init(self, init);
    }
}

/// The last name of a type's path; for other types what best names them.
fn type_name(ty: &Type) -> String {
    let mut rest = ty;
    loop {
        rest = match rest {
            Type::Path(path) => {
                return path
                    .path
                    .segments
                    .last()
                    .map_or_else(String::new, |segment| segment.ident.to_string());
            }
            Type::Reference(reference) => &reference.elem,
            Type::Slice(slice) => &slice.elem,
            Type::Array(array) => &array.elem,
            Type::Ptr(pointer) => &pointer.elem,
            Type::Paren(paren) => &paren.elem,
            Type::Group(group) => &group.elem,
            Type::Tuple(_) => return "tuple".to_owned(),
            _ => return "type".to_owned(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust::blocks;

    #[track_caller]
    fn check(body: &str, complexity: u32) {
        let found = blocks(&format!("fn f() {{ {body} }}")).unwrap();
        assert_eq!(found[0].complexity, complexity, "{body}");
    }

    #[test]
    fn each_construct_counts_as_the_header_says() {
        check("", 1);
        check("if a { }", 2);
        check("if a { } else { }", 2);
        check("if a { } else if b { } else { }", 3);
        check("if let Some(a) = b { }", 2);
        check("if let Some(a) = b && c && d { }", 4);
        check("if a && b || c { }", 4);
        check("while a { }", 2);
        check("while let Some(a) = b { }", 2);
        check("for a in b { }", 2);
        check("loop { break; }", 2);
        check("let Some(a) = b else { return };", 2);
        check("let a = b else { if c { } return };", 3);
        check("match a { 1 => b, 2 => c, _ => d }", 3);
        check("match a { 1 if b && c => d, _ => e }", 4);
        check("match a { b => c }", 1);
        check("a?.b()?; unsafe { c } async { d }", 1);
        check("let g = |x| if x { 1 } else { 2 };", 2);
        check("assert!(a && b); println!(\"{}\", if a { 1 } else { 2 });", 1);
        check("a & b | c", 1);
    }

    #[test]
    fn names_say_what_encloses_the_function() {
        let source = "fn a() { fn b() {} }\nmod m { fn c() {} impl<T> x::S<T> { fn d(&self) {} } }\n\
                      trait T { fn e(&self) { if x {} } fn g(); }\nimpl T for &[S] { fn e(&self) {} }\n";
        let found = blocks(source).unwrap();
        let seen: Vec<_> = found.iter().map(|block| (block.name.as_str(), block.line, block.kind)).collect();
        assert_eq!(
            seen,
            [
                ("a", 1, BlockKind::Function),
                ("a::b", 1, BlockKind::Function),
                ("m::c", 2, BlockKind::Function),
                ("m::S::d", 2, BlockKind::Method),
                ("T::e", 3, BlockKind::Method),
                ("S::e", 4, BlockKind::Method),
            ]
        );
        assert_eq!(found[4].complexity, 2);
    }

    #[test]
    fn a_whole_file_has_what_is_outside_of_functions_too_and_nothing_of_inner_ones() {
        let complexity = |source| crate::rust::measure(source).unwrap().complexity;
        assert_eq!(complexity(""), 1);
        assert_eq!(complexity("const A: u8 = if B { 1 } else { 2 };"), 2);
        assert_eq!(complexity("fn f() { if a {} fn g() { if a {} } }"), 2);
        assert_eq!(complexity("mod m { impl T { const A: bool = B && C; fn f() { loop {} } } }"), 3);
    }
}
