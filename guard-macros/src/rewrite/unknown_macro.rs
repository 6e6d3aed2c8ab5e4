//! The arguments of a macro that the crate does not know.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Block, Expr, Lifetime, Macro, Token};

use super::tokens::{find_yield, function_ahead, leading_expression, loop_ahead, prefix_yields};
use super::walker::Walker;
use super::{Jump, Rewrite};
use crate::tokens::is_punct;

impl<R: Rewrite> Walker<'_, R> {
    /// Walks the arguments of a macro about which nothing is known.
    pub(super) fn foreign(&mut self, tokens: TokenStream) -> TokenStream {
        let expressions = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(mut expressions) = expressions.parse2(tokens.clone()) {
            for expression in &mut expressions {
                self.visit_expr_mut(expression);
            }
            return expressions.into_token_stream();
        }
        if let Ok(mut statements) = Block::parse_within.parse2(tokens.clone()) {
            for statement in &mut statements {
                self.visit_stmt_mut(statement);
            }
            return quote!(#(#statements)*);
        }
        self.scan(tokens)
    }

    /// Walks token by token, and finds calls, returns and jumps by their shape.
    pub(super) fn scan(&mut self, tokens: TokenStream) -> TokenStream {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut out = TokenStream::new();
        let mut rest = tokens.as_slice();
        // Whether the next braces are the body of a loop.
        let mut in_head = false;
        while let [first, after @ ..] = rest {
            if let Some((what, length)) = function_ahead(rest) {
                let (code, after) = rest.split_at(length);
                let code = code.iter().cloned().collect();
                out.extend(self.function(what, &code).unwrap_or(code));
                rest = after;
                continue;
            }
            if let Some((mut code, length)) = loop_ahead(rest) {
                let rewritten = self.rewritten;
                self.visit_expr_mut(&mut code);
                let (source, after) = rest.split_at(length);
                if self.rewritten == rewritten {
                    out.extend(source.iter().cloned());
                } else {
                    code.to_tokens(&mut out);
                }
                rest = after;
                continue;
            }
            match (first, after) {
                (TokenTree::Ident(name), [bang, TokenTree::Group(group), after @ ..])
                    if is_punct(bang, '!') && is_wanted(name) =>
                {
                    let source = quote!(#name #bang #group);
                    let replaced = syn::parse2::<Macro>(source.clone())
                        .ok()
                        .and_then(|mut call| self.call(&mut call, false));
                    out.extend(replaced.unwrap_or(source));
                    rest = after;
                    continue;
                }
                (TokenTree::Ident(word), _) if word == "return" => {
                    let (value, length) = leading_expression(after);
                    let value = self.foreign(value);
                    let keyword = word.clone();
                    out.extend(
                        self.returns(word.span(), value.clone())
                            .unwrap_or_else(|| quote!(#keyword #value)),
                    );
                    rest = &after[length..];
                    continue;
                }
                (TokenTree::Ident(word), _) if word == "break" || word == "continue" => {
                    let (label, after) = match after {
                        [quote, TokenTree::Ident(name), after @ ..] if is_punct(quote, '\'') => {
                            let name = Lifetime::new(&format!("'{name}"), name.span());
                            (Some(name), after)
                        }
                        _ => (None, after),
                    };
                    let (value, length) = leading_expression(after);
                    let value = self.foreign(value);
                    let keyword = word.clone();
                    let source = quote!(#keyword #label #value);
                    let jump = self.leaves(label.as_ref()).then_some(Jump {
                        keyword,
                        label,
                        value: (!value.is_empty()).then_some(value),
                    });
                    let replaced = jump.and_then(|jump| self.jumps(jump));
                    out.extend(replaced.unwrap_or(source));
                    rest = &after[length..];
                    continue;
                }
                (TokenTree::Ident(word), _)
                    if word == "loop" || word == "while" || word == "for" =>
                {
                    in_head = true;
                }
                (TokenTree::Group(group), _) => {
                    let is_loop = in_head && group.delimiter() == Delimiter::Brace;
                    in_head &= !is_loop;
                    let mut stream = TokenStream::new();
                    self.within(None, is_loop, |walker| {
                        stream = if group.delimiter() == Delimiter::Brace {
                            walker.foreign(group.stream())
                        } else {
                            walker.scan(group.stream())
                        };
                    });
                    let mut replaced = Group::new(group.delimiter(), stream);
                    replaced.set_span(group.span());
                    out.extend([TokenTree::Group(replaced)]);
                    rest = after;
                    continue;
                }
                _ => {}
            }
            out.extend([first.clone()]);
            rest = after;
        }
        out
    }

    /// Looks for a yield in code that is a function of its own, where it is misplaced. Returns the code with the yield
    /// marked, so that it causes no second error.
    pub(super) fn function(
        &mut self,
        what: &'static str,
        tokens: &TokenStream,
    ) -> Option<TokenStream> {
        let span = find_yield(tokens)?;
        let silenced = self.rewrite.misplaced(span, what)?;
        self.rewritten += 1;
        Some(prefix_yields(tokens.clone(), &silenced))
    }
}

fn is_wanted(name: &Ident) -> bool {
    name == "yield_resource" || name == "cancellable" || name == "async_with"
}
