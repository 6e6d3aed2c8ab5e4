//! The model of `join`: two contexts that are entered and exited concurrently.

use super::context::{Course, Exits, failure};
use super::moment::{Dropped, Moment};
use super::{Body, Ended, Model, Stop};
use crate::fuzz::program::{Ctx, Form};

impl Model {
    /// The sides are entered beside each other, and exited beside each other: for each of the two the second
    /// side begins at the moment at which the first one did.
    pub(super) fn join(&mut self, first: &Ctx, second: &Ctx, body: Body<'_>) -> Result<(), Stop> {
        let level = self.finishes.len();
        self.finishes.push(false);
        let block = self.open_nest();
        let start = self.now.clone();
        let mut used = None;
        let mut other = None;
        let around = std::mem::replace(&mut self.nest, block);
        let one = self.context(first, false, Exits::Side, &mut |model| {
            // The first has been entered. The second begins where the first did.
            let entered = std::mem::replace(&mut model.now, start.clone());
            let mut parting = None;
            let mut used_by_both = |model: &mut Self| {
                // Both have been entered.
                model.now = model.now.clone().and(entered.clone());
                let outcome = model.inside(block, |model| model.body(body, &mut used));
                // Who is finished has the drop wait, too, and is told how the body ended.
                model.finishes[level] = outcome.is_some();
                let _ = model.wait_for(block);
                model.finishes[level] = false;
                let is_gone = model.now.has_dropped(level);
                let told = |side: &Ctx| outcome.filter(|_| !is_gone || !side.scoped);
                parting = Some((model.now.clone(), told(first)));
                told(second)
            };
            // Neither side is inside the other: what one leaves belongs to the use of both.
            let two = model.inside(block, |model| {
                model.context(second, false, Exits::Side, &mut used_by_both)
            });
            // The second is over. The first is exited from where the use ended.
            let end = std::mem::take(&mut model.now);
            let outcome = if let Some((moment, outcome)) = parting {
                model.now = moment;
                outcome
            } else {
                model.now = entered;
                model.instead(level, &two, &end)
            };
            other = Some((two, end));
            outcome
        });
        let (two, end) = other.unwrap_or_else(|| {
            // The first could not be entered, or was dropped before it was.
            let end = std::mem::replace(&mut self.now, start.clone());
            let two = self.context(second, false, Exits::Side, &mut |model| {
                model.instead(level, &one, &end)
            });
            (two, std::mem::replace(&mut self.now, end))
        });
        // What went wrong first: in each round the first side is the first to be entered, and the second
        // the first to be exited.
        let when_one = (one.entered, one.at, u8::from(one.entered));
        let when_two = (two.entered, two.at, u8::from(!two.entered));
        let at_once = one.entered == two.entered && one.at == two.at;
        let both = one.ended.is_err() && two.ended.is_err();
        let swap = at_once && both && (one.is_loose || two.is_loose) && self.next_tie();
        let courses = if (when_one < when_two) != swap {
            [one, two]
        } else {
            [two, one]
        };
        self.now = self.now.clone().and(end);
        // What the sides have left.
        if !self.now.has_dropped(level) {
            let _ = self.wait_for(block);
        }
        self.finishes.pop();
        self.nest = around;
        self.pass_on(block);
        self.settle(Form::AsyncWith, level, used, &courses)
    }

    /// What a side of a join is told that has been entered, when the other has not.
    fn instead(&mut self, level: usize, other: &Course, end: &Moment) -> Option<Ended> {
        if let Some(dropped) = end.dropped.filter(|_| end.has_dropped(level)) {
            self.now.pauses = self.now.pauses.max(dropped.at);
            self.drops(Dropped {
                outermost: usize::MAX,
                ..dropped
            });
            return None;
        }
        self.now = self.now.clone().and(end.clone());
        other.ended.err().and_then(failure)
    }
}
