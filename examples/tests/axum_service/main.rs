//! The axum service over real sockets: the session of a request ends with the request.

mod dependencies;
mod lifespan;
mod load;
#[path = "../support/requests.rs"]
mod requests;
mod sessions;
mod world;
