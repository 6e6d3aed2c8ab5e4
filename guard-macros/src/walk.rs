//! Walking the code that runs as part of a function, to rewrite what leaves it.
//!
//! The walk goes everywhere but into closures, `async` blocks and inner items, which are functions of
//! their own. Into the arguments of other macros it looks as far as they can be read: as expressions, as
//! statements, or token by token.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Expr, Item, Lifetime, Macro, Stmt, Token};

use crate::with::AsyncWith;

/// In what a piece of code stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Right in the function.
    Direct,
    /// In the block of an `async_with!`: awaited in place, but a future of its own.
    InAsyncWith,
    /// In the arguments of another macro, which may do anything with it.
    InMacro,
}

/// A `break` or `continue` that leaves the code that is walked.
pub(crate) struct Jump {
    pub(crate) keyword: Ident,
    pub(crate) label: Option<Lifetime>,
    pub(crate) value: Option<TokenStream>,
}

/// The labels of the code around an `async_with!` in which a yield stands.
///
/// They are in case that it is another macro of this name: a yield that has them is right in all of that
/// code, as one in any macro is (see [`Rewrite::label`]). The real one puts its block into an `async` block,
/// which is driven in place, and takes off what cannot be reached from there.
#[derive(Default)]
pub(crate) struct Around(Vec<Lifetime>);

impl ToTokens for Around {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self(labels) = self;
        if !labels.is_empty() {
            tokens.extend(quote!([#(#labels)*]));
        }
    }
}

/// What to do with what is found. `None` leaves it as it is.
pub(crate) trait Rewrite {
    /// A `yield_resource!`. Before its arguments goes [`around`](Around), if there is something.
    fn yields(&mut self, call: &Macro, place: Place, around: &Around) -> Option<TokenStream>;

    /// The label of a body of code, with which a yield in the arguments of a macro proves that it is
    /// awaited in that very body, whatever the macro makes of it: a label cannot be reached from an
    /// `async` block or a closure. Were it awaited in a future of its own, that could be leaked, and with
    /// it the borrow of what is lent.
    fn label(&mut self, _level: usize) -> Option<Lifetime> {
        None
    }

    /// A `cancellable!`.
    fn window(&mut self, _call: &Macro, _place: Place) -> Option<TokenStream> {
        None
    }

    /// A `yield_resource!` in a function of its own: `inside` says of what kind. Returns what to put
    /// before its arguments.
    fn misplaced(&mut self, _span: Span, _inside: &'static str) -> Option<TokenStream> {
        None
    }

    /// A macro in whose arguments a yield was rewritten: an expression, or a statement.
    fn contains_yield(&mut self, _call: TokenStream, _is_statement: bool) -> Option<TokenStream> {
        None
    }

    /// A macro in whose arguments, at `returns`, a success may be returned. Gives what comes before it.
    fn contains_return(&mut self, _returns: Span) -> Option<TokenStream> {
        None
    }

    /// The block of an `async_with!` in which there is a yield.
    fn contains_yield_in_block(&mut self, _block: &mut Block) {}

    /// A `return`, with its value.
    fn returns(&mut self, keyword: Span, value: TokenStream, place: Place) -> Option<TokenStream>;

    /// A `?`, or a macro that might hold one, or a `return`.
    fn may_return(&mut self) {}

    /// A jump out of the code.
    fn jumps(&mut self, _jump: Jump) -> Option<TokenStream> {
        None
    }
}

/// Walks a block.
///
/// Returns the label that the block needs, if it does.
pub(crate) fn walk_block(block: &mut Block, rewrite: &mut impl Rewrite) -> Option<Lifetime> {
    let mut walker = Walker::new(rewrite);
    walker.visit_block_mut(block);
    let is_labelled = walker.labelled.contains(&0);
    is_labelled.then(|| rewrite.label(0)).flatten()
}

struct Walker<'a, R> {
    rewrite: &'a mut R,
    place: Place,
    /// Whether an unlabelled jump stays inside.
    in_loop: bool,
    labels: Vec<Ident>,
    yields: usize,
    /// The body of code: the function's own, or the block of an `async_with!`. Each has a number.
    level: usize,
    levels: usize,
    /// The levels that an `async_with!` lies in between.
    around: Vec<usize>,
    /// The levels whose label is needed.
    labelled: Vec<usize>,
    /// The jumps out of a macro of which nothing is known, while its arguments are walked.
    unknown: Option<Vec<Jump>>,
    /// How many things were rewritten.
    rewritten: usize,
    /// What comes before the statement that was walked last.
    before: Option<TokenStream>,
}

impl<'a, R: Rewrite> Walker<'a, R> {
    fn new(rewrite: &'a mut R) -> Self {
        Self {
            rewrite,
            place: Place::Direct,
            in_loop: false,
            labels: Vec::new(),
            yields: 0,
            level: 0,
            levels: 1,
            around: Vec::new(),
            labelled: Vec::new(),
            unknown: None,
            rewritten: 0,
            before: None,
        }
    }

