//! What the file system's commands mean: a map from whole paths, in which a directory is known by what begins with its
//! path. A rename writes every path below it anew.

use std::collections::BTreeMap;

use squall_files::{Command, Content, Entry, Error, Inode, InodeId, Kind, LIST_ENTRIES_MAX, Limits, Reply};
use squall_replica::codec::DecodeError;
use squall_sim::history::Model;

use super::ClientModel;
use crate::machine;

/// A file system with these limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilesModel(pub Limits);

/// What is there, by path; the root, which is always there, has the path of no bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Paths {
    there: BTreeMap<Vec<u8>, Inode>,
    /// How many inodes were ever made, the root among them.
    made: u64,
}

impl Model for FilesModel {
    /// A rename concerns two paths and all below them: the whole tree is one thing.
    type Key = ();
    type State = Paths;
    type Input = Command;
    type Output = Reply;

    fn key(&self, _input: &Command) {}

    fn initial(&self, _key: &()) -> Paths {
        let root = Inode::Directory { id: InodeId::ROOT };
        Paths { there: BTreeMap::from([(Vec::new(), root)]), made: 1 }
    }

    fn step(&self, state: &mut Paths, input: &Command) -> Reply {
        self.try_step(state, input).unwrap_or_else(Reply::Failed)
    }

    fn accepts(&self, expected: &Reply, actual: &Reply) -> bool {
        expected == actual
    }

    fn is_read(&self, input: &Command, output: Option<&Reply>) -> bool {
        let is_question = matches!(input, Command::Stat { .. } | Command::List { .. });
        is_question || matches!(output, Some(Reply::Failed(_)))
    }

    fn state_bytes(&self, state: &Paths) -> u64 {
        let bytes = |(path, inode): (&Vec<u8>, &Inode)| {
            let blob = if let Inode::File { content, .. } = inode { content.blob.len() } else { 0 };
            size_of::<(Vec<u8>, Inode)>() + path.len() + blob
        };
        state.there.iter().map(bytes).sum::<usize>() as u64
    }
}

impl ClientModel for FilesModel {
    fn input(command: &machine::Command) -> Option<Command> {
        match command {
            machine::Command::KeyValue(_) => None,
            machine::Command::Files(command) => Some(command.clone()),
        }
    }

    fn output(reply: &[u8]) -> Result<Reply, DecodeError> {
        Reply::decode(reply)
    }
}

impl FilesModel {
    /// The path without the slash that the root's consists of, once it is clear that it is one.
    fn path(&self, path: &[u8]) -> Result<Vec<u8>, Error> {
        if path == b"/" {
            return Ok(Vec::new());
        }
        let mut names = path.split(|byte| *byte == b'/');
        let before = names.next();
        if before != Some(b"") || names.clone().count() == 0 {
            return Err(Error::BadPath);
        }
        if names.clone().any(|name| name.is_empty() || name == b"." || name == b".." || name.contains(&0)) {
            return Err(Error::BadPath);
        }
        match names.any(|name| name.len() as u64 > self.0.max_name_bytes) {
            true => Err(Error::NameTooLong),
            false => Ok(path.to_vec()),
        }
    }

    fn check_blob(&self, content: &Content) -> Result<(), Error> {
        if content.blob.len() as u64 <= self.0.max_blob_bytes { Ok(()) } else { Err(Error::BlobTooLarge) }
    }

