use guard_core::within;

async fn session() -> Result<String, std::io::Error> {
    Ok(String::new())
}

#[within(session = session()?)]
async fn length() -> Result<usize, std::io::Error> {
    Ok(session.len())
}

#[within(text = "text")]
async fn length_of_text() -> usize {
    text.len()
}

fn main() {
    let _ = (length(), length_of_text());
}