    fn within(&mut self, label: Option<&syn::Label>, is_loop: bool, walk: impl FnOnce(&mut Self)) {
        let labels = self.labels.len();
        let in_loop = self.in_loop;
        self.labels
            .extend(label.map(|label| label.name.ident.clone()));
        self.in_loop |= is_loop;
        walk(self);
        self.in_loop = in_loop;
        self.labels.truncate(labels);
    }

    fn leaves(&self, label: Option<&Lifetime>) -> bool {
        match label {
            Some(label) => !self.labels.contains(&label.ident),
            None => !self.in_loop,
        }
    }

    fn jumps(&mut self, jump: Jump) -> Option<TokenStream> {
        if let Some(unknown) = &mut self.unknown {
            unknown.push(jump);
            return None;
        }
        let replaced = self.rewrite.jumps(jump);
        self.rewritten += usize::from(replaced.is_some());
        replaced
    }

    fn returns(&mut self, keyword: Span, value: TokenStream) -> Option<TokenStream> {
        let replaced = self.rewrite.returns(keyword, value, self.place);
        self.rewritten += usize::from(replaced.is_some());
        replaced
    }

    /// A macro call; returns what replaces it.
    fn call(&mut self, call: &mut Macro, is_statement: bool) -> Option<TokenStream> {
        if is_named(call, "yield_resource") {
            if is_import(call) {
                return None;
            }
            self.yields += 1;
            self.keep_reachable_labels(call);
            let mut around = Around::default();
            for &level in &self.around {
                if let Some(mut label) = self.rewrite.label(level) {
                    label.set_span(label.span().located_at(call.path.span()));
                    around.0.push(label);
                    self.labelled.push(level);
                }
            }
            let yields = self.rewrite.yields(call, self.place, &around)?;
            self.rewritten += 1;
            return Some(self.in_this_body(yields));
        }
        if is_named(call, "cancellable") {
            let window = self.rewrite.window(call, self.place);
            self.rewritten += usize::from(window.is_some());
            return window;
        }
        self.rewrite.may_return();
        if quotes(call)
            || !mentions(&call.tokens, &|word| {
                matches!(
                    word,
                    "yield_resource" | "cancellable" | "return" | "break" | "continue"
                )
            })
        {
            return None;
        }
        let yields = self.yields;
        let rewritten = self.rewritten;
        let place = self.place;
        let tokens = call.tokens.clone();
        // The jumps belong to the macro that is the outermost of those of which nothing is known.
        let is_unknown = self.unknown.is_none() && !is_known(call);
        if is_unknown {
            self.unknown = Some(Vec::new());
        }
        self.arguments(call);
        self.place = place;
        if self.rewritten == rewritten {
            call.tokens = tokens;
        }
        let jumps = if is_unknown {
            self.unknown.take().unwrap_or_default()
        } else {
            Vec::new()
        };
        let jumping = self.keep_jumps(call, &jumps, is_statement);
        if self.yields == yields {
            if jumping.is_none() && place != Place::InMacro {
                return self.returning(call, is_statement);
            }
            return jumping;
        }
        let replaced = jumping.unwrap_or_else(|| call.to_token_stream());
        match place {
            Place::Direct | Place::InAsyncWith => {
                self.rewrite.contains_yield(replaced, is_statement)
            }
            Place::InMacro if is_named(call, "async_with") => Some(self.in_this_body(replaced)),
            Place::InMacro => None,
        }
    }

