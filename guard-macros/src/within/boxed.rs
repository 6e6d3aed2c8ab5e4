//! What `#[async_trait]` and `#[async_recursion]` make: a function that returns `Box::pin(async move { … })`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::{Block, Expr, Pat, PatType, Stmt};

use super::WithinArgs;
use crate::rename_self;
use crate::with::ContextClause;

/// Puts the contexts around the body, if this is such a function.
pub(super) fn around(args: &WithinArgs, block: &mut Block, output: &TokenStream) -> bool {
    let Some(Stmt::Expr(Expr::Call(call), None)) = block.stmts.last_mut() else {
        return false;
    };
    let is_pinned = matches!(&*call.func, Expr::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "pin"));
    let Some(Expr::Async(code)) = call.args.first_mut() else {
        return false;
    };
    if !is_pinned {
        return false;
    }
    // `#[async_trait]` gives the arguments their names first, and calls `self` by another one.
    let this = code.block.stmts.iter().find_map(renamed_self);
    let body = code.block.stmts.iter_mut().rev().find_map(body_of);
    if let Some(body) = body {
        let renamed = this.map(|this| with_self(args, &this));
        let around = super::around(
            renamed.as_ref().unwrap_or(args),
            &body.to_token_stream(),
            output,
        );
        *body = Expr::Verbatim(around);
    } else {
        let around = super::around(args, &code.block.to_token_stream(), output);
        code.block = super::in_braces(code.block.brace_token.span.join(), &around);
    }
    true
}

/// `let __self = self;`
fn renamed_self(stmt: &Stmt) -> Option<Ident> {
    let Stmt::Local(local) = stmt else {
        return None;
    };
    let pat = match &local.pat {
        Pat::Type(PatType { pat, .. }) => pat,
        pat => pat,
    };
    let is_self =
        matches!(&*local.init.as_ref()?.expr, Expr::Path(path) if path.path.is_ident("self"));
    match pat {
        Pat::Ident(pat) if is_self => Some(pat.ident.clone()),
        _ => None,
    }
}

/// `let __ret: Output = { … };`, or `let _: () = { … };`
fn body_of(stmt: &mut Stmt) -> Option<&mut Expr> {
    let Stmt::Local(local) = stmt else {
        return None;
    };
    let Pat::Type(PatType { pat, .. }) = &local.pat else {
        return None;
    };
    let is_returned = match &**pat {
        Pat::Ident(pat) => pat.ident == "__ret",
        pat => matches!(pat, Pat::Wild(_)),
    };
    let init = &mut *local.init.as_mut()?.expr;
    (is_returned && matches!(init, Expr::Block(_))).then_some(init)
}

/// The contexts, whose expressions call `self` by the name that it has in the body.
fn with_self(args: &WithinArgs, this: &Ident) -> WithinArgs {
    let name = |span: Span| {
        let mut name = this.clone();
        name.set_span(this.span().located_at(span));
        name
    };
    let mut clauses = args.clauses.clone();
    for context in clauses
        .iter_mut()
        .flatten()
        .flat_map(ContextClause::contexts_mut)
    {
        rename_self::in_expr(context, &name);
    }
    WithinArgs {
        krate: args.krate.clone(),
        clauses,
        span: args.span,
    }
}
