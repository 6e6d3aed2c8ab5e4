use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn length() {
    async_with!(name = name(), {
        println!("{name}");
    } catch (error) {
        println!("{error}");
    });
}

fn main() {}