    /// A macro without a yield: asks for what a `return` in its arguments needs.
    fn returning(&mut self, call: &Macro, is_statement: bool) -> Option<TokenStream> {
        if is_named(call, "async_with") {
            return None;
        }
        let before = self.rewrite.contains_return(find_return(&call.tokens)?)?;
        if is_statement {
            // It may declare what comes after it uses.
            self.before = Some(before);
            return None;
        }
        // Not a block: what the call borrows for the statement around it must live as long.
        Some(quote!(({ #before }, #call).1))
    }

    /// Puts a macro of which nothing is known, and in whose arguments there are jumps, into a loop of its
    /// own.
    ///
    /// If the macro brings a loop, the jumps mean that one, and nothing else happens. If it does not, they
    /// mean the loop that is put here, and the jump is made from there. The arguments stay as they are.
    fn keep_jumps(
        &mut self,
        call: &Macro,
        jumps: &[Jump],
        is_statement: bool,
    ) -> Option<TokenStream> {
        let mut labels: Vec<Option<Lifetime>> = Vec::new();
        for jump in jumps {
            if !labels.contains(&jump.label) {
                labels.push(jump.label.clone());
            }
        }
        // A jump without a label goes to the innermost loop.
        labels.sort_by_key(Option::is_some);
        let mut code = call.to_token_stream();
        if is_statement {
            code = quote!({ #code });
        }
        let mut found = false;
        for (level, label) in labels.into_iter().enumerate() {
            let here = || jumps.iter().filter(|jump| jump.label == label);
            let mut jump = |keyword: &str, value: Option<TokenStream>| {
                let span = here().find(|jump| jump.keyword == keyword)?.keyword.span();
                self.rewrite.jumps(Jump {
                    keyword: Ident::new(keyword, span),
                    label: label.clone(),
                    value,
                })
            };
            let with_value = here().find_map(|jump| jump.value.as_ref());
            let value = Ident::new("broken", Span::mixed_site());
            let breaks = jump("break", with_value.map(|_| quote!(#value)));
            let continues = jump("continue", None);
            if breaks.is_none() && continues.is_none() {
                continue;
            }
            found = true;
            code = in_a_loop(level, label.as_ref(), &code, &value, breaks, continues);
        }
        found.then_some(code)
    }

    /// Takes off the labels outside of the code that is walked: they were for macros that are not the one
    /// which walks it.
    fn keep_reachable_labels(&self, call: &mut Macro) {
        let mut tokens: Vec<TokenTree> = call.tokens.clone().into_iter().collect();
        let [TokenTree::Punct(at), TokenTree::Group(labels), ..] = tokens.as_slice() else {
            return;
        };
        if at.as_char() != '@' || labels.delimiter() != Delimiter::Bracket {
            return;
        }
        let parse = |input: syn::parse::ParseStream<'_>| {
            let mut labels = Vec::new();
            while !input.is_empty() {
                labels.push(input.parse::<Lifetime>()?);
            }
            Ok(labels)
        };
        let Ok(mut labels) = parse.parse2(labels.stream()) else {
            return;
        };
        labels.retain(|label| self.labels.contains(&label.ident));
        let labels = Around(labels).into_token_stream();
        tokens.splice(1..=1, labels);
        call.tokens = tokens.into_iter().collect();
    }

    /// In the arguments of a macro, proves that `code` runs in this body.
    fn in_this_body(&mut self, code: TokenStream) -> TokenStream {
        if self.place != Place::InMacro {
            return code;
        }
        let Some(mut label) = self.rewrite.label(self.level) else {
            return code;
        };
        if let Some(first) = code.clone().into_iter().next() {
            label.set_span(label.span().located_at(first.span()));
        }
        self.labelled.push(self.level);
        let site = label.span();
        // In parentheses: as a statement, a block would end there.
        quote_spanned!(site=> ({
            #[allow(unreachable_code, clippy::diverging_sub_expression, clippy::empty_loop)]
            if false { break #label loop {} }
            #code
        }))
    }

    fn arguments(&mut self, call: &mut Macro) {
        if is_named(call, "async_with") {
            if let Ok(mut with) = syn::parse2::<AsyncWith>(call.tokens.clone()) {
                for context in with.contexts_mut() {
                    self.visit_expr_mut(context);
                }
                let level = self.level;
                self.around.push(level);
                self.level = self.levels;
                self.levels += 1;
                self.place = Place::InAsyncWith;
                let yields = self.yields;
                self.visit_block_mut(&mut with.block);
                if self.yields != yields {
                    self.rewrite.contains_yield_in_block(&mut with.block);
                }
                if self.labelled.contains(&self.level) {
                    if let Some(label) = self.rewrite.label(self.level) {
                        let block = &with.block;
                        with.block = syn::parse_quote!({ #label: #block });
                    }
                }
                self.level = level;
                self.around.pop();
                call.tokens = with.into_token_stream();
                return;
            }
        }
        self.place = Place::InMacro;
        call.tokens = self.foreign(call.tokens.clone());
    }

    /// The arguments of a macro of which nothing is known.
    fn foreign(&mut self, tokens: TokenStream) -> TokenStream {
        let expressions = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(mut expressions) = expressions.parse2(tokens.clone()) {
            for expression in &mut expressions {
                self.visit_expr_mut(expression);
            }
            return expressions.into_token_stream();
        }
        if let Ok(mut statements) = Block::parse_within.parse2(tokens.clone()) {
            for statement in &mut statements {
                self.visit_stmt_mut(statement);
            }
            return quote!(#(#statements)*);
        }
        self.scan(tokens)
    }

    /// Token by token: finds calls, returns and jumps by their shape.
    fn scan(&mut self, tokens: TokenStream) -> TokenStream {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut out = TokenStream::new();
        let mut rest = tokens.as_slice();
        // Whether the next braces are the body of a loop.
        let mut in_head = false;
        while let [first, after @ ..] = rest {
            if let Some((what, length)) = function_ahead(rest) {
                let (code, after) = rest.split_at(length);
                let code = code.iter().cloned().collect();
                out.extend(self.function(what, &code).unwrap_or(code));
                rest = after;
                continue;
            }
            if let Some((mut code, length)) = loop_ahead(rest) {
                let rewritten = self.rewritten;
                self.visit_expr_mut(&mut code);
                let (source, after) = rest.split_at(length);
                if self.rewritten == rewritten {
                    out.extend(source.iter().cloned());
                } else {
                    code.to_tokens(&mut out);
                }
                rest = after;
                continue;
            }
            match (first, after) {
                (
                    TokenTree::Ident(name),
                    [TokenTree::Punct(bang), TokenTree::Group(group), after @ ..],
                ) if bang.as_char() == '!' && is_wanted(name) => {
                    let source = quote!(#name #bang #group);
                    let replaced = syn::parse2::<Macro>(source.clone())
                        .ok()
                        .and_then(|mut call| self.call(&mut call, false));
                    out.extend(replaced.unwrap_or(source));
                    rest = after;
                    continue;
                }
                (TokenTree::Ident(word), _) if word == "return" => {
                    let (value, length) = leading_expression(after);
                    let value = self.foreign(value);
                    let keyword = word.clone();
                    out.extend(
                        self.returns(word.span(), value.clone())
                            .unwrap_or_else(|| quote!(#keyword #value)),
                    );
                    rest = &after[length..];
                    continue;
                }
                (TokenTree::Ident(word), _) if word == "break" || word == "continue" => {
                    let (label, after) = match after {
                        [TokenTree::Punct(quote), TokenTree::Ident(name), after @ ..]
                            if quote.as_char() == '\'' =>
                        {
                            let name = Lifetime::new(&format!("'{name}"), name.span());
                            (Some(name), after)
                        }
                        _ => (None, after),
                    };
                    let (value, length) = leading_expression(after);
                    let value = self.foreign(value);
                    let keyword = word.clone();
                    let source = quote!(#keyword #label #value);
                    let jump = self.leaves(label.as_ref()).then_some(Jump {
                        keyword,
                        label,
                        value: (!value.is_empty()).then_some(value),
                    });
                    let replaced = jump.and_then(|jump| self.jumps(jump));
                    out.extend(replaced.unwrap_or(source));
                    rest = &after[length..];
                    continue;
                }
                (TokenTree::Ident(word), _)
                    if word == "loop" || word == "while" || word == "for" =>
                {
                    in_head = true;
                }
                (TokenTree::Group(group), _) => {
                    let is_loop = in_head && group.delimiter() == Delimiter::Brace;
                    in_head &= !is_loop;
                    let mut stream = TokenStream::new();
                    self.within(None, is_loop, |walker| {
                        stream = if group.delimiter() == Delimiter::Brace {
                            walker.foreign(group.stream())
                        } else {
                            walker.scan(group.stream())
                        };
                    });
                    let mut replaced = Group::new(group.delimiter(), stream);
                    replaced.set_span(group.span());
                    out.extend([TokenTree::Group(replaced)]);
                    rest = after;
                    continue;
                }
                _ => {}
            }
            out.extend([first.clone()]);
            rest = after;
        }
        out
    }

    /// Code that is a function of its own, in which a yield is misplaced. Returns the code without it,
    /// so that the yield is not complained about twice.
    fn function(&mut self, what: &'static str, tokens: &TokenStream) -> Option<TokenStream> {
        let span = find_yield(tokens)?;
        let silenced = self.rewrite.misplaced(span, what)?;
        self.rewritten += 1;
        Some(prefix_yields(tokens.clone(), &silenced))
    }
}

impl<R: Rewrite> VisitMut for Walker<'_, R> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Closure(_) => {
                if let Some(silenced) = self.function("a closure", &expr.to_token_stream()) {
                    *expr = Expr::Verbatim(silenced);
                }
            }
            Expr::Async(_) => {
                if let Some(silenced) = self.function("an `async` block", &expr.to_token_stream()) {
                    *expr = Expr::Verbatim(silenced);
                }
            }
            Expr::Macro(call) => {
                if let Some(replaced) = self.call(&mut call.mac, false) {
                    *expr = verbatim(&call.attrs, &replaced);
                }
            }
            // A block that does not parse: the same is written before it as if it did, so that an editor finds
            // what it looks for in the same place.
            Expr::Verbatim(tokens) => {
                if may_leave(tokens) {
                    self.rewrite.may_return();
                }
                *tokens = self.scan(tokens.clone());
            }
            Expr::Try(_) => {
                self.rewrite.may_return();
                visit_mut::visit_expr_mut(self, expr);
            }
            Expr::Return(returns) => {
                visit_mut::visit_expr_return_mut(self, returns);
                let keyword = returns.return_token.span;
                let value = returns.expr.to_token_stream();
                if let Some(replaced) = self.returns(keyword, value) {
                    *expr = verbatim(&returns.attrs, &replaced);
                }
            }
            Expr::Break(jump) => {
                visit_mut::visit_expr_break_mut(self, jump);
                if self.leaves(jump.label.as_ref()) {
                    let attrs = jump.attrs.clone();
                    let jump = Jump {
                        keyword: Ident::new("break", jump.break_token.span),
                        label: jump.label.clone(),
                        value: jump.expr.as_ref().map(ToTokens::to_token_stream),
                    };
                    if let Some(replaced) = self.jumps(jump) {
                        *expr = verbatim(&attrs, &replaced);
                    }
                }
            }
            Expr::Continue(jump) => {
                if self.leaves(jump.label.as_ref()) {
                    let attrs = jump.attrs.clone();
                    let jump = Jump {
                        keyword: Ident::new("continue", jump.continue_token.span),
                        label: jump.label.clone(),
                        value: None,
                    };
                    if let Some(replaced) = self.jumps(jump) {
                        *expr = verbatim(&attrs, &replaced);
                    }
                }
            }
            Expr::Loop(code) => {
                let label = code.label.clone();
                self.within(label.as_ref(), true, |walker| {
                    walker.visit_block_mut(&mut code.body);
                });
            }
            Expr::While(code) => {
                let label = code.label.clone();
                self.within(label.as_ref(), true, |walker| {
                    walker.visit_expr_mut(&mut code.cond);
                    walker.visit_block_mut(&mut code.body);
                });
            }
            Expr::ForLoop(code) => {
                self.visit_expr_mut(&mut code.expr);
                let label = code.label.clone();
                self.within(label.as_ref(), true, |walker| {
                    walker.visit_block_mut(&mut code.body);
                });
            }
            Expr::Block(code) => {
                let label = code.label.clone();
                self.within(label.as_ref(), false, |walker| {
                    walker.visit_block_mut(&mut code.block);
                });
            }
            _ => visit_mut::visit_expr_mut(self, expr),
        }
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        for mut stmt in core::mem::take(&mut block.stmts) {
            self.visit_stmt_mut(&mut stmt);
            if let Some(before) = self.before.take() {
                block
                    .stmts
                    .push(Stmt::Expr(Expr::Verbatim(quote!({ #before })), None));
            }
            block.stmts.push(stmt);
        }
    }

    fn visit_stmt_mut(&mut self, stmt: &mut Stmt) {
        match stmt {
            Stmt::Macro(call) => {
                if let Some(replaced) = self.call(&mut call.mac, true) {
                    // A statement macro in braces needs no semicolon, but an expression in its place
                    // that has a value does.
                    let semi = call.semi_token.or_else(|| {
                        is_named(&call.mac, "yield_resource").then(<Token![;]>::default)
                    });
                    *stmt = Stmt::Expr(verbatim(&call.attrs, &replaced), semi);
                }
            }
            _ => visit_mut::visit_stmt_mut(self, stmt),
        }
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        let is_context = match item {
            Item::Fn(function) => function.attrs.iter().any(|attr| {
                let name = attr.path().segments.last();
                name.is_some_and(|name| name.ident == "async_context")
            }),
            // It may hold any number of contexts, whose own macros look at them.
            Item::Impl(_) | Item::Trait(_) | Item::Mod(_) => true,
            _ => false,
        };
        if is_context {
            return;
        }
        if let Some(silenced) = self.function("an inner item", &item.to_token_stream()) {
            *item = Item::Verbatim(silenced);
        }
    }
}

/// What replaces an expression, under the attributes of that.
fn verbatim(attrs: &[Attribute], replaced: &TokenStream) -> Expr {
    Expr::Verbatim(quote!(#(#attrs)* #replaced))
}

fn is_named(call: &Macro, name: &str) -> bool {
    let last = call.path.segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

/// Whether it stands beside a yield that was written down, and only uses what was imported.
fn is_import(call: &Macro) -> bool {
    let mut tokens = call.tokens.clone().into_iter();
    matches!(tokens.next(), Some(TokenTree::Punct(at)) if at.as_char() == '@')
        && matches!(tokens.next(), Some(TokenTree::Ident(word)) if word == "imported")
}

/// Whether the arguments are taken as they are written, and not run.
fn quotes(call: &Macro) -> bool {
    let quotes = [
        "stringify",
        "concat",
        "quote",
        "quote_spanned",
        "parse_quote",
        "parse_quote_spanned",
    ];
    quotes.iter().any(|name| is_named(call, name))
}

/// Whether it is known that the code in the arguments runs where it stands, once at most.
fn is_known(call: &Macro) -> bool {
    let known = ["async_with", "select", "select_biased"];
    known.iter().any(|name| is_named(call, name))
}

fn is_wanted(name: &Ident) -> bool {
    name == "yield_resource" || name == "cancellable" || name == "async_with"
}

pub(crate) fn mentions(tokens: &TokenStream, is_wanted: &impl Fn(&str) -> bool) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(word) => is_wanted(&word.to_string()),
        TokenTree::Group(group) => mentions(&group.stream(), is_wanted),
        _ => false,
    })
}

fn find_yield(tokens: &TokenStream) -> Option<Span> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    tokens
        .iter()
        .enumerate()
        .find_map(|(at, token)| match token {
            TokenTree::Ident(word) if word == "yield_resource" => match tokens.get(at + 1) {
                Some(TokenTree::Punct(bang)) if bang.as_char() == '!' => Some(word.span()),
                _ => None,
            },
            TokenTree::Group(group) => find_yield(&group.stream()),
            _ => None,
        })
}

/// A `return` of something that may be a success.
fn find_return(tokens: &TokenStream) -> Option<Span> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        if let Some((_, length)) = function_ahead(rest) {
            rest = &rest[length..];
            continue;
        }
        rest = after;
        match first {
            TokenTree::Ident(word) if word == "return" => {
                let (value, _) = leading_expression(after);
                if !value.is_empty() && !is_err(&value) {
                    return Some(word.span());
                }
            }
            TokenTree::Group(group) => {
                if let Some(found) = find_return(&group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether there is a `?`, a `return`, or a macro.
fn may_leave(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Punct(punct) => punct.as_char() == '?' || punct.as_char() == '!',
        TokenTree::Ident(word) => word == "return",
        TokenTree::Group(group) => may_leave(&group.stream()),
        TokenTree::Literal(_) => false,
    })
}

/// Puts `prefix` before the arguments of every `yield_resource!`.
fn prefix_yields(tokens: TokenStream, prefix: &TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (
                TokenTree::Ident(word),
                [TokenTree::Punct(bang), TokenTree::Group(group), after @ ..],
            ) if word == "yield_resource" && bang.as_char() == '!' => {
                let arguments = group.stream();
                let mut replaced = Group::new(group.delimiter(), quote!(#prefix #arguments));
                replaced.set_span(group.span());
                out.extend(quote!(#word #bang #replaced));
                after
            }
            (TokenTree::Group(group), _) => {
                let stream = prefix_yields(group.stream(), prefix);
                let mut replaced = Group::new(group.delimiter(), stream);
                replaced.set_span(group.span());
                out.extend([TokenTree::Group(replaced)]);
                after
            }
            _ => {
                out.extend([first.clone()]);
                after
            }
        };
    }
    out
}

/// The function of its own with which `tokens` begin, a closure or an `async` block: what it is, and how
/// many tokens it takes.
fn function_ahead(tokens: &[TokenTree]) -> Option<(&'static str, usize)> {
    let is_word =
        |token: &TokenTree, wanted: &str| matches!(token, TokenTree::Ident(word) if word == wanted);
    let first = tokens.first()?;
    let is_bar = matches!(first, TokenTree::Punct(bar) if bar.as_char() == '|');
    if !is_bar && !is_word(first, "async") && !is_word(first, "move") {
        return None;
    }
    let parse = |input: syn::parse::ParseStream<'_>| {
        let what = if input.fork().parse::<syn::ExprClosure>().is_ok() {
            input.parse::<syn::ExprClosure>()?;
            "a closure"
        } else {
            input.parse::<syn::ExprAsync>()?;
            "an `async` block"
        };
        let rest: TokenStream = input.parse()?;
        Ok((what, rest.into_iter().count()))
    };
    let all: TokenStream = tokens.iter().cloned().collect();
    let (what, rest) = parse.parse2(all).ok()?;
    Some((what, tokens.len() - rest))
}

/// The loop, or the block with a label, with which `tokens` begin, and how many of them it takes.
fn loop_ahead(tokens: &[TokenTree]) -> Option<(Expr, usize)> {
    let is_loop = match tokens {
        [TokenTree::Ident(word), ..] => word == "loop" || word == "while" || word == "for",
        [
            TokenTree::Punct(quote),
            TokenTree::Ident(_),
            TokenTree::Punct(colon),
            ..,
        ] => quote.as_char() == '\'' && colon.as_char() == ':',
        _ => false,
    };
    if !is_loop {
        return None;
    }
    let parse = |input: syn::parse::ParseStream<'_>| {
        let code = input.call(Expr::parse_without_eager_brace)?;
        let rest: TokenStream = input.parse()?;
        Ok((code, rest.into_iter().count()))
    };
    let all: TokenStream = tokens.iter().cloned().collect();
    let (code, rest) = parse.parse2(all).ok()?;
    Some((code, tokens.len() - rest))
}

/// Code in a loop, or a labelled block, from which it jumps as `breaks` and `continues` say.
fn in_a_loop(
    level: usize,
    label: Option<&Lifetime>,
    code: &TokenStream,
    value: &Ident,
    breaks: Option<TokenStream>,
    continues: Option<TokenStream>,
) -> TokenStream {
    let site = Span::mixed_site();
    let done = Lifetime::new(&format!("'done_{level}"), site);
    let again = Ident::new("again", site);
    let colon = label.map(|_| Token![:](site));
    // A block, and not a loop, so that only a jump with its label can mean it.
    if label.is_some() && continues.is_none() {
        return quote!(#done: {
            #[allow(clippy::let_unit_value, unreachable_code, unused_labels, unused_variables)]
            let #value = #label #colon { break #done #code };
            #[allow(unreachable_code)]
            { #breaks }
        });
    }
    // What is not in the arguments must not come from elsewhere: then the types or the moves are wrong.
    let (declare, guard) = match continues {
        Some(continues) => (
            quote!(let mut #again = false;),
            quote! {
                if #again {
                    #continues
                }
                #again = true;
            },
        ),
        None => (
            quote! {
                struct Once;
                let #again = Once;
            },
            quote!(#[allow(clippy::drop_non_drop)] ::core::mem::drop(#again);),
        ),
    };
    let leave = breaks.unwrap_or_else(|| {
        quote! {
            let #value: ::core::convert::Infallible = #value;
            match #value {}
        }
    });
    quote!(#done: {
        #declare
        #[allow(
            clippy::never_loop, clippy::let_unit_value, unreachable_code, unused_labels, unused_variables
        )]
        let #value = #label #colon loop {
            #guard
            break #done #code
        };
        #[allow(unreachable_code)]
        { #leave }
    })
}

/// The expression with which `tokens` begin, and how many of them it takes.
fn leading_expression(tokens: &[TokenTree]) -> (TokenStream, usize) {
    let is_end = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';' || punct.as_char() == ',');
    let parse = |input: syn::parse::ParseStream<'_>| {
        let expression = input.parse::<Expr>()?;
        let rest: TokenStream = input.parse()?;
        Ok((expression.into_token_stream(), rest.into_iter().count()))
    };
    match tokens.first() {
        Some(first) if !is_end(first) => {
            let all: TokenStream = tokens.iter().cloned().collect();
            match parse.parse2(all) {
                Ok((expression, rest)) => (expression, tokens.len() - rest),
                Err(_) => (TokenStream::new(), 0),
            }
        }
        _ => (TokenStream::new(), 0),
    }
}

/// Whether an expression is written as `Err(…)`, also where something is added to the error.
pub(crate) fn is_err(tokens: &TokenStream) -> bool {
    syn::parse2::<Expr>(tokens.clone()).is_ok_and(|expr| is_err_expr(&expr))
}

pub(crate) fn is_err_expr(expr: &Expr) -> bool {
    // They leave an `Err` one.
    let keep = [
        "attach",
        "attach_printable",
        "change_context",
        "context",
        "inspect",
        "inspect_err",
        "into",
        "map",
        "map_err",
        "with_context",
        "wrap_err",
        "wrap_err_with",
    ];
    match expr {
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => {
                let last = path.path.segments.last();
                last.is_some_and(|segment| segment.ident == "Err")
            }
            _ => false,
        },
        Expr::MethodCall(call) => {
            keep.iter().any(|kept| call.method == kept) && is_err_expr(&call.receiver)
        }
        Expr::Group(group) => is_err_expr(&group.expr),
        Expr::Paren(paren) => is_err_expr(&paren.expr),
        Expr::Block(code) if code.label.is_none() => match code.block.stmts.as_slice() {
            [Stmt::Expr(expr, None)] => is_err_expr(expr),
            _ => false,
        },
        _ => false,
    }
}
