//! The local from which the resource of a use borrows, in the place of its context.

use proc_macro2::{Ident, Span};
use syn::Pat;

use super::parse::{ContextClause, Single};
use crate::diag::ends;

/// The local that stands for the context while that is used.
///
/// The resource borrows from this local, so rustc names this local when the resource leaves the block. That is why it has
/// the name and the span of the resource:
///
/// ```text
/// error[E0597]: `file` does not live long enough
///  |
///  |     let escaped = async_with!(file = open(path)?, { file });
///  |                               ^^^^ borrowed value does not live long enough
/// ```
///
/// In the block the resource hides it.
pub(super) fn tie_of(held: &ContextClause) -> Ident {
    let site = Span::mixed_site();
    let unnamed = |span| Ident::new("context", site.located_at(span));
    match held {
        ContextClause::Join { join, .. } => unnamed(join.span()),
        ContextClause::Single(single) | ContextClause::Handled { single, .. } => match &**single {
            // To use a name that begins with `_` would be a lint.
            Single {
                pat: Pat::Ident(pat),
                ..
            } if !pat.ident.to_string().starts_with('_') => pat.ident.clone(),
            Single { pat, .. } => unnamed(ends(pat).0),
        },
    }
}
