//! Profiles: the ranges and weights from which a seed draws a run's parameters and faults (TOML).
//!
//! A profile is calm or stormy; a run is one draw from it. Every fault class is first switched on or off as
//! a whole, since a run without a class finds what a run with all of them hides (Groce et al., "Swarm
//! Testing", ISSTA '12). What a profile does not state is as in the storm of the fault model.
//!
//! The sections are types of their own, so that a user's profile can hold them beside its own sections:
//!
//! ```
//! # use squall_sim::profile::{self, Network, Numbers, Swarm};
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct MyProfile {
//!     #[serde(default)]
//!     swarm: Swarm,
//!     #[serde(default)]
//!     network: Network,
//!     voters: Numbers,
//! }
//! let text = "voters = [3, 5]\n[network]\nloss = '1/10'";
//! let profile: MyProfile = profile::parse(text, "my.toml").expect("it is well-formed");
//! ```

mod error;
mod range;
mod resolve;
mod sections;
#[cfg(test)]
mod tests;

pub use error::ProfileError;
pub use range::{Between, Bound, Chances, Numbers, Probability, Rate, Rates, Ratios, Weights};
pub use resolve::{Resolved, Resolver, Shape};
pub use sections::{Clients, Clock, Disk, Limits, Network, Partitions, Process, Recurring, Swarm};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The simulator's own sections together: the weather.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Which fault classes a run has at all.
    pub swarm: Swarm,
    /// Links, and the faults that strike them.
    pub network: Network,
    /// Crashes and pauses.
    pub process: Process,
    /// Latency, stalls, and what a power loss leaves.
    pub disk: Disk,
    /// Offsets, rates, jumps.
    pub clock: Clock,
    /// How many clients, and their links.
    pub clients: Clients,
    /// How long a run may be.
    pub limits: Limits,
}

impl Profile {
    /// Reads a profile that has no sections but the simulator's.
    ///
    /// # Errors
    /// As [`parse`].
    pub fn parse(text: &str, file: &str) -> Result<Self, ProfileError> {
        parse(text, file)
    }
}

/// Reads a profile of any type from the text of the file called `file` (which is only used to say where an
/// error is).
///
/// # Errors
/// Where the text is not TOML, names an unknown field, or states a value that cannot be.
pub fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, ProfileError> {
    toml::from_str(text).map_err(|error| ProfileError::new(text, file, &error))
}
