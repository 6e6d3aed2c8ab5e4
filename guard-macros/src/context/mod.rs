//! `#[async_context]`: an async function with one yield becomes a function that returns a context.

mod body;
mod expand;
mod instrument;
mod likely_mistakes;
mod one_yield;
mod ownership;
mod proof;
mod receiver;
mod returns;
mod yields;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Block, Error, Macro, ReturnType, Signature, Type, parse_quote};

use crate::args::Args;
use crate::diag::{Errors, written};
use crate::function::{Function, is_named};
use crate::types::{future_of, impl_future_of};
use crate::within::around_a_context;

use body::ContextBody;
use returns::Returns;

#[allow(clippy::needless_pass_by_value, reason = "as the compiler calls it")]
pub(crate) fn async_context(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let function = errors.take(syn::parse2::<Function>(item.clone()));
    let below = function
        .as_ref()
        .and_then(|function| instrument::below(&args, function));
    if let Some(below) = below {
        return below;
    }
    let args = Args::parse(args, &mut errors);
    let Some(mut function) = function else {
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    };
    if let Some(below) = function.attr("within") {
        errors.push(around_a_context(below));
        function.attrs.retain(|attr| !is_named(attr, "within"));
    }
    if let Some(again) = function.attr("async_context") {
        errors.push(Error::new_spanned(
            again,
            "`#[async_context]` stands here twice: leave one out",
        ));
        function
            .attrs
            .retain(|attr| !is_named(attr, "async_context"));
    }
    match check(args, &function, &mut errors) {
        Some(definition) => {
            let expanded = expand::expand(&definition, &function);
            let errors = errors.into_tokens();
            quote!(#expanded #errors)
        }
        // The function stays, so that what refers to it, and editors, go on.
        None => {
            let errors = errors.into_tokens();
            let function = function.into_token_stream();
            quote!(#function #errors)
        }
    }
}

/// What expansion needs to know.
struct Definition {
    args: Args,
    returns: Returns,
    body: Option<ContextBody>,
    /// Whether an error was reported. The expansion is then not to cause further ones.
    is_broken: bool,
}

impl Definition {
    /// After an error about the declaration, of which the body would only cause more. It has this yield.
    fn without_body(
        args: Args,
        returns: Returns,
        function: &Function,
        call: Option<&Macro>,
    ) -> Self {
        Self {
            args,
            returns,
            body: Some(ContextBody::missing(function, call)),
            is_broken: true,
        }
    }

    /// [`without_body`](Self::without_body), with the first yield of this block.
    fn of_yield(args: Args, returns: Returns, function: &Function, block: &mut Block) -> Self {
        let yields = likely_mistakes::yields_of(block);
        Self::without_body(args, returns, function, yields.first())
    }
}

fn check(mut args: Args, function: &Function, errors: &mut Errors) -> Option<Definition> {
    let sig = &function.sig;
    if let Some(error) = check_async(sig) {
        errors.push(error);
        if let Some(output) = declared_future(sig) {
            let returns = Returns::of(&parse_quote!(-> #output));
            return Some(Definition::without_body(args, returns, function, None));
        }
        if future_of(&sig.output).is_some() {
            return None;
        }
    }
    if let Some(constness) = sig.constness {
        errors.push(Error::new_spanned(constness, "a context cannot be `const`"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.push(Error::new_spanned(variadic, "a context cannot be variadic"));
    }
    let mut returns = Returns::of(&sig.output);
    if args.catch && !returns.is_fallible() {
        errors.push(Error::new_spanned(
            &sig.ident,
            "a context that catches errors returns `Result<R, E>`, where `E` is the error it catches",
        ));
    }
    if !args.scoped {
        let mut borrows = ownership::borrows(sig, args.owned);
        borrows.extend(ownership::unbounded(sig, args.local));
        if !borrows.is_empty() {
            // Broken as guaranteed, but whole as scoped.
            args.scoped = true;
            args.owned = false;
            args.local = false;
        }
        for borrow in borrows {
            errors.push(borrow);
        }
    }
    let lends_a_reference = !args.scoped && errors.take(returns.compare_reference(sig)).is_none();
    let body = match &function.body {
        None => None,
        Some(tokens) => {
            let mut block = errors.take(syn::parse2::<Block>(tokens.clone()))?;
            if lends_a_reference {
                return Some(Definition::of_yield(args, returns, function, &mut block));
            }
            if args.owned && sig.receiver().is_some_and(ownership::is_borrowed_receiver) {
                let yields = likely_mistakes::yields_of(&mut block);
                if let Some((lent, error)) = receiver::lent_field(&yields) {
                    errors.push(error);
                    return Some(Definition::without_body(
                        args,
                        returns,
                        function,
                        Some(lent),
                    ));
                }
                receiver::rename(&mut block);
            }
            let instrumented = instrument::Instrumented::take(&mut block);
            errors.take(returns.compare(&sig.output, &block, &args.krate));
            if let Err(error) = returns.compare_failure(sig, &mut block) {
                errors.push(error);
                return Some(Definition::of_yield(args, returns, function, &mut block));
            }
            errors.take(returns.compare_end(&sig.output, &mut block));
            likely_mistakes::mend(&mut block, &args.krate, &returns, errors);
            if errors.is_empty() {
                one_yield::check(&mut block, &returns, errors);
            }
            let body = ContextBody::new(block, &args, &returns, function, errors);
            Some(ContextBody {
                instrumented,
                ..body
            })
        }
    };
    Some(Definition {
        args,
        returns,
        body,
        is_broken: !errors.is_empty(),
    })
}

/// The error for a function that is not `async`.
fn check_async(sig: &Signature) -> Option<Error> {
    if sig.asyncness.is_some() {
        return None;
    }
    let message = if let Some(output) = declared_future(sig) {
        format!(
            "a context is an `async fn`, and its body has the yield, without an `async` block: write `async fn {}(…) -> {}`",
            sig.ident,
            written(output)
        )
    } else if future_of(&sig.output).is_some() {
        "a context is no future, but an attribute above, such as `#[async_trait]`, has made one of this \
         function: write the context outside of what that attribute is for"
            .to_owned()
    } else {
        "a context is an `async fn`: write `async` before `fn`".to_owned()
    };
    Some(Error::new_spanned(sig.fn_token, message))
}

/// What the `impl Future` results in that a function declares to return.
fn declared_future(sig: &Signature) -> Option<&Type> {
    match &sig.output {
        ReturnType::Type(_, declared) => impl_future_of(declared),
        ReturnType::Default => None,
    }
}
