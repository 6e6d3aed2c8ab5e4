//! Whatever tokens the macros are given, they answer with tokens: they never panic.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Code that the macros know how to take apart.
const FUNCTIONS: &[&str] = &[
    "async fn plain() -> String { let mut s = String::new(); yield_resource!(s); }",
    "pub(crate) async fn open<'a, T: Send + 'static, const N: usize>(mut self: Arc<Self>, (a, b): (u32, [T; N]), _: &'static str) -> io::Result<File> where T: Clone { if a == 1 { return Err(e); } let r = async { 1 }; match yield_resource!(r.x[0]) { Outcome::Completed => Ok(()), _ => return Ok(()) } }",
    "#[doc = \"x\"] default unsafe async fn f(&mut self, f: impl Fn(&str) -> u32) { select! { a = b => { yield_resource!() } _ = c, if d => return, else => break 'x 1 } cancellable!(x); loop { yield_resource!(1); break; } }",
    "async fn nested() -> Result<u32, E> { async_with!(x = a()?, y: T = b(x), { let z = || yield_resource!(); for _ in 0..1 { continue 'l; } yield_resource!(*y) }); println!(\"{}\", yield_resource!(1)); Err(e) }",
    "const async extern \"C\" fn g(x: u8, ...) -> !;",
    "impl S { async fn f() { fn inner() { yield_resource!() } } }",
    "a = f()?, mut b = g(a)?, { if x { return Ok(1); } while y { break } break 'l 2; m! { return; break 3, async move { yield_resource!() } } h()? }",
    "join(a = f()?, b = g()?), c = h(), { (a, b, c) }",
    "scoped, catch, crate = ::a::b",
    "scoped = 1, crate = \"x\", other(y), crate",
];

/// Words that mean something to the macros.
const WORDS: &[&str] = &[
    "async",
    "fn",
    "yield_resource",
    "cancellable",
    "async_with",
    "join",
    "return",
    "break",
    "continue",
    "loop",
    "while",
    "for",
    "in",
    "if",
    "else",
    "match",
    "move",
    "let",
    "mut",
    "self",
    "Self",
    "crate",
    "impl",
    "dyn",
    "where",
    "unsafe",
    "const",
    "static",
    "pub",
    "use",
    "struct",
    "Err",
    "Ok",
    "Result",
    "scoped",
    "catch",
    "r#async",
    "_",
    "x",
    "the_one_yield",
    "union",
    "default",
    "macro_rules",
];

const PUNCTUATION: &[char] = &[
    '!', '?', '=', '>', '<', '&', '|', ',', ';', ':', '.', '#', '\'', '*', '-', '+', '$', '@', '~',
    '/', '%', '^',
];

fn tree() -> impl Strategy<Value = TokenTree> {
    let leaf = prop_oneof![
        4 => select(WORDS).prop_map(|word| match word.strip_prefix("r#") {
            Some(raw) => Ident::new_raw(raw, Span::call_site()).into(),
            None => Ident::new(word, Span::call_site()).into(),
        }),
        4 => (select(PUNCTUATION), any::<bool>()).prop_map(|(punct, joint)| {
            let spacing = if joint || punct == '\'' { Spacing::Joint } else { Spacing::Alone };
            Punct::new(punct, spacing).into()
        }),
        1 => any::<u8>().prop_map(|number| Literal::u8_suffixed(number).into()),
        1 => "[a-z]{0,3}".prop_map(|text| Literal::string(&text).into()),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        let delimiter = select(
            &[
                Delimiter::Brace,
                Delimiter::Parenthesis,
                Delimiter::Bracket,
                Delimiter::None,
            ][..],
        );
        (delimiter, prop::collection::vec(inner, 0..6)).prop_map(|(delimiter, trees)| {
            Group::new(delimiter, trees.into_iter().collect()).into()
        })
    })
}

fn soup() -> impl Strategy<Value = Vec<TokenTree>> {
    prop::collection::vec(tree(), 0..20)
}

/// One change to the tokens of a function.
#[derive(Clone, Debug)]
enum Mangle {
    Remove(Index),
    Repeat(Index),
    Swap(Index, Index),
    Put(Index, TokenTree),
    Replace(Index, TokenTree),
    Cut(Index),
    Wrap(Index, Index),
}

fn mangle() -> impl Strategy<Value = Mangle> {
    prop_oneof![
        any::<Index>().prop_map(Mangle::Remove),
        any::<Index>().prop_map(Mangle::Repeat),
        any::<(Index, Index)>().prop_map(|(a, b)| Mangle::Swap(a, b)),
        (any::<Index>(), tree()).prop_map(|(at, tree)| Mangle::Put(at, tree)),
        (any::<Index>(), tree()).prop_map(|(at, tree)| Mangle::Replace(at, tree)),
        any::<Index>().prop_map(Mangle::Cut),
        any::<(Index, Index)>().prop_map(|(a, b)| Mangle::Wrap(a, b)),
    ]
}

