//! Guides: what to know before and while this crate is in use.

#[doc = include_str!("placement.md")]
pub mod placement {}

#[doc = include_str!("security.md")]
pub mod security {}

#[doc = include_str!("coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("operations.md")]
pub mod operations {}

#[doc = include_str!("manage.md")]
pub mod manage {}

#[doc = include_str!("scale.md")]
pub mod scale {}

#[doc = include_str!("tool.md")]
pub mod tool {}

#[doc = include_str!("performance.md")]
pub mod performance {}
