//! Seeded runs, found cases, determinism, garbage, the tidy test: one binary.

mod determinism;
mod found;
mod garbage;
mod seeds;
mod tidy;
mod worlds;
