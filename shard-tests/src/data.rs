//! Keys with values that are known, read and extended by one client.

use std::collections::BTreeMap;

use kv_clients::Client;
use labrt::rng::{self, RngExt, Stream};

use crate::cluster::Cluster;

/// Keys "0", "1" and so on, with the values that they must have.
pub(crate) struct Data {
    client: Client,
    rng: Stream,
    values: BTreeMap<usize, String>,
}

impl Data {
    /// So many keys, each with a value of so many characters.
    pub(crate) fn put(cluster: &Cluster, keys: usize, length: usize) -> Data {
        let mut rng = rng::stream("values");
        let values: BTreeMap<usize, String> =
            (0..keys).map(|key| (key, text(&mut rng, length))).collect();
        let mut data = Data { client: cluster.client(), rng, values };
        data.put_all();
        data
    }

    /// So many keys, each with this value.
    pub(crate) fn of_one_value(cluster: &Cluster, keys: usize, value: &str) -> Data {
        let values = (0..keys).map(|key| (key, value.to_string())).collect();
        let mut data = Data { client: cluster.client(), rng: rng::stream("values"), values };
        data.put_all();
        data
    }

    fn put_all(&mut self) {
        self.values.iter().for_each(|(key, value)| self.client.put(&key.to_string(), value));
    }

    /// The keys, in order.
    pub(crate) fn keys(&self) -> Vec<usize> {
        self.values.keys().copied().collect()
    }

    /// The value that a key must have.
    pub(crate) fn value(&self, key: usize) -> &str {
        &self.values[&key]
    }

    /// Whoever appends elsewhere has made this the value of a key.
    pub(crate) fn expect(&mut self, key: usize, value: String) {
        self.values.insert(key, value);
    }

    /// Gives a key another value.
    pub(crate) fn set(&mut self, key: usize, value: String) {
        self.client.put(&key.to_string(), &value);
        self.values.insert(key, value);
    }

    /// Checks the value of a key.
    #[track_caller]
    pub(crate) fn check(&mut self, key: usize) {
        self.client.check(&key.to_string(), &self.values[&key]);
    }

    /// Checks all values.
    #[track_caller]
    pub(crate) fn verify(&mut self) {
        self.keys().into_iter().for_each(|key| self.check(key));
    }

    /// For each key: checks its value, and adds so many characters.
    #[track_caller]
    pub(crate) fn verify_and_append(&mut self, length: usize) {
        for key in self.keys() {
            self.check(key);
            let more = text(&mut self.rng, length);
            self.client.append(&key.to_string(), &more);
            self.values.entry(key).or_default().push_str(&more);
        }
    }
}

/// So many random letters and digits.
pub(crate) fn text(rng: &mut Stream, length: usize) -> String {
    const OF: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    (0..length).map(|_| char::from(OF[rng.random_range(0..OF.len())])).collect()
}
