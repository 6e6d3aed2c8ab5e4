//! What goes on beside a block: `yield_resource!(resource, future)`.

mod attacks;
mod composed;
mod cut_short;
mod deadlines;
mod forms;
mod handles;
mod late;
mod moved;
mod panics;
mod stacks;
mod support;
mod task_failures;
mod task_group;
mod task_group_given_up;
