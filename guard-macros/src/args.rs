//! The arguments of `#[async_context(…)]`.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, LitStr, Path, Token, parse_quote, token};

use crate::diag::Errors;

/// The arguments, read.
#[allow(clippy::struct_excessive_bools, reason = "each is an argument")]
pub(crate) struct Args {
    pub(crate) scoped: bool,
    pub(crate) catch: bool,
    /// Guaranteed, on one thread.
    pub(crate) local: bool,
    /// References among the arguments become owned values.
    pub(crate) owned: bool,
    /// The context is returned on the heap, its type hidden.
    pub(crate) boxed: bool,
    pub(crate) krate: Path,
}

impl Args {
    /// Parses the arguments. Reports each one that is wrong; the others still count.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut seen: Vec<(&'static str, Span)> = Vec::new();
        let mut args = Self {
            scoped: false,
            catch: false,
            local: false,
            owned: false,
            boxed: false,
            krate: parse_quote!(::guard_core),
        };
        let parsed = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                args.parse_one(input, &mut seen, errors)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        })
        .parse2(tokens);
        errors.take(parsed);
        args.exclude(&seen, errors);
        args
    }

    /// Reports arguments that exclude each other, and takes one of them back.
    fn exclude(&mut self, seen: &[(&'static str, Span)], errors: &mut Errors) {
        if !self.scoped {
            return;
        }
        let given = |wanted: &str| seen.iter().find(|(name, _)| *name == wanted);
        if let Some((_, span)) = given("owned") {
            errors.push(Error::new(
                *span,
                "`owned` and `scoped` exclude each other: a scoped context borrows its arguments as they \
                 are, and `owned` turns them into owned values for a guaranteed one: remove one of the two",
            ));
            self.owned = false;
        }
        if let Some((_, span)) = given("local") {
            errors.push(Error::new(
                *span,
                "`local` and `scoped` exclude each other: a scoped context need not be `Send` as it is and is \
                 dropped where it stands, and `local` makes a guaranteed one, whose clean-up goes on on its \
                 thread: remove one of the two",
            ));
            self.local = false;
        }
    }

    fn parse_one(
        &mut self,
        input: ParseStream<'_>,
        seen: &mut Vec<(&'static str, Span)>,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        let mut once = |name: &'static str, span: Span| {
            if seen.iter().any(|(other, _)| *other == name) {
                errors.push(Error::new(span, format!("`{name}` is given twice")));
            }
            seen.push((name, span));
        };
        if input.peek(Token![crate]) {
            let keyword = input.parse::<Token![crate]>()?;
            once("crate", keyword.span);
            if !input.peek(Token![=]) {
                return Err(Error::new(
                    keyword.span,
                    "expected a path: `crate = path`, where guard-core is",
                ));
            }
            input.parse::<Token![=]>()?;
            if input.peek(LitStr) {
                let literal: LitStr = input.parse()?;
                return Err(Error::new(
                    literal.span(),
                    format!(
                        "write the path without quotes: `crate = {}`",
                        literal.value()
                    ),
                ));
            }
            self.krate = input.call(Path::parse_mod_style)?;
            return Ok(());
        }
        if input.peek(LitStr) {
            let literal: LitStr = input.parse()?;
            errors.push(Error::new(
                literal.span(),
                format!("expected {EXPECTED}, without quotes"),
            ));
            return Ok(());
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected {EXPECTED}")));
        }
        let name = input.call(Ident::parse_any)?;
        let flags = [
            ("scoped", &mut self.scoped),
            ("catch", &mut self.catch),
            ("local", &mut self.local),
            ("owned", &mut self.owned),
            ("boxed", &mut self.boxed),
        ];
        if let Some((known, flag)) = flags.into_iter().find(|(known, _)| name == known) {
            once(known, name.span());
            *flag = true;
        } else {
            errors.push(Error::new(
                name.span(),
                format!("unknown argument `{name}`: expected {EXPECTED}"),
            ));
            return skip_value(input);
        }
        if input.peek(Token![=]) || input.peek(token::Paren) {
            errors.push(input.error(format!("`{name}` takes no value")));
            return skip_value(input);
        }
        Ok(())
    }
}

const EXPECTED: &str = "`scoped`, `catch`, `local`, `owned`, `boxed` or `crate = path`";

/// Skips the value of a wrong argument, so that the arguments after it are still seen.
fn skip_value(input: ParseStream<'_>) -> syn::Result<()> {
    if input.peek(token::Paren) {
        input.parse::<proc_macro2::Group>()?;
    } else if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        input.parse::<syn::Expr>()?;
    }
    Ok(())
}
