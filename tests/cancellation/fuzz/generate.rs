//! Generates random programs.

use std::ops::Range;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::program::{Adapter, Answer, Around, Ctx, Entry, Form, Made, Node, Program};

pub(super) fn programs() -> impl Strategy<Value = Program> {
    let leaf = prop_oneof![2 => Just(Node::Pause), 1 => Just(Node::Step(0))];
    let node = leaf.prop_recursive(5, 48, 4, |node| {
        // Mostly a context is entered: else nothing comes of it.
        let set_up = program(node.clone(), 0..3, 20);
        let program = program(node, 0..3, 3);
        let context = || context(set_up.clone(), program.clone());
        // What is around a context has nothing around it.
        let simple = (context(), Just(None));
        let inside = around(simple.boxed(), program.clone(), false);
        let nested = (context(), prop::option::weighted(0.3, inside));
        let around = around(nested.boxed(), program.clone(), true);
        prop_oneof![
            8 => (around, program.clone()).prop_map(|(around, body)| Node::Use(around, body)),
            2 => program.clone().prop_map(Node::Attempt),
            3 => (1..4_usize, program.clone()).prop_map(|(ticks, body)| Node::Timeout(0, ticks, body)),
            1 => program.clone().prop_map(Node::Null),
            1 => program.prop_map(Node::Suppress),
        ]
    });
    program(node.boxed(), 1..4, 3).prop_map(|program| numbered(&program, &mut 0))
}

/// So many steps, then a failure or none: of `fine + 3` programs three fail.
fn program(node: BoxedStrategy<Node>, length: Range<usize>, fine: u32) -> BoxedStrategy<Program> {
    let end = prop_oneof![
        fine => Just(None),
        2 => Just(Some(Node::Fail(0))),
        1 => Just(Some(Node::Panic(0))),
    ];
    let program = (vec(node, length), end);
    program
        .prop_map(|(steps, end)| steps.into_iter().chain(end).collect())
        .boxed()
}

fn context(
    set_up: BoxedStrategy<Program>,
    clean_up: BoxedStrategy<Program>,
) -> impl Strategy<Value = Ctx> {
    let adapters = vec(adapter(), 0..3);
    let parts = (any::<bool>(), set_up, clean_up, answer(), made(), adapters);
    parts.prop_map(|(scoped, set_up, clean_up, answer, made, adapters)| Ctx {
        number: 0,
        scoped,
        around: None,
        set_up,
        clean_up,
        answer,
        made,
        adapters,
    })
}

fn around(
    context: BoxedStrategy<(Ctx, Option<Around>)>,
    program: BoxedStrategy<Program>,
    may_catch: bool,
) -> impl Strategy<Value = Around> {
    let context = context.prop_map(|(context, around)| Arc::new(Ctx { around, ..context }));
    let context = context.boxed();
    let entry = prop_oneof![
        3 => context.clone().prop_map(Entry::Enter),
        2 => context.clone().prop_map(Entry::Catch),
        1 => program.clone().prop_map(Entry::Defer),
        1 => program.prop_map(Entry::Late),
        1 => context.clone().prop_map(Entry::PushExit),
        1 => Just(Entry::Callback(0)),
    ];
    let stack = (any::<bool>(), vec(entry, 0..5)).prop_map(move |(catches, entries)| {
        let catches = catches && may_catch;
        let entries = entries.into();
        Around::Stack { catches, entries }
    });
    let form = if may_catch {
        form().boxed()
    } else {
        Just(Form::AsyncWith).boxed()
    };
    prop_oneof![
        3 => (form, context.clone()).prop_map(|(form, context)| Around::One(form, context)),
        1 => (context.clone(), context).prop_map(|(first, second)| Around::Join(first, second)),
        1 => stack,
    ]
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        Just(Form::AsyncWith),
        Just(Form::With),
        Just(Form::TryWith),
        Just(Form::Within),
        Just(Form::Guard),
        Just(Form::Catch),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Raise),
        Just(Answer::Replace),
        Just(Answer::Swallow),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![
        2 => Just(Made::ByAttribute),
        1 => Just(Made::OfFunctions),
        1 => Just(Made::AsManager),
    ]
}

fn adapter() -> impl Strategy<Value = Adapter> {
    prop_oneof![
        Just(Adapter::MapErr),
        Just(Adapter::Boxed),
        Just(Adapter::ExitUntil),
    ]
}

/// The same for what is not done in a use of its own, but on an exit stack: that may leave nothing behind,
/// for nobody says whether the next entry waits for it.
fn tidy(nodes: &[Node]) -> Program {
    let nodes = nodes.iter().map(|node| match node {
        Node::Attempt(program) | Node::Timeout(_, _, program) => Node::Attempt(tidy(program)),
        Node::Use(Around::One(Form::Guard, context), body) => {
            Node::Use(Around::One(Form::With, context.clone()), body.clone())
        }
        node => node.clone(),
    });
    nodes.collect()
}

/// Gives everything a number of its own.
fn numbered(nodes: &[Node], next: &mut usize) -> Program {
    let nodes = nodes.iter().map(|node| match node {
        Node::Pause => Node::Pause,
        Node::Step(_) => Node::Step(number(next)),
        Node::Fail(_) => Node::Fail(number(next)),
        Node::Panic(_) => Node::Panic(number(next)),
        Node::Attempt(program) => Node::Attempt(numbered(program, next)),
        Node::Timeout(_, ticks, program) => {
            Node::Timeout(number(next), *ticks, numbered(program, next))
        }
        Node::Use(around, body) => Node::Use(numbered_around(around, next), numbered(body, next)),
        Node::Null(program) => Node::Null(numbered(program, next)),
        Node::Suppress(program) => Node::Suppress(numbered(program, next)),
    });
    nodes.collect()
}

fn number(next: &mut usize) -> usize {
    *next += 1;
    *next
}

fn numbered_around(around: &Around, next: &mut usize) -> Around {
    match around {
        Around::One(form, context) => Around::One(*form, numbered_context(context, next)),
        Around::Join(first, second) => Around::Join(
            numbered_context(first, next),
            numbered_context(second, next),
        ),
        Around::Stack { catches, entries } => {
            let entries = entries.iter().map(|entry| match entry {
                Entry::Enter(context) => Entry::Enter(numbered_context(context, next)),
                Entry::Catch(context) => Entry::Catch(numbered_context(context, next)),
                Entry::Defer(program) => Entry::Defer(numbered(&tidy(program), next)),
                Entry::Late(program) => Entry::Late(numbered(&tidy(program), next)),
                Entry::PushExit(context) => {
                    let clean_up = tidy(&context.clean_up);
                    let context = Ctx {
                        clean_up,
                        ..Ctx::clone(context)
                    };
                    Entry::PushExit(numbered_context(&context, next))
                }
                Entry::Callback(_) => Entry::Callback(number(next)),
            });
            Around::Stack {
                catches: *catches,
                entries: entries.collect(),
            }
        }
    }
}

fn numbered_context(context: &Ctx, next: &mut usize) -> Arc<Ctx> {
    let around = |around: &Around| numbered_around(around, next);
    let around = context.around.as_ref().map(around);
    Arc::new(Ctx {
        number: number(next),
        around,
        set_up: numbered(&context.set_up, next),
        clean_up: numbered(&context.clean_up, next),
        adapters: context.adapters.clone(),
        ..*context
    })
}
