//! The axum service over real sockets: every request's session ends as the request does.

mod dependencies;
mod lifespan;
mod load;
#[path = "../support/requests.rs"]
mod requests;
mod sessions;
mod world;