    fn try_step(&self, state: &mut Paths, input: &Command) -> Result<Reply, Error> {
        match input {
            Command::Create { path, content } => {
                self.check_blob(content)?;
                let content = content.clone();
                self.make(state, path, |id| Inode::File { id, version: 1, content })
            }
            Command::MakeDirectory { path } => self.make(state, path, |id| Inode::Directory { id }),
            Command::Update { path, expected, content } => {
                self.check_blob(content)?;
                match state.find(&self.path(path)?)? {
                    Inode::Directory { .. } => Err(Error::IsADirectory),
                    Inode::File { version, content: current, .. } => {
                        if expected.is_some_and(|expected| expected != *version) {
                            return Err(Error::OtherVersion { version: *version });
                        }
                        *version += 1;
                        *current = content.clone();
                        Ok(Reply::Updated { version: *version })
                    }
                }
            }
            Command::Rename { from, to } => state.rename(&self.path(from)?, &self.path(to)?),
            Command::Remove { path } => {
                let path = self.path(path)?;
                let inode = state.find(&path)?.clone();
                match inode.kind() {
                    Kind::Directory => Err(Error::IsADirectory),
                    Kind::File => Ok(state.remove(&path, &inode)),
                }
            }
            Command::RemoveDirectory { path } => {
                let path = not_root(self.path(path)?)?;
                let inode = state.find(&path)?.clone();
                match inode.kind() {
                    Kind::File => Err(Error::NotADirectory),
                    Kind::Directory if state.has_children(&path) => Err(Error::NotEmpty),
                    Kind::Directory => Ok(state.remove(&path, &inode)),
                }
            }
            Command::RemoveTree { path } => {
                let path = not_root(self.path(path)?)?;
                state.find(&path)?;
                let before = state.there.len();
                state.there.retain(|other, _| *other != path && !is_below(other, &path));
                Ok(Reply::RemovedTree { inodes: (before - state.there.len()) as u64 })
            }
            Command::Stat { path } => state.find(&self.path(path)?).map(|inode| Reply::Found(inode.clone())),
            Command::List { path, after, max_entries } => {
                state.list(&self.path(path)?, after, (*max_entries).min(LIST_ENTRIES_MAX) as usize)
            }
        }
    }

    fn make(
        &self,
        state: &mut Paths,
        path: &[u8],
        inode: impl FnOnce(InodeId) -> Inode,
    ) -> Result<Reply, Error> {
        let path = self.path(path)?;
        state.check_way(&path)?;
        if state.there.contains_key(&path) {
            return Err(Error::Exists);
        }
        if state.there.len() as u64 >= self.0.max_inodes {
            return Err(Error::NoSpace);
        }
        let id = InodeId(state.made);
        state.made += 1;
        state.there.insert(path, inode(id));
        Ok(Reply::Made(id))
    }
}

impl Paths {
    /// All that leads to this path are directories.
    fn check_way(&self, path: &[u8]) -> Result<(), Error> {
        for (end, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            match self.there.get(&path[..end]).map(Inode::kind) {
                Some(Kind::Directory) => {}
                Some(Kind::File) => return Err(Error::NotADirectory),
                None => return Err(Error::NotFound),
            }
        }
        Ok(())
    }

    fn find(&mut self, path: &[u8]) -> Result<&mut Inode, Error> {
        self.check_way(path)?;
        self.there.get_mut(path).ok_or(Error::NotFound)
    }

    /// What is below a directory: the rest of each path, and the inode.
    fn below(&self, path: &[u8]) -> impl Iterator<Item = (&[u8], &Inode)> {
        let prefix = [path, b"/"].concat();
        let from_there = self.there.range(prefix.clone()..);
        from_there.map_while(move |(other, inode)| Some((other.strip_prefix(&prefix[..])?, inode)))
    }

    fn has_children(&self, path: &[u8]) -> bool {
        self.below(path).next().is_some()
    }

