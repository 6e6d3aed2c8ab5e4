//! Every way of nesting contexts, whatever they are.

/// Exits a guard with what became of the use inside it, and keeps both faults.
macro_rules! exit_guard {
    ($guard:ident, $inner:expr) => {{
        let mut inner: Result<(), Vec<Fault>> = $inner;
        let outcome = match inner {
            Ok(()) => Outcome::Completed,
            Err(_) => Outcome::Failed(()),
        };
        if let Err(fault) = $guard.exit_with(outcome).await {
            let mut faults = inner.err().unwrap_or_default();
            faults.push(fault);
            inner = Err(faults);
        }
        inner
    }};
}

/// The ways of nesting the contexts `level0`, `level1` and `level2`, which are in scope where this is called.
macro_rules! nested {
    () => {
        async fn async_with(plan: Plan) -> Result<(), Fault> {
            match plan.depth {
                1 => async_with!(token = level0(plan)?, {
                    body(plan, token).await?;
                }),
                2 => async_with!(_token = level0(plan)?, {
                    let inner = async {
                        async_with!(token = level1(plan)?, {
                            body(plan, token).await?;
                        });
                        Ok::<_, Fault>(())
                    };
                    interruptible(plan, 1, inner).await?;
                }),
                _ => async_with!(_token = level0(plan)?, {
                    let middle = async {
                        async_with!(_token = level1(plan)?, {
                            interruptible(plan, 2, innermost(plan)).await?;
                        });
                        Ok::<_, Fault>(())
                    };
                    interruptible(plan, 1, middle).await?;
                }),
            }
            Ok(())
        }

        async fn innermost(plan: Plan) -> Result<(), Fault> {
            async_with!(token = level2(plan)?, {
                body(plan, token).await?;
            });
            Ok(())
        }

        /// The body leaves by `return`.
        async fn async_with_list(plan: Plan) -> Result<(), Fault> {
            match plan.depth {
                1 => async_with!(token = level0(plan)?, {
                    return body(plan, token).await;
                }),
                2 => async_with!(_outer = level0(plan)?, token = level1(plan)?, {
                    return body(plan, token).await;
                }),
                _ if plan.interrupt.is_some() => {
                    async_with!(_outer = level0(plan)?, _middle = level1(plan)?, {
                        return interruptible(plan, 2, innermost(plan)).await;
                    })
                }
                _ => async_with!(
                    _outer = level0(plan)?,
                    _middle = level1(plan)?,
                    token = level2(plan)?,
                    {
                        return body(plan, token).await;
                    }
                ),
            }
        }

        async fn within(plan: Plan) -> Result<(), Fault> {
            #[within(token = level0(plan)?)]
            async fn one(plan: Plan) -> Result<(), Fault> {
                body(plan, token).await
            }

            #[within(_outer = level0(plan)?, token = level1(plan)?)]
            async fn two(plan: Plan) -> Result<(), Fault> {
                body(plan, token).await
            }

            #[within(_outer = level0(plan)?, _middle = level1(plan)?, token = level2(plan)?)]
            async fn three(plan: Plan) -> Result<(), Fault> {
                body(plan, token).await
            }

            #[within(_outer = level0(plan)?, _middle = level1(plan)?)]
            async fn two_around(plan: Plan) -> Result<(), Fault> {
                interruptible(plan, 2, innermost(plan)).await
            }

            match plan.depth {
                1 => one(plan).await,
                2 => two(plan).await,
                _ if plan.interrupt.is_some() => two_around(plan).await,
                _ => three(plan).await,
            }
        }

        /// What there is inside the two that are side by side is used in them.
        async fn join(plan: Plan) -> Result<(), Fault> {
            match plan.depth {
                2 => async_with!(join(_left = level0(plan)?, right = level1(plan)?), {
                    return body(plan, right).await;
                }),
                _ if plan.interrupt.is_some() => {
                    async_with!(join(_left = level0(plan)?, _right = level1(plan)?), {
                        return interruptible(plan, 2, innermost(plan)).await;
                    })
                }
                _ => async_with!(
                    join(_left = level0(plan)?, _right = level1(plan)?),
                    token = level2(plan)?,
                    {
                        body(plan, token).await?;
                    }
                ),
            }
            Ok(())
        }

        async fn join_inside(plan: Plan) -> Result<(), Fault> {
            if plan.interrupt.is_some() {
                async_with!(_outer = level0(plan)?, {
                    let joined = async {
                        async_with!(join(_left = level1(plan)?, right = level2(plan)?), {
                            body(plan, right).await?;
                        });
                        Ok::<_, Fault>(())
                    };
                    return interruptible(plan, 1, joined).await;
                });
            }
            async_with!(
                _outer = level0(plan)?,
                join(_left = level1(plan)?, right = level2(plan)?),
                {
                    body(plan, right).await?;
                }
            );
            Ok(())
        }

        async fn with(plan: Plan) -> Result<(), Fault> {
            match plan.depth {
                1 => {
                    level0(plan)
                        .with(async |token| body(plan, token).await)
                        .await
                }
                2 => {
                    level0(plan)
                        .with(async |_| {
                            let inner = level1(plan).with(async |token| body(plan, token).await);
                            interruptible(plan, 1, inner).await
                        })
                        .await
                }
                _ => {
                    level0(plan)
                        .with(async |_| {
                            let middle = level1(plan).with(async |_| {
                                let inner =
                                    level2(plan).with(async |token| body(plan, token).await);
                                interruptible(plan, 2, inner).await
                            });
                            interruptible(plan, 1, middle).await
                        })
                        .await
                }
            }
        }

        async fn try_with(plan: Plan) -> Result<(), Vec<Fault>> {
            match plan.depth {
                1 => level0(plan)
                    .try_with(async |token| body_of_many(plan, token).await)
                    .await
                    .map_err(all),
                2 => level0(plan)
                    .try_with(async |_| {
                        let inner =
                            level1(plan).try_with(async |token| body_of_many(plan, token).await);
                        interruptible(plan, 1, async { inner.await.map_err(all) }).await
                    })
                    .await
                    .map_err(all),
                _ => level0(plan)
                    .try_with(async |_| {
                        let middle = level1(plan).try_with(async |_| {
                            let inner = level2(plan)
                                .try_with(async |token| body_of_many(plan, token).await);
                            interruptible(plan, 2, async { inner.await.map_err(all) }).await
                        });
                        interruptible(plan, 1, async { middle.await.map_err(all) }).await
                    })
                    .await
                    .map_err(all),
            }
        }

        async fn guards(plan: Plan) -> Result<(), Vec<Fault>> {
            let mut guard = level0(plan).enter().await?;
            let done = if plan.depth == 1 {
                body_of_many(plan, &mut *guard).await
            } else {
                interruptible(plan, 1, guards_from_1(plan)).await
            };
            exit_guard!(guard, done)
        }

        async fn guards_from_1(plan: Plan) -> Result<(), Vec<Fault>> {
            let mut guard = level1(plan).enter().await?;
            let done = if plan.depth == 2 {
                body_of_many(plan, &mut *guard).await
            } else {
                interruptible(plan, 2, guard_of_2(plan)).await
            };
            exit_guard!(guard, done)
        }

        async fn guard_of_2(plan: Plan) -> Result<(), Vec<Fault>> {
            let mut guard = level2(plan).enter().await?;
            let done = body_of_many(plan, &mut *guard).await;
            exit_guard!(guard, done)
        }

        async fn guards_inside(plan: Plan) -> Result<(), Vec<Fault>> {
            let used =
                level0(plan).try_with(async |_| interruptible(plan, 1, guards_from_1(plan)).await);
            used.await.map_err(all)
        }

        pub fn nested(way: Way, plan: Plan) -> Using {
            match way {
                Way::AsyncWith => one(async_with(plan)),
                Way::AsyncWithList => one(async_with_list(plan)),
                Way::Within => one(within(plan)),
                Way::Join => one(join(plan)),
                Way::JoinInside => one(join_inside(plan)),
                Way::With => one(with(plan)),
                Way::TryWith => Box::pin(try_with(plan)),
                Way::Guards => Box::pin(guards(plan)),
                Way::GuardsInside => Box::pin(guards_inside(plan)),
                _ => unreachable!("{way:?} needs contexts of its own"),
            }
        }
    };
}

pub(crate) use {exit_guard, nested};
