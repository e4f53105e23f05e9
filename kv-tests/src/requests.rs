//! How often a clerk asks.

use std::fmt;
use std::sync::Arc;

use labrpc::CallStep;
use labrt::sync::Leaf;
use tester::{ClientCall, Watcher};

use crate::cluster::Cluster;

/// Counts the requests of one client, from its making on. It makes no step of a run.
#[derive(Clone)]
pub(crate) struct Requests {
    count: Arc<Leaf<u64>>,
    client: u64,
}

impl Requests {
    /// Of this client, to all servers.
    pub(crate) fn of(cluster: &Cluster, client: &tester::Client) -> Requests {
        let requests = Requests { count: Arc::default(), client: client.number() };
        cluster.group().watch(Arc::new(requests.clone()));
        requests
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.with(|count| *count)
    }
}

impl Watcher for Requests {
    fn client_call(&self, call: &ClientCall<'_>) {
        if call.client == self.client && matches!(call.event.step, CallStep::Sent { .. }) {
            self.count.with(|count| *count += 1);
        }
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("client", &self.client).finish_non_exhaustive()
    }
}
