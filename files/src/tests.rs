//! The file system as its clients see it, its bytes, and bytes that are not its own.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use squall_raft::LogPosition;
use squall_replica::{Image, LoadError, Loader, StateMachine};

use super::*;
use crate::Command::*;

/// A file system, and a shorthand for what is asked of it.
struct Files(FileSystem);

impl Files {
    /// `/d` with the file `f` in it, `/e` with nothing in it, and the file `/f`: inodes 1 to 4.
    fn small() -> Self {
        let mut files = Self(FileSystem::default());
        files.make_directory("/d");
        files.create("/d/f", "in d");
        files.make_directory("/e");
        files.create("/f", "top");
        files
    }

    fn apply(&mut self, command: Command<&[u8]>) -> Reply {
        Reply::decode(&self.0.apply(LogPosition::new(1, 1), &command.encode())).unwrap()
    }

    fn make_directory(&mut self, path: &str) -> Reply {
        self.apply(MakeDirectory { path: path.as_bytes() })
    }

    fn create(&mut self, path: &str, blob: &str) -> Reply {
        self.apply(Create { path: path.as_bytes(), content: content(blob) })
    }

    fn rename(&mut self, from: &str, to: &str) -> Reply {
        self.apply(Rename { from: from.as_bytes(), to: to.as_bytes() })
    }

    fn update(&mut self, path: &str, expected: Option<u64>, blob: &str) -> Reply {
        self.apply(Update { path: path.as_bytes(), expected, content: content(blob) })
    }

    fn ask(&self, query: Command<&[u8]>) -> Reply {
        Reply::decode(&self.0.query(&query.encode())).unwrap()
    }

    fn stat(&self, path: &str) -> Result<u64, Error> {
        let reply = self.ask(Stat { path: path.as_bytes() });
        if let Reply::Found(inode) = reply {
            return Ok(inode.id().0);
        }
        let Reply::Failed(error) = reply else { panic!("{reply:?}") };
        Err(error)
    }

    fn list(&self, path: &str, after: &str, max_entries: u32) -> (Vec<String>, bool) {
        let query = List { path: path.as_bytes(), after: after.as_bytes(), max_entries };
        let Reply::Listed { entries, more } = self.ask(query) else { panic!("{path} is no directory") };
        (entries.iter().map(|entry| String::from_utf8_lossy(&entry.name).into_owned()).collect(), more)
    }

    fn fails(&mut self, command: Command<&[u8]>, error: Error) {
        let before = self.0.clone();
        assert_eq!(self.apply(command), Reply::Failed(error), "{command:?}");
        assert_eq!(self.0.tree, before.tree, "what fails changes nothing: {command:?}");
        assert_eq!(self.0.commands(), before.commands() + 1);
    }
}

fn content(blob: &str) -> Content<&[u8]> {
    Content { size: 1, modified: 2, blob: blob.as_bytes() }
}

fn moved(replaced: Option<u64>) -> Reply {
    Reply::Moved { replaced: replaced.map(InodeId) }
}

fn bytes_of(mut image: impl Image, part_bytes: u64) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    while image.bytes_left() > 0 {
        image.read(part_bytes, &mut bytes);
    }
    bytes.to_vec()
}

fn load(bytes: &[u8]) -> Result<FileSystem, LoadError> {
    let mut loader = FileSystemLoader::default();
    bytes.chunks(7).try_for_each(|part| loader.load(part))?;
    loader.finish()
}

#[test]
fn what_is_made_is_found_under_its_path_with_an_id_that_is_never_given_again() {
    let mut files = Files::small();
    assert_eq!(["/", "/d", "/d/f", "/e", "/f"].map(|path| files.stat(path)), [0, 1, 2, 3, 4].map(Ok));
    assert_eq!(files.apply(Remove { path: b"/f" }), Reply::Removed(InodeId(4)));
    assert_eq!(files.create("/f", ""), Reply::Made(InodeId(5)));
}

#[test]
fn a_renamed_directory_takes_all_in_it_along() {
    let mut files = Files::small();
    assert_eq!(files.rename("/d", "/e/new"), moved(None));
    assert_eq!(files.stat("/e/new/f"), Ok(2));
    assert_eq!(files.stat("/d"), Err(Error::NotFound));
}

