//! `#[within]`: contexts around the body of an async function.

mod boxed;
mod test_attributes;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{
    Attribute, Block, Error, Expr, Meta, Pat, Path, ReturnType, Stmt, Token, Type, parse_quote,
    token,
};

use self::test_attributes::body_of_a_test;
use crate::diag::Errors;
use crate::function::{Function, is_named};
use crate::rewrite::mentions;
use crate::tails;
use crate::tokens::is_punct;
use crate::types::{argument_of, future_of, in_body};
use crate::with::{AsyncWith, ContextClause, check, expand, read_clauses};

pub(crate) fn within(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(mut function) = errors.take(syn::parse2::<Function>(item.clone())) else {
        // The item stays, so that what refers to it, and editors, go on.
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    };
    if let Some(below) = function.attr("async_context") {
        let error = around_a_context(below).into_compile_error();
        return quote!(#function #error);
    }
    if hand_on(&args, &mut function) {
        return function.into_token_stream();
    }
    let args = WithinArgs::read(args, &mut errors);
    if let Some(body) = &function.body {
        // The body is used all the same.
        let block = errors.take(syn::parse2::<Block>(body.clone()));
        if let Some(block) =
            block.and_then(|block| ended(&args.krate, &function, block, &mut errors))
        {
            function.body = Some(block.into_token_stream());
        }
    }
    match around_body(&args, &function) {
        Ok(body) => function.body = Some(body),
        // If the body does not parse, that has been reported.
        Err(error) if errors.is_empty() => errors.push(error),
        Err(_) => {}
    }
    let errors = errors.into_tokens();
    quote!(#function #errors)
}

/// The error for `#[within]` on a context, of which `attr` is one of the attributes.
pub(crate) fn around_a_context(attr: &Attribute) -> Error {
    Error::new_spanned(
        attr,
        "`#[within]` and `#[async_context]` cannot stand on the same function: to make a context of contexts, write \
         `async_with!(name = context?, { … })` in it, around its `yield_resource!`",
    )
}

/// Says that a function which returns a `Result` ends without a value, if its body does: that body, with an end.
fn ended(
    krate: &Path,
    function: &Function,
    mut block: Block,
    errors: &mut Errors,
) -> Option<Block> {
    let ReturnType::Type(_, output) = &function.sig.output else {
        return None;
    };
    let value = match argument_of(output, "Result")? {
        Type::Tuple(unit) if unit.elems.is_empty() => "Ok(())",
        _ => "Ok(…)",
    };
    let last = block.stmts.last()?;
    if function.sig.asyncness.is_none() || !tails::has_no_value(&block) {
        return None;
    }
    errors.push(Error::new_spanned(
        last,
        format!(
            "this function returns a `Result`, and ends without a value: write `{value}` after this"
        ),
    ));
    tails::end_the_last(&mut block);
    block.stmts.push(Stmt::Expr(
        parse_quote!(#krate::__private::Returns::new().never()),
        None,
    ));
    Some(block)
}

/// Hands the contexts on to the next `#[within]`, if there is one.
///
/// Attributes are expanded from the top. The one at the top is to be the outermost, as with Python's
/// decorators, so the last one writes all of them down.
fn hand_on(args: &TokenStream, function: &mut Function) -> bool {
    let next = function.attrs.iter_mut().find_map(|attr| {
        let is_within = is_named(attr, "within");
        match &mut attr.meta {
            // One without a context reports that itself.
            Meta::List(list) if is_within && !list.tokens.is_empty() => Some(list),
            _ => None,
        }
    });
    next.map(|next| {
        let tokens = &next.tokens;
        next.tokens = quote!(#args; #tokens);
    })
    .is_some()
}

const SYNTAX: &str = "#[within(name = context?)]";

/// `name = context?, …`, and `crate = path`.
struct WithinArgs {
    krate: Path,
    /// The contexts, the outermost first; one list for each call of `async_with!`.
    clauses: Vec<Vec<ContextClause>>,
    /// Where they begin.
    span: Span,
}

impl WithinArgs {
    fn read(tokens: TokenStream, errors: &mut Errors) -> Self {
        let first = tokens.clone().into_iter().next();
        let mut args = Self {
            krate: parse_quote!(::guard_core),
            clauses: Vec::new(),
            span: first.map_or_else(Span::call_site, |first| first.span()),
        };
        let mut one = TokenStream::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            if is_punct(&token, ';') {
                args.read_one(core::mem::take(&mut one), errors);
                if tokens.peek().is_none() {
                    errors.push(Error::new_spanned(
                        token,
                        format!("nothing follows the last context: `{SYNTAX}`"),
                    ));
                    return args;
                }
            } else {
                one.extend([token]);
            }
        }
        args.read_one(one, errors);
        args
    }

    /// Reads the arguments of one attribute.
    fn read_one(&mut self, tokens: TokenStream, errors: &mut Errors) {
        let mut clauses = Vec::new();
        let krate = &mut self.krate;
        let parsed = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                if input.peek(Token![crate]) && input.peek2(Token![=]) {
                    input.parse::<Token![crate]>()?;
                    input.parse::<Token![=]>()?;
                    *krate = input.call(Path::parse_mod_style)?;
                } else {
                    clauses.push(ContextClause::parse(input, SYNTAX)?);
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            if clauses.is_empty() {
                return Err(Error::new(
                    Span::call_site(),
                    format!("expected a context: `{SYNTAX}`"),
                ));
            }
            check(&clauses)
        })
        .parse2(tokens.clone());
        if let Err(error) = parsed {
            let (read, error) = read_clauses(tokens, SYNTAX, error);
            clauses = read;
            errors.push(error);
        }
        for clause in clauses {
            // One that gets errors is the first of its call. If it is not the first of its attribute, that has been reported.
            let begins = matches!(clause, ContextClause::Handled { .. });
            match self.clauses.last_mut() {
                Some(outer) if !begins => outer.push(clause),
                _ => self.clauses.push(vec![clause]),
            }
        }
    }
}

/// Input:
///
/// ```text
/// #[within(tx = transaction(pool.clone())?)]
/// async fn rename(pool: &Pool, name: &str) -> Result<u64> { … }
/// ```
///
/// Output:
///
/// ```text
/// async fn rename(pool: &Pool, name: &str) -> Result<u64> {
///     let out = async_with!(tx = transaction(pool.clone())?, {
///         let out: Result<u64> = { … };
///         return out;
///     });
///     out
/// }
/// ```
fn around_body(args: &WithinArgs, function: &Function) -> syn::Result<TokenStream> {
    let Some(body) = &function.body else {
        return Err(Error::new_spanned(
            &function.sig.ident,
            "`#[within]` belongs on a function with a body",
        ));
    };
    if let Some(body) = body_of_a_test(args, &function.sig, body)? {
        return Ok(body);
    }
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => in_body(output.to_token_stream()),
    };
    if function.sig.asyncness.is_some() {
        return Ok(around(args, body, &output));
    }
    let mut block: Block = syn::parse2(body.clone())?;
    // An attribute that came first may have made a future of the body.
    let found = match future_of(&function.sig.output) {
        Some(future) => boxed::around(args, &mut block, &in_body(future.to_token_stream())),
        None => blocked_on(args, &mut block, &output),
    };
    if found {
        Ok(block.into_token_stream())
    } else {
        Err(Error::new_spanned(
            function.sig.fn_token,
            "`#[within]` belongs on an `async fn`: write `async` before `fn`",
        ))
    }
}

/// Puts the contexts around `body`, braces included.
fn around(args: &WithinArgs, body: &TokenStream, output: &TokenStream) -> TokenStream {
    let krate = &args.krate;
    let out = Ident::new("out", Span::mixed_site());
    let mut around = body.clone();
    for clauses in args.clauses.iter().rev() {
        // The value of the body is what the function returns, so that an `Err` is a failure.
        // With the span of the braces of the body, so that coverage counts its lines.
        let braces = body.clone().into_iter().next();
        let braces = braces.map_or_else(Span::call_site, |braces| braces.span());
        let block = in_braces(
            braces,
            &quote! {
                #[allow(clippy::diverging_sub_expression)]
                let #out: #output = #around;
                #[allow(unreachable_code)]
                if true {
                    return #out;
                }
                #krate::__private::Returns::new().never()
            },
        );
        let clauses = clauses.clone();
        let with = AsyncWith {
            inside: None,
            clauses,
            block,
        };
        let with = expand::expand_function(krate, with);
        around = quote!({ #with });
    }
    around
}

/// A block of statements, as they are if they do not parse.
fn in_braces(span: Span, tokens: &TokenStream) -> Block {
    let mut braces = Group::new(Delimiter::Brace, tokens.clone());
    braces.set_span(span);
    syn::parse2(braces.to_token_stream()).unwrap_or_else(|_| Block {
        brace_token: token::Brace::default(),
        stmts: vec![Stmt::Expr(Expr::Verbatim(tokens.clone()), None)],
    })
}

/// What `#[tokio::test]` and `#[tokio::main]` make: `let body = async { … };`, and a runtime that blocks on it.
fn blocked_on(args: &WithinArgs, block: &mut Block, output: &TokenStream) -> bool {
    let Some(code) = blocked_block(block) else {
        return false;
    };
    let around = around(args, &code.to_token_stream(), output);
    *code = in_braces(code.brace_token.span.join(), &around);
    true
}

/// The block of that `async { … }`.
fn blocked_block(block: &mut Block) -> Option<&mut Block> {
    let (Stmt::Local(local), rest) = block.stmts.split_first_mut()? else {
        return None;
    };
    let is_body = matches!(&local.pat, Pat::Ident(pat) if pat.ident == "body");
    let blocks = |word: &str| word == "block_on";
    if !is_body || !rest.iter().any(|stmt| mentions(&quote!(#stmt), &blocks)) {
        return None;
    }
    match &mut *local.init.as_mut()?.expr {
        Expr::Async(code) => Some(&mut code.block),
        _ => None,
    }
}
