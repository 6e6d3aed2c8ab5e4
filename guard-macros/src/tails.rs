//! How a block ends: its tail expressions, and whether it has no value.

use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::{Block, Expr, Macro, Stmt};

use crate::tokens::{is_punct, is_word};

/// Calls `end` for each expression that may be the value of a block.
pub(super) fn of_block(block: &mut Block, end: &mut dyn FnMut(&mut Expr)) {
    if let Some(Stmt::Expr(tail, None)) = block.stmts.last_mut() {
        of_expr(tail, end);
    }
}

/// Calls `end` for each expression that may be the value of an expression.
pub(super) fn of_expr(tail: &mut Expr, end: &mut dyn FnMut(&mut Expr)) {
    match tail {
        Expr::If(code) => {
            of_block(&mut code.then_branch, end);
            if let Some((_, otherwise)) = &mut code.else_branch {
                of_expr(otherwise, end);
            }
        }
        Expr::Match(code) => {
            for arm in &mut code.arms {
                of_expr(&mut arm.body, end);
            }
        }
        Expr::Block(code) if code.label.is_none() => of_block(&mut code.block, end),
        Expr::Unsafe(code) => of_block(&mut code.block, end),
        Expr::Group(group) => of_expr(&mut group.expr, end),
        Expr::Paren(paren) => of_expr(&mut paren.expr, end),
        _ => end(tail),
    }
}

/// Gives the last statement of a block a semicolon, so that another one may follow.
pub(super) fn end_the_last(block: &mut Block) {
    match block.stmts.last_mut() {
        Some(Stmt::Expr(_, semicolon)) => {
            semicolon.get_or_insert_default();
        }
        Some(Stmt::Macro(call)) => {
            call.semi_token.get_or_insert_default();
        }
        _ => {}
    }
}

/// Whether a block goes on to its end, and surely has no value there.
///
/// A block that rustc sees not to go on has any type. So its last statement is none that may never return, as a call may.
pub(super) fn has_no_value(block: &Block) -> bool {
    let leaves = block.stmts.iter().any(|stmt| match stmt {
        Stmt::Expr(code, _) => matches!(code, Expr::Loop(_) | Expr::Return(_)),
        Stmt::Macro(call) => is_one_of(
            &call.mac,
            &["panic", "todo", "unimplemented", "unreachable"],
        ),
        _ => false,
    });
    let Some(last) = block.stmts.last() else {
        return true;
    };
    // One with an attribute may not be there.
    let first = last.to_token_stream().into_iter().next();
    let is_there = !first.is_some_and(|first| is_punct(&first, '#'));
    let is_nothing = match last {
        Stmt::Local(local) => match &local.init {
            Some(init) => matches!(&*init.expr, Expr::Macro(call) if is_statement(&call.mac)),
            None => true,
        },
        Stmt::Item(_) => false,
        Stmt::Expr(Expr::Try(_), Some(_)) => true,
        Stmt::Expr(code, _) => is_nothing(code),
        Stmt::Macro(call) if call.semi_token.is_some() => is_statement(&call.mac),
        Stmt::Macro(call) => macro_is_nothing(&call.mac),
    };
    is_nothing && is_there && !leaves
}

/// Whether the value of an expression is `()`.
fn is_nothing(code: &Expr) -> bool {
    match code {
        Expr::If(code) => code
            .else_branch
            .as_ref()
            .is_none_or(|(_, otherwise)| has_no_value(&code.then_branch) && is_nothing(otherwise)),
        Expr::Match(code) => {
            !code.arms.is_empty() && code.arms.iter().all(|arm| is_nothing(&arm.body))
        }
        Expr::Block(code) => code.label.is_none() && has_no_value(&code.block),
        Expr::ForLoop(_) | Expr::While(_) => true,
        Expr::Macro(call) => macro_is_nothing(&call.mac),
        _ => false,
    }
}

/// Macros whose value is `()`.
fn macro_is_nothing(call: &Macro) -> bool {
    let tokens: Vec<TokenTree> = call.tokens.clone().into_iter().collect();
    match tokens.as_slice() {
        // Whose value is that of the block, unless it begins with `attempt` or `catch`.
        [first, .., TokenTree::Group(block)] if is_one_of(call, &["async_with"]) => {
            let block = syn::parse2(block.to_token_stream());
            let is_handled = is_word(first, "attempt") || is_word(first, "catch");
            !is_handled && block.is_ok_and(|block| has_no_value(&block))
        }
        _ => is_one_of(
            call,
            &["assert", "assert_eq", "assert_ne", "eprintln", "println"],
        ),
    }
}

/// Macros after which rustc goes on: also those of `log` and `tracing`.
fn is_statement(call: &Macro) -> bool {
    macro_is_nothing(call)
        || is_one_of(
            call,
            &[
                "async_with",
                "debug",
                "info",
                "trace",
                "warn",
                "yield_resource",
            ],
        )
}

fn is_one_of(call: &Macro, names: &[&str]) -> bool {
    let last = call.path.segments.last();
    last.is_some_and(|last| names.iter().any(|name| last.ident == name))
}
