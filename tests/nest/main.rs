//! A use that is cancelled while the code around it goes on: who waits for its clean-up, who does not, and
//! what happens when there is no runtime left to run it. Each file tests one property.
//!
//! A use is one run of a context. Its nest is the list of the clean-ups that were handed off inside it.
//!
//! How one would attack it, and the tests that say what is right then:
//!
//! | attack | tests |
//! |---|---|
//! | a set-up that is cut waits for what the outer use holds (a pool of one; a row of this transaction) | `not_waited_for::a_set_up_that_waits_for_what_the_outer_use_holds`, `not_waited_for::a_job_of_another_place_that_waits_for_the_row_of_this_transaction` |
//! | nobody drives the runtime in which an exit waits | `blocking_destructors::a_limit_who_blocks_on_a_handle_drives_no_runtime`, `blocking_destructors::a_limit_who_blocks_otherwise_drives_no_runtime` |
//! | a destructor blocks the only thread of its runtime | `blocking_destructors::a_limit_who_blocks_in_a_task_of_one_thread_stops_its_runtime` |
//! | an inner exit drops the session in whose nest it is | `rings::an_inner_exit_that_drops_its_own_session` |
//! | an outer use is dropped with its runtime while an inner one goes on in another | `runtimes::an_inner_use_ends_in_its_own_runtime_when_that_of_the_outer_one_shuts_down` |
//! | a runtime shuts down while another thread polls the inner exit | `shutdown::of_two_uses`, `shutdown::of_two_joined_uses_around_one` |
//! | guards are dropped together, and something is cut while a guard is held | `guards::guards_of_one_body_exit_from_the_inside_out`, `guards::with_no_use_around_them_they_begin_in_order_and_do_not_wait`, `guards::a_use_that_is_cut_while_a_guard_is_held_belongs_to_the_use_around` |
//! | a waker panics | `panics::of_a_waker_leaves_nobody_unwoken` |
//! | thousands of slow clean-ups are in one nest | `many::a_use_that_waits_for_many_is_polled_in_proportion`, `tests/memory.rs` |
//! | nests are in each other, 100,000 deep, also dropped from the outside in | `many::guards_tied_to_one_another`, `many::guards_tied_to_one_another_when_the_runtime_shuts_down`, `many::nested_uses_that_a_drop_leaves_are_finished_by_a_worker` |
//! | `settled` is dropped with a destructor that panics | `settled::dropped_with_a_destructor_that_panics_it_passes_on_what_is_left` |
//! | 20,000 wakers poll one `settled` | `settled::it_keeps_one_waker_of_all_that_polled_it` |
//! | an inner clean-up hangs | `wait_limit::it_is_thirty_seconds_in_place_and_in_the_background` |
//! | a clean-up is polled in its own runtime while an outer one is dropped elsewhere | `runtimes::a_clean_up_that_is_being_polled_in_its_own_runtime_is_done_once_and_at_its_end` |
//! | the worker that has spawned a clean-up computes, or blocks on what waits for it | `workers::of_a_use` |
//! | an exit's own code drops a use, in place and in the background | `waits::a_use_waits_for_what_its_exit_drops`, `waits::a_clean_up_waits_for_what_its_own_code_drops` |
//! | `settled` is polled in another runtime than its uses | `settled::what_goes_on_in_another_runtime_is_not_waited_for` |
//! | a future is kept across a `select!` loop, and makes an unrelated commit wait | `detached::a_future_that_is_kept_across_a_loop_belongs_to_who_polls_it` |
//! | a `JoinSet` is in the block | `not_waited_for::a_task_of_the_block` |
//! | 200,000 uses are cut in one block | `tests/memory.rs` |

mod blocking_destructors;
mod detached;
mod drain;
mod drive;
mod exit_limits;
mod guards;
mod hangs;
mod local;
mod many;
mod not_waited_for;
mod nowhere_to_go_on;
#[path = "../cancellation/own_process.rs"]
mod own_process;
mod panics;
mod pending;
mod reports;
mod rings;
mod runtimes;
mod settled;
mod shutdown;
mod spawner;
mod support;
mod thread_locals;
mod wait_limit;
mod waits;
mod workers;
