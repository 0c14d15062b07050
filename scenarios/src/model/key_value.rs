//! What the key-value machine's commands mean: a value under each key, where there is one.

use bytes::Bytes;
use squall_replica::codec::DecodeError;
use squall_replica::kv::{Command, Reply};
use squall_sim::history::{Effect, Model, Seen};

use super::ClientModel;
use crate::machine;

/// The value under one key, where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyValueModel;

impl Model for KeyValueModel {
    type Key = Bytes;
    type State = Option<Bytes>;
    type Input = Command;
    type Output = Reply;

    fn key(&self, input: &Command) -> Bytes {
        input.key().clone()
    }

    fn initial(&self, _key: &Bytes) -> Option<Bytes> {
        None
    }

    fn step(&self, state: &mut Option<Bytes>, input: &Command) -> Reply {
        match input {
            Command::Get { .. } => return Reply::Value(state.clone()),
            Command::Put { value, .. } => *state = Some(value.clone()),
            Command::CompareAndSet { expected, value, .. } => {
                let is_as_expected = state == expected;
                if is_as_expected {
                    *state = Some(value.clone());
                }
                return Reply::Swapped(is_as_expected);
            }
            Command::Append { value, .. } => {
                *state = Some(match state.take() {
                    Some(before) => [before, value.clone()].concat().into(),
                    None => value.clone(),
                });
            }
            Command::Delete { .. } => *state = None,
        }
        Reply::Done
    }

    fn accepts(&self, expected: &Reply, actual: &Reply) -> bool {
        expected == actual
    }

    fn is_read(&self, input: &Command, output: Option<&Reply>) -> bool {
        match input {
            Command::Get { .. } => true,
            Command::CompareAndSet { .. } => output == Some(&Reply::Swapped(false)),
            Command::Put { .. } | Command::Append { .. } | Command::Delete { .. } => false,
        }
    }

    fn effect(&self, input: &Command) -> Effect<Option<Bytes>> {
        match input {
            Command::Put { value, .. } => Effect::Sets(Some(value.clone())),
            Command::Delete { .. } => Effect::Sets(None),
            Command::CompareAndSet { value, .. } => Effect::MaySet(Some(value.clone())),
            Command::Get { .. } | Command::Append { .. } => Effect::Any,
        }
    }

    fn may_make(&self, input: &Command, state: &Option<Bytes>) -> bool {
        match (input, state) {
            (Command::Append { value, .. }, Some(state)) => state.ends_with(value),
            (Command::Append { .. }, None) => false,
            (
                Command::Get { .. }
                | Command::Put { .. }
                | Command::CompareAndSet { .. }
                | Command::Delete { .. },
                _,
            ) => true,
        }
    }

    fn seen(&self, input: &Command, output: &Reply) -> Seen<Option<Bytes>> {
        match (input, output) {
            (Command::Get { .. }, Reply::Value(value)) => Seen::Only(value.clone()),
            (Command::CompareAndSet { expected, .. }, Reply::Swapped(true)) => Seen::Only(expected.clone()),
            (Command::CompareAndSet { expected, .. }, Reply::Swapped(false)) => {
                Seen::AllBut(expected.clone())
            }
            (Command::Put { .. } | Command::Append { .. } | Command::Delete { .. }, Reply::Done) => {
                Seen::Every
            }
            (
                Command::Get { .. }
                | Command::Put { .. }
                | Command::CompareAndSet { .. }
                | Command::Append { .. }
                | Command::Delete { .. },
                Reply::Value(_) | Reply::Done | Reply::Swapped(_) | Reply::Malformed,
            ) => Seen::Unclear,
        }
    }

    fn states_before(&self, input: &Command, state: &Option<Bytes>) -> Option<Vec<Option<Bytes>>> {
        Some(match (input, state) {
            (Command::CompareAndSet { expected, value, .. }, Some(state)) if state == value => {
                vec![expected.clone()]
            }
            (Command::Append { value, .. }, Some(state)) => match state.strip_suffix(&value[..]) {
                Some(&[]) => vec![None, Some(Bytes::new())],
                Some(before) => vec![Some(Bytes::copy_from_slice(before))],
                None => Vec::new(),
            },
            (
                Command::Get { .. }
                | Command::Put { .. }
                | Command::CompareAndSet { .. }
                | Command::Append { .. }
                | Command::Delete { .. },
                _,
            ) => Vec::new(),
        })
    }

    fn state_bytes(&self, state: &Option<Bytes>) -> u64 {
        (size_of::<Option<Bytes>>() + state.as_ref().map_or(0, Bytes::len)) as u64
    }
}

impl ClientModel for KeyValueModel {
    fn input(command: &machine::Command) -> Option<Command> {
        match command {
            machine::Command::KeyValue(command) => Some(command.clone()),
            machine::Command::Files(_) => None,
        }
    }

    fn output(reply: &[u8]) -> Result<Reply, DecodeError> {
        Reply::decode(reply)
    }
}

#[cfg(test)]
mod tests {
    use squall_raft::LogPosition;
    use squall_replica::StateMachine;
    use squall_replica::kv::KeyValue;
    use squall_sim::Choice;
    use squall_sim::choice::Purpose;

    use super::*;

    fn command(choice: &mut Choice, number: u64) -> Command {
        let mut draw = choice.draw(Purpose::User, number, 0);
        let text = |byte: u64| Bytes::from(vec![byte as u8]);
        let (key, value) = (text(draw.range("key", 0, 1)), text(draw.range("value", 0, 2)));
        let expected = draw.range("expected", 0, 3).checked_sub(1).map(text);
        match draw.range("command", 0, 4) {
            0 => Command::Get { key },
            1 => Command::Put { key, value },
            2 => Command::CompareAndSet { key, expected, value },
            3 => Command::Append { key, value },
            _ => Command::Delete { key },
        }
    }

    /// And what it tells the search of its operations is true of each step.
    #[test]
    fn the_model_answers_as_the_machine_does() {
        let mut choice = Choice::from_seed(1);
        let mut machine = KeyValue::default();
        let mut states = [None, None];
        for number in 0..5000 {
            let command = command(&mut choice, number);
            let state = &mut states[usize::from(command.key()[0])];
            let before = state.clone();
            let reply = KeyValueModel.step(state, &command);
            let answer = machine.apply(LogPosition::new(1, number + 1), &command.encode());
            assert_eq!(Reply::decode(&answer), Ok(reply.clone()), "{command:?}");
            assert!(*state == before || !KeyValueModel.is_read(&command, Some(&reply)));
            assert!(KeyValueModel.may_make(&command, state));
            match KeyValueModel.seen(&command, &reply) {
                Seen::Only(seen) => assert_eq!(seen, before),
                Seen::AllBut(unseen) => assert_ne!(unseen, before),
                Seen::Every | Seen::Unclear => {}
            }
            match KeyValueModel.effect(&command) {
                Effect::Sets(made) => assert_eq!(*state, made),
                Effect::MaySet(made) => assert!(*state == made || *state == before),
                Effect::Any => {}
            }
            let is_listed = |listed: Vec<Option<Bytes>>| listed.contains(&before);
            let overwrites = matches!(KeyValueModel.effect(&command), Effect::Sets(_));
            assert!(
                overwrites
                    || *state == before
                    || KeyValueModel.states_before(&command, state).is_none_or(is_listed)
            );
        }
    }
}
