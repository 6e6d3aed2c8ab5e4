//! An input of `async_with!` that does not parse: which of the likely mistakes it is, and what can be
//! expanded all the same, for editors, which expand code while it is typed.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Block, Error, Expr, Pat, Stmt, Token, parse_quote, token};

use super::parse::{AsyncWith, ContextClause, Handling, JOINED, SYNTAX, Single};
use crate::diag::written;
use crate::tokens::{is_punct, is_word};

/// What could be read of an input.
pub(super) struct Near {
    /// The error to show.
    pub(super) error: Error,
    /// The use that it seems to be, if it has contexts.
    pub(super) with: Option<AsyncWith>,
}

/// Reads an input that does not parse, because of `error`.
pub(super) fn read(input: TokenStream, error: Error) -> Near {
    let mut mistakes = Mistakes::default();
    let mut parts = split(input, &mut mistakes);
    let block = take_block(&mut parts, &mut mistakes);
    let clauses = clauses(&parts, SYNTAX, &mut mistakes);
    let is_use = !clauses.is_empty() && !mistakes.is_name_lost;
    let with = is_use.then_some(AsyncWith {
        inside: None,
        clauses,
        block,
    });
    Near {
        error: mistakes.first.unwrap_or(error),
        with,
    }
}

/// Reads contexts that do not parse, and what else stands among them.
pub(crate) fn read_clauses(
    input: TokenStream,
    syntax: &str,
    error: Error,
) -> (Vec<ContextClause>, Error) {
    let mut mistakes = Mistakes::default();
    let mut parts = split(input, &mut mistakes);
    if let Some([TokenTree::Group(braces)]) = parts.last().map(Vec::as_slice) {
        if braces.delimiter() == Delimiter::Brace {
            mistakes.tell(
                braces,
                format!("the block is the body of the function: write only `{syntax}`"),
            );
            parts.pop();
        }
    }
    let clauses = clauses(&parts, syntax, &mut mistakes);
    (clauses, mistakes.first.unwrap_or(error))
}

/// The mistakes that were recognised.
#[derive(Default)]
struct Mistakes {
    /// What to show.
    first: Option<Error>,
    /// Whether a name of the block is known that cannot be given to anything, so that the block would only cause more errors.
    is_name_lost: bool,
}

impl Mistakes {
    fn tell(&mut self, at: impl ToTokens, message: impl core::fmt::Display) {
        if self.first.is_none() {
            self.first = Some(Error::new_spanned(at, message));
        }
    }
}

type Part = Vec<TokenTree>;

/// Splits an input at its commas, and at what stands in their place.
fn split(input: TokenStream, mistakes: &mut Mistakes) -> Vec<Part> {
    let mut parts = vec![Part::new()];
    let mut tokens = input.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is_punct(&token, ',') {
            parts.push(Part::new());
            continue;
        }
        if is_punct(&token, ';') {
            let after_braces = parts
                .last()
                .and_then(|part| braces_of(part.last()?))
                .is_some();
            if tokens.peek().is_some() {
                mistakes.tell(&token, format!("write `,` instead of `;`: `{SYNTAX}`"));
            } else if after_braces {
                mistakes.tell(&token, format!("write the `;` after the call: `{SYNTAX};`"));
            }
            parts.push(Part::new());
            continue;
        }
        let head = match &token {
            TokenTree::Punct(equals)
                if equals.as_char() == '=' && equals.spacing() == Spacing::Joint =>
            {
                tokens.next_if(|next| is_punct(next, '>'))
            }
            _ => None,
        };
        if let Some(head) = head {
            mistakes.tell(
                quote!(#token #head),
                format!("write `,` instead of `=>`: `{SYNTAX}`"),
            );
            parts.push(Part::new());
            continue;
        }
        if let Some(part) = parts.last_mut() {
            part.push(token);
        }
    }
    // What follows a comma at the end.
    if parts.last().is_some_and(Vec::is_empty) {
        parts.pop();
    }
    parts
}

