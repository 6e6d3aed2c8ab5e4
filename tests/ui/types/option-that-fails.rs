use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn with_a_question_mark(names: Vec<String>) -> Option<String> {
    let mut name = names.into_iter().next()?;
    yield_resource!(name);
    Some(())
}

#[async_context]
async fn with_a_return(names: Vec<String>) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let mut name = names[0].clone();
    yield_resource!(name);
}

async fn length() -> Option<usize> {
    Some(async_with!(name = with_a_question_mark(vec![])?, { name.len() }))
}

fn main() {}