#[test]
fn a_rename_replaces_a_file_by_a_file_and_an_empty_directory_by_a_directory() {
    let mut files = Files::small();
    assert_eq!(files.rename("/f", "/d/f"), moved(Some(2)));
    assert_eq!(files.rename("/d", "/e"), moved(Some(3)));
    assert_eq!(files.list("/", "", 9), (vec!["e".to_owned()], false));
    assert_eq!(files.stat("/e/f"), Ok(4));
    assert_eq!(files.rename("/e", "/e"), moved(None), "onto itself it stays what it is");
    assert_eq!(files.stat("/e/f"), Ok(4));
}

#[test]
fn a_rename_that_posix_refuses_is_refused_and_leaves_both_ends_as_they_were() {
    let mut files = Files::small();
    for (from, to, error) in [
        ("/", "/e/x", Error::IsRoot),
        ("/d", "/", Error::IsRoot),
        ("/x", "/y", Error::NotFound),
        ("/f", "/x/y", Error::NotFound),
        ("/f", "/f/y", Error::NotADirectory),
        ("/f/x", "/y", Error::NotADirectory),
        ("/d", "/d/x", Error::IntoItself),
        ("/d", "/d/x/y", Error::IntoItself),
        ("/f", "/e", Error::IsADirectory),
        ("/d", "/f", Error::NotADirectory),
        ("/e", "/d", Error::NotEmpty),
        ("/d/f", "/d", Error::IsADirectory),
    ] {
        files.fails(Rename { from: from.as_bytes(), to: to.as_bytes() }, error);
    }
    assert_eq!(files.rename("/d", "/dx"), moved(None), "a longer name is not a path below");
}

#[test]
fn files_and_directories_are_removed_each_by_its_own_command_and_a_tree_at_once() {
    let mut files = Files::small();
    files.fails(Remove { path: b"/d" }, Error::IsADirectory);
    files.fails(Remove { path: b"/" }, Error::IsADirectory);
    files.fails(RemoveDirectory { path: b"/f" }, Error::NotADirectory);
    files.fails(RemoveDirectory { path: b"/d" }, Error::NotEmpty);
    files.fails(RemoveDirectory { path: b"/" }, Error::IsRoot);
    files.fails(RemoveTree { path: b"/" }, Error::IsRoot);
    files.fails(RemoveTree { path: b"/x" }, Error::NotFound);
    assert_eq!(files.apply(RemoveDirectory { path: b"/e" }), Reply::Removed(InodeId(3)));
    files.make_directory("/d/g");
    files.create("/d/g/h", "");
    assert_eq!(files.apply(RemoveTree { path: b"/d" }), Reply::RemovedTree { inodes: 4 });
    assert_eq!(files.apply(RemoveTree { path: b"/f" }), Reply::RemovedTree { inodes: 1 });
    assert_eq!(files.0.inodes(), 1);
}

#[test]
fn an_update_that_expects_another_version_is_told_which_there_is() {
    let mut files = Files::small();
    assert_eq!(files.update("/f", None, "a"), Reply::Updated { version: 2 });
    assert_eq!(files.update("/f", Some(2), "b"), Reply::Updated { version: 3 });
    let late = Update { path: &b"/f"[..], expected: Some(2), content: content("c") };
    files.fails(late, Error::OtherVersion { version: 3 });
    let file = Inode::File {
        id: InodeId(4),
        version: 3,
        content: Content { size: 1, modified: 2, blob: Bytes::from_static(b"b") },
    };
    assert_eq!(files.ask(Stat { path: b"/f" }), Reply::Found(file));
    files.fails(Update { path: b"/d", expected: None, content: content("") }, Error::IsADirectory);
    files.fails(Update { path: b"/", expected: None, content: content("") }, Error::IsADirectory);
    files.fails(Update { path: b"/x", expected: Some(1), content: content("") }, Error::NotFound);
}

