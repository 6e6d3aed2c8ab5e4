use guard_core::{async_context, yield_resource};

#[async_context]
async fn in_for(names: Vec<String>) -> String {
    for mut name in names {
        yield_resource!(name);
    }
}

#[async_context]
async fn in_while(mut names: Vec<String>) -> Result<String, std::io::Error> {
    while let Some(mut name) = names.pop() {
        let outcome = yield_resource!(name);
        if !outcome.is_completed() {
            std::fs::remove_file(&name)?;
        }
    }
    Ok(())
}

fn main() {}
