//! The body of a context.

use std::cell::Cell;

use quote::{ToTokens, quote};
use syn::visit_mut::VisitMut;
use syn::{Block, Error, Expr, Lifetime, Macro, Stmt};

use super::instrument::{self, Instrumented};
use super::likely_mistakes::{is_ok, yields_of};
use super::proof::{Proof, excuse_errors_of_block};
use super::returns::Returns;
use super::yields::{YieldRewrite, name_of, with_arguments};
use crate::args::Args;
use crate::diag::Errors;
use crate::function::Function;
use crate::rewrite::{mentions, walk_block};
use crate::tails;

/// A body whose yields use the token and leave the proof.
pub(crate) struct ContextBody {
    pub(crate) block: Block,
    /// What the block is labelled with, if a yield in a macro needs it.
    pub(crate) label: Option<Lifetime>,
    pub(crate) proof: Proof,
    /// What `#[instrument]` had put around it.
    pub(crate) instrumented: Option<Instrumented>,
}

impl ContextBody {
    pub(crate) fn new(
        mut block: Block,
        args: &Args,
        returns: &Returns,
        function: &Function,
        errors: &mut Errors,
    ) -> Self {
        let name = &function.sig.ident;
        let mut proof = Proof::new(function);
        proof.has_windows = has_windows(&mut block);
        let is_instrumented = instrument::is_around(&block);
        let mut rewrite = YieldRewrite {
            is_instrumented,
            is_fallible: returns.is_fallible(),
            args,
            resource: returns.written_resource(),
            output: &function.sig.output,
            receiver: function.sig.receiver(),
            caught: &returns.caught(args),
            proof: &proof,
            found: false,
            errors,
        };
        let label = walk_block(&mut block, &mut rewrite);
        if !rewrite.found && !is_stub(&block) && !has_misspelt_yield(&mut block) {
            errors.push(Error::new(
                name.span(),
                format!(
                    "`{name}` never lends its resource: write `yield_resource!(resource)` between the \
                     set-up and the clean-up, or `yield_resource!()` if it lends nothing"
                ),
            ));
            // What it ends with is of no use: it may be what was to be lent.
            tails::of_block(&mut block, &mut |tail| ignore(tail, returns.is_fallible()));
        }
        excuse_errors_of_block(&mut block, &args.krate, &proof);
        Self {
            block,
            label,
            proof,
            instrumented: None,
        }
    }

    /// In place of a body that would only cause more errors, and has this yield.
    pub(crate) fn missing(function: &Function, call: Option<&Macro>) -> Self {
        let imported = call.map(|call| with_arguments(call, quote!(@imported)));
        Self {
            block: syn::parse_quote!({ #imported; ::core::unreachable!() }),
            label: None,
            proof: Proof::new(function),
            instrumented: None,
        }
    }
}

/// Whether there is a `cancellable!`, and each yield stands right in the body. In another macro, and in `async_with!`, it
/// is not known at the yield what runs before and what after it.
fn has_windows(block: &mut Block) -> bool {
    let tokens = block.to_token_stream();
    // The closure never says that it has found the word, so the search goes on to the end, and all are counted.
    let mentioned = Cell::new(0);
    mentions(&tokens, &|word| {
        mentioned.set(mentioned.get() + usize::from(word == "yield_resource"));
        false
    });
    mentions(&tokens, &|word| word == "cancellable") && mentioned.get() == yields_of(block).len()
}

/// Whether there is a macro whose name is like that of the yield. rustc says that it does not find it.
fn has_misspelt_yield(block: &mut Block) -> bool {
    struct Search(bool);

    impl VisitMut for Search {
        fn visit_macro_mut(&mut self, call: &mut Macro) {
            self.0 |= name_of(call).is_some_and(|name| name.to_string().contains("yield"));
        }
    }

    let mut search = Search(false);
    search.visit_block_mut(block);
    search.0
}

/// Whether a body is still to be written: it ends in `todo!()` or another macro that panics.
fn is_stub(block: &Block) -> bool {
    let call = match block.stmts.last() {
        Some(Stmt::Macro(last)) => &last.mac,
        Some(Stmt::Expr(Expr::Macro(last), _)) => &last.mac,
        _ => return false,
    };
    name_of(call).is_some_and(|name| {
        ["todo", "unimplemented", "panic", "unreachable"]
            .iter()
            .any(|panics| name == panics)
    })
}

/// Makes of the value with which a body ends none.
fn ignore(tail: &mut Expr, is_fallible: bool) {
    match tail {
        Expr::Call(call) if is_fallible && call.args.len() == 1 && is_ok(&call.func) => {
            let value = &mut call.args[0];
            *value = syn::parse_quote!({ let _ = #value; });
        }
        Expr::Path(_) | Expr::Struct(_) if !is_fallible => {
            *tail = syn::parse_quote!({ let _ = #tail; });
        }
        _ => {}
    }
}
