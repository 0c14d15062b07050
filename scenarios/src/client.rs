//! The history of the clients, as the simulator keeps it.

use crate::server::Server;

/// One operation of one client.
pub type Call = squall_sim::client::Call<Server>;