#[test]
fn a_directory_is_listed_by_name_a_part_at_a_time() {
    let mut files = Files::small();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(files.list("/", "", 2), (names(&["d", "e"]), true));
    assert_eq!(files.list("/", "e", 2), (names(&["f"]), false));
    assert_eq!(files.list("/", "dd", 1), (names(&["e"]), true), "behind a name that is not there");
    assert_eq!(files.list("/e", "", 2), (names(&[]), false));
    assert_eq!(files.list("/", "", 0), (names(&[]), true));
    assert_eq!(
        files.ask(List { path: b"/f", after: b"", max_entries: 1 }),
        Reply::Failed(Error::NotADirectory)
    );
    for number in 0..=LIST_ENTRIES_MAX {
        files.create(&format!("/e/{number}"), "");
    }
    let (listed, more) = files.list("/e", "", u32::MAX);
    assert_eq!((listed.len(), more), (LIST_ENTRIES_MAX as usize, true));
}

#[test]
fn bounds_are_told_before_anything_changes() {
    let limits = Limits { max_name_bytes: 3, max_blob_bytes: 4, max_inodes: 3 };
    let mut files = Files(FileSystem::new(limits));
    files.fails(Create { path: b"/abcd", content: content("") }, Error::NameTooLong);
    files.fails(Create { path: b"/a", content: content("12345") }, Error::BlobTooLarge);
    files.create("/a", "1234");
    files.make_directory("/b");
    files.fails(MakeDirectory { path: b"/c" }, Error::NoSpace);
    files.fails(MakeDirectory { path: b"/b" }, Error::Exists);
    files.fails(MakeDirectory { path: b"/" }, Error::Exists);
    files.fails(Update { path: b"/a", expected: None, content: content("12345") }, Error::BlobTooLarge);
    assert_eq!(files.rename("/a", "/c"), moved(None), "what is there may move");
    files.apply(Remove { path: b"/c" });
    assert_eq!(files.make_directory("/c"), Reply::Made(InodeId(3)), "and what is gone makes room");
}

#[test]
fn what_is_no_command_changes_nothing_but_is_counted_and_only_questions_are_asked() {
    let mut files = Files::small();
    let before = files.0.clone();
    for garbage in [&b""[..], b"\x09\0\0\0\0", b"\x07\xff\xff\xff\xff", b"\x07\x01\0\0\0/!"] {
        let reply = Reply::decode(&files.0.apply(LogPosition::new(1, 1), garbage));
        assert_eq!(reply, Ok(Reply::Failed(Error::Malformed)));
        assert_eq!(Reply::decode(&files.0.query(garbage)), Ok(Reply::Failed(Error::Malformed)));
    }
    assert_eq!(files.0.tree, before.tree);
    assert_ne!(files.0.digest(), before.digest(), "another replica that skipped them would differ");
    assert_eq!(files.ask(Remove { path: b"/f" }), Reply::Failed(Error::Malformed));
}

#[test]
fn bytes_that_do_not_decode_are_told_what_would_have_been_right() {
    let cases: [(&[u8], &str); 4] = [
        (b"\x09", "command is 9; expected 0 to 8"),
        (b"\x07\x03\0\0\0/a", "path takes 3 bytes; 2 are left"),
        (b"\x02\x01\0\0\0/\x02", "expected is 2; expected 0 to 1"),
        (b"\x07\x01\0\0\0/!", "1 bytes follow the end"),
    ];
    for (bytes, message) in cases {
        assert_eq!(Command::decode(bytes).unwrap_err().to_string(), message);
    }
    let many = [&[8][..], &u64::MAX.to_le_bytes(), &[0]].concat();
    assert_eq!(Reply::decode(&many).unwrap_err().to_string(), "name takes 4 bytes; 0 are left");
}

/// The bytes of an image of these pairs: a directory's id, a name, an inode.
fn image_of(next_id: u64, pairs: &[(u64, &[u8], &[u8])]) -> Vec<u8> {
    let numbers = [9, next_id, 255, 100, 100, pairs.len() as u64].map(u64::to_le_bytes).concat();
    let pairs = pairs.iter().flat_map(|(directory, name, inode)| {
        let key = [&directory.to_be_bytes(), *name].concat();
        [&(key.len() as u32).to_le_bytes()[..], &key, &(inode.len() as u32).to_le_bytes(), inode].concat()
    });
    numbers.into_iter().chain(pairs).collect()
}

