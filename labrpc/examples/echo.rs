//! The smallest useful service: it says back what it is told.
//!
//! ```text
//! cargo run -p labrpc --example echo             # simulated clock, seed 1
//! cargo run -p labrpc --example echo -- 42       # simulated clock, seed 42
//! cargo run -p labrpc --example echo -- --real   # real clock
//! ```

use std::sync::Arc;

use labrpc::{Network, NoReply, Server};
use labrt::time::Instant;
use labrt::world::Builder;

/// Gives `EchoService`, to put on a server, and `EchoClient`, to call it.
#[labrpc::service]
pub trait Echo {
    /// Says it back.
    fn echo(&self, words: String) -> String;
}

struct Mountain;

impl Echo for Mountain {
    fn echo(&self, words: String) -> String {
        format!("{words} ... {words}")
    }
}

fn talk() {
    let network = Network::new();
    network.add_server("mountain", Server::new().service(EchoService::of(Arc::new(Mountain))));
    let mountain = EchoClient::new(network.make_end("hiker"));
    network.connect("hiker", "mountain");
    network.enable("hiker", true);

    println!("hello? {:?}", mountain.echo(&"hello".to_string()));

    // Any call may fail on a network like this. A caller who wants an answer asks again.
    network.set_reliable(false);
    let began = Instant::now();
    for call in 1..=10 {
        match mountain.echo(&format!("number {call}")) {
            Ok(answer) => println!("number {call}? {answer:?}"),
            Err(NoReply) => println!("number {call}? no reply"),
        }
    }
    println!("ten calls on an unreliable network took {:?}", began.elapsed());
    network.cleanup();
}

fn main() {
    let world = match std::env::args().nth(1).as_deref() {
        Some("--real") => Builder::real(),
        seed => {
            let seed = seed.map_or(1, |text| text.parse().expect("a seed is a number"));
            println!("seed {seed}: this number decides all that follows");
            Builder::simulated(seed)
        }
    };
    if let Err(failure) = world.run(talk) {
        eprintln!("{failure}");
        std::process::exit(1);
    }
}
