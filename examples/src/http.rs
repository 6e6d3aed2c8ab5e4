//! HTTP: a [`server`] that shuts down gracefully, and an [`api`] client that logs in and out.

mod client;
mod server;

pub use client::{Api, api};
pub use server::{Server, server};