#[test]
fn bytes_that_are_no_tree_are_refused_with_what_is_wrong() {
    let directory = |id: u64| [&[0][..], &id.to_le_bytes()].concat();
    let told = |next_id, pairs: &[(u64, &[u8], &[u8])]| {
        load(&image_of(next_id, pairs)).map(|files| files.inodes()).map_err(|error| error.to_string())
    };
    let (one, two) = (directory(1), directory(2));
    assert_eq!(told(3, &[(0, b"a", &one), (1, b"b", &two)]), Ok(3));
    let no_inode = Err("what is in the tree is no inode".to_owned());
    assert_eq!(told(3, &[(0, b"", &one)]), no_inode);
    assert_eq!(told(3, &[(0, b"a/b", &one)]), no_inode);
    assert_eq!(told(3, &[(0, b"a", b"")]), no_inode);
    assert_eq!(told(3, &[(0, b"a", &[&one[..], b"!"].concat())]), no_inode);
    assert_eq!(told(3, &[(0, b"a", b"\x02\0\0\0\0\0\0\0\0")]), no_inode);
    let twice = Err("two inodes of the tree have one id".to_owned());
    assert_eq!(told(3, &[(0, b"a", &one), (0, b"b", &one)]), twice);
    assert_eq!(told(3, &[(0, b"a", &one), (1, b"a", &directory(0))]), twice, "a circle through the root");
    let loose = Err("a part of the tree does not hang on its root".to_owned());
    assert_eq!(told(3, &[(1, b"a", &two), (2, b"b", &one)]), loose, "a circle beside the root");
    let taken = Err("an id is in use that is yet to be given".to_owned());
    assert_eq!(told(2, &[(0, b"a", &two)]), taken);
    let short = image_of(2, &[(0, b"a", &one)]);
    assert_eq!(load(&short[..short.len() - 1]).unwrap_err().to_string(), "the pairs are cut short");
}

/// Few names, so that commands meet.
fn any_path() -> impl Strategy<Value = Bytes> {
    let name =
        prop_oneof![30 => Just("/a"), 30 => Just("/b"), 20 => Just("/c"), 1 => Just("/"), 1 => Just("/..")];
    vec(name, 0..5).prop_map(|names| if names.is_empty() { "/".into() } else { names.concat().into() })
}

fn any_content() -> impl Strategy<Value = Content> {
    (any::<u64>(), any::<u64>(), vec(any::<u8>(), 0..9)).prop_map(|(size, modified, blob)| Content {
        size,
        modified,
        blob: blob.into(),
    })
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (any_path(), any_content()).prop_map(|(path, content)| Create { path, content }),
        5 => any_path().prop_map(|path| MakeDirectory { path }),
        3 => (any_path(), option::of(1..4_u64), any_content())
            .prop_map(|(path, expected, content)| Update { path, expected, content }),
        5 => (any_path(), any_path()).prop_map(|(from, to)| Rename { from, to }),
        2 => any_path().prop_map(|path| Remove { path }),
        2 => any_path().prop_map(|path| RemoveDirectory { path }),
        1 => any_path().prop_map(|path| RemoveTree { path }),
        1 => any_path().prop_map(|path| Stat { path }),
        1 => (any_path(), vec(any::<u8>(), 0..3), any::<u32>())
            .prop_map(|(path, after, max_entries)| List { path, after: after.into(), max_entries }),
    ]
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let id = || any::<u64>().prop_map(InodeId);
    let kind = prop_oneof![Just(Kind::File), Just(Kind::Directory)];
    let name = vec(any::<u8>(), 0..9).prop_map(Bytes::from);
    let entry = (name, id(), kind).prop_map(|(name, id, kind)| Entry { name, id, kind });
    let errors = [
        Error::NotFound,
        Error::Exists,
        Error::NotADirectory,
        Error::IsADirectory,
        Error::NotEmpty,
        Error::IntoItself,
        Error::IsRoot,
        Error::BadPath,
        Error::NameTooLong,
        Error::BlobTooLarge,
        Error::NoSpace,
        Error::OtherVersion { version: 7 },
        Error::Malformed,
    ];
    prop_oneof![
        id().prop_map(Reply::Made),
        any::<u64>().prop_map(|version| Reply::Updated { version }),
        option::of(id()).prop_map(|replaced| Reply::Moved { replaced }),
        id().prop_map(Reply::Removed),
        any::<u64>().prop_map(|inodes| Reply::RemovedTree { inodes }),
        id().prop_map(|id| Reply::Found(Inode::Directory { id })),
        (id(), any::<u64>(), any_content()).prop_map(|(id, version, content)| Reply::Found(Inode::File {
            id,
            version,
            content
        })),
        (vec(entry, 0..4), any::<bool>()).prop_map(|(entries, more)| Reply::Listed { entries, more }),
        proptest::sample::select(errors.to_vec()).prop_map(Reply::Failed),
    ]
}

