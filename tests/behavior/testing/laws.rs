//! Each law of `check_context` can be broken, and is named then.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use guard_core::testing::{check_context, reports};
use guard_core::{AsyncContext, Outcome, async_context, drain, yield_resource};
use guard_tests::poll_once;
use tokio::sync::Semaphore;

use super::{SHORT, panics};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    PanicsInExit,
    NeverEnds,
    NeverWakes,
    KeepsFirstWaker,
    FailsUnlessWoken,
    PanicsUnlessWoken,
    ResourceMoves,
    ResourceEarly,
    ResourceLate,
    EntersAgain,
    ExitsEarly,
    ExitsAgain,
    GoesOnAfterFailure,
    TakesLastOutcome,
    PanicsInDrop,
    Hangs,
    LosesReport,
    Leaks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Entering,
    Failed,
    Entered,
    Exiting,
    Ended,
}

/// What the contexts of one check share.
#[derive(Clone)]
struct World {
    open: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

/// A context as one writes it by hand, with one flaw.
struct ByHand {
    flaw: Flaw,
    state: State,
    world: World,
    woken: Option<Arc<AtomicBool>>,
    lent: [u32; 2],
    times_lent: usize,
    told: Option<Outcome>,
}

fn by_hand(flaw: Flaw, world: &World) -> ByHand {
    ByHand {
        flaw,
        state: State::Fresh,
        world: world.clone(),
        woken: None,
        lent: [0; 2],
        times_lent: 0,
        told: None,
    }
}

#[async_context]
async fn hangs(gate: Arc<Semaphore>) {
    yield_resource!();
    gate.acquire().await.unwrap().forget();
}

#[async_context(scoped)]
async fn is_abandoned() {
    yield_resource!();
    std::future::pending::<()>().await;
}

impl ByHand {
    /// Waits for a task that wakes it.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        match &self.woken {
            None => {
                let woken = Arc::new(AtomicBool::new(false));
                self.woken = Some(woken.clone());
                if self.flaw == Flaw::NeverWakes {
                    return Poll::Pending;
                }
                let waker = cx.waker().clone();
                tokio::spawn(async move {
                    woken.store(true, SeqCst);
                    waker.wake();
                });
                Poll::Pending
            }
            Some(woken) if woken.load(SeqCst) => {
                self.woken = None;
                Poll::Ready(Ok(()))
            }
            Some(_) if self.flaw == Flaw::FailsUnlessWoken => Poll::Ready(Err(())),
            Some(_) if self.flaw == Flaw::PanicsUnlessWoken => panic!("it was not woken"),
            Some(woken) => {
                if self.flaw != Flaw::KeepsFirstWaker {
                    let (woken, waker) = (woken.clone(), cx.waker().clone());
                    tokio::spawn(async move {
                        woken.store(true, SeqCst);
                        waker.wake();
                    });
                }
                Poll::Pending
            }
        }
    }
}

impl AsyncContext for ByHand {
    type Resource = u32;
    type Error = ();

    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        let this = self.get_mut();
        match this.state {
            State::Fresh | State::Entering => {}
            State::Failed if this.flaw == Flaw::GoesOnAfterFailure => {}
            State::Entered if this.flaw == Flaw::EntersAgain => return Poll::Ready(Ok(())),
            _ => panic!("entered out of order"),
        }
        this.state = State::Entering;
        if this.flaw == Flaw::NeverEnds {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match this.wait(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) if this.flaw != Flaw::GoesOnAfterFailure => {
                this.state = State::Entered;
                this.world.open.fetch_add(1, SeqCst);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(_) => {
                this.state = State::Failed;
                Poll::Ready(Err(()))
            }
        }
    }

