//! The model: what comes of a program.
//!
//! It runs a program from its beginning to its end, whatever is dropped on the way: then it says what is
//! left to do. Where two things go on beside each other it does one after the other, and turns the time
//! back in between.

mod context;
mod join;
mod moment;
mod stack;

use guard_core::Outcome;

use self::moment::Moment;
use super::program::{Around, Node, Program};
use super::story::{Event, Story};
use super::{DROP, Stop, fault};

/// What comes of a program that is dropped at its `drop_at`th pause, and how many pauses it came to.
pub(super) fn story(program: &Program, drop_at: Option<usize>) -> (Story, usize) {
    let mut model = Model {
        drop_at,
        ..Model::default()
    };
    if drop_at.is_some() {
        model.happens(DROP.into());
        model.now = Moment::default();
    }
    let ending = match drop_at {
        Some(0) => Err(Stop::Dropped),
        _ => model.run(program),
    };
    let story = Story {
        ending,
        events: model.events,
        reports: model.reports,
    };
    (story, model.now.pauses)
}

/// Where the drop stands among the events, if there is one.
const FIRST: usize = 0;

/// How a use ended; an error is known by its number.
type Ended = Outcome<usize>;

/// What is done with contexts around it. There may be a yield in it: then it also says what that was told.
type Body<'a> = &'a mut dyn FnMut(&mut Model, &mut Option<Ended>) -> Result<(), Stop>;

#[derive(Default)]
struct Model {
    drop_at: Option<usize>,
    events: Vec<Event>,
    reports: Vec<String>,
    now: Moment,
    /// For each use that has begun, the outermost first, whether what happens now would be finished by it
    /// if everything around it were dropped. The position is the level.
    finishes: Vec<bool>,
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
                Node::Use(around, body) => self.around(around, &mut |model, _| model.run(body))?,
                Node::Null(body) => self.run(body)?,
                Node::Suppress(body) => match self.run(body) {
                    Err(Stop::Error(number)) if number % 2 == 1 => {}
                    ended => ended?,
                },
            }
        }
        Ok(())
    }

    fn happens(&mut self, what: String) {
        let this = self.events.len();
        let after = std::mem::replace(&mut self.now.after, vec![this]);
        self.events.push(Event { what, after });
    }

    /// Here the drop may come. What is inside a context that is finished does not notice.
    fn pause(&mut self) -> Result<(), Stop> {
        self.now.pauses += 1;
        if self.now.dropped.is_none() && self.drop_at == Some(self.now.pauses) {
            let outermost = self.finishes.iter().position(|&finishes| finishes);
            self.drop_comes(outermost.unwrap_or(usize::MAX));
            if outermost.is_none() {
                return Err(Stop::Dropped);
            }
        }
        Ok(())
    }

    /// What is dropped here comes after it, and it comes after what was before.
    fn drop_comes(&mut self, outermost: usize) {
        let before = std::mem::replace(&mut self.now.after, vec![FIRST]);
        self.events[FIRST].after.extend(before);
        self.now.dropped = Some(outermost);
    }

    fn around(&mut self, around: &Around, body: Body<'_>) -> Result<(), Stop> {
        match around {
            Around::One(form, context) => self.one(*form, context, body),
            Around::Join(first, second) => self.join(first, second, body),
            Around::Stack { catches, entries } => self.stack(*catches, entries, body),
        }
    }
}
