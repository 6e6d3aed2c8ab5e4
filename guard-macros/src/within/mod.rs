//! `#[within]`: contexts around the body of an async function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Error, Expr, Path, ReturnType, Stmt, Token, parse_quote};

use crate::diag::Errors;
use crate::function::Function;
use crate::types::in_body;
use crate::with::{AsyncWith, Form, Use, expand};

pub(crate) fn within(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = errors.take(Args::parse.parse2(args));
    let function = errors.take(syn::parse2::<Function>(item.clone()));
    if let (Some(args), Some(mut function)) = (args, function) {
        match around_body(&args, &function) {
            Ok(body) => {
                function.body = Some(body);
                return function.into_token_stream();
            }
            Err(error) => errors.push(error),
        }
    }
    // The function stays, so that what refers to it, and editors, go on.
    let errors = errors.into_tokens();
    quote!(#errors #item)
}

const FORM: Form = "#[within(name = context?)]";

/// `name = context?, …`, and `crate = path`.
struct Args {
    krate: Path,
    uses: Vec<Use>,
}

impl Args {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut args = Self {
            krate: parse_quote!(::guard_core),
            uses: Vec::new(),
        };
        while !input.is_empty() {
            if input.peek(Token![crate]) && input.peek2(Token![=]) {
                input.parse::<Token![crate]>()?;
                input.parse::<Token![=]>()?;
                args.krate = input.call(Path::parse_mod_style)?;
            } else {
                args.uses.push(Use::parse(input, FORM)?);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        if args.uses.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                format!("expected a context: `{FORM}`"),
            ));
        }
        Ok(args)
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
fn around_body(args: &Args, function: &Function) -> syn::Result<TokenStream> {
    let Some(body) = &function.body else {
        return Err(Error::new_spanned(
            &function.sig.ident,
            "`#[within]` belongs on a function with a body",
        ));
    };
    let mut block: Block = syn::parse2(body.clone())?;
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => in_body(output.to_token_stream()),
    };
    if function.sig.asyncness.is_some() {
        let around = around(args, &block, &output);
        return Ok(around);
    }
    // An attribute that came first, such as `#[tokio::test]`, has made a local of the body.
    let body = block.stmts.iter_mut().find_map(|stmt| match stmt {
        Stmt::Local(local) => local.init.as_mut().map(|init| &mut *init.expr),
        _ => None,
    });
    let mut search = Search {
        args,
        output: &output,
        found: false,
    };
    if let Some(body) = body {
        search.visit_expr_mut(body);
    }
    if search.found {
        Ok(block.into_token_stream())
    } else {
        Err(Error::new_spanned(
            function.sig.fn_token,
            "`#[within]` belongs on an `async fn`: write `async` before `fn`",
        ))
    }
}

fn around(args: &Args, block: &Block, output: &TokenStream) -> TokenStream {
    let krate = &args.krate;
    let out = Ident::new("out", Span::mixed_site());
    // The value of the body is what the function returns, so that an `Err` is a failure.
    let returning: Block = parse_quote!({
        #[allow(clippy::diverging_sub_expression)]
        let #out: #output = #block;
        #[allow(unreachable_code)]
        if true {
            return #out;
        }
        #krate::__private::Returns::new().never()
    });
    let uses = &args.uses;
    let with: AsyncWith = parse_quote!(#(#uses,)* #returning);
    let out = expand::expand_function(krate, with);
    quote!({ #out })
}

struct Search<'a> {
    args: &'a Args,
    output: &'a TokenStream,
    found: bool,
}

impl VisitMut for Search<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if self.found {
            return;
        }
        if let Expr::Async(code) = expr {
            self.found = true;
            let around = around(self.args, &code.block, self.output);
            code.block = parse_quote!({ #around });
            return;
        }
        visit_mut::visit_expr_mut(self, expr);
    }
}
