//! Panics inside a run: an assertion that fired is a finding about that seed, not the end of the sweep.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `body`; if it panics, returns what it said and where, and prints nothing.
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(install);
    let was_catching = CATCHING.replace(true);
    // Whatever `body` left half-done is dropped with its world: nothing that it touched is used again.
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    CATCHING.set(was_catching);
    result.map_err(|_| CAUGHT.take().unwrap_or_else(|| "a panic without a message".to_owned()))
}

/// The same, for a run that is to be looked at though it panicked.
pub(crate) fn catch_run(run: &mut dyn FnMut()) -> Result<(), String> {
    catch(run)
}

/// Keeps the message of a panic that is being caught, and leaves all others to the hook before.
fn install() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if CATCHING.get() {
            CAUGHT.set(Some(describe(panic)));
        } else {
            before(panic);
        }
    }));
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let words = payload.downcast_ref::<&str>().copied();
    let words = words.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let words = words.unwrap_or("a panic that is not text");
    match panic.location() {
        Some(at) => format!("{words} (at {}:{})", at.file(), at.line()),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::catch;

    #[test]
    fn a_panic_is_returned_with_its_words_and_its_place_and_the_next_run_goes_on() {
        let said = catch(|| panic!("term fell from {} to {}", 4, 3)).expect_err("it panicked");
        assert!(said.starts_with("term fell from 4 to 3 (at "), "{said}");
        assert!(said.contains("panics.rs:"), "{said}");
        assert_eq!(catch(|| 7), Ok(7));
    }
}
