//! The machine against a naive model, and its bytes against hostile ones.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use squall_raft::LogPosition;

use super::*;
use crate::StateMachine;

fn text(bytes: &'static str) -> Bytes {
    Bytes::from_static(bytes.as_bytes())
}

fn apply(machine: &mut KeyValue, command: &Command) -> Reply {
    Reply::decode(&machine.apply(LogPosition::new(1, 1), &command.encode())).unwrap()
}

/// Few and short byte strings, so that commands meet.
fn short_bytes() -> impl Strategy<Value = Bytes> {
    vec(0_u8..3, 0..3).prop_map(Bytes::from)
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        short_bytes().prop_map(|key| Command::Get { key }),
        (short_bytes(), short_bytes()).prop_map(|(key, value)| Command::Put { key, value }),
        (short_bytes(), option::of(short_bytes()), short_bytes())
            .prop_map(|(key, expected, value)| Command::CompareAndSet { key, expected, value }),
        (short_bytes(), short_bytes()).prop_map(|(key, value)| Command::Append { key, value }),
        short_bytes().prop_map(|key| Command::Delete { key }),
    ]
}

fn any_reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        option::of(vec(any::<u8>(), 0..40).prop_map(Bytes::from)).prop_map(Reply::Value),
        Just(Reply::Done),
        any::<bool>().prop_map(Reply::Swapped),
        Just(Reply::Malformed),
    ]
}

/// A list of pairs that is searched from one end to the other.
#[derive(Default)]
struct Naive(Vec<(Bytes, Bytes)>);

impl Naive {
    fn get(&self, key: &Bytes) -> Option<Bytes> {
        self.0.iter().find(|pair| pair.0 == key).map(|pair| pair.1.clone())
    }

    fn put(&mut self, key: &Bytes, value: Bytes) {
        self.0.retain(|pair| pair.0 != key);
        self.0.push((key.clone(), value));
    }

    fn apply(&mut self, command: &Command) -> Reply {
        match command {
            Command::Get { key } => return Reply::Value(self.get(key)),
            Command::Put { key, value } => self.put(key, value.clone()),
            Command::CompareAndSet { key, expected, value } => {
                if self.get(key) != *expected {
                    return Reply::Swapped(false);
                }
                self.put(key, value.clone());
                return Reply::Swapped(true);
            }
            Command::Append { key, value } => {
                let before = self.get(key).unwrap_or_default();
                self.put(key, [before, value.clone()].concat().into());
            }
            Command::Delete { key } => self.0.retain(|pair| pair.0 != key),
        }
        Reply::Done
    }
}

#[test]
fn what_is_no_command_changes_no_pair_but_is_counted() {
    let mut machine = KeyValue::default();
    apply(&mut machine, &Command::Put { key: text("k"), value: text("v") });
    let before = machine.clone();
    for garbage in [&b""[..], b"\x05", b"\x00\xff\xff\xff\xff", b"\x00\x00\x00\x00\x00!"] {
        let reply = machine.apply(LogPosition::new(1, 2), garbage);
        assert_eq!(Reply::decode(&reply), Ok(Reply::Malformed));
    }
    assert!(machine.iter().eq(before.iter()));
    assert_ne!(machine.digest(), before.digest(), "another replica that skipped them would differ");
}

#[test]
fn a_command_applied_twice_shows_in_the_digest_although_the_pairs_are_the_same() {
    let put = Command::Put { key: text("k"), value: text("v") };
    let mut once = KeyValue::default();
    apply(&mut once, &put);
    let mut twice = once.clone();
    apply(&mut twice, &put);
    assert!(once.iter().eq(twice.iter()));
    assert_ne!(once.digest(), twice.digest());
}

#[test]
fn bytes_that_do_not_decode_are_told_what_would_have_been_right() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "command takes 1 bytes; 0 are left"),
        (b"\x09", "command is 9; expected 0 to 4"),
        (b"\x00\x03\0\0\0ab", "key takes 3 bytes; 2 are left"),
        (b"\x02\0\0\0\0\x07", "expected is 7; expected 0 to 1"),
        (b"\x04\x01\0\0\0k?!", "2 bytes follow the end"),
    ];
    for (bytes, message) in cases {
        assert_eq!(Command::decode(bytes).unwrap_err().to_string(), message);
    }
}

proptest! {
    #[test]
    fn the_machine_answers_as_a_naive_list_does(commands in vec(any_command(), 0..60)) {
        let mut machine = KeyValue::default();
        let mut naive = Naive::default();
        for command in &commands {
            prop_assert_eq!(apply(&mut machine, command), naive.apply(command));
        }
        naive.0.sort();
        prop_assert!(machine.iter().eq(naive.0.iter().map(|pair| (&pair.0, &pair.1))));
    }

    /// Two roads to the same pairs in as many commands: the digest is that of the state, not of the road.
    #[test]
    fn the_digest_depends_on_the_pairs_alone(commands in vec(any_command(), 0..60)) {
        let mut machine = KeyValue::default();
        for command in &commands {
            apply(&mut machine, command);
        }
        let mut rebuilt = KeyValue::default();
        for (key, value) in machine.iter() {
            apply(&mut rebuilt, &Command::Put { key: key.clone(), value: value.clone() });
        }
        for _ in machine.len()..commands.len() as u64 {
            apply(&mut rebuilt, &Command::Get { key: Bytes::new() });
        }
        prop_assert_eq!(rebuilt, machine);
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
        tag in 0_u8..7,
        rest in vec(prop_oneof![8 => 0_u8..4, 1 => any::<u8>()], 0..24),
    ) {
        let bytes = [&[tag][..], &rest[..]].concat();
        if let Ok(command) = Command::decode(&bytes) {
            prop_assert_eq!(command.encode(), &bytes);
        }
        if let Ok(reply) = Reply::decode(&bytes) {
            prop_assert_eq!(reply.encode(), &bytes);
        }
    }
}