/// Takes the block off the parts.
fn take_block(parts: &mut Vec<Part>, mistakes: &mut Mistakes) -> Block {
    let found = parts
        .iter()
        .enumerate()
        .find_map(|(index, part)| Some((index, block_of(part, mistakes)?)));
    if let Some((index, braces)) = found {
        if let Some(after) = parts.get(index + 1) {
            after_block(after, mistakes);
        }
        parts.truncate(index);
        return block(&braces);
    }
    if let Some(last) = parts.last_mut() {
        if let Some(braces) = take_braces(last, mistakes) {
            return block(&braces);
        }
        mistakes.tell(
            last.iter().cloned().collect::<TokenStream>(),
            format!("expected a block after the contexts: `{SYNTAX}`"),
        );
    }
    // Of any type, so that the code around it compiles.
    parse_quote!({ loop {} })
}

/// Tells that nothing may stand here, after the block.
fn after_block(after: &[TokenTree], mistakes: &mut Mistakes) {
    let handles = |word: &&str| matches!(after, [first, ..] if is_word(first, word));
    let message = match ["catch", "except"].iter().find(|word| handles(word)) {
        Some(word) => format!(
            "`async_with!` has no `{word}` after its block. To handle errors where they stand, write \
             `let result = async_with!(attempt(name = context?), {{ … }});`, whose value is a `Result`"
        ),
        None => "nothing may follow the block of `async_with!`".to_owned(),
    };
    mistakes.tell(after.iter().cloned().collect::<TokenStream>(), message);
}

/// The braces of a part that is a block, or seems to be meant as one.
fn block_of(part: &[TokenTree], mistakes: &mut Mistakes) -> Option<Group> {
    let whole = || part.iter().cloned().collect::<TokenStream>();
    if let [before @ .., question] = part {
        if is_punct(question, '?') {
            let braces = match before {
                [braces] => braces_of(braces)?,
                _ => return None,
            };
            mistakes.tell(
                question,
                format!("write the `?` after the call: `{SYNTAX}?`"),
            );
            return Some(braces);
        }
    }
    if let [first, after @ ..] = part {
        if let (Some(braces), false) = (braces_of(first), after.is_empty()) {
            after_block(after, mistakes);
            return Some(braces);
        }
    }
    let (last, before) = part.split_last()?;
    let braces = braces_of(last)?;
    let inside = || Group::new(Delimiter::Brace, whole());
    match before {
        [] => {}
        [word] if is_word(word, "unsafe") => {
            mistakes.tell(
                word,
                "the block of `async_with!` is a plain one: write `{ unsafe { … } }`",
            );
            return Some(inside());
        }
        [word, rest @ ..]
            if is_word(word, "async")
                && matches!(rest, [] | [TokenTree::Ident(_)])
                && rest.iter().all(|token| is_word(token, "move")) =>
        {
            mistakes.tell(
                before.iter().cloned().collect::<TokenStream>(),
                format!(
                    "the block of `async_with!` is awaited where it stands: write `{{ … }}` without \
                     `{word}{}`",
                    if rest.is_empty() { "" } else { " move" }
                ),
            );
        }
        [word] if is_word(word, "move") => mistakes.tell(
            word,
            "the block of `async_with!` borrows what it uses, and needs no `move`: write `{ … }`",
        ),
        [quote, TokenTree::Ident(label), colon]
            if is_punct(quote, '\'') && is_punct(colon, ':') =>
        {
            mistakes.tell(
                before.iter().cloned().collect::<TokenStream>(),
                format!("the block of `async_with!` has no label: write `{{ '{label}: {{ … }} }}`"),
            );
            return Some(inside());
        }
        _ if is_closure_head(before) => mistakes.tell(
            whole(),
            format!(
                "the block of `async_with!` is no closure: the name of the resource stands before \
                 the `=`: `{SYNTAX}`"
            ),
        ),
        _ => return None,
    }
    Some(braces)
}

