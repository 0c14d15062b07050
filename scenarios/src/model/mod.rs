//! What commands mean to a client: the models that histories are judged by, one for each state machine.
//!
//! They are written from the commands' documentation and share no code with the machines, so that a mistake in one of
//! them shows.

mod files;
mod key_value;

use squall_replica::codec::DecodeError;
use squall_sim::history::Model;

use crate::machine::Command;

pub use files::FilesModel;
pub use key_value::KeyValueModel;

/// A model of what a cluster is asked, and answers in bytes.
pub trait ClientModel: Model {
    /// The command, where it is one of this model.
    fn input(command: &Command) -> Option<Self::Input>;

    /// Reads an answer.
    ///
    /// # Errors
    /// Where it is none.
    fn output(reply: &[u8]) -> Result<Self::Output, DecodeError>;
}
