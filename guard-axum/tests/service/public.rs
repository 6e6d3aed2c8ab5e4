//! The traits of what is public.

use std::convert::Infallible;

use axum::Router;
use guard_axum::{
    CutOff, DependencyError, DependencyErrorKind, DependencyOverrides, DependencyOverridesService,
    Depends, Locked, NoState, RequestScopeFuture, RequestScopeLayer, RequestScopeService,
    ServeError, Serving,
};

use crate::support::A;

fn shared<T: Send + Sync + 'static>() {}
fn sent<T: Send>() {}
fn debug<T: std::fmt::Debug>() {}
fn error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn everything_is_send_and_debug_and_errors_are_errors() {
    shared::<Depends<A>>();
    shared::<RequestScopeLayer>();
    shared::<RequestScopeService<Router>>();
    shared::<DependencyOverrides>();
    shared::<DependencyOverridesService<Router>>();
    shared::<NoState>();
    shared::<DependencyErrorKind>();
    sent::<Locked<'_, A>>();
    sent::<RequestScopeFuture<Infallible>>();
    sent::<Serving<Infallible>>();
    error::<DependencyError>();
    error::<CutOff>();
    error::<ServeError<std::io::Error>>();
    debug::<Depends<A>>();
    debug::<Locked<'_, A>>();
    debug::<RequestScopeLayer>();
    debug::<RequestScopeService<Router>>();
    debug::<RequestScopeFuture<Infallible>>();
    debug::<DependencyOverrides>();
    debug::<DependencyOverridesService<Router>>();
    debug::<NoState>();
    debug::<Serving<Infallible>>();
}

#[test]
fn debug_names_what_is_replaced() {
    let overrides = DependencyOverrides::new().replace::<A>(|| unreachable!("nobody asks"));
    assert_eq!(
        format!("{overrides:?}"),
        r#"DependencyOverrides(["service::support::A"])"#
    );
}
