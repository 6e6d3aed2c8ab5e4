//! What a `yield_resource!` in a body becomes, and a `cancellable!`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Block, Error, Expr, ExprReference, Lifetime, Macro, Receiver, ReturnType, Stmt, Token, Type,
};

use super::ownership::is_lent_receiver;
use super::proof::{Proof, excuse_errors_of_value, yielder};
use crate::args::Args;
use crate::diag::{Errors, ends, path_at};
use crate::rewrite::{OuterLabels, Position, Rewrite, is_err};
use crate::tokens::{is_punct, is_word};

/// Expands the yields of a body.
pub(super) struct YieldRewrite<'a> {
    pub(super) is_instrumented: bool,
    /// Whether the context can fail.
    pub(super) is_fallible: bool,
    pub(super) args: &'a Args,
    /// The type of what is lent, where it is written.
    pub(super) resource: Option<&'a Type>,
    /// What the function declares.
    pub(super) output: &'a ReturnType,
    pub(super) receiver: Option<&'a Receiver>,
    /// The type of the body's error, as the outcome has it.
    pub(super) caught: &'a TokenStream,
    pub(super) proof: &'a Proof,
    pub(super) found: bool,
    pub(super) errors: &'a mut Errors,
}

/// The arguments of a yield.
struct YieldArguments {
    /// What goes on beside the block.
    beside: Option<TokenStream>,
    /// A mutable reference to what is lent, where the user wrote the place.
    lent: TokenStream,
    /// A name that stands for `beside`. It may be a second place, so the expansion asks first whether it is a future.
    asked: Option<Asked>,
}

/// A name in the place of what goes on beside the block.
struct Asked {
    /// What the user wrote there.
    written: Expr,
    /// An expression that gives `beside` and `lent`, once what is written has the name `second`.
    both: TokenStream,
}

