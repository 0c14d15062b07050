//! Seeded runs, found cases, determinism, garbage, the page on profiles, the tidy test: one binary.

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
