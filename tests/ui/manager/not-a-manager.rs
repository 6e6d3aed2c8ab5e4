use guard_core::manage;

fn session() {
    let _ = manage(String::new());
}

fn main() {}
