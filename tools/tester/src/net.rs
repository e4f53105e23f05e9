//! The network of a run, with all that is on it.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use labrpc::{Conditions, Faults, Network};
use labrt::rng::{self, Stream};
use labrt::sync::{Leaf, Mutex};
use labrt::time::Instant;
use labtrace::What;
use run_record::setting::Trouble;

use crate::observer::{Book, Sight};
use crate::others::Crossings;
use crate::run::Run;
use crate::test::Totals;

/// The network of a run: the groups of servers on it, and what happens to their calls. Clones are the
/// same network.
#[derive(Clone)]
pub struct Net {
    inner: Arc<Inner>,
}

/// A network that may be gone: who holds this does not keep it.
#[derive(Clone)]
pub(crate) struct WeakNet(Weak<Inner>);

impl WeakNet {
    /// The network, if it is still there.
    pub(crate) fn get(&self) -> Option<Net> {
        Some(Net { inner: self.0.upgrade()? })
    }
}

struct Inner {
    network: Network,
    run: Run,
    book: Arc<Leaf<Book>>,
    crossings: Mutex<Crossings>,
    rng: Mutex<Stream>,
    began: Instant,
    /// How many operations of clients are done.
    operations: Leaf<u64>,
    /// What goes wrong with calls.
    faults: Leaf<Faults>,
}

impl Net {
    /// A network without servers, on which only so much goes wrong as the run's setting allows.
    pub fn new(run: &Run) -> Net {
        let network = Network::new();
        let book = Arc::new(Leaf::new(Book::default()));
        network.watch(Sight::new(run.clone(), book.clone()));
        let (rng, began) = (Mutex::new(rng::stream("tester")), Instant::now());
        let (run, operations) = (run.clone(), Leaf::default());
        let crossings = Mutex::default();
        let faults = Leaf::new(Net::faults(&run));
        let inner = Inner { network, run, book, crossings, rng, began, operations, faults };
        let net = Net { inner: Arc::new(inner) };
        net.change_faults(|_| ());
        net
    }

    /// As [`new`](Net::new), for the tests of a service: each message travels for 1 to 4 ms. An operation
    /// that needs a majority takes four such ways: about 10 ms.
    pub fn of_service(run: &Run) -> Net {
        let net = Net::new(run);
        net.set_travel(1_000, 4_000);
        net
    }

    /// The network itself, to read its counters.
    pub fn network(&self) -> &Network {
        &self.inner.network
    }

    /// The run that it belongs to.
    pub fn run(&self) -> &Run {
        &self.inner.run
    }

    pub(crate) fn weak(&self) -> WeakNet {
        WeakNet(Arc::downgrade(&self.inner))
    }

    pub(crate) fn book(&self) -> &Leaf<Book> {
        &self.inner.book
    }

    pub(crate) fn crossings(&self) -> &Mutex<Crossings> {
        &self.inner.crossings
    }

    /// A draw from the tester's own random stream.
    pub fn draw<T>(&self, f: impl FnOnce(&mut Stream) -> T) -> T {
        f(&mut self.inner.rng.lock())
    }

    /// How long ago it was made.
    pub fn elapsed(&self) -> Duration {
        self.inner.began.elapsed()
    }

    pub(crate) fn count_operation(&self) {
        self.inner.operations.with(|count| *count += 1);
    }

    /// How many [operations](crate::Client::operate) of clients are done.
    pub fn operations(&self) -> u64 {
        self.inner.operations.with(|count| *count)
    }

    /// The sums up to now.
    pub fn totals(&self, servers: usize, operations: u64) -> Totals {
        Totals {
            time: self.elapsed(),
            servers,
            rpcs: self.network().total_count(),
            bytes: self.network().total_bytes(),
            operations,
        }
    }

    /// Whether requests arrive at once and nothing is lost, from now on. Default: so it is.
    pub fn set_reliable(&self, reliable: bool) {
        self.network().set_reliable(reliable);
        self.record_conditions();
    }

    /// Whether many replies are late, from now on. Default: no.
    pub fn set_long_reordering(&self, on: bool) {
        self.network().set_long_reordering(on);
        self.record_conditions();
    }

    /// Whether calls that reach no server take up to 7 s to fail, from now on. Default: no.
    pub fn set_long_delays(&self, on: bool) {
        self.network().set_long_delays(on);
        self.record_conditions();
    }

    /// How long each message travels that nothing else delays, in microseconds, from now on. Default:
    /// no time. For tests in which clients make one call after the other: without it they make any
    /// number of them in no time of the simulated clock.
    pub fn set_travel(&self, least_us: u64, most_us: u64) {
        self.change_faults(|faults| faults.travel_us = (least_us, most_us));
    }

    /// How likely a request is to come twice, from now on. Default: none does.
    ///
    /// # Panics
    /// If that is no probability.
    pub fn set_duplication(&self, probability: f64) {
        self.change_faults(|faults| faults.duplication = probability);
    }

    fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        let faults = self.inner.faults.with(|faults| {
            change(faults);
            faults.clone()
        });
        self.network().set_faults(faults);
    }

    /// What goes wrong on the network, as far as the run's setting allows.
    fn faults(run: &Run) -> Faults {
        let mut faults = Faults::default();
        faults.most_losses = run.limit(Trouble::Losses);
        faults.most_delays = run.limit(Trouble::Delays);
        faults.most_reorderings = run.limit(Trouble::Reorders);
        faults.most_duplicates = run.limit(Trouble::Duplicates);
        faults
    }

    fn record_conditions(&self) {
        let Conditions { reliable, long_reordering, long_delays, .. } = self.network().conditions();
        let what = What::Network { reliable, long_reordering, long_delays };
        self.run().session().record(None, what);
    }

    /// Ends all calls. The groups must have ended.
    ///
    /// # Panics
    /// If a rule was broken in the run, and the code under test has caught the panic of that.
    pub fn cleanup(&self) {
        self.network().cleanup();
        self.run().session().fail_if_judged();
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("network", self.network()).finish_non_exhaustive()
    }
}
