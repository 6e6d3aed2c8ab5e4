//! The record of a run and the prediction of the model, and whether they agree.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::Stop;

/// How a run ended, what happened, and what was reported, the latter in no order.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) ending: Result<(), Stop>,
    pub(super) events: Vec<String>,
    pub(super) reports: Vec<String>,
}

/// The same as predicted: of some events it is not known which comes first.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) ending: Result<(), Stop>,
    pub(super) events: Vec<Event>,
    pub(super) reports: Vec<String>,
    /// How often it was not known which of two failures comes first.
    pub(super) ties: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) what: String,
    /// Which events it comes after; and after what those come after.
    pub(super) after: Vec<usize>,
}

impl Story {
    /// Whether that is what happened.
    pub(super) fn is_told_by(&self, told: &Told) -> Result<(), TestCaseError> {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        let events: Vec<String> = self.events.iter().map(|event| event.what.clone()).collect();
        prop_assert_eq!(sorted(&told.events), sorted(&events), "{:#?}", self);
        for event in &self.events {
            let at = |what: &str| told.events.iter().position(|event| event == what);
            for &before in &event.after {
                let before = &self.events[before].what;
                let in_order = at(before) < at(&event.what);
                prop_assert!(in_order, "{before} after {}: {told:#?}", event.what);
            }
        }
        prop_assert_eq!(sorted(&told.reports), sorted(&self.reports), "{:#?}", told);
        prop_assert_eq!(told.ending, self.ending, "{:#?}", told);
        Ok(())
    }
}
