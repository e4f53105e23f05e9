//! A clerk under the tester's eyes.

use std::fmt;
use std::sync::Arc;

use kv_api::Clerk;
use labrpc::Name;
use linearizability::models::{KvInput, KvOutput};
use tester::Net;

use crate::history::History;

/// A clerk with ends of its own, whose calls are counted and, if asked for, taken down.
///
/// When it and all who hold its ends are gone, these leave the network.
pub struct Client<C: Clerk> {
    clerk: C,
    ends: Arc<Ends>,
    count: Box<dyn Fn() + Send>,
    history: Option<(u64, History)>,
}

/// The ends of a client. Whoever holds them may connect it, while it is at work elsewhere.
pub struct Ends {
    net: Net,
    names: Vec<Name>,
    /// Which server each of them leads to.
    servers: Vec<usize>,
}

impl Ends {
    /// Lets the client reach these servers, beside those that it reaches already.
    pub fn connect(&self, to: &[usize]) {
        for (name, server) in self.names.iter().zip(&self.servers) {
            if to.contains(server) {
                self.net.network().enable(name, true);
            }
        }
    }
}

impl fmt::Debug for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.names.iter().for_each(|name| self.net.network().remove_end(name));
    }
}

impl<C: Clerk> Client<C> {
    /// A client that reaches nobody yet. Its clerk has an end to each of `names`, in that order;
    /// these are the `servers`.
    pub(crate) fn new(
        net: &Net,
        number: u64,
        names: Vec<Name>,
        servers: Vec<usize>,
        count: impl Fn() + Send + 'static,
        history: Option<(u64, History)>,
    ) -> Client<C> {
        let network = net.network();
        let own = |server: &Name| Name::from(format!("client {number} to {server}"));
        let ends: Vec<Name> = names.iter().map(own).collect();
        let made = ends.iter().zip(&names).map(|(end, server)| {
            let made = network.make_end(end);
            network.connect(end, server);
            made
        });
        let clerk = C::make(made.collect());
        let ends = Arc::new(Ends { net: net.clone(), names: ends, servers });
        Client { clerk, ends, count: Box::new(count), history }
    }

    /// Its ends.
    pub fn ends(&self) -> &Arc<Ends> {
        &self.ends
    }

    /// The value of a key.
    pub fn get(&mut self, key: &str) -> String {
        let input = || KvInput::Get { key: key.into() };
        self.call(input, |clerk| clerk.get(key), |value| KvOutput::Value(value.clone()))
    }

    /// Gives a key a value.
    pub fn put(&mut self, key: &str, value: &str) {
        let input = || KvInput::Put { key: key.into(), value: value.into() };
        self.call(input, |clerk| clerk.put(key, value), |()| KvOutput::Done);
    }

    /// Adds to the end of a key's value.
    pub fn append(&mut self, key: &str, value: &str) {
        let input = || KvInput::Append { key: key.into(), value: value.into() };
        self.call(input, |clerk| clerk.append(key, value), |()| KvOutput::Done);
    }

    /// Gets a key, which must have this value.
    ///
    /// # Panics
    /// If it has another one.
    #[track_caller]
    pub fn check(&mut self, key: &str, expected: &str) {
        let value = self.get(key);
        if value != expected {
            let words = format!("Get({key}) gave {value:?}, and the value is {expected:?}");
            labtrace::verdict("get", words).hint(WRONG_VALUE).fail();
        }
    }

    /// The clerk itself: calls that are neither counted nor taken down.
    pub fn clerk(&mut self) -> &mut C {
        &mut self.clerk
    }

    fn call<T>(
        &mut self,
        input: impl Fn() -> KvInput,
        call: impl FnOnce(&mut C) -> T,
        output: impl FnOnce(&T) -> KvOutput,
    ) -> T {
        let history = self.history.as_ref();
        let ticket = history.map(|(client, history)| history.calls(*client, input()));
        let result = call(&mut self.clerk);
        if let (Some((_, history)), Some(ticket)) = (history, ticket) {
            history.returned(ticket, output(&result));
        }
        (self.count)();
        result
    }
}

/// What usually leads to a wrong value.
pub(crate) const WRONG_VALUE: &str = "a write that was acknowledged and then lost, one that was \
     applied twice, or a read that did not go through the log";

impl<C: Clerk> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("ends", &self.ends).finish_non_exhaustive()
    }
}
