//! The model: it predicts what happens when a program runs.
//!
//! It goes through a program from its beginning to its end. Where something is dropped on the way, it says what is left
//! to do. Where two things happen at the same time, it does one after the other, and sets the time back in between.

mod context;
mod join;
mod moment;
mod nest;
mod stack;

use guard_core::Outcome;

use self::moment::{Dropped, Moment};
use self::nest::{Deadline, Nest};
use super::compare::{Event, Story};
use super::program::{Around, Node, Program};
use super::{DROP, Stop, fault};

/// What comes of a program that is dropped at its `drop_at`th pause, and how many pauses it came to.
///
/// Where it is not known which side of a join fails first, a bit of `ties` says it. The story says how many there are.
pub(super) fn story(program: &Program, drop_at: Option<usize>, ties: usize) -> (Story, usize) {
    let mut model = Model {
        ties,
        ..Model::default()
    };
    if let Some(at) = drop_at {
        model.deadlines.push(Deadline {
            at,
            from: 0,
            name: DROP.into(),
            event: None,
            resumed: None,
        });
    }
    let ending = match drop_at {
        Some(0) => {
            model.happens(DROP.into());
            Err(Stop::Dropped)
        }
        // There is a context around it that does nothing.
        _ => model.null(|model| model.run(program)),
    };
    let story = Story {
        ending,
        events: model.events,
        reports: model.reports,
        ties: model.tie,
    };
    (story, model.now.pauses)
}

/// How a use ended; an error is known by its number.
type Ended = Outcome<usize>;

/// What is done with contexts around it. There may be a yield in it: then it also says what that was told.
type Body<'a> = &'a mut dyn FnMut(&mut Model, &mut Option<Ended>) -> Result<(), Stop>;

#[derive(Default)]
struct Model {
    events: Vec<Event>,
    reports: Vec<String>,
    now: Moment,
    /// For each use that has begun, the outermost first, whether what happens now would be finished by it
    /// if everything around it were dropped. The position is the level.
    finishes: Vec<bool>,
    /// When something is to be dropped, the outermost first.
    deadlines: Vec<Deadline>,
    /// What each use has to wait for, those that are over included.
    nests: Vec<Nest>,
    /// That of the use in whose block, set-up or exit things happen.
    nest: usize,
    /// For each failure of both sides of a join at the same time, whether they fail in the other order.
    ties: usize,
    /// How many of these there were.
    tie: usize,
    /// Whether the body that has just ended panicked.
    body_panicked: bool,
    /// The guards that are alive: the nest of the use around each, and its own.
    guards: Vec<(usize, usize)>,
}

impl Model {
    fn run(&mut self, program: &Program) -> Result<(), Stop> {
        for node in &**program {
            match node {
                Node::Pause => self.pause()?,
                Node::Step(number) => self.happens(format!("step {number}")),
                Node::Fail(number) => return Err(Stop::Error(*number)),
                Node::Panic(number) => return Err(Stop::Panic(*number)),
                Node::Attempt(program) => match self.run(program) {
                    Ok(()) | Err(Stop::Error(_)) => {}
                    stop => return stop,
                },
                Node::Timeout(number, ticks, body) => {
                    self.timeout(*number, *ticks, |model| model.run(body))?;
                }
                Node::Use(around, body) => self.around(around, &mut |model, _| model.run(body))?,
                Node::Null(body) => self.null(|model| model.run(body))?,
                Node::Suppress(body) => match self.null(|model| model.run(body)) {
                    Err(Stop::Error(number)) if number % 2 == 1 => {}
                    ended => ended?,
                },
            }
        }
        Ok(())
    }

    fn next_tie(&mut self) -> bool {
        let swap = self.ties >> self.tie & 1 == 1;
        self.tie += 1;
        swap
    }

    fn happens(&mut self, what: String) {
        let this = self.events.len();
        let after = std::mem::replace(&mut self.now.after, vec![this]);
        self.events.push(Event { what, after });
    }

    fn around(&mut self, around: &Around, body: Body<'_>) -> Result<(), Stop> {
        match around {
            Around::One(form, context) => self.one(*form, context, body),
            Around::Join(first, second) => self.join(first, second, body),
            Around::Stack { catches, entries } => self.stack(*catches, entries, body),
        }
    }
}
