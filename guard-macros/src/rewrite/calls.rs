//! Calls of macros: `yield_resource!`, `cancellable!` and `async_with!`, and those that may hold one in their arguments.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{Lifetime, Macro, Pat, Token};

use super::tokens::{find_return, lent_places, mentions};
use super::walker::Walker;
use super::{OuterLabels, Position, Rewrite};
use crate::tokens::{is_punct, is_word};
use crate::with::{AsyncWith, ContextClause};

impl<R: Rewrite> Walker<'_, R> {
    /// Walks the call of a macro. Returns what replaces the call.
    pub(super) fn call(&mut self, call: &mut Macro, is_statement: bool) -> Option<TokenStream> {
        if is_named(call, "yield_resource") {
            if is_import(call) {
                return None;
            }
            self.yields += 1;
            self.keep_reachable_labels(call);
            let mut outer = OuterLabels::default();
            for &level in &self.around {
                if let Some(mut label) = self.rewrite.label(level) {
                    label.set_span(label.span().located_at(call.path.span()));
                    outer.0.push(label);
                    self.labelled.push(level);
                }
            }
            let yields = self.rewrite.yields(call, self.position, &outer)?;
            self.rewritten += 1;
            return Some(self.in_this_body(yields));
        }
        if is_named(call, "cancellable") {
            let window = self.rewrite.window(call, self.position);
            self.rewritten += usize::from(window.is_some());
            return window;
        }
        self.rewrite.may_return();
        if quotes(call)
            || !mentions(&call.tokens, &|word| {
                matches!(
                    word,
                    "yield_resource" | "cancellable" | "return" | "break" | "continue"
                )
            })
        {
            return None;
        }
        let yields = self.yields;
        let rewritten = self.rewritten;
        let position = self.position;
        let tokens = call.tokens.clone();
        // Jumps belong to the outermost unknown macro.
        let is_unknown = self.unknown.is_none() && !is_known(call);
        if is_unknown {
            self.unknown = Some(Vec::new());
        }
        self.arguments(call);
        self.position = position;
        if self.rewritten == rewritten {
            call.tokens = tokens;
        }
        let jumps = if is_unknown {
            self.unknown.take().unwrap_or_default()
        } else {
            Vec::new()
        };
        let jumping = self.keep_jumps(call, &jumps, is_statement);
        if self.yields == yields {
            if jumping.is_none() && position != Position::InMacro {
                return self.returning(call, is_statement);
            }
            return jumping;
        }
        let replaced = jumping.unwrap_or_else(|| call.to_token_stream());
        match position {
            Position::Direct | Position::InAsyncWith => {
                self.rewrite.contains_yield(replaced, is_statement)
            }
            Position::InMacro if is_named(call, "async_with") => Some(self.in_this_body(replaced)),
            Position::InMacro => None,
        }
    }

    /// Puts before a macro without a yield what a `return` in its arguments needs.
    pub(super) fn returning(&mut self, call: &Macro, is_statement: bool) -> Option<TokenStream> {
        if is_named(call, "async_with") {
            return None;
        }
        let before = self.rewrite.contains_return(find_return(&call.tokens)?)?;
        if is_statement {
            // Not in a block: the macro may declare names that later statements use.
            self.before = Some(before);
            return None;
        }
        // Not in a block: a temporary in the call must live until the end of the statement around it.
        Some(quote!(({ #before }, #call).1))
    }

    /// Takes off the labels that lie outside of the code that is walked: see [`OuterLabels`].
    pub(super) fn keep_reachable_labels(&self, call: &mut Macro) {
        let mut tokens: Vec<TokenTree> = call.tokens.clone().into_iter().collect();
        let [at, TokenTree::Group(labels), ..] = tokens.as_slice() else {
            return;
        };
        if !is_punct(at, '@') || labels.delimiter() != Delimiter::Bracket {
            return;
        }
        let parse = |input: syn::parse::ParseStream<'_>| {
            let mut labels = Vec::new();
            while !input.is_empty() {
                labels.push(input.parse::<Lifetime>()?);
            }
            Ok(labels)
        };
        let Ok(mut labels) = parse.parse2(labels.stream()) else {
            return;
        };
        labels.retain(|label| self.labels.contains(&label.ident));
        let labels = OuterLabels(labels).into_token_stream();
        tokens.splice(1..=1, labels);
        call.tokens = tokens.into_iter().collect();
    }

    /// Proves that `code`, in the arguments of a macro, runs in this body: see [`Rewrite::label`].
    pub(super) fn in_this_body(&mut self, code: TokenStream) -> TokenStream {
        if self.position != Position::InMacro {
            return code;
        }
        let Some(mut label) = self.rewrite.label(self.level) else {
            return code;
        };
        if let Some(first) = code.clone().into_iter().next() {
            label.set_span(label.span().located_at(first.span()));
        }
        self.labelled.push(self.level);
        let site = label.span();
        // In parentheses, because a block would end the statement.
        quote_spanned!(site=> ({
            #[allow(unreachable_code, clippy::diverging_sub_expression, clippy::empty_loop)]
            if false { break #label loop {} }
            #code
        }))
    }

    pub(super) fn arguments(&mut self, call: &mut Macro) {
        if is_named(call, "async_with") {
            if let Ok(mut with) = syn::parse2::<AsyncWith>(call.tokens.clone()) {
                for context in with.contexts_mut() {
                    self.visit_expr_mut(context);
                }
                let lent = lent_places(&with.block.to_token_stream());
                for part in with.clauses.iter_mut().flat_map(ContextClause::parts_mut) {
                    lend_again(&mut part.pat, &lent);
                }
                let level = self.level;
                self.around.push(level);
                self.level = self.levels;
                self.levels += 1;
                self.position = Position::InAsyncWith;
                let yields = self.yields;
                self.visit_block_mut(&mut with.block);
                if self.yields != yields {
                    self.rewrite.contains_yield_in_block(&mut with.block);
                }
                if self.labelled.contains(&self.level) {
                    if let Some(label) = self.rewrite.label(self.level) {
                        let block = &with.block;
                        with.block = syn::parse_quote!({ #label: #block });
                    }
                }
                self.level = level;
                self.around.pop();
                call.tokens = with.into_token_stream();
                return;
            }
        }
        self.position = Position::InMacro;
        call.tokens = self.foreign(call.tokens.clone());
    }
}

/// Makes the name of a resource mutable if the block lends it by that name: `yield_resource!(connection)`, where
/// `connection` is a reference, lends what it refers to.
pub(crate) fn lend_again(pat: &mut Pat, lent: &[Ident]) {
    if let Pat::Ident(name) = pat {
        if name.by_ref.is_none() && name.mutability.is_none() && lent.contains(&name.ident) {
            let site = Span::mixed_site().located_at(name.ident.span());
            name.mutability = Some(Token![mut](site));
        }
    }
}

pub(super) fn is_named(call: &Macro, name: &str) -> bool {
    let last = call.path.segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

/// Whether the call is our own `yield_resource!(@imported)`, which only uses the import of the macro.
fn is_import(call: &Macro) -> bool {
    let mut tokens = call.tokens.clone().into_iter();
    tokens.next().is_some_and(|at| is_punct(&at, '@'))
        && tokens.next().is_some_and(|word| is_word(&word, "imported"))
}

/// Whether the macro takes its arguments as tokens, and does not run them.
fn quotes(call: &Macro) -> bool {
    let quotes = [
        "stringify",
        "concat",
        "quote",
        "quote_spanned",
        "parse_quote",
        "parse_quote_spanned",
    ];
    quotes.iter().any(|name| is_named(call, name))
}

/// Whether the macro is known to run the code in its arguments in place, and at most once.
fn is_known(call: &Macro) -> bool {
    let known = ["async_with", "select", "select_biased"];
    known.iter().any(|name| is_named(call, name))
}
