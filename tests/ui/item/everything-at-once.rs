use guard_core::async_context;

#[async_context(scope, scoped, scoped)]
fn name(text: &str) -> Result<String, std::io::Error> {
    Ok(())
}

fn main() {}
