//! A state on a disk: a file that is replaced as a whole.
//!
//! The new file is written and synced under another name before it takes the place of the old one, so that a crash leaves one
//! of the two. Only the last sync, that of the names, makes the new one certain.

use squall_disk::{Disk, DiskError};
use squall_sim::SimDisk;

use super::codec;
use super::process::State;

const NAME: &str = "state";
const NEW_NAME: &str = "state.new";

/// Issues all that makes this the state. It is durable when the disk is done.
pub(crate) fn replace(disk: &mut SimDisk, state: &State) -> Result<(), DiskError> {
    if disk.list()?.iter().any(|name| name == NEW_NAME) {
        disk.remove(NEW_NAME)?;
    }
    let file = disk.create(NEW_NAME)?;
    disk.write_at(file, 0, &codec::state_bytes(state))?;
    disk.sync(file)?;
    disk.rename(NEW_NAME, NAME)?;
    disk.sync_dir()
}

/// The state that the last life left, written once more: what is read may be in the page cache only, and after a sync that
/// failed, the next one does not tell.
pub(crate) fn recover(disk: &mut SimDisk) -> Result<State, String> {
    let state = read(disk).map_err(|error| error.to_string())?;
    let state = codec::state_of(&state).ok_or_else(|| format!("`{NAME}` has {} bytes", state.len()))?;
    replace(disk, &state).map_err(|error| error.to_string())?;
    Ok(state)
}

fn read(disk: &mut SimDisk) -> Result<Vec<u8>, DiskError> {
    let file = disk.open(NAME)?;
    let mut bytes = vec![0; usize::try_from(disk.len(file)?).unwrap_or(0)];
    disk.read_at(file, 0, &mut bytes)?;
    Ok(bytes)
}
