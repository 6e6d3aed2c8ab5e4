// The first definition of a link is the one that counts: here to the items, in the pages to files. See `.ci/guide-links`.
//! The guide: a page for each subject. The pages are also in the folder `docs` of the repository.
//!
//! To begin with: [`defining`], [`using`], [`cancellation`], [`errors`], [`exit_stacks`]. For work:
//! [`recipes`], [`testing`], [`production`], [`limits`]. To look things up: [`from_python`], [`glossary`].

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/defining.md")]
pub mod defining {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/using.md")]
pub mod using {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/cancellation.md")]
pub mod cancellation {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/exit_stacks.md")]
pub mod exit_stacks {}

#[cfg_attr(feature = "testing", doc = include_str!("guide_links.md"), doc = include_str!("../docs/testing.md"))]
#[cfg_attr(
    not(feature = "testing"),
    doc = "Contexts in tests. This page is about the feature `testing`, without which this documentation was made: `cargo doc -p guard-core --features testing --open`."
)]
pub mod testing {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/production.md")]
pub mod production {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/limits.md")]
pub mod limits {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/recipes.md")]
pub mod recipes {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/from_python.md")]
pub mod from_python {}

#[doc = include_str!("guide_links.md")]
#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}
