//! Paths with two yields or none, where that is seen from the code alone.
//!
//! rustc finds all of them, but in its messages are only the names of [`super::proof::Proof`]. What is not sure is left to it:
//! code that looks as if it were reached may not be, and is correct then.

use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Block, Error, Expr, ExprAsync, ExprClosure, ExprReturn, Item, Macro, Stmt, Token,
};

use super::likely_mistakes::{is_named_yield, is_ok};
use super::returns::Returns;
use crate::diag::Errors;
use crate::rewrite::mentions;

pub(super) fn check(body: &mut Block, returns: &Returns, errors: &mut Errors) {
    if !mentions_yield(&*body) {
        return;
    }
    if let Some(keyword) = early_return(body, returns.is_fallible()) {
        let instead = if returns.is_fallible() {
            "return an `Err` here if there is nothing to lend"
        } else {
            "declare `-> Result<R, E>`, and return an `Err` here if there is nothing to lend"
        };
        errors.push(Error::new(
            keyword.span,
            format!(
                "this returns without a yield, and a context that is entered lends something: {instead}, or lend an `Option`"
            ),
        ));
    } else {
        Blocks(errors).visit_block_mut(body);
    }
}

/// A return of success before there can have been a yield.
fn early_return(body: &mut Block, is_fallible: bool) -> Option<Token![return]> {
    for stmt in &mut body.stmts {
        if Search::stmt(stmt, |_| false).is_unsure || mentions_yield(&*stmt) {
            return None;
        }
        let is_success = |returns: &ExprReturn| match returns.expr.as_deref() {
            Some(Expr::Call(call)) if is_fallible => {
                is_ok(&call.func) && matches!(call.args.first(), Some(value) if is_unit(value))
            }
            None => !is_fallible,
            Some(value) => !is_fallible && is_unit(value),
        };
        let search = Search::stmt(stmt, is_success);
        if search.found.is_some() {
            return search.found;
        }
        // All ways through it may return.
        let is_open = match stmt {
            Stmt::Expr(Expr::If(code), _) => code.else_branch.is_none(),
            Stmt::Local(_) => true,
            _ => !search.leaves,
        };
        if !is_open {
            return None;
        }
    }
    None
}

/// Blocks with two yields one after the other, and loops that go on after a yield.
struct Blocks<'a>(&'a mut Errors);

impl VisitMut for Blocks<'_> {
    fn visit_block_mut(&mut self, block: &mut Block) {
        if self.0.is_empty() {
            self.one_after_the_other(block);
            visit_mut::visit_block_mut(self, block);
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::ForLoop(code) => self.again(&mut code.body),
            Expr::While(code) => self.again(&mut code.body),
            Expr::Loop(code) => self.again(&mut code.body),
            _ => {}
        }
        visit_mut::visit_expr_mut(self, expr);
    }

    // Functions of their own.
    fn visit_expr_async_mut(&mut self, _: &mut ExprAsync) {}
    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}
    fn visit_item_mut(&mut self, _: &mut Item) {}
}

impl Blocks<'_> {
    fn one_after_the_other(&mut self, block: &mut Block) {
        let mut is_after_a_yield = false;
        for stmt in &mut block.stmts {
            let search = Search::stmt(stmt, |_| false);
            if search.is_unsure || search.leaves {
                is_after_a_yield = false;
            } else if let Some(call) = yields(stmt) {
                if is_after_a_yield {
                    self.0.push(Error::new_spanned(
                        call,
                        "a second yield on this path, and a context lends once: lend several values as a tuple, \
                         `let mut both = (first, second); yield_resource!(both);`, or write a context for each",
                    ));
                    return;
                }
                is_after_a_yield = true;
            }
        }
    }

    fn again(&mut self, body: &mut Block) {
        let mut lends = None;
        for stmt in &mut body.stmts {
            let search = Search::stmt(stmt, |_| false);
            if search.is_unsure || search.leaves {
                return;
            }
            lends = lends.or_else(|| yields(stmt).cloned());
        }
        if let Some(call) = lends {
            if self.0.is_empty() {
                self.0.push(Error::new_spanned(
                    call,
                    "this yield is reached again in the next round of the loop, and a context lends once: `break` after it, \
                     or lend a `Vec` after the loop; to use a context several times, write the loop around `async_with!`",
                ));
            }
        }
    }
}

/// The yield that a statement is, or whose outcome it gives a name.
fn yields(stmt: &Stmt) -> Option<&Macro> {
    let call = match stmt {
        Stmt::Macro(call) => &call.mac,
        Stmt::Expr(Expr::Macro(call), _) => &call.mac,
        Stmt::Local(local) => match local.init.as_ref().map(|init| &*init.expr) {
            Some(Expr::Macro(call)) => &call.mac,
            _ => return None,
        },
        Stmt::Expr(..) | Stmt::Item(_) => return None,
    };
    is_named_yield(call).then_some(call)
}

fn mentions_yield(code: impl ToTokens) -> bool {
    mentions(&code.to_token_stream(), &|word| word == "yield_resource")
}

fn is_unit(value: &Expr) -> bool {
    matches!(value, Expr::Tuple(tuple) if tuple.elems.is_empty())
}

/// Visits one statement, and notes whether it returns, jumps, or may not come to its end.
struct Search<F> {
    is_wanted: F,
    /// The first return that is wanted.
    found: Option<Token![return]>,
    /// A `return`, `break` or `continue`.
    leaves: bool,
    /// It may not be compiled, or may not come to its end: what an attribute, another macro or a call does is not known.
    is_unsure: bool,
}

impl<F: Fn(&ExprReturn) -> bool> Search<F> {
    fn stmt(stmt: &mut Stmt, is_wanted: F) -> Self {
        let mut search = Self {
            is_wanted,
            found: None,
            leaves: false,
            is_unsure: false,
        };
        search.visit_stmt_mut(stmt);
        search
    }
}

impl<F: Fn(&ExprReturn) -> bool> VisitMut for Search<F> {
    fn visit_attribute_mut(&mut self, _: &mut Attribute) {
        self.is_unsure = true;
    }

    fn visit_stmt_mut(&mut self, stmt: &mut Stmt) {
        // What never returns is called by a statement.
        self.is_unsure |= match stmt {
            Stmt::Expr(Expr::Call(call), _) => {
                !matches!(&*call.func, Expr::Path(path) if path.path.is_ident("drop"))
            }
            Stmt::Expr(Expr::MethodCall(_), _) => true,
            _ => false,
        };
        visit_mut::visit_stmt_mut(self, stmt);
    }

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        let goes_on = ["println", "eprintln", "print", "eprint", "format", "vec"];
        let is_known = goes_on.iter().any(|name| call.path.is_ident(name));
        self.is_unsure |= !is_known && !is_named_yield(call);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Return(returns) => {
                self.leaves = true;
                if self.found.is_none() && (self.is_wanted)(returns) {
                    self.found = Some(returns.return_token);
                }
            }
            Expr::Break(_) | Expr::Continue(_) => self.leaves = true,
            Expr::Loop(_) | Expr::Verbatim(_) => self.is_unsure = true,
            _ => {}
        }
        visit_mut::visit_expr_mut(self, expr);
    }

    // Functions of their own.
    fn visit_expr_async_mut(&mut self, _: &mut ExprAsync) {}
    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}
    fn visit_item_mut(&mut self, _: &mut Item) {}
}
