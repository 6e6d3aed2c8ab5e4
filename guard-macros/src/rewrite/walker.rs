//! The walk through code that syn has parsed.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Expr, Item, Lifetime, Stmt, Token};

use super::calls::is_named;
use super::tokens::may_leave;
use super::{Jump, Position, Rewrite};

pub(super) struct Walker<'a, R> {
    pub(super) rewrite: &'a mut R,
    pub(super) position: Position,
    /// Whether the code is in a loop, so that an unlabelled jump stays inside.
    pub(super) in_loop: bool,
    pub(super) labels: Vec<Ident>,
    pub(super) yields: usize,
    /// The number of the body of code that is walked. The body of the function has 0.
    pub(super) level: usize,
    pub(super) levels: usize,
    /// The bodies around, each with an `async_with!` between it and the next.
    pub(super) around: Vec<usize>,
    /// The bodies whose label is needed.
    pub(super) labelled: Vec<usize>,
    /// While the arguments of an unknown macro are walked: the jumps out of it.
    pub(super) unknown: Option<Vec<Jump>>,
    /// The number of things that were rewritten.
    pub(super) rewritten: usize,
    /// A statement to put before the one that was walked last.
    pub(super) before: Option<TokenStream>,
}

impl<'a, R: Rewrite> Walker<'a, R> {
    pub(super) fn new(rewrite: &'a mut R) -> Self {
        Self {
            rewrite,
            position: Position::Direct,
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

    pub(super) fn within(
        &mut self,
        label: Option<&syn::Label>,
        is_loop: bool,
        walk: impl FnOnce(&mut Self),
    ) {
        let labels = self.labels.len();
        let in_loop = self.in_loop;
        self.labels
            .extend(label.map(|label| label.name.ident.clone()));
        self.in_loop |= is_loop;
        walk(self);
        self.in_loop = in_loop;
        self.labels.truncate(labels);
    }

    pub(super) fn leaves(&self, label: Option<&Lifetime>) -> bool {
        match label {
            Some(label) => !self.labels.contains(&label.ident),
            None => !self.in_loop,
        }
    }

    pub(super) fn jumps(&mut self, jump: Jump) -> Option<TokenStream> {
        if let Some(unknown) = &mut self.unknown {
            unknown.push(jump);
            return None;
        }
        let replaced = self.rewrite.jumps(jump);
        self.rewritten += usize::from(replaced.is_some());
        replaced
    }

    pub(super) fn returns(&mut self, keyword: Span, value: TokenStream) -> Option<TokenStream> {
        let replaced = self.rewrite.returns(keyword, value, self.position);
        self.rewritten += usize::from(replaced.is_some());
        replaced
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
            // A block that does not parse. The expansion before it is the same as if it did, so that an editor finds
            // the names in the same place.
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
            // It may hold contexts. Their own macros check them.
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

/// The tokens that replace an expression, with the attributes of the expression.
fn verbatim(attrs: &[Attribute], replaced: &TokenStream) -> Expr {
    Expr::Verbatim(quote!(#(#attrs)* #replaced))
}
