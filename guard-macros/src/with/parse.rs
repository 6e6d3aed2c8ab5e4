//! The grammar of `async_with!`.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Block, Expr, ExprCall, ExprGroup, ExprTry, ExprTuple, Macro, Pat, PatTuple, PathArguments,
    PathSegment, Token, Type, token,
};

use crate::tokens::is_punct;

/// `pattern = context?, …, { … }`
pub(crate) struct AsyncWith {
    /// `@link;`: these are the later contexts of a call, and this is the link of the use around them.
    pub(crate) inside: Option<Ident>,
    pub(crate) clauses: Vec<ContextClause>,
    pub(crate) block: Block,
}

/// One context of the call, or several that are entered together.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "there are few at a time")]
pub(crate) enum ContextClause {
    Single(Box<Single>),
    /// `catch(pattern = context?)` or `attempt(pattern = context?)`
    Handled {
        keyword: Ident,
        handling: Handling,
        single: Box<Single>,
    },
    /// `join(pattern = context?, …)`
    Join {
        join: Ident,
        parts: Vec<Single>,
    },
}

/// What becomes of the error of a `?` in a block.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Handling {
    /// It leaves the function around the block.
    Function,
    /// `catch(…)`: the context gets it.
    Catch,
    /// `attempt(…)`: it is the value of the macro. The user may write its type.
    Attempt(Option<Type>),
}

