//! Giving `self` another name.
//!
//! `name` makes the new name, where the span is. Paths such as `self::path` stay, and so does the `self` of inner functions.

use proc_macro2::{Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, Item, Macro};

use crate::tokens::is_punct;

pub(crate) fn in_block(block: &mut Block, name: &impl Fn(Span) -> Ident) {
    Rename { name }.visit_block_mut(block);
}

pub(crate) fn in_expr(expr: &mut Expr, name: &impl Fn(Span) -> Ident) {
    Rename { name }.visit_expr_mut(expr);
}

struct Rename<'a, F> {
    name: &'a F,
}

impl<F: Fn(Span) -> Ident> VisitMut for Rename<'_, F> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if let Expr::Verbatim(tokens) = expr {
            *tokens = in_tokens(std::mem::take(tokens), self.name);
        } else {
            visit_mut::visit_expr_mut(self, expr);
        }
    }

    fn visit_expr_path_mut(&mut self, expr: &mut syn::ExprPath) {
        if expr.qself.is_none() && expr.path.is_ident("self") {
            for segment in &mut expr.path.segments {
                segment.ident = (self.name)(segment.ident.span());
            }
        }
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        // All others have a `self` of their own, or none.
        if let Item::Macro(item) = item {
            self.visit_macro_mut(&mut item.mac);
        }
    }

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        let tokens = std::mem::take(&mut call.tokens);
        // Where functions are defined, `self` is theirs.
        call.tokens = if defines_function(&tokens) {
            tokens
        } else {
            in_arguments(tokens, self.name)
        };
    }
}

fn defines_function(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "fn",
        TokenTree::Group(group) => defines_function(&group.stream()),
        _ => false,
    })
}

fn in_tokens(tokens: TokenStream, name: &impl Fn(Span) -> Ident) -> TokenStream {
    let mut renamed = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    let mut is_after_bang = false;
    while let Some(token) = tokens.next() {
        let is_bang = is_punct(&token, '!');
        let token = match token {
            TokenTree::Ident(word) if word == "self" => {
                let is_module = tokens.peek().is_some_and(|next| is_punct(next, ':'));
                if is_module {
                    word.into()
                } else {
                    name(word.span()).into()
                }
            }
            TokenTree::Group(group) => {
                let inside = if is_after_bang {
                    in_arguments(group.stream(), name)
                } else {
                    in_tokens(group.stream(), name)
                };
                let mut inside = Group::new(group.delimiter(), inside);
                inside.set_span(group.span());
                inside.into()
            }
            other => other,
        };
        is_after_bang = is_bang;
        token.to_tokens(&mut renamed);
    }
    renamed
}

/// The arguments of a macro, in which a format string may name what it prints: `{self}` or `{self:?}`.
///
/// What else it names has the hygiene of the string, so `self` becomes an argument of its own.
fn in_arguments(tokens: TokenStream, name: &impl Fn(Span) -> Ident) -> TokenStream {
    let mut span = None;
    let tokens: TokenStream = tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Literal(literal) => match in_string(&literal) {
                Some(renamed) => {
                    span = Some(literal.span());
                    renamed.into()
                }
                None => literal.into(),
            },
            other => other,
        })
        .collect();
    let last = tokens.clone().into_iter().last();
    let is_open = last.is_none_or(|last| !is_punct(&last, ','));
    let tokens = in_tokens(tokens, name);
    let Some(span) = span else {
        return tokens;
    };
    let comma = is_open.then(|| quote!(,));
    let argument = Ident::new(ARGUMENT, span);
    let renamed = name(span);
    quote!(#tokens #comma #argument = #renamed)
}

/// The name of that argument.
const ARGUMENT: &str = "__guard_self";

fn in_string(literal: &Literal) -> Option<Literal> {
    let text = literal.to_string();
    let is_string = text.starts_with('"') || text.starts_with('r');
    if !is_string || !text.contains("{self") {
        return None;
    }
    let mut renamed = String::new();
    let mut rest = text.as_str();
    let mut found = false;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        renamed.push_str(before);
        let taken = if from.starts_with("{{") {
            renamed.push_str("{{");
            2
        } else if from.starts_with("{self}") || from.starts_with("{self:") {
            found = true;
            renamed.push('{');
            renamed.push_str(ARGUMENT);
            "{self".len()
        } else {
            renamed.push('{');
            1
        };
        rest = &from[taken..];
    }
    renamed.push_str(rest);
    let mut renamed = renamed.parse::<Literal>().ok().filter(|_| found)?;
    renamed.set_span(literal.span());
    Some(renamed)
}
