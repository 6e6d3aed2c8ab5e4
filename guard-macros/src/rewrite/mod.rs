//! Rewriting the code of a function or a block: its yields, and everything that leaves it.
//!
//! [`walk_block`] walks the code that runs as part of a function, and asks a [`Rewrite`] what to put in the place of each
//! yield, `return`, `break` and `continue`. It does not enter closures, `async` blocks and inner items: they are functions of
//! their own. The arguments of other macros are read as far as possible: as expressions, as statements, or token by
//! token.
//!
//! - `walker`: code that syn has parsed
//! - `calls`: calls of macros, ours and others
//! - `unknown_macro`: the arguments of a macro that syn cannot parse
//! - `jumps`: jumps out of the arguments of a macro
//! - `tokens`: looking for things in tokens
//! - `err_expressions`: expressions that are certainly an `Err`

mod calls;
mod err_expressions;
mod jumps;
mod tokens;
mod unknown_macro;
mod walker;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::visit_mut::VisitMut;
use syn::{Block, Lifetime, Macro};

pub(crate) use calls::lend_again;
pub(crate) use err_expressions::{is_err, is_err_expr};
pub(crate) use tokens::{lent_places, mentions};
use walker::Walker;

/// Where a piece of code stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// Right in the function.
    Direct,
    /// In the block of an `async_with!`. It is awaited in place, but it is a future of its own.
    InAsyncWith,
    /// In the arguments of another macro, which may do anything with its arguments.
    InMacro,
}

/// A `break` or `continue` that leaves the code that is walked.
pub(crate) struct Jump {
    pub(crate) keyword: Ident,
    pub(crate) label: Option<Lifetime>,
    pub(crate) value: Option<TokenStream>,
}

/// The labels of the code around an `async_with!` in which a yield stands.
///
/// A user may have another macro of this name. So the yield carries these labels, and with them it compiles only if
/// it stays in the code around, as in the arguments of every other macro (see [`Rewrite::label`]). Our `async_with!`
/// puts its block into an `async` block that is driven in place. It takes off the labels that cannot be reached
/// from there.
#[derive(Default)]
pub(crate) struct OuterLabels(Vec<Lifetime>);

impl ToTokens for OuterLabels {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self(labels) = self;
        if !labels.is_empty() {
            tokens.extend(quote!([#(#labels)*]));
        }
    }
}

/// What to put in the place of what the walk finds. `None` leaves it as it is.
pub(crate) trait Rewrite {
    /// A `yield_resource!`. If `outer` is not empty, it goes before the arguments.
    fn yields(
        &mut self,
        call: &Macro,
        position: Position,
        outer: &OuterLabels,
    ) -> Option<TokenStream>;

    /// The label of a body of code: the function's own body, or the block of an `async_with!`.
    ///
    /// A yield in the arguments of a macro jumps to this label in code that never runs. That proves to rustc that the
    /// yield is awaited in this very body, whatever the macro makes of it: a label cannot be reached from an `async`
    /// block or a closure. A yield in another future would be unsound: that future could be leaked, and with it the
    /// borrow of what is lent.
    fn label(&mut self, _level: usize) -> Option<Lifetime> {
        None
    }

    /// A `cancellable!`.
    fn window(&mut self, _call: &Macro, _position: Position) -> Option<TokenStream> {
        None
    }

    /// A `yield_resource!` inside a closure, an `async` block or an inner function: `inside` names it. Returns what to
    /// put before the arguments of the yield.
    fn misplaced(&mut self, _span: Span, _inside: &'static str) -> Option<TokenStream> {
        None
    }

    /// A macro in whose arguments a yield was rewritten: an expression, or a statement.
    fn contains_yield(&mut self, _call: TokenStream, _is_statement: bool) -> Option<TokenStream> {
        None
    }

    /// A macro in whose arguments, at `returns`, a success may be returned. Returns a statement to put before it.
    fn contains_return(&mut self, _returns: Span) -> Option<TokenStream> {
        None
    }

    /// The block of an `async_with!` in which there is a yield.
    fn contains_yield_in_block(&mut self, _block: &mut Block) {}

    /// A `return`, with its value.
    fn returns(
        &mut self,
        keyword: Span,
        value: TokenStream,
        position: Position,
    ) -> Option<TokenStream>;

    /// A `?`, a `return`, or a macro that may hold one of them.
    fn may_return(&mut self) {}

    /// A jump out of the code.
    fn jumps(&mut self, _jump: Jump) -> Option<TokenStream> {
        None
    }
}

/// Walks a block. Returns the label that the block needs, if a yield in it refers to one.
pub(crate) fn walk_block(block: &mut Block, rewrite: &mut impl Rewrite) -> Option<Lifetime> {
    let mut walker = Walker::new(rewrite);
    walker.visit_block_mut(block);
    let is_labelled = walker.labelled.contains(&0);
    is_labelled.then(|| rewrite.label(0)).flatten()
}