impl ContextClause {
    /// The expressions that make the contexts.
    pub(crate) fn contexts_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.parts_mut().iter_mut().map(|one| &mut one.context)
    }

    /// What becomes of the error of a `?` in the block.
    pub(crate) fn handling(&self) -> &Handling {
        match self {
            Self::Handled { handling, .. } => handling,
            Self::Single(_) | Self::Join { .. } => &Handling::Function,
        }
    }

    /// The word before the parentheses of `catch(…)` or `attempt(…)`.
    pub(super) fn keyword(&self) -> Option<&Ident> {
        match self {
            Self::Handled { keyword, .. } => Some(keyword),
            Self::Single(_) | Self::Join { .. } => None,
        }
    }

    /// `(a, b) = (first()?, second()?)`, as in an assignment.
    fn tuple(&self) -> Option<(&PatTuple, &ExprTuple)> {
        match self {
            Self::Single(single) => match (&single.pat, &single.context) {
                (Pat::Tuple(pat), Expr::Tuple(contexts)) => Some((pat, contexts)),
                _ => None,
            },
            Self::Handled { .. } | Self::Join { .. } => None,
        }
    }

    /// `name = attempt(context?)`, with the name outside: the word, and what stands in its parentheses.
    ///
    /// A function that is called so is called by a path: `self::join(…)`.
    fn named_outside(&self) -> Option<(&Single, &PathSegment, &ExprCall)> {
        let Self::Single(single) = self else {
            return None;
        };
        let Expr::Call(call) = &single.context else {
            return None;
        };
        let Expr::Path(function) = &*call.func else {
            return None;
        };
        let path = &function.path;
        let (None, None, 1) = (&function.qself, path.leading_colon, path.segments.len()) else {
            return None;
        };
        let word = &path.segments[0];
        let is_bare = matches!(word.arguments, PathArguments::None);
        let is_word = match word.ident.to_string().as_str() {
            "catch" | "join" => is_bare,
            "attempt" => true,
            _ => false,
        };
        is_word.then_some((&**single, word, call))
    }

    /// `names = join!(context, …)`: a macro that awaits futures.
    fn joined_by_a_macro(&self) -> Option<(&Single, &Macro)> {
        let Self::Single(single) = self else {
            return None;
        };
        let Expr::Macro(call) = &single.context else {
            return None;
        };
        let word = &call.mac.path.segments.last()?.ident;
        (word == "join" || word == "try_join").then_some((&**single, &call.mac))
    }

    /// Splits a tuple without parentheses, and moves a name outside of `attempt`, `catch` or `join` to its place, for the
    /// message about it. `None` if it cannot be told what is to have which name.
    pub(super) fn apart(self) -> Option<Vec<Self>> {
        if let Some((single, call)) = self.joined_by_a_macro() {
            let contexts = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
            let (Pat::Tuple(pats), Ok(contexts)) = (&single.pat, contexts) else {
                return None;
            };
            if pats.elems.len() != contexts.len() {
                return None;
            }
            let join = Ident::new("join", call.path.span());
            let parts = pats.elems.iter().zip(&contexts).map(|(pat, context)| {
                let tokens: Vec<TokenTree> = context.to_token_stream().into_iter().collect();
                let mut named = Single::new(pat.clone(), &tokens);
                named.question.get_or_insert(Token![?](join.span()));
                named
            });
            let parts = parts.collect();
            return Some(vec![Self::Join { join, parts }]);
        }
        if let Some((single, word, call)) = self.named_outside() {
            let keyword = word.ident.clone();
            let named = |pat: &Pat, context: &Expr| {
                let tokens: Vec<TokenTree> = context.to_token_stream().into_iter().collect();
                let mut named = Single::new(pat.clone(), &tokens);
                // Where it is missing, the message shows it.
                let question = single.question.unwrap_or(Token![?](keyword.span()));
                named.question.get_or_insert(question);
                named
            };
            let handling = match (keyword.to_string().as_str(), &word.arguments) {
                ("join", _) => {
                    return match &single.pat {
                        Pat::Tuple(pats) if pats.elems.len() == call.args.len() => {
                            let parts = pats.elems.iter().zip(&call.args);
                            let parts = parts.map(|(pat, context)| named(pat, context)).collect();
                            Some(vec![Self::Join {
                                join: keyword,
                                parts,
                            }])
                        }
                        _ => None,
                    };
                }
                ("catch", _) => Handling::Catch,
                (_, PathArguments::AngleBracketed(error)) => {
                    let error = error.args.to_token_stream();
                    Handling::Attempt(syn::parse2(error).ok())
                }
                _ => Handling::Attempt(None),
            };
            let context = call.args.first()?;
            return Some(vec![Self::Handled {
                single: Box::new(named(&single.pat, context)),
                keyword,
                handling,
            }]);
        }
        let Some((pat, contexts)) = self.tuple() else {
            return Some(vec![self]);
        };
        let each = pat.elems.iter().zip(&contexts.elems);
        let each = each.map(|(pat, context)| {
            let context: Vec<TokenTree> = context.to_token_stream().into_iter().collect();
            Self::Single(Box::new(Single::new(pat.clone(), &context)))
        });
        Some(each.collect())
    }

    /// Gives this `?` to each context that has none.
    pub(super) fn asked(mut self, question: Token![?]) -> Self {
        for part in self.parts_mut() {
            part.question.get_or_insert(question);
        }
        self
    }

    pub(crate) fn parts_mut(&mut self) -> &mut [Single] {
        match self {
            Self::Single(single) | Self::Handled { single, .. } => {
                core::slice::from_mut(&mut **single)
            }
            Self::Join { parts, .. } => parts,
        }
    }

    pub(crate) fn parts(&self) -> &[Single] {
        match self {
            Self::Single(single) | Self::Handled { single, .. } => core::slice::from_ref(&**single),
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
        self.clauses
            .iter_mut()
            .flat_map(ContextClause::contexts_mut)
    }

    /// All but the first context, around the same block. `link` is that of the use of the first.
    pub(crate) fn split_first(mut self, link: Ident) -> (ContextClause, Result<Self, Block>) {
        let first = self.clauses.remove(0);
        // One that handles errors is the first of its own call. If it is not, that has been reported.
        let begins = matches!(self.clauses.first(), Some(ContextClause::Handled { .. }));
        self.inside = (!begins).then_some(link);
        let rest = if self.clauses.is_empty() {
            Err(self.block)
        } else {
            Ok(self)
        };
        (first, rest)
    }
}

/// What the user is to write, for messages.
pub(super) const SYNTAX: &str = "async_with!(name = context?, { … })";

