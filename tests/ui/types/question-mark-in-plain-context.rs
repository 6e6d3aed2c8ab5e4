use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::from_utf8(Vec::new())?;
    yield_resource!(name);
}

#[async_context]
async fn undeclared() {
    let mut name = String::from_utf8(Vec::new())?;
    yield_resource!(name);
}

type Text<T> = Result<T, std::string::FromUtf8Error>;

#[async_context]
async fn alias() -> Text<String> {
    let mut name = String::from_utf8(Vec::new())?;
    yield_resource!(name);
    std::future::ready(Ok(())).await
}

fn main() {}
