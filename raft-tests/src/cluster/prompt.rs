//! What must return at once: `start` and `make`.
//!
//! Only simulated time tells: there code takes none, so whatever passes in a call is time in which it waits.

use std::time::Duration;

use labrt::world;
use labtrace::verdict;

use super::Cluster;

/// How long a `start` may take. It waits for nothing but what the server does itself.
const START: Duration = Duration::from_millis(50);

/// How long a `make` may take.
const MAKE: Duration = Duration::from_millis(500);

impl Cluster {
    /// Makes sure that the `start` of a server that was called at this moment has not waited. `instance` is the one
    /// that was asked.
    #[track_caller]
    pub(super) fn check_start_was_prompt(&self, server: usize, instance: u64, since_us: u64) {
        let Some(took) = took_too_long(since_us, START) else { return };
        let same = self.inner.applied.with(|all| all.instances[server] == instance);
        if !same || self.inner.watch.was_paused(server, since_us) {
            return;
        }
        let words = format!("`start` of server {server} took {:.3} s", took.as_secs_f64());
        //= lab.start
        let broken = verdict("start", words)
            .fact_at(since_us, server, format!("a command was offered to server {server}"))
            .fact(None, format!("a `start` may take {} ms of lab time", START.as_millis()));
        self.fail(broken.hint(START_WAITS).at(format!("`start` of server {server}")));
    }

    /// Makes sure that the `make` of a server that was called at this moment has not waited.
    #[track_caller]
    pub(super) fn check_make_was_prompt(&self, server: usize, since_us: u64) {
        let Some(took) = took_too_long(since_us, MAKE) else { return };
        let words = format!("`make` of server {server} took {:.3} s", took.as_secs_f64());
        //= lab.make
        let broken = verdict("make", words)
            .fact_at(since_us, server, format!("server {server} was started"))
            .fact(None, format!("a `make` may take {} ms of lab time", MAKE.as_millis()));
        self.fail(broken.hint(MAKE_WAITS).at(format!("`make` of server {server}")));
    }
}

/// How long it is since this moment, if that is longer than it may be. On the real clock nothing is.
fn took_too_long(since_us: u64, most: Duration) -> Option<Duration> {
    let took = Duration::from_micros(labtrace::now_us().saturating_sub(since_us));
    (took >= most && world::is_simulated()).then_some(took)
}

/// What usually leads to a `start` that takes long.
const START_WAITS: &str = "`start` appends the command and returns: it does not wait until the command is \
     committed or sent, nor for a lock that is held while somebody else waits or sleeps";

/// What usually leads to a `make` that takes long.
const MAKE_WAITS: &str = "`make` starts threads for all work that takes time, such as elections and \
     applying, and returns: all servers are made one after the other";
