//! The name of `self` in the body of an owned context.
//!
//! With `owned` the body sees a reference to a clone of what was `self`. Nothing else can be called `self`
//! there, so the body calls it [`this`].

use proc_macro2::{Ident, Span};
use syn::punctuated::Punctuated;
use syn::{Block, Error, Expr, ExprField, Macro, Token};

use crate::rename_self;

/// What stands for `self`. Only generated code can name it.
pub(super) fn this(span: Span) -> Ident {
    Ident::new("this", Span::mixed_site().located_at(span))
}

/// Replaces `self` in a block by [`this`].
pub(super) fn rename(block: &mut Block) {
    rename_self::in_block(block, &this);
}

/// The first yield that lends a field of `self`, and what is wrong with that: behind a `&self` there is no place to lend.
///
/// rustc would say so about [`this`], and ask for a `&mut self`, of which no owned value can be made.
pub(super) fn lent_field(yields: &[Macro]) -> Option<(&Macro, Error)> {
    yields.iter().find_map(|call| {
        let arguments = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
        let field = arguments.ok()?.into_iter().next()?;
        let message = "with `owned` the body has a `&self`, which lends no `&mut` of a field: lend a variable, as in \
                       `let mut lent = self.field.clone();`";
        is_field_of_self(&field).then(|| (call, Error::new_spanned(&field, message)))
    })
}

fn is_field_of_self(expr: &Expr) -> bool {
    let Expr::Field(ExprField { base, .. }) = expr else {
        return false;
    };
    matches!(&**base, Expr::Path(path) if path.path.is_ident("self")) || is_field_of_self(base)
}