impl YieldRewrite<'_> {
    fn arguments(&mut self, tokens: &TokenStream, span: Span) -> syn::Result<YieldArguments> {
        let Some((place, beside)) = place_and_beside(tokens)? else {
            let (lent, at) = self.lent(tokens, span)?;
            return Ok(YieldArguments {
                beside: None,
                lent: self.declared(lent, tokens, at),
                asked: None,
            });
        };
        let place = place.into_token_stream();
        let (lent, at) = self.lent(&place, span)?;
        // A name may be a second place that was to be lent. If it is, nothing more is to be said of the first.
        if !is_named(&beside.to_token_stream()) {
            return Ok(YieldArguments {
                beside: Some(beside.into_token_stream()),
                lent: self.declared(lent, &place, at),
                asked: None,
            });
        }
        let shown = Span::mixed_site().located_at(beside.span());
        let krate = path_at(&self.args.krate, shown);
        let [first, second] = ["first", "second"].map(|name| Ident::new(name, shown));
        let both = quote_spanned! {shown=>
            #krate::__private::goes_on(&#second.0).__guard_beside().lend(#second.0, #lent)
        };
        Ok(YieldArguments {
            beside: Some(second.into_token_stream()),
            lent: self.declared(first.into_token_stream(), &place, at),
            asked: Some(Asked {
                written: beside,
                both,
            }),
        })
    }

    /// A mutable reference to what a yield lends, and where that stands.
    fn lent(&mut self, tokens: &TokenStream, span: Span) -> syn::Result<(TokenStream, Span)> {
        let site = Span::mixed_site();
        if let Some((error, place)) = place_with_more(tokens) {
            self.errors.push(error);
            return self.lent(&place, span);
        }
        if tokens.is_empty() {
            let site = site.located_at(span);
            return Ok((quote_spanned!(site=> &mut ()), site));
        }
        let lends_one = || {
            Error::new_spanned(
                tokens,
                "`yield_resource!` lends one place: write `yield_resource!(resource)`; \
                 to lend several, put them into a tuple or a struct",
            )
        };
        let place = match syn::parse2::<Expr>(tokens.clone()) {
            Ok(place) => place,
            Err(_)
                if tokens
                    .clone()
                    .into_iter()
                    .any(|token| is_punct(&token, ',')) =>
            {
                return Err(lends_one());
            }
            // Half typed: an editor still wants to know what it is.
            Err(_) => {
                self.errors.push_half_typed(lends_one());
                Expr::Verbatim(tokens.clone())
            }
        };
        let at = site.located_at(place.span());
        let is_self = matches!(&place, Expr::Path(path) if path.path.is_ident("self"));
        if is_self && self.receiver.is_some_and(is_lent_receiver) {
            // What it refers to: `self` itself cannot be `mut`, as another argument can.
            return Ok((quote_spanned!(at=> &mut *#place), at));
        }
        let lent = Expr::Reference(ExprReference {
            attrs: Vec::new(),
            and_token: Token![&](at),
            mutability: Some(Token![mut](at)),
            expr: Box::new(place),
        });
        Ok((lent.into_token_stream(), at))
    }

    /// What a yield lends, as the type that is declared.
    fn declared(&self, lent: TokenStream, place: &TokenStream, at: Span) -> TokenStream {
        // The type of an expression may be inferred from the type that is expected, so only what has a type of its own is
        // bound first.
        let referred = match syn::parse2(place.clone()) {
            Ok(Expr::Reference(reference)) if reference.mutability.is_none() => {
                Some(reference.expr)
            }
            _ => None,
        };
        let has_type = is_named(place) || is_lock(place) || referred.is_some();
        let Some(resource) = self.resource.filter(|_| has_type) else {
            return lent;
        };
        let name = Ident::new("resource", at);
        let krate = path_at(&self.args.krate, at);
        // These traits have a message of their own for a wrong type. In all other cases rustc shows the declaration.
        if let ReturnType::Default = self.output {
            let lent = referred.map_or(lent, |place| quote_spanned!(at=> &mut #place));
            return quote_spanned! {at=>
                match #lent { #name => #krate::__private::Undeclared::<()>::undeclared(#name) }
            };
        }
        if referred.is_some() {
            return quote_spanned! {at=>
                match #lent { #name => #krate::__private::LentByItself::<#resource>::lent_by_itself(#name) }
            };
        }
        if let Type::Reference(_) = resource {
            return quote_spanned! {at=>
                match #lent { #name => #krate::__private::DeclaredAs::<#resource>::declared_as(#name) }
            };
        }
        let declared = Span::mixed_site().located_at(ends(resource).0);
        let reference = match resource {
            Type::TraitObject(_) => quote_spanned!(declared=> &mut (#resource)),
            _ => quote_spanned!(declared=> &mut #resource),
        };
        let asked = is_named(place).then(|| {
            quote_spanned! {at=>
                if false {
                    #krate::__private::is_lent::<_, #resource>(&#name).__guard_lent();
                }
            }
        });
        quote_spanned! {at=>
            match #lent {
                #name => {
                    #asked
                    let #name: #reference = #name;
                    #name
                }
            }
        }
    }

    /// What a `cancellable!` waits for. If that is awaited already, it is asked first whether it is a future.
    ///
    /// A `?` after that belongs after the call.
    fn waited_for(&mut self, tokens: &TokenStream) -> (TokenStream, Option<Token![?]>) {
        match syn::parse2::<Expr>(tokens.clone()) {
            Ok(Expr::Await(_)) => {}
            Ok(Expr::Block(code))
                if !matches!(code.block.stmts.last(), Some(Stmt::Expr(_, None))) =>
            {
                self.errors.push(Error::new_spanned(
                    tokens,
                    "`cancellable!` waits for a future, and this block is none: write `async` before it",
                ));
                return (quote!(async #tokens), None);
            }
            Ok(Expr::Try(asks)) => {
                let Expr::Await(waits) = *asks.expr else {
                    return (tokens.clone(), None);
                };
                self.errors.push(Error::new(
                    asks.question_token.span,
                    "`cancellable!` awaits the future itself: write the `?` after the call, and leave out the `.await`, \
                     `cancellable!(future)?`",
                ));
                return (waits.base.into_token_stream(), Some(asks.question_token));
            }
            _ => return (tokens.clone(), None),
        }
        let (start, end) = ends(tokens);
        let [start, end] = [start, end].map(|span| Span::mixed_site().located_at(span));
        let krate = path_at(&self.args.krate, start);
        let waited = Ident::new("waited", start);
        // Between these two spans, rustc underlines the whole expression.
        let whole = quote_spanned!(end=> 0);
        let asked = quote_spanned! {start=>
            match (#tokens,) {
                #waited => {
                    #[allow(unused_imports)]
                    use #krate::__private::WaitsForAnything as _;
                    #krate::__private::waits_for(&#waited.0).__guard_window().future(#waited.#whole)
                }
            }
        };
        (asked, None)
    }

    /// The call as guard-core's own macro, whatever is called so where the user stands.
    fn by_path(&self, call: &Macro, tokens: TokenStream) -> TokenStream {
        let krate = &self.args.krate;
        let mut call = call.clone();
        if let Some(name) = name_of(&call) {
            let span = name.span();
            // With the hygiene of the call, so that lints are about that, unless the path has one of its own.
            let mut krate = path_at(krate, span);
            if krate.to_string() == ":: guard_core" {
                krate = quote_spanned!(span=> ::guard_core);
            }
            call.path = syn::parse_quote_spanned!(span=> #krate::__private::#name);
        }
        call.tokens = tokens;
        call.into_token_stream()
    }

    /// The prefix for the arguments of a yield that has an error already, so that it causes no second one.
    fn silenced(&self) -> TokenStream {
        let caught = self.caught;
        quote!(@misplaced #caught;)
    }
}

impl Rewrite for YieldRewrite<'_> {
    fn yields(
        &mut self,
        call: &Macro,
        position: Position,
        outer: &OuterLabels,
    ) -> Option<TokenStream> {
        self.found = true;
        let span = name_of(call)?.span();
        let YieldArguments {
            beside,
            lent,
            asked,
        } = match self.arguments(&call.tokens, span) {
            Ok(arguments) => arguments,
            Err(error) => {
                self.errors.push(error);
                let silenced = self.silenced();
                let tokens = call.tokens.clone().into_iter();
                let tokens: TokenStream = tokens.skip_while(|token| is_punct(token, ',')).collect();
                let imported = with_arguments(call, quote!(@imported));
                let silenced = self.by_path(call, quote!(#silenced #tokens));
                return Some(quote!({ #imported; #silenced }));
            }
        };
        let token = self.proof.token(span);
        let site = Span::mixed_site().located_at(span);
        let lend = match beside {
            Some(_) if !self.is_fallible => "lend_beside_unfailing",
            Some(_) if self.args.catch => "lend_beside_catching",
            Some(_) => "lend_beside",
            None => "lend",
        };
        // If the second argument is no such future, rustc reports that at this name, and shows the second argument.
        let lend = Ident::new(lend, site);
        // The call has the future before the place: it is made before the place is borrowed, so it may use the place.
        let beside = beside.map(|beside| quote!(#beside,));
        let catch = self.args.catch.then(|| quote!(catch));
        let yielder = yielder();
        let imported = with_arguments(call, quote!(@imported));
        // By its path: what is called so where the user stands must not get hold of the yielder.
        let lend = self.by_path(
            call,
            quote!(@#outer #lend #token #yielder #catch; #beside #lent),
        );
        let lend = match asked {
            Some(Asked { written, both }) => {
                let at = Span::mixed_site().located_at(written.span());
                let krate = path_at(&self.args.krate, at);
                let [first, second] = ["first", "second"].map(|name| Ident::new(name, at));
                // A temporary may be lent. The borrow stands where the temporary lives until the block has ended.
                quote_spanned! {at=>
                    match (#written,) {
                        #second => {
                            #[allow(unused_imports)]
                            use #krate::__private::GoesOnAnything as _;
                            match #both { (#second, #first) => #lend }
                        }
                    }
                }
            }
            None => lend,
        };
        let prove =
            (position != Position::InMacro).then(|| self.proof.prove(&self.args.krate, span));
        let end_of_set_up = self.proof.end_of_set_up(span);
        // After another error, rustc would only repeat that there are two.
        let anew = (!self.errors.is_empty()).then(|| quote!(let #token = #yielder.token();));
        Some(quote_spanned!(site=> { #prove #end_of_set_up #imported; #anew #lend }))
    }

    fn label(&mut self, level: usize) -> Option<Lifetime> {
        let name = if level == 0 {
            "'yield_in_the_context_itself".to_owned()
        } else {
            format!("'yield_in_the_block_itself_{level}")
        };
        Some(Lifetime::new(&name, Span::mixed_site()))
    }

    fn window(&mut self, call: &Macro, position: Position) -> Option<TokenStream> {
        let span = name_of(call)?.span();
        let token = self.proof.window(span);
        let (tokens, question) = self.waited_for(&call.tokens);
        (position == Position::Direct).then(|| {
            let imported = with_arguments(call, quote!(@imported));
            let yielder = yielder();
            let window = self.by_path(call, quote!(@window #token #yielder; #tokens));
            quote!({ #imported; #window #question })
        })
    }

    fn misplaced(&mut self, span: Span, inside: &'static str) -> Option<TokenStream> {
        self.found = true;
        let message = if self.is_instrumented {
            "this `#[instrument]` has put the body into an `async` block, and that is not the form in which \
             `#[tracing::instrument]` does it: put what is to be instrumented into a function of its own"
                .to_owned()
        } else {
            format!(
                "`yield_resource!` inside {inside}, which is a function of its own: \
                 yield in the body of the context itself"
            )
        };
        self.errors.push(Error::new(span, message));
        Some(self.silenced())
    }

    fn contains_yield(&mut self, call: TokenStream, is_statement: bool) -> Option<TokenStream> {
        // What the other macro makes of the yield is not known, so that it is reached is left to be
        // checked at run time.
        let prove = self.proof.prove(&self.args.krate, call.span());
        Some(if is_statement {
            quote!({ #prove #call })
        } else {
            // Not a block: what the call borrows for the statement around it must live as long.
            quote!(({ #prove }, #call).1)
        })
    }

    fn contains_return(&mut self, returns: Span) -> Option<TokenStream> {
        let krate = path_at(&self.args.krate, returns);
        let proof = self.proof.proof(returns);
        let site = Span::mixed_site().located_at(returns);
        Some(quote_spanned! {site=>
            if false { #krate::__private::finish((), #proof) }
        })
    }

    fn contains_yield_in_block(&mut self, block: &mut Block) {
        let span = block.brace_token.span.close();
        let declared = self.proof.proof(span);
        let mutable = Token![mut](declared.span());
        let site = Span::mixed_site();
        let out = Ident::new("out", site);
        let krate = &self.args.krate;
        *block = syn::parse_quote!({
            #[allow(unused_mut, unused_assignments, unused_variables)]
            let #mutable #declared;
            match #block {
                #[allow(unreachable_code)]
                #out => #krate::__private::finish(#out, #declared),
            }
        });
    }

    fn returns(
        &mut self,
        keyword: Span,
        value: TokenStream,
        position: Position,
    ) -> Option<TokenStream> {
        if position == Position::InMacro || is_err(&value) {
            return None;
        }
        let value = excuse_errors_of_value(value, &self.args.krate, self.proof);
        let krate = path_at(&self.args.krate, keyword);
        let proof = self.proof.proof(keyword);
        let value = if value.is_empty() { quote!(()) } else { value };
        let site = Span::mixed_site().located_at(keyword);
        let keyword = Ident::new("return", keyword);
        Some(quote_spanned!(site=> #keyword #krate::__private::finish(#value, #proof)))
    }
}

/// Whether this is a name, or a part of what has one. It need not parse yet.
fn is_named(place: &TokenStream) -> bool {
    let tokens = place.clone().into_iter();
    let mut place = tokens.skip_while(|token| is_punct(token, '*'));
    let is_part = |token: TokenTree| match token {
        TokenTree::Ident(_) | TokenTree::Literal(_) => true,
        TokenTree::Punct(between) => matches!(between.as_char(), '.' | ':'),
        TokenTree::Group(_) => false,
    };
    matches!(place.next(), Some(TokenTree::Ident(_))) && place.all(is_part)
}

/// Whether this takes a lock, whose guard refers to what is to be lent: `mutex.lock().await`.
fn is_lock(place: &TokenStream) -> bool {
    let Ok(Expr::Await(waits)) = syn::parse2::<Expr>(place.clone()) else {
        return false;
    };
    match &*waits.base {
        Expr::MethodCall(call) => ["lock", "lock_owned", "write", "write_owned"]
            .iter()
            .any(|name| call.method == name && call.args.is_empty()),
        _ => false,
    }
}

/// `place, future`. Other tokens are what one place is, or is not.
fn place_and_beside(tokens: &TokenStream) -> syn::Result<Option<(Expr, Expr)>> {
    let parse = Punctuated::<Expr, Token![,]>::parse_terminated;
    let first = tokens.clone().into_iter().next();
    if first.is_some_and(|first| is_punct(&first, ',')) {
        return Err(Error::new_spanned(
            tokens,
            "nothing to lend? write `yield_resource!((), future)`",
        ));
    }
    let Ok(arguments) = parse.parse2(tokens.clone()) else {
        return Ok(None);
    };
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(place), Some(beside), None) => Ok(Some((place, beside))),
        (_, _, Some(_)) => Err(Error::new_spanned(
            tokens,
            "`yield_resource!` lends one place, and drives one future beside the block: write \
             `yield_resource!(resource, future)`; to lend several, put them into a tuple or a struct, and to drive \
             several, join them in one `async` block",
        )),
        _ => Ok(None),
    }
}

/// `mut place`, `move place` or `place;`: what is wrong, and the place.
fn place_with_more(tokens: &TokenStream) -> Option<(Error, TokenStream)> {
    let all: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let (more, place) = match all.as_slice() {
        [word, place @ ..] if is_word(word, "mut") || is_word(word, "move") => (word, place),
        [place @ .., end] if is_punct(end, ';') => (end, place),
        _ => return None,
    };
    let place: TokenStream = place.iter().cloned().collect();
    syn::parse2::<Expr>(place.clone()).ok()?;
    let error = Error::new_spanned(
        more,
        format!(
            "`yield_resource!` takes a place, and makes the `&mut` of it: leave out the `{more}`"
        ),
    );
    Some((error, place))
}

/// The call with other arguments, all else as the user wrote it.
pub(super) fn with_arguments(call: &Macro, tokens: TokenStream) -> TokenStream {
    let mut call = call.clone();
    call.tokens = tokens;
    call.into_token_stream()
}

pub(super) fn name_of(call: &Macro) -> Option<&Ident> {
    Some(&call.path.segments.last()?.ident)
}