impl Parse for AsyncWith {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut inside = None;
        if input.peek(Token![@]) {
            input.parse::<Token![@]>()?;
            inside = Some(input.parse()?);
            input.parse::<Token![;]>()?;
        }
        let mut clauses = Vec::new();
        loop {
            if input.is_empty() {
                return Err(input.error(format!("expected `{SYNTAX}`")));
            }
            clauses.push(ContextClause::parse(input, SYNTAX)?);
            if input.is_empty() {
                return Err(input.error(format!("expected a block after the contexts: `{SYNTAX}`")));
            }
            if !input.peek(Token![,]) {
                return Err(input.error(format!(
                    "expected `,` and another context, or `,` and the block: `{SYNTAX}`"
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
        check(&clauses)?;
        Ok(Self {
            inside,
            clauses,
            block,
        })
    }
}

impl ContextClause {
    pub(crate) fn parse(input: ParseStream<'_>, syntax: &str) -> syn::Result<Self> {
        if let Some(handled) = handled(input, syntax)? {
            if let Self::Handled { keyword, .. } = &handled {
                no_question_after(input, keyword, "name = context?")?;
            }
            return Ok(handled);
        }
        if !is_join(input) {
            return Ok(Self::Single(Box::new(Single::parse(input, syntax)?)));
        }
        let join = input.parse()?;
        let content;
        syn::parenthesized!(content in input);
        no_question_after(input, &join, JOINED)?;
        let mut parts = Vec::new();
        while !content.is_empty() {
            if let Some(Self::Handled { keyword, .. }) = handled(&content.fork(), syntax)? {
                return Err(syn::Error::new_spanned(
                    &keyword,
                    format!(
                        "`{keyword}(…)` cannot stand in `join(…)`: it is the first context of a call"
                    ),
                ));
            }
            parts.push(Single::parse(&content, syntax)?);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        if parts.is_empty() {
            return Err(syn::Error::new_spanned(
                join,
                format!("expected contexts to join: `join({JOINED})`"),
            ));
        }
        Ok(Self::Join { join, parts })
    }
}

/// What stands in the parentheses of `join`, for messages.
pub(super) const JOINED: &str = "a = first()?, b = second()?";

/// Tells that a `?` cannot stand here, after the parentheses.
fn no_question_after(input: ParseStream<'_>, word: &Ident, inside: &str) -> syn::Result<()> {
    if input.peek(Token![?]) {
        return Err(input.error(format!(
            "the `?` stands inside, after the context: write `{word}({inside})`"
        )));
    }
    Ok(())
}

/// `catch(pattern = context?)` or `attempt(pattern = context?)`, if that is what stands here.
fn handled(input: ParseStream<'_>, syntax: &str) -> syn::Result<Option<ContextClause>> {
    let parse = |input: ParseStream<'_>| {
        let keyword: Ident = input.parse()?;
        let handling = if keyword == "catch" {
            Handling::Catch
        } else if keyword == "attempt" {
            let error = if input.peek(Token![::]) {
                input.parse::<Token![::]>()?;
                input.parse::<Token![<]>()?;
                let error = input.parse()?;
                input.parse::<Token![>]>()?;
                Some(error)
            } else {
                None
            };
            Handling::Attempt(error)
        } else {
            return Err(input.error("another name"));
        };
        let content;
        syn::parenthesized!(content in input);
        // A pattern that is called so, and its value.
        if input.peek(Token![=]) && !input.peek(Token![=>]) {
            return Err(input.error("a pattern"));
        }
        Ok((keyword, handling, content.parse::<TokenStream>()?))
    };
    let ahead = input.fork();
    let Ok((keyword, handling, content)) = parse(&ahead) else {
        return Ok(None);
    };
    input.advance_to(&ahead);
    let content = (move |input: ParseStream<'_>| {
        if input.is_empty() {
            return Err(syn::Error::new_spanned(
                &keyword,
                format!("expected a context: `{keyword}(name = context?)`"),
            ));
        }
        if is_join(input) {
            return Err(input.error(format!(
                "`{keyword}(…)` takes one context, and no `join(…)`: write the contexts one after the other, \
                 `{keyword}(a = first()?), b = second()?`, or the `join(…)` after a first one"
            )));
        }
        if handled(&input.fork(), syntax)?.is_some() {
            return Err(input.error(format!(
                "`{keyword}(…)` takes one context, `name = context?`: write the others after it"
            )));
        }
        let single = Single::parse(input, syntax)?;
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
        if !input.is_empty() {
            return Err(input.error(format!(
                "`{keyword}(…)` takes one context: write the others after it, their errors go to it too"
            )));
        }
        Ok(ContextClause::Handled {
            keyword,
            handling,
            single: Box::new(single),
        })
    })
    .parse2(content)?;
    Ok(Some(content))
}

/// Whether `join(…)` stands here.
fn is_join(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.parse::<Ident>().is_ok_and(|name| name == "join")
        && ahead.parse::<Group>().is_ok()
        && (!ahead.peek(Token![=]) || ahead.peek(Token![=>]))
}

/// Checks what cannot be seen in a single context.
pub(crate) fn check(clauses: &[ContextClause]) -> syn::Result<()> {
    check_handled(clauses)?;
    if let Some((_, word, _)) = clauses.iter().find_map(ContextClause::named_outside) {
        let (keyword, written) = (&word.ident, word.to_token_stream());
        let message = if keyword == "join" {
            format!("the names stand inside: write `join({JOINED})`")
        } else {
            let written = written.to_string().replace(' ', "");
            format!("the name stands inside: write `{written}(name = context?)`")
        };
        return Err(syn::Error::new_spanned(keyword, message));
    }
    if let Some((_, call)) = clauses.iter().find_map(ContextClause::joined_by_a_macro) {
        let written = call.path.to_token_stream().to_string().replace(' ', "");
        return Err(syn::Error::new_spanned(
            &call.path,
            format!("`{written}!` awaits futures, and a context is none: write `join({JOINED})`"),
        ));
    }
    match clauses.iter().find_map(ContextClause::tuple) {
        None => Ok(()),
        Some((pat, _)) => Err(syn::Error::new_spanned(
            pat,
            "a tuple of contexts is no context: write each with its name, `first = context?, second = context?`",
        )),
    }
}

/// Checks where `catch(…)` and `attempt(…)` stand.
fn check_handled(clauses: &[ContextClause]) -> syn::Result<()> {
    for one in clauses.iter().skip(1) {
        if let ContextClause::Handled { keyword, .. } = one {
            let message = if matches!(clauses[0], ContextClause::Handled { .. }) {
                format!(
                    "one `catch(…)` or `attempt(…)` a call: put a call of its own for this `{keyword}(…)` into the block"
                )
            } else {
                format!(
                    "`{keyword}(…)` is the first context of a call, and gets every error of the later ones"
                )
            };
            return Err(syn::Error::new_spanned(keyword, message));
        }
    }
    Ok(())
}

impl Single {
    /// A context whose tokens need not parse.
    pub(super) fn new(pat: Pat, context: &[TokenTree]) -> Self {
        let tokens: TokenStream = context.iter().cloned().collect();
        let (context, question) = match (syn::parse2::<Expr>(tokens.clone()), context) {
            (Ok(context), _) => split_question(context),
            (Err(_), [before @ .., question]) if is_punct(question, '?') => {
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

    pub(super) fn parse(input: ParseStream<'_>, syntax: &str) -> syn::Result<Self> {
        let nameless = nameless(input, syntax);
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
        // `&context?` asks the context, and not what it refers to.
        Expr::Reference(mut reference) if matches!(*reference.expr, Expr::Try(_)) => {
            let (context, question) = split_question(*reference.expr);
            *reference.expr = context;
            (Expr::Reference(reference), question)
        }
        context => (context, None),
    }
}

/// The error for a context without a name, if that is what stands here.
fn nameless(input: ParseStream<'_>, syntax: &str) -> syn::Error {
    let ahead = input.fork();
    match ahead.parse::<Expr>() {
        Ok(context) => syn::Error::new_spanned(
            context,
            format!(
                "what the context lends needs a name: `{syntax}`, or `_name = context?` if it is not used"
            ),
        ),
        Err(_) => input.error(format!("expected `{syntax}`")),
    }
}

impl ToTokens for AsyncWith {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            inside,
            clauses,
            block,
        } = self;
        let inside = inside.as_ref().map(|link| quote!(@#link;));
        tokens.extend(quote!(#inside #(#clauses,)* #block));
    }
}

impl ToTokens for ContextClause {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Single(single) => single.to_tokens(tokens),
            Self::Handled {
                keyword,
                handling,
                single,
            } => {
                let error = match handling {
                    Handling::Attempt(Some(error)) => Some(quote!(::<#error>)),
                    _ => None,
                };
                tokens.extend(quote!(#keyword #error (#single)));
            }
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
