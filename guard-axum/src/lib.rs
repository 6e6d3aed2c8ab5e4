// The first definition of a link is the one that counts: here to the items, in the README to files. See `.ci/guide-links`.
#![doc = include_str!("guide_links.md")]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

mod dependency;
mod depends;
mod error;
pub mod fastapi;
mod layer;
mod overrides;
mod scope;
#[cfg(any(feature = "http1", feature = "http2"))]
mod serve;
#[cfg(any(feature = "http1", feature = "http2"))]
mod server;

pub use dependency::{ContextOf, Dependency, NoState};
pub use depends::{Depends, Locked};
pub use error::{DependencyError, DependencyErrorKind};
pub use layer::{RequestScopeFuture, RequestScopeLayer, RequestScopeService};
pub use overrides::{DependencyOverrides, DependencyOverridesService};
#[cfg(any(feature = "http1", feature = "http2"))]
pub use serve::{RouterState, Serve, ServeError, Serving, serve};
#[cfg(any(feature = "http1", feature = "http2"))]
pub use server::{CutOff, server};
