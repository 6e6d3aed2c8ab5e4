use guard_core::async_with;

struct Pool;

impl Pool {
    async fn session(&self) -> Result<String, std::io::Error> {
        Ok(String::new())
    }
}

async fn length(pool: &Pool) -> Result<usize, std::io::Error> {
    Ok(async_with!(session = pool.session()?, { session.len() }))
}

fn main() {}
