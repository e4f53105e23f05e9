//! A key/value service on a network that loses requests and replies.
//!
//! Two clients append to one key and ask again until they get an answer. A lost request and a lost
//! reply look the same to them, so some of what they repeat has been done already. Each client
//! therefore numbers what it writes, and the server does each number once.
//!
//! ```text
//! cargo run -p labrpc --example kv             # simulated clock, seed 1
//! cargo run -p labrpc --example kv -- 42       # simulated clock, seed 42
//! cargo run -p labrpc --example kv -- --real   # real clock
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use labgob::{Deserialize, Gob, Serialize};
use labrpc::{ClientEnd, Network, NoReply, Server};
use labrt::sync::Mutex;
use labrt::thread;
use labrt::world::Builder;

const APPENDS: u64 = 25;

/// What a client wants written. `client` and `number` name it for ever, however often it is sent.
#[derive(Debug, Serialize, Deserialize, Gob)]
pub struct Write {
    client: u64,
    number: u64,
    key: String,
    value: String,
}

/// What the server offers. Reading twice does no harm, so only writes carry a number.
#[labrpc::service]
pub trait KeyValue {
    /// The value of a key.
    fn get(&self, key: String) -> Option<String>;
    /// Replaces the value of a key.
    fn put(&self, write: Write) -> ();
    /// Adds to the end of the value of a key.
    fn append(&self, write: Write) -> ();
}

// ---- The server --------------------------------------------------------------------------------

#[derive(Default)]
struct Store {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    values: BTreeMap<String, String>,
    /// The number of each client's last write. Clients wait for one answer before they write again,
    /// so whatever has this number or a smaller one has been done.
    last: BTreeMap<u64, u64>,
    duplicates: u64,
}

impl State {
    /// The value to change, unless the write has been done before.
    fn value(&mut self, write: &Write) -> Option<&mut String> {
        let last = self.last.entry(write.client).or_default();
        if write.number <= *last {
            self.duplicates += 1;
            return None;
        }
        *last = write.number;
        Some(self.values.entry(write.key.clone()).or_default())
    }
}

impl KeyValue for Store {
    fn get(&self, key: String) -> Option<String> {
        self.state.lock().values.get(&key).cloned()
    }

    fn put(&self, write: Write) {
        if let Some(value) = self.state.lock().value(&write) {
            *value = write.value;
        }
    }

    fn append(&self, write: Write) {
        if let Some(value) = self.state.lock().value(&write) {
            value.push_str(&write.value);
        }
    }
}

// ---- A client ----------------------------------------------------------------------------------

/// Go: the type `Clerk`.
struct Clerk {
    server: KeyValueClient,
    client: u64,
    last: u64,
    repeated: u64,
}

impl Clerk {
    fn new(end: ClientEnd, client: u64) -> Clerk {
        Clerk { server: KeyValueClient::new(end), client, last: 0, repeated: 0 }
    }

    fn get(&mut self, key: &str) -> Option<String> {
        let key = key.to_string();
        self.until_answered(|server| server.get(&key))
    }

    fn put(&mut self, key: &str, value: &str) {
        let write = self.write(key, value);
        self.until_answered(|server| server.put(&write));
    }

    fn append(&mut self, key: &str, value: &str) {
        let write = self.write(key, value);
        self.until_answered(|server| server.append(&write));
    }

    fn write(&mut self, key: &str, value: &str) -> Write {
        self.last += 1;
        Write { client: self.client, number: self.last, key: key.into(), value: value.into() }
    }

    fn until_answered<R>(&mut self, call: impl Fn(&KeyValueClient) -> Result<R, NoReply>) -> R {
        loop {
            match call(&self.server) {
                Ok(reply) => return reply,
                Err(NoReply) => self.repeated += 1,
            }
        }
    }
}

// ---- All of it together ------------------------------------------------------------------------

fn append_from_two_clients() {
    let network = Network::new();
    network.set_reliable(false);
    let store = Arc::new(Store::default());
    network.add_server("store", Server::new().service(KeyValueService::of(store.clone())));
    let clerk = |client: u64| {
        let name = format!("client {client}");
        let end = network.make_end(name.as_str());
        network.connect(name.as_str(), "store");
        network.enable(name.as_str(), true);
        Clerk::new(end, client)
    };

    let (mut first, second) = (clerk(1), clerk(2));
    first.put("letters", ">");
    let clients = [first, second].map(|mut clerk| {
        thread::spawn(move || {
            for n in 1..=APPENDS {
                clerk.append("letters", &format!(" {}.{n}", clerk.client));
            }
            clerk.repeated
        })
    });
    let repeated: u64 =
        clients.map(|client| client.join().expect("it does not panic")).iter().sum();

    let letters = clerk(3).get("letters").expect("it was put");
    let duplicates = store.state.lock().duplicates;
    println!("letters: {letters}");
    println!("{repeated} calls were repeated, {duplicates} of them after their effect");
    check(&letters);
    network.cleanup();
}

/// Each append has happened exactly once, and each client's in their order.
fn check(letters: &str) {
    for client in ["1.", "2."] {
        let own: Vec<&str> =
            letters.split(' ').filter_map(|word| word.strip_prefix(client)).collect();
        let expected: Vec<String> = (1..=APPENDS).map(|n| n.to_string()).collect();
        assert_eq!(own, expected, "client {client} appended each number once, in order");
    }
}

fn main() {
    let world = match std::env::args().nth(1).as_deref() {
        Some("--real") => Builder::real(),
        seed => {
            let seed = seed.map_or(1, |text| text.parse().expect("a seed is a number"));
            println!("seed {seed}");
            Builder::simulated(seed)
        }
    };
    match world.run(append_from_two_clients) {
        Ok(outcome) => println!("passed; it took {:?} on its clock", outcome.elapsed),
        Err(failure) => {
            eprintln!("{failure}");
            std::process::exit(1);
        }
    }
}
