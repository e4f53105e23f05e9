//! What the tests of the network share: a service with methods of several kinds, and both clocks.

use std::sync::Arc;
use std::time::Duration;

use labgob::{Deserialize, Gob, Serialize};
use labrpc::{ClientEnd, Network, Reply, Server};
use labrt::sync::Mutex;
use labrt::thread;
use labrt::world::Builder;

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Gob)]
pub(crate) struct JunkArgs {
    pub(crate) x: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Gob)]
pub(crate) struct JunkReply {
    pub(crate) x: String,
}

/// Methods of every kind.
#[labrpc::service]
pub(crate) trait Junk {
    /// Counts as called, and answers with the number as text.
    fn handler1(&self, args: String) -> i32;
    fn handler2(&self, args: i32) -> String;
    /// Takes 20 s.
    fn handler3(&self, args: i32) -> i32;
    fn handler4(&self, args: JunkArgs) -> JunkReply;
    /// The length of the text.
    fn handler6(&self, args: String) -> u64;
    /// As many letters as asked for.
    fn handler7(&self, args: u64) -> String;
    /// Answers later, from another task.
    fn later(&self, args: u64, reply: Reply<u64>);
    #[rpc(inline)]
    fn inline(&self, args: u64, reply: Reply<u64>);
    /// Drops its right to answer.
    fn refuse(&self, args: u64, reply: Reply<u64>);
    fn nothing(&self, args: ()) -> ();
}

#[derive(Default)]
pub(crate) struct JunkServer {
    pub(crate) log1: Mutex<Vec<String>>,
    pub(crate) log2: Mutex<Vec<i32>>,
}

impl Junk for JunkServer {
    fn handler1(&self, args: String) -> i32 {
        let reply = args.parse().unwrap_or(-1);
        self.log1.lock().push(args);
        reply
    }

    fn handler2(&self, args: i32) -> String {
        self.log2.lock().push(args);
        format!("handler2-{args}")
    }

    fn handler3(&self, args: i32) -> i32 {
        thread::sleep(Duration::from_secs(20));
        -args
    }

    fn handler4(&self, args: JunkArgs) -> JunkReply {
        JunkReply { x: format!("pointer {}", args.x) }
    }

    fn handler6(&self, args: String) -> u64 {
        args.len() as u64
    }

    fn handler7(&self, args: u64) -> String {
        "y".repeat(usize::try_from(args).expect("small"))
    }

    fn later(&self, args: u64, reply: Reply<u64>) {
        thread::spawn(move || {
            thread::sleep(millis(30));
            reply.send(args * 2);
        });
    }

    fn inline(&self, args: u64, reply: Reply<u64>) {
        reply.send(args + 1);
    }

    fn refuse(&self, _args: u64, reply: Reply<u64>) {
        drop(reply);
    }

    fn nothing(&self, (): ()) {}
}

pub(crate) struct Setup {
    pub(crate) network: Network,
    pub(crate) junk: Arc<JunkServer>,
}

impl Setup {
    /// A network with one server, named 99.
    pub(crate) fn new() -> Setup {
        let (network, junk) = (Network::new(), Arc::<JunkServer>::default());
        network.add_server(99, Server::new().service(JunkService::of(junk.clone())));
        Setup { network, junk }
    }

    /// An end that reaches the server.
    pub(crate) fn client(&self, name: usize) -> JunkClient {
        JunkClient::new(self.end(name))
    }

    pub(crate) fn end(&self, name: usize) -> ClientEnd {
        let end = self.network.make_end(name);
        self.network.connect(name, 99);
        self.network.enable(name, true);
        end
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        self.network.cleanup();
    }
}

/// Runs a test on a few seeds and on the real clock.
pub(crate) fn on_both(test: fn()) {
    on_simulated(10, test);
    if let Err(failure) = Builder::real().run(test) {
        panic!("{failure}");
    }
}

pub(crate) fn on_simulated(seeds: u64, test: fn()) {
    for seed in 0..seeds {
        if let Err(failure) = Builder::simulated(seed).run(test) {
            panic!("{failure}");
        }
    }
}