/// The braces with which a context ends, if the comma before the block is missing.
fn take_braces(part: &mut Part, mistakes: &mut Mistakes) -> Option<Group> {
    let braces = braces_of(part.last()?)?;
    let tokens: TokenStream = part.iter().cloned().collect();
    let single = |input: ParseStream<'_>| {
        Single::parse(input, SYNTAX).and_then(|single| {
            if input.is_empty() {
                Ok(single)
            } else {
                Err(input.error("it goes on"))
            }
        })
    };
    let is_context = match single.parse2(tokens).map(|single| single.context) {
        // By its name it is a type, and this its value.
        Ok(Expr::Struct(value)) => value.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            name.starts_with(char::is_uppercase)
        }),
        Ok(_) => true,
        Err(_) => false,
    };
    if is_context {
        return None;
    }
    part.pop();
    // More than the comma is wrong about `context as name { … }`.
    if !part.iter().any(|token| is_word(token, "as")) {
        mistakes.tell(&braces, format!("write `,` before the block: `{SYNTAX}`"));
    }
    Some(braces)
}

/// The block in these braces, with its tokens as they are if they do not parse.
fn block(braces: &Group) -> Block {
    syn::parse2(braces.to_token_stream()).unwrap_or_else(|_| Block {
        brace_token: token::Brace {
            span: braces.delim_span(),
        },
        stmts: vec![Stmt::Expr(Expr::Verbatim(spaced(braces.stream())), None)],
    })
}

/// The tokens, spaced as if they had been parsed.
///
/// Editors look at the same place in the expansion of what is there, which does not parse, and of what is
/// there with a name at the cursor, which may.
fn spaced(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    let mut rest = tokens.as_slice();
    let mut after_value = false;
    while let [first, after @ ..] = rest {
        match first {
            TokenTree::Punct(first) => {
                let length = operator(rest, after_value);
                for (left, punct) in (0..length).rev().zip(rest) {
                    let (TokenTree::Punct(punct), spacing) = (
                        punct,
                        if left == 0 && first.as_char() != '\'' {
                            Spacing::Alone
                        } else {
                            Spacing::Joint
                        },
                    ) else {
                        continue;
                    };
                    let mut spaced = Punct::new(punct.as_char(), spacing);
                    spaced.set_span(punct.span());
                    out.extend([TokenTree::Punct(spaced)]);
                }
                after_value = length == 1 && first.as_char() == '?';
                rest = &rest[length..];
                continue;
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), spaced(group.stream()));
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            other => out.extend([other.clone()]),
        }
        after_value = true;
        rest = after;
    }
    out
}

/// How many tokens the operator takes with which `tokens` begin.
fn operator(tokens: &[TokenTree], after_value: bool) -> usize {
    const OPERATORS: [&str; 23] = [
        "<<=", ">>=", "...", "..=", "->", "=>", "::", "==", "!=", "<=", ">=", "+=", "-=", "*=",
        "/=", "%=", "^=", "&=", "|=", "<<", "..", "&&", "||",
    ];
    let mut text = String::new();
    for token in tokens.iter().take(3) {
        let TokenTree::Punct(punct) = token else {
            break;
        };
        text.push(punct.as_char());
        if punct.spacing() == Spacing::Alone {
            break;
        }
    }
    OPERATORS
        .iter()
        // Without a value before them, these are references and the bars of a closure.
        .filter(|operator| after_value || !matches!(**operator, "&&" | "||"))
        .find(|operator| text.starts_with(**operator))
        .map_or(1, |operator| operator.len())
}

/// The contexts among the parts.
fn clauses(parts: &[Part], syntax: &str, mistakes: &mut Mistakes) -> Vec<ContextClause> {
    let mut clauses = Vec::new();
    let mut rest = parts;
    while let [first, after @ ..] = rest {
        // A turbofish has commas of its own.
        let whole = (1..=rest.len()).find_map(|count| {
            let tokens: TokenStream = quote_parts(&rest[..count]);
            let parse = |input: ParseStream<'_>| ContextClause::parse(input, syntax);
            Some((parse.parse2(tokens).ok()?, count))
        });
        if let Some((one, count)) = whole {
            match one.apart() {
                Some(apart) => clauses.extend(apart),
                None => mistakes.is_name_lost = true,
            }
            rest = &rest[count..];
            continue;
        }
        if let Some((one, count)) = bare_tuple(rest, syntax, mistakes) {
            clauses.push(one);
            rest = &rest[count..];
            continue;
        }
        match without_comma(first, syntax) {
            Some((one, next)) => clauses.extend([one, next]),
            None => clauses.extend(some(first, syntax, mistakes)),
        }
        rest = after;
    }
    clauses
}

