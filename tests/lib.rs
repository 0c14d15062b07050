//! What crosses crates is tested in `it/`. Here stands only the example that the README names: it runs with the tests.
//!
//! ```
#![doc = include_str!("examples/real_files.rs")]
//! ```
