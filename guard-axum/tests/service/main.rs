//! Requests with dependencies, and services with a lifespan, with every way to end them.

mod support;

mod bodies;
mod cancellation;
mod failure;
#[cfg(feature = "http2")]
mod http2;
mod layers;
mod misuse;
mod order;
mod overload;
mod overrides;
mod public;
mod serving;