/// `a, b = context?`: names that are lent together, without their parentheses. How many parts that takes.
fn bare_tuple(
    parts: &[Part],
    syntax: &str,
    mistakes: &mut Mistakes,
) -> Option<(ContextClause, usize)> {
    let is_name = |part: &Part| matches!(&**part, [TokenTree::Ident(_)]);
    let names = parts.iter().take_while(|part| is_name(part)).count();
    let last = parts.get(names).filter(|_| names > 0)?;
    let parse = |input: ParseStream<'_>| Single::parse(input, syntax);
    let Single {
        pat: pat @ Pat::Ident(_),
        ..
    } = parse.parse2(last.iter().cloned().collect()).ok()?
    else {
        return None;
    };
    let before = quote_parts(&parts[..names]);
    let whole = Pat::parse_single.parse2(quote!((#before, #pat))).ok();
    let context = last.iter().position(|token| is_punct(token, '='))?;
    let context = &last[context + 1..];
    // `a, b = join(first()?, second()?)`
    if matches!(context, [word, ..] if is_word(word, "join")) {
        mistakes.tell(
            context.iter().cloned().collect::<TokenStream>(),
            format!("the names stand inside: write `join({JOINED})`"),
        );
        let one = ContextClause::Single(Box::new(Single::new(whole?, context)));
        let joined = one.apart()?.into_iter().next()?;
        return Some((joined, names + 1));
    }
    mistakes.tell(
        quote!(#before, #pat),
        format!(
            "a tuple has parentheses: `({before}, {}) = context?`. If `{before}` is a context itself, what it lends needs a \
             name: `name = {before}?`",
            pat.to_token_stream()
        ),
    );
    let single = Single::new(whole?, context);
    Some((ContextClause::Single(Box::new(single)), names + 1))
}

fn quote_parts(parts: &[Part]) -> TokenStream {
    let parts = parts.iter().map(|part| quote!(#(#part)*));
    quote!(#(#parts),*)
}

/// Two contexts between which the comma is missing.
fn without_comma(part: &[TokenTree], syntax: &str) -> Option<(ContextClause, ContextClause)> {
    let read = |tokens: &[TokenTree]| {
        let parse = |input: ParseStream<'_>| ContextClause::parse(input, syntax);
        parse.parse2(tokens.iter().cloned().collect()).ok()
    };
    (1..part.len()).find_map(|at| {
        let (first, next) = part.split_at(at);
        Some((read(first)?, read(next)?))
    })
}

/// A context, or several of which the first handles errors, that do not parse.
fn some(part: &[TokenTree], syntax: &str, mistakes: &mut Mistakes) -> Vec<ContextClause> {
    // `catch(name = context)?`
    if let [before @ .., question] = part {
        let is_call = matches!(before, [TokenTree::Ident(word), .., TokenTree::Group(group)]
            if group.delimiter() == Delimiter::Parenthesis
                && (word == "catch" || word == "attempt" || word == "join")
                && !before.iter().any(|token| is_punct(token, '=')));
        if is_call && is_punct(question, '?') {
            let question = Token![?](question.span());
            let parse = |input: ParseStream<'_>| ContextClause::parse(input, syntax);
            let read = match parse.parse2(before.iter().cloned().collect()) {
                Ok(one) => vec![one],
                Err(_) => some(before, syntax, mistakes),
            };
            return read.into_iter().map(|one| one.asked(question)).collect();
        }
    }
    if let Some(meant) = misspelt_word(part, mistakes) {
        return some(&meant, syntax, mistakes);
    }
    if let [TokenTree::Ident(join), TokenTree::Group(group)] = part {
        if join == "join" && group.delimiter() == Delimiter::Parenthesis {
            let parts = split(group.stream(), mistakes);
            let parts: Vec<Single> = clauses(&parts, syntax, mistakes)
                .into_iter()
                .filter_map(|one| match one {
                    ContextClause::Single(single) => Some(*single),
                    ContextClause::Handled { .. } | ContextClause::Join { .. } => None,
                })
                .collect();
            let join = join.clone();
            let joined = (!parts.is_empty()).then_some(ContextClause::Join { join, parts });
            return joined.into_iter().collect();
        }
    }
    if let Some((keyword, handling, group)) = handled(part) {
        let parts = split(group.stream(), mistakes);
        let inside = clauses(&parts, syntax, mistakes);
        // `attempt(catch(name = context?))`: the inner one says which context it is.
        if let Some(inner @ ContextClause::Handled { .. }) = inside.first() {
            return vec![inner.clone()];
        }
        let inside = inside.into_iter();
        // The word takes one context. Further ones are taken as if they stood after the parentheses.
        let mut inside = inside.flat_map(|one| match one {
            ContextClause::Single(single) | ContextClause::Handled { single, .. } => vec![single],
            ContextClause::Join { parts, .. } => parts.into_iter().map(Box::new).collect(),
        });
        let first = inside.next().map(|single| ContextClause::Handled {
            keyword: keyword.clone(),
            handling,
            single,
        });
        return first
            .into_iter()
            .chain(inside.map(ContextClause::Single))
            .collect();
    }
    let single = single(part, syntax, mistakes);
    single
        .map(|single| ContextClause::Single(Box::new(single)))
        .into_iter()
        .collect()
}

/// `attempt`, `catch` or `join` in a form that they do not have. The part as it is meant.
fn misspelt_word(part: &[TokenTree], mistakes: &mut Mistakes) -> Option<Part> {
    let [TokenTree::Ident(word), after @ ..] = part else {
        return None;
    };
    match after {
        [inside @ TokenTree::Group(_)] if word == "try" => {
            mistakes.tell(
                word,
                "write `attempt` instead of `try`: `attempt(name = context?)`",
            );
            let attempt = Ident::new("attempt", word.span());
            Some(vec![attempt.into(), inside.clone()])
        }
        [bang, inside @ TokenTree::Group(_), ..] if is_punct(bang, '!') => {
            let expected = match word.to_string().as_str() {
                "join" => JOINED,
                "attempt" | "catch" => "name = context?",
                _ => return None,
            };
            mistakes.tell(
                part.iter().cloned().collect::<TokenStream>(),
                format!("write `{word}({expected})`, without a `!`"),
            );
            Some(vec![part[0].clone(), inside.clone()])
        }
        [less, error @ .., greater, TokenTree::Group(_)]
            if word == "attempt" && is_punct(less, '<') && is_punct(greater, '>') =>
        {
            let error: TokenStream = error.iter().cloned().collect();
            let meant = syn::parse2(error.clone()).map_or("Error".to_owned(), |ty| written(&ty));
            mistakes.tell(
                quote!(#word #less #error #greater),
                format!("write `attempt::<{meant}>(name = context?)`"),
            );
            let after = after.iter().cloned();
            let colons = quote!(#word ::).into_iter();
            Some(colons.chain(after).collect())
        }
        _ => None,
    }
}

/// `catch(…)` or `attempt(…)`.
fn handled(part: &[TokenTree]) -> Option<(&Ident, Handling, &Group)> {
    let [
        TokenTree::Ident(keyword),
        between @ ..,
        TokenTree::Group(group),
    ] = part
    else {
        return None;
    };
    let handling = match between {
        [] if keyword == "catch" => Handling::Catch,
        [] if keyword == "attempt" => Handling::Attempt(None),
        [
            TokenTree::Punct(_),
            TokenTree::Punct(_),
            TokenTree::Punct(_),
            error @ ..,
            TokenTree::Punct(_),
        ] if keyword == "attempt" => {
            let error = syn::parse2(error.iter().cloned().collect()).ok()?;
            Handling::Attempt(Some(error))
        }
        _ => return None,
    };
    (group.delimiter() == Delimiter::Parenthesis).then_some((keyword, handling, group))
}

/// A context that does not parse.
fn single(part: &[TokenTree], syntax: &str, mistakes: &mut Mistakes) -> Option<Single> {
    if let [first, after @ ..] = part {
        if is_word(first, "let") {
            mistakes.tell(first, format!("write it without `let`: `{syntax}`"));
            let tokens: TokenStream = after.iter().cloned().collect();
            let parse = |input: ParseStream<'_>| Single::parse(input, syntax);
            return match parse.parse2(tokens) {
                Ok(single) => Some(single),
                Err(_) => self::single(after, syntax, mistakes),
            };
        }
    }
    let for_equals = (0..part.len()).find_map(|at| Some((at, for_equals(&part[at..])?)));
    if let Some((at, length)) = for_equals {
        let (pat, context) = part.split_at(at);
        let (equals, context) = context.split_at(length);
        let pat = Pat::parse_single
            .parse2(pat.iter().cloned().collect())
            .ok()?;
        if !matches!(equals, [equals] if is_punct(equals, '=')) {
            let equals: TokenStream = equals.iter().cloned().collect();
            let written = equals.to_string().replace(' ', "");
            mistakes.tell(
                equals,
                format!("write `=` instead of `{written}`: `{syntax}`"),
            );
        }
        return (!context.is_empty()).then(|| Single::new(pat, context));
    }
    let named = part.iter().position(|token| is_word(token, "as"));
    let whole = || part.iter().cloned().collect::<TokenStream>();
    if let Some(named) = named {
        let (context, name) = part.split_at(named);
        mistakes.tell(
            whole(),
            format!("write the name first, instead of `… as name`: `{syntax}`"),
        );
        let name: TokenStream = name[1..].iter().cloned().collect();
        let pat = Pat::parse_single.parse2(name).ok()?;
        return (!context.is_empty()).then(|| Single::new(pat, context));
    }
    if syn::parse2::<Expr>(whole()).is_ok() {
        mistakes.tell(
            whole(),
            format!(
                "what the context lends needs a name: `{syntax}`, or `_name = context?` if it is not used"
            ),
        );
    }
    None
}

/// How many tokens stand here for an `=`, as other languages write it: `name in context`, `name: context`.
fn for_equals(tokens: &[TokenTree]) -> Option<usize> {
    let [first, after @ ..] = tokens else {
        return None;
    };
    if is_word(first, "in") {
        return Some(1);
    }
    let TokenTree::Punct(punct) = first else {
        return None;
    };
    let next = after.first().and_then(|next| match next {
        TokenTree::Punct(next) if punct.spacing() == Spacing::Joint => Some(next.as_char()),
        _ => None,
    });
    match (punct.as_char(), next) {
        ('=' | ':', Some('=')) | ('<', Some('-')) => Some(2),
        ('=', _) | (':', None) => Some(1),
        _ => None,
    }
}

/// The braces, also if they are what a macro was given as a block.
fn braces_of(token: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else {
        return None;
    };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => {
            let mut tokens = group.stream().into_iter();
            let only = tokens.next()?;
            tokens.next().is_none().then(|| braces_of(&only)).flatten()
        }
        _ => None,
    }
}

/// Whether this is what stands before the braces of a closure, or of the `async` block that it returns.
fn is_closure_head(tokens: &[TokenTree]) -> bool {
    let is_mode = |token: &&TokenTree| is_word(token, "async") || is_word(token, "move");
    let mut begins = tokens.iter().skip_while(is_mode);
    let mut ends = tokens.iter().rev().skip_while(is_mode);
    begins.next().is_some_and(|first| is_punct(first, '|'))
        && ends.next().is_some_and(|last| is_punct(last, '|'))
}
