//! Looking for things in tokens that are not parsed.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Expr;
use syn::parse::Parser;

use super::err_expressions::is_err;

pub(crate) fn mentions(tokens: &TokenStream, is_wanted: &impl Fn(&str) -> bool) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(word) => is_wanted(&word.to_string()),
        TokenTree::Group(group) => mentions(&group.stream(), is_wanted),
        _ => false,
    })
}

pub(super) fn find_yield(tokens: &TokenStream) -> Option<Span> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    tokens
        .iter()
        .enumerate()
        .find_map(|(at, token)| match token {
            TokenTree::Ident(word) if word == "yield_resource" => match tokens.get(at + 1) {
                Some(TokenTree::Punct(bang)) if bang.as_char() == '!' => Some(word.span()),
                _ => None,
            },
            TokenTree::Group(group) => find_yield(&group.stream()),
            _ => None,
        })
}

/// The names that are lent by yields.
pub(super) fn lent_places(tokens: &TokenStream) -> Vec<Ident> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut places = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            continue;
        };
        let is_yield = match &tokens[..at] {
            [.., TokenTree::Ident(name), TokenTree::Punct(bang)] => {
                name == "yield_resource" && bang.as_char() == '!'
            }
            _ => false,
        };
        if !is_yield {
            places.extend(lent_places(&group.stream()));
            continue;
        }
        let mut given = group.stream().into_iter();
        let is_comma =
            |token: &TokenTree| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',');
        if let (Some(TokenTree::Ident(place)), next) = (given.next(), given.next()) {
            if next.as_ref().is_none_or(is_comma) {
                places.push(place);
            }
        }
    }
    places
}

/// Finds a `return` whose value may be a success.
pub(super) fn find_return(tokens: &TokenStream) -> Option<Span> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        if let Some((_, length)) = function_ahead(rest) {
            rest = &rest[length..];
            continue;
        }
        rest = after;
        match first {
            TokenTree::Ident(word) if word == "return" => {
                let (value, _) = leading_expression(after);
                if !value.is_empty() && !is_err(&value) {
                    return Some(word.span());
                }
            }
            TokenTree::Group(group) => {
                if let Some(found) = find_return(&group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether the tokens hold a `?`, a `return`, or a macro.
pub(super) fn may_leave(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Punct(punct) => punct.as_char() == '?' || punct.as_char() == '!',
        TokenTree::Ident(word) => word == "return",
        TokenTree::Group(group) => may_leave(&group.stream()),
        TokenTree::Literal(_) => false,
    })
}

/// Puts `prefix` before the arguments of each `yield_resource!`.
pub(super) fn prefix_yields(tokens: TokenStream, prefix: &TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (
                TokenTree::Ident(word),
                [TokenTree::Punct(bang), TokenTree::Group(group), after @ ..],
            ) if word == "yield_resource" && bang.as_char() == '!' => {
                let arguments = group.stream();
                let mut replaced = Group::new(group.delimiter(), quote!(#prefix #arguments));
                replaced.set_span(group.span());
                out.extend(quote!(#word #bang #replaced));
                after
            }
            (TokenTree::Group(group), _) => {
                let stream = prefix_yields(group.stream(), prefix);
                let mut replaced = Group::new(group.delimiter(), stream);
                replaced.set_span(group.span());
                out.extend([TokenTree::Group(replaced)]);
                after
            }
            _ => {
                out.extend([first.clone()]);
                after
            }
        };
    }
    out
}

/// The closure or the `async` block with which `tokens` begin: its name for messages, and its number of tokens.
pub(super) fn function_ahead(tokens: &[TokenTree]) -> Option<(&'static str, usize)> {
    let is_word =
        |token: &TokenTree, wanted: &str| matches!(token, TokenTree::Ident(word) if word == wanted);
    let first = tokens.first()?;
    let is_bar = matches!(first, TokenTree::Punct(bar) if bar.as_char() == '|');
    if !is_bar && !is_word(first, "async") && !is_word(first, "move") {
        return None;
    }
    let parse = |input: syn::parse::ParseStream<'_>| {
        let what = if input.fork().parse::<syn::ExprClosure>().is_ok() {
            input.parse::<syn::ExprClosure>()?;
            "a closure"
        } else {
            input.parse::<syn::ExprAsync>()?;
            "an `async` block"
        };
        let rest: TokenStream = input.parse()?;
        Ok((what, rest.into_iter().count()))
    };
    let all: TokenStream = tokens.iter().cloned().collect();
    let (what, rest) = parse.parse2(all).ok()?;
    Some((what, tokens.len() - rest))
}

/// The loop or the labelled block with which `tokens` begin, and its number of tokens.
pub(super) fn loop_ahead(tokens: &[TokenTree]) -> Option<(Expr, usize)> {
    let is_loop = match tokens {
        [TokenTree::Ident(word), ..] => word == "loop" || word == "while" || word == "for",
        [
            TokenTree::Punct(quote),
            TokenTree::Ident(_),
            TokenTree::Punct(colon),
            ..,
        ] => quote.as_char() == '\'' && colon.as_char() == ':',
        _ => false,
    };
    if !is_loop {
        return None;
    }
    let parse = |input: syn::parse::ParseStream<'_>| {
        let code = input.call(Expr::parse_without_eager_brace)?;
        let rest: TokenStream = input.parse()?;
        Ok((code, rest.into_iter().count()))
    };
    let all: TokenStream = tokens.iter().cloned().collect();
    let (code, rest) = parse.parse2(all).ok()?;
    Some((code, tokens.len() - rest))
}

/// The expression with which `tokens` begin, and its number of tokens.
pub(super) fn leading_expression(tokens: &[TokenTree]) -> (TokenStream, usize) {
    let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';' || punct.as_char() == ',');
    let parse = |input: syn::parse::ParseStream<'_>| {
        let expression = input.parse::<Expr>()?;
        let rest: TokenStream = input.parse()?;
        Ok((expression.into_token_stream(), rest.into_iter().count()))
    };
    match tokens.first() {
        Some(first) if !is_end(first) => {
            let all: TokenStream = tokens.iter().cloned().collect();
            match parse.parse2(all) {
                Ok((expression, rest)) => (expression, tokens.len() - rest),
                Err(_) => (TokenStream::new(), 0),
            }
        }
        _ => (TokenStream::new(), 0),
    }
}