    fn resource(self: Pin<&mut Self>) -> &mut u32 {
        let this = self.get_mut();
        match (this.state, this.flaw) {
            (State::Entered, _)
            | (State::Fresh, Flaw::ResourceEarly)
            | (State::Ended, Flaw::ResourceLate) => {}
            _ => panic!("asked for the resource out of order"),
        }
        this.times_lent += 1;
        let moves = this.flaw == Flaw::ResourceMoves;
        &mut this.lent[if moves { this.times_lent % 2 } else { 0 }]
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), ()>> {
        let this = self.get_mut();
        match (this.state, this.flaw) {
            (State::Entered | State::Exiting, _) => {}
            (State::Fresh, Flaw::ExitsEarly) | (State::Ended, Flaw::ExitsAgain) => {
                return Poll::Ready(Ok(()));
            }
            _ => panic!("exited out of order"),
        }
        this.state = State::Exiting;
        let told = *this.told.get_or_insert(outcome);
        assert!(
            this.flaw != Flaw::PanicsInExit || !told.is_panicked(),
            "cannot cope with that"
        );
        match this.wait(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(_) => this.state = State::Ended,
        }
        this.world.open.fetch_sub(1, SeqCst);
        if this.flaw == Flaw::LosesReport {
            let mut entering = std::pin::pin!(is_abandoned().enter());
            assert!(poll_once(entering.as_mut()).is_ready());
        }
        let fails = this.flaw == Flaw::TakesLastOutcome && outcome.is_completed();
        Poll::Ready(if fails { Err(()) } else { Ok(()) })
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        if !matches!(self.state, State::Entered | State::Exiting) {
            return;
        }
        if self.flaw != Flaw::Leaks {
            self.world.open.fetch_sub(1, SeqCst);
        }
        if self.flaw == Flaw::Hangs {
            let mut entering = std::pin::pin!(hangs(self.world.gate.clone()).enter());
            assert!(poll_once(entering.as_mut()).is_ready());
        }
        assert!(self.flaw != Flaw::PanicsInDrop, "cannot be dropped");
    }
}

/// What the check says, if it says something.
async fn verdict(flaw: Flaw) -> Result<(), String> {
    let world = World {
        open: Arc::default(),
        gate: Arc::new(Semaphore::new(0)),
    };
    let make = || by_hand(flaw, &world);
    let clean = async || assert_eq!(world.open.load(SeqCst), 0, "something is open");
    let check = check_context(make)
        .clean(clean)
        .max_polls(20)
        .patience(SHORT);
    let patient = matches!(flaw, Flaw::NeverWakes | Flaw::KeepsFirstWaker | Flaw::Hangs);
    let check = if patient {
        check
    } else {
        check.patience(std::time::Duration::from_secs(30))
    };
    if flaw == Flaw::None {
        check.await;
        return Ok(());
    }
    let message = panics(check).await;
    world.gate.add_permits(100);
    drain().await;
    Err(message)
}

#[tokio::test]
async fn a_context_without_a_flaw_breaks_no_law() {
    let reports = reports();
    assert_eq!(verdict(Flaw::None).await, Ok(()));
    reports.assert_none();
}

#[tokio::test]
async fn every_law_can_be_broken_and_is_named() {
    let broken = [
        (
            Flaw::PanicsInExit,
            "no-panic",
            "its next poll panicked: cannot cope with that",
        ),
        (
            Flaw::NeverEnds,
            "ends",
            "it has not ended, and may take 20 polls",
        ),
        (Flaw::NeverWakes, "wakes", "it was not woken for 20ms"),
        (
            Flaw::KeepsFirstWaker,
            "last-waker",
            "only the waker of a former poll is woken",
        ),
        (
            Flaw::FailsUnlessWoken,
            "spurious-polls",
            "with more polls the set-up failed",
        ),
        (
            Flaw::PanicsUnlessWoken,
            "spurious-polls",
            "it panicked: it was not woken",
        ),
        (Flaw::ResourceMoves, "resource-stays", "it moved"),
        (
            Flaw::ResourceEarly,
            "resource-after-enter",
            "`resource`, called before the set-up",
        ),
        (
            Flaw::ResourceLate,
            "resource-before-exit",
            "`resource`, called after the clean-up",
        ),
        (
            Flaw::EntersAgain,
            "enter-once",
            "`poll_enter`, called after the set-up, did not",
        ),
        (
            Flaw::ExitsEarly,
            "exit-after-enter",
            "`poll_exit`, called before the set-up",
        ),
        (
            Flaw::ExitsAgain,
            "exit-once",
            "`poll_exit`, called after the clean-up",
        ),
        (
            Flaw::GoesOnAfterFailure,
            "failed-is-over",
            "after the set-up had failed",
        ),
        (
            Flaw::TakesLastOutcome,
            "first-outcome-counts",
            "told Completed, the clean-up failed",
        ),
        (
            Flaw::PanicsInDrop,
            "drop-anywhere",
            "to drop it panicked: cannot be dropped",
        ),
        (Flaw::Hangs, "clean-up-ends", "::hangs"),
        (Flaw::LosesReport, "nothing-lost", "is_abandoned"),
        (Flaw::Leaks, "clean", "the check failed: "),
    ];
    for (flaw, law, how) in broken {
        let message = verdict(flaw).await.unwrap_err();
        assert!(
            message.contains(&format!("law `{law}`: ")),
            "{flaw:?}: {message}"
        );
        assert!(message.contains(how), "{flaw:?}: {message}");
        assert!(message.contains("ByHand"), "{flaw:?}: {message}");
        assert!(
            message.contains("tests/behavior/testing/laws.rs:"),
            "{flaw:?}: {message}"
        );
    }
}
