#![doc = include_str!("../docs/fastapi.md")]
