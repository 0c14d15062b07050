//! The simulator by itself: `cargo run --release -p squall-sim --example ping [virtual seconds] [seed]`

mod process;

#[expect(clippy::disallowed_types, reason = "a benchmark looks at the clock")]
fn main() {
    let stated: Result<Vec<u64>, _> = std::env::args().skip(1).map(|argument| argument.parse()).collect();
    let (seconds, seed) = match stated.as_deref() {
        Ok([]) => (10_000, 1),
        Ok([seconds]) => (*seconds, 1),
        Ok([seconds, seed]) => (*seconds, *seed),
        Ok(_) | Err(_) => {
            eprintln!("expected whole numbers: [virtual seconds] [seed]");
            std::process::exit(2);
        }
    };
    let mut world = process::world(seconds, seed);
    let began = std::time::Instant::now();
    let result = world.run();
    let elapsed = began.elapsed().as_secs_f64();
    println!("{:?}, hash {:032x}", result.verdict, result.hash);
    println!(
        "{} events in {elapsed:.2} s: {:.0} events/s, {:.0} ns each; {:.0} virtual seconds per second",
        result.events,
        result.events as f64 / elapsed,
        elapsed * 1e9 / result.events as f64,
        seconds as f64 / elapsed,
    );
}
