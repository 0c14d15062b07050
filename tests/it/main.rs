//! Seeded runs, found cases, anchors, determinism, garbage, the page on profiles, the tidy test: one binary.

mod anchors;
mod determinism;
mod failover;
mod found;
mod garbage;
mod leases;
mod profiles;
mod seeds;
mod table;
mod tidy;
mod worlds;
