use std::fmt;
use std::sync::Arc;

use crate::client::ClientEnd;
use crate::ends::{End, EndId};
use crate::exchange::Exchange;
use crate::faults::{Conditions, FaultCounts, Faults};
use crate::name::Name;
use crate::observer::Observer;
use crate::server::Server;

/// A network of client ends and servers. Clones are the same network.
///
/// At first it is reliable, without reordering and without long delays. It belongs to the world it
/// was made in and ends with it, or when the last clone, end and handler are gone.
///
/// Go: the type `Network`.
#[derive(Clone)]
pub struct Network {
    exchange: Arc<Exchange>,
}

impl Network {
    /// A network without ends and servers.
    #[expect(clippy::new_without_default, reason = "it starts something, which Default hides")]
    pub fn new() -> Network {
        Network { exchange: Exchange::new() }
    }

    /// Ends all calls under way, and every later one at once, with [`NoReply`](crate::NoReply);
    /// forgets the servers.
    ///
    /// A server that holds ends of the network it is on keeps that network alive, and is kept alive
    /// by it: this is what frees them.
    pub fn cleanup(&self) {
        self.exchange.cleanup();
    }

    /// Has an observer told of everything that happens to the calls made from now on.
    ///
    /// # Panics
    /// If the network has an observer already.
    #[track_caller]
    pub fn watch(&self, observer: impl Observer + 'static) {
        let first = self.exchange.watch(Box::new(observer));
        assert!(first, "the network has an observer already");
    }

    /// A new end, neither enabled nor connected.
    ///
    /// # Panics
    /// If there is an end of this name.
    #[track_caller]
    pub fn make_end(&self, name: impl Into<Name>) -> ClientEnd {
        let name = name.into();
        match self.exchange.state.with(|state| state.ends.insert(name.clone())) {
            Some(id) => ClientEnd::new(self.exchange.clone(), id, name),
            None => panic!("there is a client end named `{name}` already; each needs its own name"),
        }
    }

    /// Removes an end, for ever: its calls fail like those of a disabled end, and the name is free
    /// again. For those who come and go, such as clients: without it their ends pile up.
    ///
    /// # Panics
    /// If there is no end of this name.
    #[track_caller]
    pub fn remove_end(&self, name: impl Into<Name>) {
        let name = name.into();
        let id = self.change_end(&name, |_| ());
        self.exchange.state.with(|state| state.ends.remove(&name));
        self.exchange.check_running(|end, _| end == id);
    }

    /// Connects an end to the server of this name, which need not exist yet.
    ///
    /// # Panics
    /// If there is no end of this name.
    #[track_caller]
    pub fn connect(&self, end: impl Into<Name>, server: impl Into<Name>) {
        let server = server.into();
        self.change_end(&end.into(), |end| end.server = Some(server));
    }

    /// Enables or disables an end.
    ///
    /// # Panics
    /// If there is no end of this name.
    #[track_caller]
    pub fn enable(&self, end: impl Into<Name>, enabled: bool) {
        let id = self.change_end(&end.into(), |end| end.enabled = enabled);
        if !enabled {
            self.exchange.check_running(|end, _| end == id);
        }
    }

    #[track_caller]
    fn change_end(&self, name: &Name, change: impl FnOnce(&mut End)) -> EndId {
        let id = self.exchange.state.with(|state| {
            let (id, end) = state.ends.find(name)?;
            change(end);
            Some(id)
        });
        id.unwrap_or_else(|| panic!("there is no client end named `{name}`"))
    }

    /// Whether replies come back to an end. Default: they do. Without a way back, requests reach the server,
    /// whose handler runs, and the call fails after as long as one that reaches nobody.
    ///
    /// With another end that is disabled this is a cut in one direction.
    ///
    /// # Panics
    /// If there is no end of this name.
    #[track_caller]
    pub fn set_way_back(&self, end: impl Into<Name>, open: bool) {
        self.change_end(&end.into(), |end| end.way_back = open);
    }

