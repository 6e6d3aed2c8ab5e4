//! What the declared return type says about a context.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Error, Expr, GenericArgument, Item, Lifetime, Path, PathArguments, ReturnType,
    Signature, Stmt, Type, parse_quote, parse_quote_spanned,
};

use super::expand::Elided;
use super::likely_mistakes::is_named_yield;
use crate::args::Args;
use crate::diag::written;
use crate::rewrite::mentions;
use crate::tails;
use crate::types::{argument_of, context_of, impl_future_of};

/// The resource, and how the body returns.
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Returns {
    /// `-> Result<R, E>`, or an alias of it, whose last segment ends in `Result`.
    Fallible {
        /// The resource, if it is written; else it is what the alias says.
        resource: Option<Type>,
        /// The type that the body returns: the same `Result`, of `()`.
        output: Type,
        /// The error, if it is written; else it is what the alias says.
        error: Option<Type>,
    },
    /// `-> R`, or nothing for `()`.
    Plain(Type),
}

impl Returns {
    pub(crate) fn of(output: &ReturnType) -> Self {
        let ReturnType::Type(_, declared) = output else {
            return Self::Plain(parse_quote!(()));
        };
        let Some(path) = as_result(declared) else {
            return Self::Plain((**declared).clone());
        };
        let mut path = path.clone();
        let mut types = Vec::new();
        let is_std = path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Result");
        if let Some(PathArguments::AngleBracketed(arguments)) = path
            .path
            .segments
            .last_mut()
            .map(|last| &mut last.arguments)
        {
            for argument in &mut arguments.args {
                if let GenericArgument::Type(argument) = argument {
                    types.push(argument.clone());
                    if types.len() == 1 {
                        // If another argument is missing, rustc says to write it after this one.
                        *argument = parse_quote_spanned!(argument.span()=> ());
                    }
                }
            }
        }
        let mut types = types.into_iter();
        Self::Fallible {
            resource: types.next(),
            output: Type::Path(path),
            error: types.next().filter(|_| is_std),
        }
    }

