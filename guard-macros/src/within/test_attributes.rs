//! `#[within]` on a test, below an attribute such as `#[rstest]` that moves the body to another function.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Block, Error, Expr, Item, ItemFn, Pat, ReturnType, Signature, Stmt};

use super::{WithinArgs, around, blocked_block};
use crate::types::in_body;

/// The body with the contexts in it, if an attribute above has moved what the user wrote to another function.
///
/// `#[rstest]` without cases, and `#[sqlx::test]`, put the whole function, whose arguments they make, inside a new one:
/// the contexts belong there, since they may use the arguments.
///
/// ```text
/// async fn stored() {
///     async fn stored(pool: Pool) { … }
///     …
/// }
/// ```
pub(super) fn body_of_a_test(
    args: &WithinArgs,
    sig: &Signature,
    body: &TokenStream,
) -> syn::Result<Option<TokenStream>> {
    let Ok(mut block) = syn::parse2::<Block>(body.clone()) else {
        return Ok(None);
    };
    // `#[tokio::test]` may have come in between.
    let inner = match blocked_block(&mut block) {
        Some(blocked) => blocked,
        None => &mut block,
    };
    if only_calls_a_case(sig, inner) {
        return Err(Error::new(
            args.span,
            "`#[rstest]` with cases or values, above, has made functions that only call the test, and left `#[within]` on them: \
             write `#[within]` above `#[rstest]`",
        ));
    }
    let Some(function) = function_named(&sig.ident, inner) else {
        return Ok(None);
    };
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => in_body(output.to_token_stream()),
    };
    let body = around(args, &function.block.to_token_stream(), &output);
    function.block = syn::parse2(body)?;
    Ok(Some(block.into_token_stream()))
}

/// The asynchronous function of that name that stands in a block.
fn function_named<'a>(name: &Ident, block: &'a mut Block) -> Option<&'a mut ItemFn> {
    block.stmts.iter_mut().find_map(|stmt| match stmt {
        Stmt::Item(Item::Fn(function))
            if function.sig.ident == *name && function.sig.asyncness.is_some() =>
        {
            Some(function)
        }
        _ => None,
    })
}

/// Whether it is like what `#[rstest]` makes for each case, and nothing that people write.
///
/// ```text
/// async fn case_1() {
///     let number = 1;
///     let name = "one";
///     stored(number, name).await
/// }
/// ```
fn only_calls_a_case(sig: &Signature, block: &Block) -> bool {
    let is_numbered = sig
        .ident
        .to_string()
        .split('_')
        .skip(1)
        .any(|part| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit()));
    let Some((Stmt::Expr(Expr::Await(call), None), lets)) = block.stmts.split_last() else {
        return false;
    };
    let Expr::Call(call) = &*call.base else {
        return false;
    };
    let names = lets.iter().map(|stmt| match stmt {
        Stmt::Local(local) => match &local.pat {
            Pat::Ident(name) => Some(&name.ident),
            _ => None,
        },
        _ => None,
    });
    let passed = call.args.iter().map(|argument| match argument {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    });
    let names: Option<Vec<_>> = names.collect();
    let passed: Option<Vec<_>> = passed.collect();
    is_numbered && sig.inputs.is_empty() && !lets.is_empty() && names.is_some() && names == passed
}