impl Mangle {
    /// Applies it at one of the places of the whole tree, which are counted depth first.
    fn apply(&self, trees: Vec<TokenTree>) -> Vec<TokenTree> {
        let mut flat = flatten(trees);
        let length = flat.len();
        if length == 0 {
            return Vec::new();
        }
        match self {
            Self::Remove(at) => drop(flat.remove(at.index(length))),
            Self::Repeat(at) => flat.insert(at.index(length), flat[at.index(length)].clone()),
            Self::Swap(a, b) => flat.swap(a.index(length), b.index(length)),
            Self::Put(at, tree) => flat.insert(at.index(length), Flat::Leaf(tree.clone())),
            Self::Replace(at, tree) => flat[at.index(length)] = Flat::Leaf(tree.clone()),
            Self::Cut(at) => flat.truncate(at.index(length)),
            Self::Wrap(a, b) => {
                flat.insert(a.index(length), Flat::Open(Delimiter::Brace));
                flat.insert(b.index(length), Flat::Close);
            }
        }
        unflatten(flat)
    }
}

#[derive(Clone)]
enum Flat {
    Leaf(TokenTree),
    Open(Delimiter),
    Close,
}

fn flatten(trees: Vec<TokenTree>) -> Vec<Flat> {
    let mut flat = Vec::new();
    for tree in trees {
        match tree {
            TokenTree::Group(group) => {
                flat.push(Flat::Open(group.delimiter()));
                flat.extend(flatten(group.stream().into_iter().collect()));
                flat.push(Flat::Close);
            }
            leaf => flat.push(Flat::Leaf(leaf)),
        }
    }
    flat
}

/// The compiler's lexer gives balanced groups whatever is written; so does this.
fn unflatten(flat: Vec<Flat>) -> Vec<TokenTree> {
    let mut open = vec![(Delimiter::None, Vec::new())];
    let close = |open: &mut Vec<(Delimiter, Vec<TokenTree>)>| {
        if let Some((delimiter, trees)) = open.pop() {
            let group = Group::new(delimiter, trees.into_iter().collect());
            if let Some((_, around)) = open.last_mut() {
                around.push(group.into());
            }
        }
    };
    for part in flat {
        match part {
            Flat::Leaf(leaf) => open.last_mut().expect("the outermost stays").1.push(leaf),
            Flat::Open(delimiter) => open.push((delimiter, Vec::new())),
            Flat::Close if open.len() > 1 => close(&mut open),
            Flat::Close => {}
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().map(|(_, trees)| trees).unwrap_or_default()
}

fn mangled() -> impl Strategy<Value = Vec<TokenTree>> {
    (select(FUNCTIONS), prop::collection::vec(mangle(), 0..6)).prop_map(|(source, mangles)| {
        let tokens: TokenStream = source.parse().expect("the sources are tokens");
        let trees = tokens.into_iter().collect();
        mangles
            .iter()
            .fold(trees, |trees, mangle| mangle.apply(trees))
    })
}

/// Gives the tokens to every macro, in every place.
fn expand_everywhere(first: &[TokenTree], second: &[TokenTree]) {
    let [first, second] =
        [first, second].map(|trees| trees.iter().cloned().collect::<TokenStream>());
    let args: TokenStream = "scoped, catch".parse().expect("these are tokens");
    for (args, item) in [
        (TokenStream::new(), first.clone()),
        (args, first.clone()),
        (second.clone(), first.clone()),
    ] {
        let _ = crate::context::async_context(args.clone(), item.clone()).to_string();
        let _ = crate::within::within(args, &item).to_string();
    }
    let mut with: TokenStream = "::guard_core;".parse().expect("these are tokens");
    with.extend(first.clone());
    for input in [first, with] {
        let _ = crate::with::async_with(input).to_string();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn mangled_code_does_not_make_them_panic(first in mangled(), second in mangled()) {
        expand_everywhere(&first, &second);
    }

    #[test]
    fn token_soup_does_not_make_them_panic(first in soup(), second in soup()) {
        expand_everywhere(&first, &second);
    }

    #[test]
    fn soup_in_the_body_does_not_make_them_panic(body in soup(), arguments in soup()) {
        let mut call = vec![
            TokenTree::from(Ident::new("yield_resource", Span::call_site())),
            Punct::new('!', Spacing::Alone).into(),
            Group::new(Delimiter::Parenthesis, arguments.into_iter().collect()).into(),
            Punct::new(';', Spacing::Alone).into(),
        ];
        call.extend(body);
        let mut function: Vec<TokenTree> = "async fn f() -> Result<u32, E>"
            .parse::<TokenStream>()
            .expect("these are tokens")
            .into_iter()
            .collect();
        function.push(Group::new(Delimiter::Brace, call.into_iter().collect()).into());
        expand_everywhere(&function, &[]);
    }
}

#[test]
fn every_source_of_the_mangling_expands() {
    for source in FUNCTIONS {
        let tokens: TokenStream = source.parse().expect("the sources are tokens");
        expand_everywhere(&tokens.into_iter().collect::<Vec<_>>(), &[]);
    }
}

#[test]
fn a_correct_function_stays_correct() {
    for source in &FUNCTIONS[..2] {
        let tokens: TokenStream = source.parse().expect("the sources are tokens");
        let output = crate::context::async_context(TokenStream::new(), tokens);
        assert!(!output.to_string().contains("compile_error"), "{output}");
        syn::parse2::<syn::ImplItemFn>(output).expect("the macro writes a function");
    }
}
