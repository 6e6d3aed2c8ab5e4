//! The grammar of `async_with!`.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Block, Expr, ExprGroup, ExprTry, Pat, Token, Type, token};

/// `pattern = context?, …, { … }`
pub(crate) struct AsyncWith {
    pub(crate) uses: Vec<Use>,
    pub(crate) block: Block,
}

/// One context, or several to be entered together.
#[derive(Clone)]
pub(crate) enum Use {
    Single(Box<Single>),
    /// `join(pattern = context?, …)`
    Join {
        join: Ident,
        parts: Vec<Single>,
    },
}

impl Use {
    /// The expressions that make the contexts.
    pub(crate) fn contexts_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.parts_mut().iter_mut().map(|one| &mut one.context)
    }

    fn parts_mut(&mut self) -> &mut [Single] {
        match self {
            Self::Single(single) => core::slice::from_mut(&mut **single),
            Self::Join { parts, .. } => parts,
        }
    }

    pub(crate) fn parts(&self) -> &[Single] {
        match self {
            Self::Single(single) => core::slice::from_ref(&**single),
            Self::Join { parts, .. } => parts,
        }
    }
}

/// `pattern = context?`
#[derive(Clone)]
pub(crate) struct Single {
    pub(crate) pat: Pat,
    pub(crate) ty: Option<(Token![:], Type)>,
    eq: Token![=],
    pub(crate) context: Expr,
    /// Where the context's own errors leave.
    pub(crate) question: Option<Token![?]>,
}

impl AsyncWith {
    /// The expressions that make the contexts.
    pub(crate) fn contexts_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.uses.iter_mut().flat_map(Use::contexts_mut)
    }

    /// All but the first context, around the same block.
    pub(crate) fn split_first(mut self) -> (Use, Result<Self, Block>) {
        let first = self.uses.remove(0);
        let rest = if self.uses.is_empty() {
            Err(self.block)
        } else {
            Ok(self)
        };
        (first, rest)
    }
}

/// The form that is to be written, which its messages quote.
pub(crate) type Form = &'static str;

pub(super) const FORM: Form = "async_with!(name = context?, { … })";

impl Parse for AsyncWith {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut uses = Vec::new();
        loop {
            if input.is_empty() {
                return Err(input.error(format!("expected `{FORM}`")));
            }
            uses.push(Use::parse(input, FORM)?);
            if input.is_empty() {
                return Err(input.error(format!("expected a block after the contexts: `{FORM}`")));
            }
            if !input.peek(Token![,]) {
                return Err(input.error(format!(
                    "expected `,` and another context, or `,` and the block: `{FORM}`"
                )));
            }
            input.parse::<Token![,]>()?;
            if input.peek(token::Brace) {
                break;
            }
        }
        let block = input.parse()?;
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
        if !input.is_empty() {
            return Err(input.error("nothing may follow the block of `async_with!`"));
        }
        Ok(Self { uses, block })
    }
}

impl Use {
    pub(crate) fn parse(input: ParseStream<'_>, form: Form) -> syn::Result<Self> {
        let ahead = input.fork();
        let is_join = ahead.parse::<Ident>().is_ok_and(|name| name == "join")
            && ahead.parse::<Group>().is_ok()
            && (!ahead.peek(Token![=]) || ahead.peek(Token![=>]));
        if !is_join {
            return Ok(Self::Single(Box::new(Single::parse(input, form)?)));
        }
        let join = input.parse()?;
        let content;
        syn::parenthesized!(content in input);
        let mut parts = Vec::new();
        while !content.is_empty() {
            parts.push(Single::parse(&content, form)?);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        if parts.is_empty() {
            return Err(syn::Error::new_spanned(
                join,
                "expected contexts to join: `join(a = first()?, b = second()?)`",
            ));
        }
        Ok(Self::Join { join, parts })
    }
}

impl Single {
    /// A context whose tokens need not parse.
    pub(super) fn new(pat: Pat, context: &[TokenTree]) -> Self {
        let tokens: TokenStream = context.iter().cloned().collect();
        let (context, question) = match (syn::parse2::<Expr>(tokens.clone()), context) {
            (Ok(context), _) => split_question(context),
            (Err(_), [before @ .., TokenTree::Punct(question)]) if question.as_char() == '?' => {
                let question = Token![?](question.span());
                let before = before.iter().cloned().collect();
                (Expr::Verbatim(before), Some(question))
            }
            (Err(_), _) => (Expr::Verbatim(tokens), None),
        };
        Self {
            pat,
            ty: None,
            eq: <Token![=]>::default(),
            context,
            question,
        }
    }

    pub(super) fn parse(input: ParseStream<'_>, form: Form) -> syn::Result<Self> {
        let nameless = nameless(input, form);
        let Ok(pat) = Pat::parse_single(input) else {
            return Err(nameless);
        };
        let ty = if input.peek(Token![:]) {
            Some((input.parse()?, input.parse()?))
        } else {
            None
        };
        if !input.peek(Token![=]) || input.peek(Token![=>]) {
            return Err(nameless);
        }
        let eq = input.parse()?;
        let (context, question) = split_question(input.parse()?);
        Ok(Self {
            pat,
            ty,
            eq,
            context,
            question,
        })
    }
}

/// Takes the `?` off a context, also where that came as an `$context:expr`, or in parentheses.
fn split_question(context: Expr) -> (Expr, Option<Token![?]>) {
    match context {
        Expr::Try(ExprTry {
            attrs,
            expr,
            question_token,
        }) if attrs.is_empty() => (*expr, Some(question_token)),
        Expr::Group(ExprGroup { attrs, expr, .. }) if attrs.is_empty() => split_question(*expr),
        Expr::Paren(syn::ExprParen { attrs, expr, .. })
            if attrs.is_empty() && matches!(*expr, Expr::Try(_) | Expr::Group(_)) =>
        {
            split_question(*expr)
        }
        context => (context, None),
    }
}

/// The error for a context without a name, if that is what stands here.
fn nameless(input: ParseStream<'_>, form: Form) -> syn::Error {
    let ahead = input.fork();
    match ahead.parse::<Expr>() {
        Ok(context) => syn::Error::new_spanned(
            context,
            format!(
                "what the context lends needs a name: `{form}`, or `_name = context?` if it is not used"
            ),
        ),
        Err(_) => input.error(format!("expected `{form}`")),
    }
}

impl ToTokens for AsyncWith {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { uses, block } = self;
        tokens.extend(quote!(#(#uses,)* #block));
    }
}

impl ToTokens for Use {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Single(single) => single.to_tokens(tokens),
            Self::Join { join, parts } => tokens.extend(quote!(#join(#(#parts),*))),
        }
    }
}

impl ToTokens for Single {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            pat,
            ty,
            eq,
            context,
            question,
        } = self;
        let ty = ty.as_ref().map(|(colon, ty)| quote!(#colon #ty));
        tokens.extend(quote!(#pat #ty #eq #context #question));
    }
}