    /// Compares it with how the body ends. If that is the other kind, says so once, and goes on with that.
    pub(crate) fn compare(
        &mut self,
        output: &ReturnType,
        body: &Block,
        krate: &Path,
    ) -> syn::Result<()> {
        let ReturnType::Type(_, declared) = output else {
            return Ok(());
        };
        if let Some(error) = self.compare_context(declared, body) {
            return Err(error);
        }
        if let Some(error) = self.compare_future(declared, body) {
            return Err(error);
        }
        let name = match &**declared {
            Type::Path(path) => path.path.segments.last().map(|last| last.ident.clone()),
            _ => None,
        };
        let Some(name) = name else {
            return Ok(());
        };
        match self {
            Self::Plain(_) if ends_in_a_result(body) => {
                let core = quote!(#krate::__private::core);
                // Only what has arguments can be an alias that the compiler resolves to a `Result` of them.
                let (resource, error, instead) = if has_arguments(declared) {
                    let of = quote!(<#declared as #krate::__private::Fallible>);
                    let instead = format!(
                        "`Result<R, E>`, or `{name}Result<R>` for an alias of it, where `R` is what is lent"
                    );
                    (quote!(#of::Value), quote!(#of::Error), instead)
                } else {
                    let instead = format!(
                        "`Result<{name}, E>`, with the type of its errors, or end the body without a value"
                    );
                    let error = quote!(#core::convert::Infallible);
                    (declared.to_token_stream(), error, instead)
                };
                *self = Self::Fallible {
                    resource: Some(parse_quote!(#resource)),
                    output: parse_quote!(#core::result::Result<(), #error>),
                    error: Some(parse_quote!(#error)),
                };
                Err(Error::new_spanned(
                    declared,
                    format!(
                        "`{name}` is taken for what this context lends, but its body ends in `Ok(…)` or \
                         `Err(…)`: write {instead}"
                    ),
                ))
            }
            Self::Fallible { .. } if name != "Result" && ends_without_a_value(body) => {
                *self = Self::Plain((**declared).clone());
                Err(Error::new_spanned(
                    declared,
                    format!(
                        "`{name}` is taken for an alias of `Result`, by its name, but this body does not \
                         end in `Ok(())`: add that, or write `Result<{name}<…>, Infallible>` if \
                         `{name}` is what is lent"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Says that the declared type is what is lent, and not the context, if that is what it seems to be.
    fn compare_context(&mut self, declared: &Type, body: &Block) -> Option<Error> {
        if !matches!(self, Self::Plain(_)) {
            return None;
        }
        let (lent, error) = context_of(declared)?;
        if !ends_in_a_result(body) && !asks(&mut body.clone()) {
            return None;
        }
        let message = format!(
            "`#[async_context]` makes the context, and the declared type is what it lends: write `Result<{}, {}>`",
            written(&lent),
            written(&error)
        );
        *self = Self::Fallible {
            output: parse_quote!(::core::result::Result<(), #error>),
            resource: Some(lent),
            error: Some(error),
        };
        Some(Error::new_spanned(declared, message))
    }

    /// The same for a future. A context that cannot fail may lend one.
    fn compare_future(&mut self, declared: &Type, body: &Block) -> Option<Error> {
        let output = impl_future_of(declared)?;
        if !ends_in_a_result(body) && !asks(&mut body.clone()) {
            return None;
        }
        *self = Self::of(&parse_quote!(-> #output));
        Some(Error::new_spanned(
            declared,
            format!(
                "a context is no future, and the declared type is what it lends: write `{}`",
                written(output)
            ),
        ))
    }

    /// Says that a context which fails returns a `Result`, if it declares none. Its body is then of no use.
    pub(crate) fn compare_failure(&mut self, sig: &Signature, body: &mut Block) -> syn::Result<()> {
        let Self::Plain(declared) = &*self else {
            return Ok(());
        };
        let option = argument_of(declared, "Option").cloned();
        let error = match &option {
            Some(lent) if fails_with_none(body) => Error::new_spanned(
                declared,
                format!(
                    "an `Option` is taken for what this context lends. A context that can fail returns a `Result`: write \
                     `Result<{}, E>`, `.ok_or(error)?`, and `Ok(())` at the end",
                    written(lent)
                ),
            ),
            None if asks(body) => match &sig.output {
                ReturnType::Type(..) => {
                    let alias = if has_arguments(declared) {
                        ". Only an alias whose name ends in `Result` is taken for one"
                    } else {
                        ""
                    };
                    Error::new_spanned(
                        declared,
                        format!(
                            "a context with a `?` can fail: write `Result<{}, E>`, with the type of its errors, and `Ok(())` at \
                             the end{alias}",
                            written(declared)
                        ),
                    )
                }
                ReturnType::Default => Error::new_spanned(
                    &sig.ident,
                    "a context with a `?` can fail: write `-> Result<R, E>`, with the types of what it lends and of its errors, \
                     and `Ok(())` at the end",
                ),
            },
            _ => return Ok(()),
        };
        *self = Self::Fallible {
            output: parse_quote!(::core::result::Result<(), ::core::convert::Infallible>),
            resource: Some(option.unwrap_or_else(|| declared.clone())),
            error: Some(parse_quote!(::core::convert::Infallible)),
        };
        Err(error)
    }

    /// Says that a guaranteed context lends what it owns, if it declares a reference whose lifetime is elided.
    pub(crate) fn compare_reference(&mut self, sig: &Signature) -> syn::Result<()> {
        let (Self::Plain(resource)
        | Self::Fallible {
            resource: Some(resource),
            ..
        }) = self
        else {
            return Ok(());
        };
        let Type::Reference(reference) = &*resource else {
            return compare_borrow(resource, sig);
        };
        if reference.lifetime.is_some() {
            return Ok(());
        }
        let lent = (*reference.elem).clone();
        let error = Error::new_spanned(
            reference,
            format!(
                "a context that is not `scoped` owns what it lends, and `yield_resource!` makes the `&mut` of it: write `{}` \
                 instead of this reference",
                written(&owned_form(&lent))
            ),
        );
        *resource = lent;
        Err(error)
    }

    /// Says how a context ends, if its body ends in another way. Goes on as if it did not.
    pub(crate) fn compare_end(&self, output: &ReturnType, body: &mut Block) -> syn::Result<()> {
        let is_result =
            matches!(output, ReturnType::Type(_, declared) if is_named_result(declared));
        if self.is_fallible() && !is_result {
            return Ok(());
        }
        let message = if self.is_fallible() {
            match body.stmts.last() {
                Some(last) if is_a_yield_as_the_value(last) => {
                    "this context can fail, and ends in the `Outcome` of its block: write `;` and `Ok(())` after this"
                }
                Some(_) if tails::has_no_value(body) => {
                    "this context can fail, and ends without a value: write `Ok(())` after this"
                }
                _ => return Ok(()),
            }
        } else {
            match body.stmts.last() {
                Some(last) if is_a_yield_as_the_value(last) => {
                    "a context returns no value, and this is the `Outcome` of its block: write `;` after it"
                }
                _ => return Ok(()),
            }
        };
        let last = body.stmts.last();
        let error = Error::new_spanned(last, message);
        tails::end_the_last(body);
        if self.is_fallible() {
            body.stmts.push(Stmt::Expr(
                parse_quote!(::core::result::Result::Ok(())),
                None,
            ));
        }
        Err(error)
    }

    pub(crate) fn is_fallible(&self) -> bool {
        matches!(self, Self::Fallible { .. })
    }

    /// The resource type.
    pub(crate) fn resource(&self, krate: &Path) -> TokenStream {
        match self {
            Self::Plain(resource)
            | Self::Fallible {
                resource: Some(resource),
                ..
            } => resource.to_token_stream(),
            Self::Fallible { output, .. } => {
                quote!(<#output as #krate::__private::Fallible>::Value)
            }
        }
    }

    /// The resource type, if it is written, and can be written in a body.
    pub(crate) fn written_resource(&self) -> Option<&Type> {
        match self {
            Self::Plain(resource)
            | Self::Fallible {
                resource: Some(resource),
                ..
            } => Some(resource)
                .filter(|resource| !mentions(&resource.to_token_stream(), &|word| word == "impl")),
            Self::Fallible { resource: None, .. } => None,
        }
    }

    /// The error type.
    pub(crate) fn error(&self, krate: &Path) -> TokenStream {
        match self {
            Self::Plain(_) => quote!(#krate::__private::core::convert::Infallible),
            Self::Fallible {
                error: Some(error), ..
            } => error.to_token_stream(),
            Self::Fallible { output, .. } => {
                quote!(<#output as #krate::__private::Fallible>::Error)
            }
        }
    }

    /// The type of the error of the user's code that the context is handed: `()` unless it catches.
    pub(crate) fn caught(&self, args: &Args) -> TokenStream {
        if args.catch {
            self.error(&args.krate)
        } else {
            quote!(())
        }
    }

    /// What the body returns.
    pub(crate) fn output(&self) -> TokenStream {
        match self {
            Self::Plain(_) => quote!(()),
            Self::Fallible { output, .. } => output.to_token_stream(),
        }
    }
}

/// The same for a type with an elided lifetime, as that of a lock's guard.
fn compare_borrow(resource: &mut Type, sig: &Signature) -> syn::Result<()> {
    let mut elided = Elided::default();
    elided.visit_type_mut(&mut resource.clone());
    // With an argument that is `'static`, so may be what is elided.
    let from_static = mentions(&sig.inputs.to_token_stream(), &|word| word == "static");
    if elided.count == 0 || from_static {
        return Ok(());
    }
    let error = Error::new_spanned(
        &*resource,
        "a context that is not `scoped` owns what it lends, and this type borrows: write `'static` in the place of `'_` if it \
         need not. To lend what a lock protects, write the type of that, and `yield_resource!(*guard)`",
    );
    let mut owned = Elided::default();
    owned.name = Some(Lifetime::new("'static", Span::call_site()));
    owned.visit_type_mut(resource);
    Err(error)
}

/// What owns a value of this type, by the name of the type.
fn owned_form(borrowed: &Type) -> Type {
    match borrowed {
        Type::Group(group) => owned_form(&group.elem),
        Type::Paren(paren) => owned_form(&paren.elem),
        Type::Slice(slice) => {
            let item = &slice.elem;
            parse_quote!(Vec<#item>)
        }
        Type::Path(path) if path.path.is_ident("str") => parse_quote!(String),
        Type::Path(path) if path.path.is_ident("Path") => parse_quote!(PathBuf),
        Type::TraitObject(_) => parse_quote!(Box<#borrowed>),
        _ => borrowed.clone(),
    }
}

/// Whether a body has a `?`, or ends in `Some(…)` or `None`.
fn fails_with_none(body: &mut Block) -> bool {
    let mut asks = asks(body);
    tails::of_block(body, &mut |tail| asks |= is_an_option(tail));
    asks
}

/// Whether a body has a `?`, or a `return` of an `Option`.
fn asks(body: &mut Block) -> bool {
    let mut asks = Asks(false);
    asks.visit_block_mut(body);
    asks.0
}

/// Whether there is a `?`, or a `return` of an `Option`.
struct Asks(bool);

impl VisitMut for Asks {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            // Functions of their own.
            Expr::Closure(_) | Expr::Async(_) | Expr::TryBlock(_) => {}
            Expr::Try(_) => self.0 = true,
            Expr::Return(returns) if returns.expr.as_deref().is_some_and(is_an_option) => {
                self.0 = true;
            }
            _ => visit_mut::visit_expr_mut(self, expr),
        }
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}
}

fn is_an_option(expr: &Expr) -> bool {
    match expr {
        Expr::Path(path) => path.path.is_ident("None"),
        Expr::Call(call) => {
            matches!(&*call.func, Expr::Path(path) if path.path.is_ident("Some"))
        }
        _ => false,
    }
}

fn has_arguments(declared: &Type) -> bool {
    match declared {
        Type::Path(path) => {
            let last = path.path.segments.last();
            last.is_some_and(|last| !last.arguments.is_none())
        }
        _ => false,
    }
}

/// Whether a body ends in `Ok(…)` or `Err(…)`, on some path.
fn ends_in_a_result(body: &Block) -> bool {
    match body.stmts.last() {
        Some(Stmt::Expr(tail, None)) => is_a_result(tail),
        Some(Stmt::Expr(Expr::Return(returns), _)) => {
            returns.expr.as_deref().is_some_and(is_a_result)
        }
        _ => false,
    }
}

fn is_a_result(tail: &Expr) -> bool {
    match tail {
        Expr::Call(call) => matches!(
            &*call.func,
            Expr::Path(path) if path.path.is_ident("Ok") || path.path.is_ident("Err")
        ),
        Expr::If(code) => {
            ends_in_a_result(&code.then_branch)
                || matches!(&code.else_branch, Some((_, otherwise)) if is_a_result(otherwise))
        }
        Expr::Match(code) => code.arms.iter().any(|arm| is_a_result(&arm.body)),
        Expr::Block(code) => ends_in_a_result(&code.block),
        Expr::Return(returns) => returns.expr.as_deref().is_some_and(is_a_result),
        _ => false,
    }
}

/// Whether a body goes on to its end, and has no value there.
fn ends_without_a_value(body: &Block) -> bool {
    match body.stmts.last() {
        None | Some(Stmt::Local(_)) => true,
        Some(Stmt::Expr(code, Some(_))) => {
            matches!(
                code,
                Expr::Assign(_)
                    | Expr::Await(_)
                    | Expr::Call(_)
                    | Expr::MethodCall(_)
                    | Expr::Try(_)
            )
        }
        Some(Stmt::Macro(call)) => call.semi_token.is_some() && is_named_yield(&call.mac),
        _ => false,
    }
}

/// Whether this is a yield whose value is that of the body.
fn is_a_yield_as_the_value(last: &Stmt) -> bool {
    let call = match last {
        Stmt::Expr(Expr::Macro(call), None) => &call.mac,
        Stmt::Macro(call) if call.semi_token.is_none() => &call.mac,
        _ => return false,
    };
    let last = call.path.segments.last();
    last.is_some_and(|last| last.ident == "yield_resource")
}

/// Whether a type is a `Result` by its name, with any path.
fn is_named_result(declared: &Type) -> bool {
    as_result(declared).is_some_and(|path| {
        let last = path.path.segments.last();
        last.is_some_and(|last| last.ident == "Result")
    })
}

fn as_result(declared: &Type) -> Option<&syn::TypePath> {
    match declared {
        Type::Group(group) => as_result(&group.elem),
        Type::Paren(paren) => as_result(&paren.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let is_generic = !matches!(last.arguments, PathArguments::None);
            let is_result = last.ident == "Result"
                || (is_generic && last.ident.to_string().ends_with("Result"));
            is_result.then_some(path)
        }
        _ => None,
    }
}