/// All paths of a tree with their inodes, found by listing.
fn walk(files: &FileSystem) -> Vec<(Bytes, Inode)> {
    let mut found = Vec::new();
    let mut directories = vec![(Bytes::new(), InodeId::ROOT)];
    while let Some((path, directory)) = directories.pop() {
        for (name, inode) in files.tree.children(directory, b"") {
            let path: Bytes = [&path, &b"/"[..], &name].concat().into();
            if let Inode::Directory { id } = inode {
                directories.push((path.clone(), id));
            }
            found.push((path, inode));
        }
    }
    found
}

proptest! {
    #[test]
    fn nothing_is_ever_lost_and_what_fails_changes_nothing(commands in vec(any_command(), 0..80)) {
        let mut files = FileSystem::new(Limits { max_inodes: 20, ..Limits::default() });
        for command in &commands {
            let before = files.clone();
            let reply = Reply::decode(&files.apply(LogPosition::new(1, 1), &command.encode())).unwrap();
            if let Reply::Failed(_) = reply {
                prop_assert_eq!(&files.tree, &before.tree);
            }
            let all = walk(&files);
            prop_assert_eq!(all.len() as u64 + 1, files.inodes(), "after {:?}", command);
            for (path, inode) in all {
                prop_assert_eq!(files.query(&Stat { path }.encode()), Reply::Found(inode).encode());
            }
        }
    }

    /// What was removed and made again in between leaves no mark in the bytes but the count of it.
    #[test]
    fn an_image_is_that_of_the_state_alone_however_it_is_cut_and_is_loaded_to_the_same(
        commands in vec(any_command(), 0..80),
        part_bytes in 1..200_u64,
    ) {
        let mut files = FileSystem::default();
        for command in &commands {
            files.apply(LogPosition::new(1, 1), &command.encode());
        }
        let image = files.image();
        let mut rebuilt = FileSystem { commands: files.commands, next_id: files.next_id, ..FileSystem::default() };
        for (key, value) in files.tree.pairs.iter().collect::<Vec<_>>().into_iter().rev() {
            rebuilt.tree.pairs.set(key, value.clone());
        }
        prop_assert_eq!(rebuilt.digest(), files.digest());
        let bytes = bytes_of(image.clone(), part_bytes);
        prop_assert_eq!(&bytes, &bytes_of(rebuilt.image(), u64::MAX));
        let loaded = load(&bytes).unwrap();
        prop_assert_eq!(&loaded, &files);
        prop_assert_eq!(loaded.digest(), files.digest());
        files.apply(LogPosition::new(1, 1), &MakeDirectory { path: &b"/new"[..] }.encode());
        prop_assert_eq!(bytes, bytes_of(image, u64::MAX), "the image stays what it was");
    }

    #[test]
    fn a_command_survives_its_bytes(command in any_command()) {
        prop_assert_eq!(Command::decode(&command.encode()), Ok(command));
    }

    #[test]
    fn a_reply_survives_its_bytes(reply in any_reply()) {
        prop_assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }

    /// Whatever decodes has exactly this encoding; nothing panics.
    #[test]
    fn arbitrary_bytes_decode_to_what_they_encode_or_are_refused(
        tag in 0_u8..24,
        rest in vec(prop_oneof![8 => 0_u8..4, 1 => any::<u8>()], 0..40),
    ) {
        let bytes = [&[tag][..], &rest[..]].concat();
        if let Ok(command) = Command::decode(&bytes) {
            prop_assert_eq!(command.encode(), &bytes);
        }
        if let Ok(reply) = Reply::decode(&bytes) {
            prop_assert_eq!(reply.encode(), &bytes);
        }
        let _ = load(&bytes);
    }
}
