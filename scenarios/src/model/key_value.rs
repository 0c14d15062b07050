//! What the key-value machine's commands mean: a value under each key, where there is one.

use bytes::Bytes;
use squall_replica::codec::DecodeError;
use squall_replica::kv::{Command, Reply};
use squall_sim::history::{Effect, Model};

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

    fn state_seen(&self, input: &Command, output: &Reply) -> Option<Option<Bytes>> {
        match (input, output) {
            (Command::Get { .. }, Reply::Value(value)) => Some(value.clone()),
            (Command::CompareAndSet { expected, .. }, Reply::Swapped(true)) => Some(expected.clone()),
            (
                Command::Get { .. }
                | Command::Put { .. }
                | Command::CompareAndSet { .. }
                | Command::Append { .. }
                | Command::Delete { .. },
                Reply::Value(_) | Reply::Done | Reply::Swapped(_) | Reply::Malformed,
            ) => None,
        }
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
            assert!(KeyValueModel.state_seen(&command, &reply).is_none_or(|seen| seen == before));
            match KeyValueModel.effect(&command) {
                Effect::Sets(made) => assert_eq!(*state, made),
                Effect::MaySet(made) => assert!(*state == made || *state == before),
                Effect::Any => {}
            }
        }
    }
}
