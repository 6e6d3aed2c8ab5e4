//! The name of `self` in the body of an owned context.
//!
//! With `owned` the body sees a reference to a clone of what was `self`. Nothing else can be called `self`
//! there, so the body calls it [`this`].

use proc_macro2::{Ident, Span};
use syn::Block;

use crate::rename_self;

/// What stands for `self`. Only generated code can name it.
pub(super) fn this(span: Span) -> Ident {
    Ident::new("this", Span::mixed_site().located_at(span))
}

/// Replaces `self` in a block by [`this`].
pub(super) fn rename(block: &mut Block) {
    rename_self::in_block(block, &this);
}
