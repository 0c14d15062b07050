//! Seeded runs, found cases, anchors, determinism, garbage, the pages on profiles and scenarios, the tidy test: one binary.

mod anchors;
mod determinism;
mod failover;
mod found;
mod garbage;
mod leases;
mod profiles;
mod scenario_page;
mod seeds;
mod table;
mod tidy;
mod worlds;