    /// How much longer than others each message from or to this end is on its way, in microseconds, both
    /// ends of the range included. Default: (0, 0).
    ///
    /// # Panics
    /// If there is no end of this name, or the range ends before it begins.
    #[track_caller]
    pub fn set_slowness(&self, end: impl Into<Name>, least_us: u64, most_us: u64) {
        assert!(least_us <= most_us, "a delay of {least_us} to {most_us} us is no range");
        self.change_end(&end.into(), |end| end.slowness = (least_us, most_us));
    }

    /// Adds a server, or replaces the one of this name: calls whose handler the old one runs fail.
    pub fn add_server(&self, name: impl Into<Name>, server: Server) {
        let name = name.into();
        self.exchange.state.with(|state| state.servers.insert(name.clone(), server));
        self.exchange.check_running(|_, target| target.name == name);
    }

    /// Deletes a server, if there is one of this name: calls whose handler it runs fail.
    pub fn delete_server(&self, name: impl Into<Name>) {
        let name = name.into();
        self.exchange.state.with(|state| state.servers.remove(&name));
        self.exchange.check_running(|_, target| target.name == name);
    }

    /// Whether requests arrive at once and nothing is lost. Default: reliable.
    pub fn set_reliable(&self, reliable: bool) {
        self.exchange.state.with(|state| state.conditions.reliable = reliable);
    }

    /// Whether many replies are late by 0.2 s and more. Default: no.
    pub fn set_long_reordering(&self, on: bool) {
        self.exchange.state.with(|state| state.conditions.long_reordering = on);
    }

    /// Whether calls that reach no server take up to 7 s to fail. Default: no.
    pub fn set_long_delays(&self, on: bool) {
        self.exchange.state.with(|state| state.conditions.long_delays = on);
    }

    /// The switches as they are.
    pub fn conditions(&self) -> Conditions {
        self.exchange.state.with(|state| state.conditions)
    }

    /// Sets the probabilities and delays of everything that goes wrong.
    ///
    /// # Panics
    /// If a probability is not between 0 and 1, or a range ends before it begins.
    #[track_caller]
    pub fn set_faults(&self, faults: Faults) {
        let Faults { request_loss, reply_loss, reordering, duplication, .. } = faults;
        for probability in [request_loss, reply_loss, reordering, duplication] {
            assert!((0.0..=1.0).contains(&probability), "{probability} is no probability");
        }
        let ranges =
            [faults.request_delay, faults.unreachable_delay, faults.unreachable_long_delay];
        for (least, most) in ranges {
            assert!(least <= most, "a delay of {least} to {most} ms is no range");
        }
        let (least, most) = faults.travel_us;
        assert!(least <= most, "a way of {least} to {most} us is no range");
        self.exchange.state.with(|state| state.faults = faults);
    }

    /// How often the network has lost, delayed, held back or doubled a message of its own accord.
    pub fn fault_counts(&self) -> FaultCounts {
        self.exchange.state.with(|state| state.fault_counts)
    }

    /// How many requests the server of this name has been given; one that comes twice is two.
    ///
    /// # Panics
    /// If there is no server of this name.
    #[track_caller]
    pub fn count(&self, server: impl Into<Name>) -> u64 {
        let name = server.into();
        let count = self.exchange.state.with(|state| state.servers.get(&name).map(Server::count));
        count.unwrap_or_else(|| panic!("there is no server named `{name}`"))
    }

    /// How many calls have been made.
    pub fn total_count(&self) -> u64 {
        self.exchange.state.with(|state| state.total_count)
    }

    /// How many bytes of arguments were sent and of replies were delivered.
    pub fn total_bytes(&self) -> u64 {
        self.exchange.state.with(|state| state.total_bytes)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exchange.state.with(|state| {
            f.debug_struct("Network")
                .field("ends", &state.ends.names().collect::<Vec<_>>())
                .field("servers", &state.servers.keys().collect::<Vec<_>>())
                .field("conditions", &state.conditions)
                .finish_non_exhaustive()
        })
    }
}