    fn remove(&mut self, path: &[u8], inode: &Inode) -> Reply {
        self.there.remove(path);
        Reply::Removed(inode.id())
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<Reply, Error> {
        if from.is_empty() || to.is_empty() {
            return Err(Error::IsRoot);
        }
        let moved = self.find(from)?.kind();
        if moved == Kind::Directory && is_below(to, from) {
            return Err(Error::IntoItself);
        }
        self.check_way(to)?;
        if from == to {
            return Ok(Reply::Moved { replaced: None });
        }
        let replaced = self.there.get(to).cloned();
        match (moved, replaced.as_ref().map(Inode::kind)) {
            (Kind::File, Some(Kind::Directory)) => return Err(Error::IsADirectory),
            (Kind::Directory, Some(Kind::File)) => return Err(Error::NotADirectory),
            (Kind::Directory, Some(Kind::Directory)) if self.has_children(to) => {
                return Err(Error::NotEmpty);
            }
            (Kind::File, Some(Kind::File))
            | (Kind::Directory, Some(Kind::Directory))
            | (Kind::File | Kind::Directory, None) => {}
        }
        let before = std::mem::take(&mut self.there);
        let moves = |path: &[u8]| path == from || is_below(path, from);
        self.there = before
            .into_iter()
            .filter(|(path, _)| path != to)
            .map(|(path, inode)| match moves(&path) {
                true => ([to, &path[from.len()..]].concat(), inode),
                false => (path, inode),
            })
            .collect();
        Ok(Reply::Moved { replaced: replaced.map(|inode| inode.id()) })
    }

    fn list(&mut self, path: &[u8], after: &[u8], max_entries: usize) -> Result<Reply, Error> {
        if self.find(path)?.kind() == Kind::File {
            return Err(Error::NotADirectory);
        }
        let is_listed = |name: &[u8]| !name.contains(&b'/') && name > after;
        let mut entries: Vec<Entry> = self
            .below(path)
            .filter(|(name, _)| is_listed(name))
            .map(|(name, inode)| Entry { name: name.to_vec().into(), id: inode.id(), kind: inode.kind() })
            .collect();
        let more = entries.len() > max_entries;
        entries.truncate(max_entries);
        Ok(Reply::Listed { entries, more })
    }
}

fn not_root(path: Vec<u8>) -> Result<Vec<u8>, Error> {
    if path.is_empty() { Err(Error::IsRoot) } else { Ok(path) }
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.len() > directory.len() && path.starts_with(directory) && path[directory.len()] == b'/'
}

#[cfg(test)]
mod tests {
    use squall_files::FileSystem;
    use squall_raft::LogPosition;
    use squall_replica::StateMachine;
    use squall_sim::choice::Purpose;
    use squall_sim::{Choice, ClientId, OperationId};

    use super::*;
    use crate::workload::WorkloadParameters;
    use crate::workload::files::draw_file_command;

    /// In trees of all sizes, and with bounds that are met.
    #[test]
    fn the_model_answers_as_the_machine_does() {
        let mut seen = BTreeMap::new();
        for (names, depth, max_inodes) in [(3, 1, 3), (2, 3, 6), (3, 3, 200), (5, 4, 30)] {
            let limits = Limits { max_name_bytes: 200, max_blob_bytes: 40, max_inodes };
            let parameters =
                WorkloadParameters { names, depth, value_bytes_max: 60, ..WorkloadParameters::default() };
            let (model, mut machine) = (FilesModel(limits), FileSystem::new(limits));
            let mut state = model.initial(&());
            let mut choice = Choice::from_seed(names);
            for number in 0..5_000 {
                let operation = OperationId { client: ClientId(0), number };
                let mut draw = choice.draw(Purpose::User, number, 0);
                let command = draw_file_command(&parameters, operation, &mut draw);
                let before = state.clone();
                let reply = model.step(&mut state, &command);
                let answer = machine.apply(LogPosition::new(1, number + 1), &command.encode());
                assert_eq!(Reply::decode(&answer), Ok(reply.clone()), "{command:?}");
                assert!(state == before || !model.is_read(&command, Some(&reply)), "{command:?}");
                *seen.entry(kind_of(&reply)).or_insert(0) += 1;
            }
            assert_eq!(machine.inodes(), state.there.len() as u64);
        }
        assert_eq!(seen.len(), 7 + 12, "every kind of answer is met: {seen:?}");
    }

    fn kind_of(reply: &Reply) -> String {
        let words = format!("{reply:?}");
        let kind = words.split([' ', '{']).next().unwrap_or_default().to_owned();
        if kind.starts_with("Failed") { kind } else { kind.split('(').next().unwrap_or_default().to_owned() }
    }
}
