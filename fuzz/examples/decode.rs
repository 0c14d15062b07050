//! Prints an input of the target `world` as a scenario: `cargo run --release --example decode FILE > FILE.scn`.

use std::process::ExitCode;

use squall_fuzz::World;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("give the file of an input, such as artifacts/world/crash-...");
        return ExitCode::from(2);
    };
    match std::fs::read(&path) {
        Ok(bytes) => {
            print!("{}", World::from_bytes(&bytes).scenario());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{} cannot be read: {error}; give the file of an input", path.display());
            ExitCode::from(2)
        }
    }
}
