#![doc = include_str!("guide_links.md")]
#![doc = include_str!("../docs/fastapi.md")]
