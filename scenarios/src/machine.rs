//! The state machine of a cluster under test: one of two, as the run says. The replica knows neither.

use bytes::{BufMut, Bytes, BytesMut};
use squall_files::{FileSystem, FileSystemLoader, Limits};
use squall_raft::LogPosition;
use squall_replica::kv::{KeyValue, KeyValueLoader};
use squall_replica::{Image, LoadError, Loader, PairsImage, StateMachine};

/// A state machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Machine {
    /// Keys and values.
    KeyValue(KeyValue),
    /// Files and directories.
    Files(FileSystem),
}

/// What a client asks of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Of keys and values.
    KeyValue(squall_replica::kv::Command),
    /// Of files and directories.
    Files(squall_files::Command),
}

/// A state machine at one moment: a byte that says which it is, and its image.
#[derive(Clone, Debug)]
pub struct MachineImage {
    /// That byte, until it is read.
    which: Option<u8>,
    image: PairsImage,
}

/// Reads a state machine from its bytes.
#[derive(Clone, Debug, Default)]
pub enum MachineLoader {
    /// None were given.
    #[default]
    Nothing,
    /// Keys and values.
    KeyValue(KeyValueLoader),
    /// Files and directories.
    Files(FileSystemLoader),
}

const KEY_VALUE: u8 = 0;
const FILES: u8 = 1;

impl Machine {
    /// An empty file system with these limits, or else an empty map.
    #[must_use]
    pub fn new(files: Option<Limits>) -> Self {
        files.map_or_else(
            || Self::KeyValue(KeyValue::default()),
            |limits| Self::Files(FileSystem::new(limits)),
        )
    }

    /// How many commands it was given, ever.
    #[must_use]
    pub fn commands(&self) -> u64 {
        match self {
            Self::KeyValue(machine) => machine.commands(),
            Self::Files(machine) => machine.commands(),
        }
    }
}

impl StateMachine for Machine {
    type Image = MachineImage;
    type Loader = MachineLoader;

    fn apply(&mut self, position: LogPosition, command: &[u8]) -> Bytes {
        match self {
            Self::KeyValue(machine) => machine.apply(position, command),
            Self::Files(machine) => machine.apply(position, command),
        }
    }

    fn query(&self, query: &[u8]) -> Bytes {
        match self {
            Self::KeyValue(machine) => machine.query(query),
            Self::Files(machine) => machine.query(query),
        }
    }

    fn digest(&self) -> u64 {
        match self {
            Self::KeyValue(machine) => machine.digest(),
            Self::Files(machine) => machine.digest(),
        }
    }

    fn image(&self) -> MachineImage {
        let (which, image) = match self {
            Self::KeyValue(machine) => (KEY_VALUE, machine.image()),
            Self::Files(machine) => (FILES, machine.image()),
        };
        MachineImage { which: Some(which), image }
    }
}

impl Image for MachineImage {
    fn bytes_left(&self) -> u64 {
        u64::from(self.which.is_some()) + self.image.bytes_left()
    }

    fn read(&mut self, max_bytes: u64, out: &mut BytesMut) {
        let Some(rest) = max_bytes.checked_sub(1) else { return };
        match self.which.take() {
            Some(which) => {
                out.put_u8(which);
                self.image.read(rest, out);
            }
            None => self.image.read(max_bytes, out),
        }
    }
}

impl Loader for MachineLoader {
    type Machine = Machine;

    fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let mut bytes = bytes;
        if let (Self::Nothing, Some((which, rest))) = (&*self, bytes.split_first()) {
            *self = match *which {
                KEY_VALUE => Self::KeyValue(KeyValueLoader::default()),
                FILES => Self::Files(FileSystemLoader::default()),
                _ => return Err(LoadError::new("these bytes are of no state machine")),
            };
            bytes = rest;
        }
        match self {
            Self::Nothing => Ok(()),
            Self::KeyValue(loader) => loader.load(bytes),
            Self::Files(loader) => loader.load(bytes),
        }
    }

    fn finish(self) -> Result<Machine, LoadError> {
        match self {
            Self::Nothing => Err(LoadError::new("the state machine is cut short")),
            Self::KeyValue(loader) => loader.finish().map(Machine::KeyValue),
            Self::Files(loader) => loader.finish().map(Machine::Files),
        }
    }
}

impl Command {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::KeyValue(command) => command.encode(),
            Self::Files(command) => command.encode(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each machine one that is not empty.
    fn machines() -> [Machine; 2] {
        let commands = [
            (
                None,
                Command::KeyValue(squall_replica::kv::Command::Put { key: "k".into(), value: "v".into() }),
            ),
            (
                Some(Limits::default()),
                Command::Files(squall_files::Command::MakeDirectory { path: "/d".into() }),
            ),
        ];
        commands.map(|(files, command)| {
            let mut machine = Machine::new(files);
            machine.apply(LogPosition::new(1, 1), &command.encode());
            machine
        })
    }

    fn bytes_of(mut image: MachineImage, part_bytes: u64) -> Vec<u8> {
        let (mut bytes, all) = (BytesMut::new(), image.bytes_left());
        while image.bytes_left() > 0 {
            let left = image.bytes_left();
            image.read(part_bytes, &mut bytes);
            assert_eq!(left - image.bytes_left(), part_bytes.min(left));
        }
        assert_eq!(bytes.len() as u64, all);
        bytes.to_vec()
    }

    #[test]
    fn each_machine_is_read_from_its_bytes_however_they_are_cut() {
        for machine in machines() {
            let bytes = bytes_of(machine.image(), 1);
            assert_eq!(bytes, bytes_of(machine.image(), u64::MAX));
            for part_bytes in [1, 2, bytes.len()] {
                let mut loader = MachineLoader::default();
                assert_eq!(bytes.chunks(part_bytes).try_for_each(|part| loader.load(part)), Ok(()));
                assert_eq!(loader.finish().as_ref(), Ok(&machine));
            }
        }
    }

    #[test]
    fn bytes_of_no_machine_are_refused() {
        let told = |bytes: &[u8]| {
            let mut loader = MachineLoader::default();
            loader.load(bytes).and_then(|()| loader.finish()).map_err(|error| error.to_string())
        };
        assert_eq!(told(&[]), Err("the state machine is cut short".to_owned()));
        assert_eq!(told(&[2]), Err("these bytes are of no state machine".to_owned()));
        let [of_keys, of_files] = machines().map(|machine| bytes_of(machine.image(), u64::MAX));
        assert!(told(&[&[FILES], &of_keys[1..]].concat()).is_err());
        assert!(told(&[&[KEY_VALUE], &of_files[1..]].concat()).is_err());
    }
}
