//! A client of the servers on a network: its ends, and what it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use labrpc::{ClientEnd, Name};
use labrt::observe;
use labrt::rng::RngExt;
use labrt::sync::Leaf;
use labtrace::What;

use crate::members::Members;
use crate::net::Net;
use crate::observer::{Caller, Party};

/// Somebody who uses the servers of one group or of several, with ends of its own. Clones are the
/// same client.
///
/// At first it reaches nobody. When its last clone is gone, its ends leave the network. In a trace it
/// has a lane, in which its [operations](Client::operate) stand and from which its messages come.
///
/// Nothing that happens to servers concerns it: one in a minority of its group is still reached by a
/// client that was connected to it.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    net: Net,
    name: String,
    caller: Caller,
    state: Leaf<State>,
}

#[derive(Default)]
struct State {
    /// By server: the end that leads there.
    ends: BTreeMap<Name, End>,
    /// The servers that it may reach, whether or not it has an end there yet.
    reached: BTreeSet<Name>,
}

struct End {
    name: Name,
    end: ClientEnd,
}

impl Client {
    /// A client of this name, such as `client 3`. Several may have one name: they share a lane.
    ///
    /// All groups of the run must have been made.
    pub fn new(net: &Net, name: &str) -> Client {
        let lane = net.run().lane_of_client(name);
        let number = net.book().with(|book| {
            book.clients += 1;
            book.clients
        });
        let (net, name, caller) = (net.clone(), name.to_string(), Caller { lane, number });
        Client { inner: Arc::new(Inner { net, name, caller, state: Leaf::default() }) }
    }

    /// Its number on its network, from 1 on. No other one has had it.
    pub fn number(&self) -> u64 {
        self.inner.caller.number
    }

    /// The number of its lane in a trace.
    pub fn lane(&self) -> u32 {
        self.inner.caller.lane
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Its end to the server of this name, which need not run or exist. There is one end for each name.
    pub fn end_to(&self, server: &Name) -> ClientEnd {
        let known = |state: &mut State| state.ends.get(server).map(|known| known.end.clone());
        if let Some(end) = self.inner.state.with(known) {
            return end;
        }
        let Inner { net, name, caller, state } = &*self.inner;
        let own = Name::from(format!("{name} ({}) to {server}", caller.number));
        net.book().with(|book| book.ends.insert(own.clone(), Party::Client(*caller)));
        let end = net.network().make_end(&own);
        net.network().connect(&own, server);
        let reaches = state.with(|state| {
            let made = End { name: own.clone(), end: end.clone() };
            state.ends.insert(server.clone(), made);
            state.reached.contains(server)
        });
        net.network().enable(&own, reaches);
        end
    }

    /// Its ends to all servers of a group, in an order that says nothing about which is which.
    pub fn ends_to(&self, members: &Members) -> Vec<ClientEnd> {
        let mut order: Vec<usize> = (0..members.count()).collect();
        self.inner.net.draw(|rng| {
            for place in (1..order.len()).rev() {
                order.swap(place, rng.random_range(0..=place));
            }
        });
        order.into_iter().map(|server| self.end_to(&members.name(server))).collect()
    }

    /// Lets it reach these servers of a group, beside those that it reaches already. It may be at work
    /// elsewhere meanwhile.
    pub fn connect(&self, members: &Members, servers: &[usize]) {
        self.set_reached(members, servers, true);
    }

    /// Cuts it off from these servers of a group.
    pub fn disconnect(&self, members: &Members, servers: &[usize]) {
        self.set_reached(members, servers, false);
    }

    fn set_reached(&self, members: &Members, servers: &[usize], on: bool) {
        for name in servers.iter().map(|server| members.name(*server)) {
            let end = self.inner.state.with(|state| {
                let end = state.ends.get(&name).map(|known| known.name.clone());
                if on {
                    state.reached.insert(name)
                } else {
                    state.reached.remove(&name)
                };
                end
            });
            if let Some(end) = end {
                self.inner.net.network().enable(end, on);
            }
        }
    }

    /// Does one operation: `work` asks the service for it and returns when it is done. Then `judge` looks at
    /// what came of it, and may fail the run: in the trace the operation has returned by then. It is
    /// counted at the end.
    ///
    /// `asked` and `got` say in words what was asked for and what came of it; they are called only if
    /// the run is recorded.
    pub fn operate<T>(
        &self,
        asked: impl FnOnce() -> String,
        work: impl FnOnce() -> T,
        got: impl FnOnce(&T) -> String,
        judge: impl FnOnce(&T),
    ) -> T {
        let Inner { net, caller, .. } = &*self.inner;
        let session = net.run().session();
        if !session.keeps_events() {
            let result = work();
            judge(&result);
            net.count_operation();
            return result;
        }
        let (lane, op) = (Some(caller.lane), session.next_op());
        let before = observe::cause();
        let called = session.record(lane, What::Called { op, text: asked() });
        let result = observe::with_cause(called, || {
            let result = work();
            observe::with_cause(before, || {
                session.record(lane, What::Answered { op, text: got(&result) })
            });
            judge(&result);
            result
        });
        net.count_operation();
        result
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Who they belonged to stays in the book: calls may be under way.
        let ends = self.state.with(|state| std::mem::take(&mut state.ends));
        ends.values().for_each(|end| self.net.network().remove_end(&end.name));
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, number) = (self.name(), self.number());
        f.debug_struct("Client").field("name", &name).field("number", &number).finish()
    }
}
