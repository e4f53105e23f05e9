//! The service above each server: it reads what its Raft applies, checks it, and in part 2D takes
//! snapshots.

use std::time::Duration;

use bytes::Bytes;
use labgob::{Deserialize, Gob, Serialize};
use labrt::channel::Receiver;
use labrt::{observe, thread};
use labtrace::{VerdictBuilder, What, show, verdict};
use persister::Persister;
use raft_api::ApplyMsg;

use super::{Cluster, Inner};
use crate::applied::{Installed, Message, Service, place};

/// A snapshot is taken whenever the next index is a multiple of this.
const SNAPSHOT_EVERY: u64 = 10;

/// How long a busy service works before it looks whether it is to go on.
const BUSY_FOR: Duration = Duration::from_millis(5);

/// What a snapshot holds.
#[derive(Serialize, Deserialize, Gob)]
struct Snapshot {
    /// The last index whose command is in it.
    index: u64,
    /// The commands, by index. The first one is empty: no command has index 0.
    commands: Vec<Bytes>,
}

/// The last index whose command is in a snapshot; none of what is no snapshot.
pub(super) fn index_of(snapshot: &[u8]) -> Option<u64> {
    labgob::decode::<Snapshot>(snapshot).ok().map(|snapshot| snapshot.index)
}

/// What Raft says of a snapshot that it hands over.
#[derive(Clone, Copy)]
struct Label {
    index: u64,
    term: u64,
}

/// Which instance of a server a task reads for.
#[derive(Clone, Copy)]
struct Reader {
    server: usize,
    instance: u64,
}

impl Cluster {
    /// Begins to read what a new instance of a server applies. If services take snapshots, it begins
    /// with the one that the persister holds.
    pub(super) fn read_applied(
        &self,
        server: usize,
        persister: &dyn Persister,
        messages: Receiver<ApplyMsg>,
    ) {
        let instance = self.inner.applied.with(|all| {
            all.logs[server].clear();
            all.starts[server] = None;
            all.snapshots[server] = 0;
            all.put_off[server] = None;
            all.instances[server] += 1;
            all.instances[server]
        });
        let reader = Reader { server, instance };
        if self.inner.snapshots {
            let stored = persister.read_snapshot().expect("memory can be read");
            if !stored.is_empty() {
                self.install(reader, None, &stored);
            }
        }
        let cluster = self.clone();
        let name = format!("apply reader {server}");
        thread::Builder::new().name(name).spawn(move || {
            for message in messages {
                cluster.wait_while_busy(reader);
                cluster.read(reader, message);
            }
        });
    }

    /// From now on the service of a server is busy: it takes one more message from its Raft, and does
    /// nothing with it until it is [ready](Cluster::ready) again.
    pub(crate) fn busy(&self, server: usize) {
        self.set_service(server, Service::Busy { has_one: false });
        labtrace::note!("service", "the service of server {server} is busy");
    }

    /// Whether the service of a server has got a message since it is busy.
    pub(crate) fn has_something_to_do(&self, server: usize) -> bool {
        self.service(server) == Service::Busy { has_one: true }
    }

    /// The service of a server is not busy any more.
    pub(crate) fn ready(&self, server: usize) {
        self.set_service(server, Service::Ready);
        labtrace::note!("service", "the service of server {server} goes on");
    }

    fn service(&self, server: usize) -> Service {
        self.inner.applied.with(|all| all.services[server])
    }

    fn set_service(&self, server: usize, service: Service) {
        self.inner.applied.with(|all| all.services[server] = service);
    }

    fn wait_while_busy(&self, Reader { server, .. }: Reader) {
        while self.service(server) != Service::Ready {
            self.set_service(server, Service::Busy { has_one: true });
            thread::sleep(BUSY_FOR);
        }
    }

    fn read(&self, reader: Reader, message: ApplyMsg) {
        match message {
            ApplyMsg::Command { index, command } => self.apply(reader, index, command),
            ApplyMsg::Snapshot { index, term, snapshot } if self.inner.snapshots => {
                self.install(reader, Some(Label { index, term }), &snapshot);
            }
            other => {
                let server = reader.server;
                panic!(
                    "server {server} applied {other:?}, which this part of the lab does not know"
                );
            }
        }
    }

    fn apply(&self, reader: Reader, index: u64, command: Bytes) {
        let Reader { server, instance } = reader;
        let Inner { group, applied, watch, .. } = &*self.inner;
        if group.run().session().keeps_events() {
            group.record(server, What::Applied { index, command: show(&command) });
        }
        let us = labtrace::now_us();
        let message = Message { server, instance, index, command, us };
        if let Err(mut broken) = applied.with(|all| all.add(message)) {
            // Where the entries come from that do not agree.
            broken.facts.extend(watch.entries_sent(index));
            broken.location = Some(format!("what server {server} applies"));
            group.members().fail(*broken);
        }
        if !self.is_current(reader) {
            return;
        }
        watch.applied(server, index);
        if self.inner.snapshots && (index + 1).is_multiple_of(SNAPSHOT_EVERY) {
            self.take_snapshot(reader, index);
        } else {
            // As a service would at any time. A Raft that sends with its lock held, and that has more
            // to send, waits for this reader while this waits for that lock.
            self.state(server);
        }
    }

    /// Whether the instance has not crashed.
    fn is_current(&self, Reader { server, instance }: Reader) -> bool {
        self.inner.applied.with(|all| all.instances[server] == instance)
    }

    /// Gives a server that has just been made the snapshot that was due while it was being made.
    pub(super) fn take_snapshot_put_off(&self, server: usize) {
        let due = self.inner.applied.with(|all| {
            let index = all.put_off[server].take()?;
            Some((Reader { server, instance: all.instances[server] }, index))
        });
        if let Some((reader, index)) = due {
            self.take_snapshot(reader, index);
        }
    }

    /// Gives the server a snapshot of all that it has applied up to this index. If it applies while it is still
    /// being made, that has to wait.
    fn take_snapshot(&self, reader: Reader, index: u64) {
        let server = reader.server;
        if !self.is_running(server) && self.is_current(reader) {
            self.inner.applied.with(|all| all.put_off[server] = Some(index));
            return;
        }
        let count = place(index) + 1;
        let applied =
            self.inner.applied.with(|all| all.logs[server].iter().take(count).cloned().collect());
        let commands = [Bytes::new()].into_iter().chain::<Vec<Bytes>>(applied).collect();
        let snapshot = Bytes::from(labgob::encode(&Snapshot { index, commands }));
        // While a server is paused, so is the service above it.
        while let Some(instance) = self.inner.group.instance(server)
            && self.is_current(reader)
        {
            let cause = observe::cause();
            let given = instance.enter(|raft| {
                self.inner.watch.gives_snapshot(server, index, &snapshot);
                let bytes = snapshot.len() as u64;
                let event = self.inner.group.record(server, What::Snapshot { index, bytes });
                observe::with_cause(event.or(cause), || raft.0.snapshot(index, snapshot.clone()));
            });
            if given.is_some() {
                return;
            }
            thread::sleep(BUSY_FOR);
        }
    }

    /// Takes over a snapshot: one that Raft has handed over with this label, or the stored one.
    fn install(&self, reader: Reader, label: Option<Label>, snapshot: &[u8]) {
        let Reader { server, instance } = reader;
        let Inner { group, applied, watch, .. } = &*self.inner;
        let fail = |broken: VerdictBuilder| -> ! {
            group.members().fail(broken.at(format!("what server {server} applies")).build())
        };
        let bytes = snapshot.len() as u64;
        let mut snapshot: Snapshot = match labgob::decode(snapshot) {
            Ok(snapshot) => snapshot,
            Err(error) => fail(
                verdict("snapshot", format!("server {server}: snapshot decode error: {error}"))
                    .hint("the bytes that `snapshot` was given must come back as they were"),
            ),
        };
        let (index, term) = (label.map(|label| label.index), label.map(|label| label.term));
        group.record(
            server,
            What::Installed { index: index.unwrap_or(snapshot.index), term, bytes },
        );
        if index.is_some_and(|index| index != snapshot.index) {
            let words = format!("server {server} snapshot doesn't match the message's index");
            fail(
                verdict("snapshot", words)
                    .index(snapshot.index)
                    .fact(server, format!("the message says index {}", index.unwrap_or_default()))
                    .fact(None, format!("the snapshot was taken at index {}", snapshot.index))
                    .hint(
                        "index and bytes are of different snapshots: keep and send them together",
                    ),
            );
        }
        let us = labtrace::now_us();
        let commands = snapshot.commands.split_off(1.min(snapshot.commands.len()));
        let (stored, index) = (label.is_none(), snapshot.index);
        let installed = Installed { server, instance, index, commands, us, stored };
        if let Err(mut broken) = applied.with(|all| all.install(installed)) {
            broken.location = Some(format!("what server {server} applies"));
            group.members().fail(*broken);
        }
        match label {
            None => watch.restored(server, index),
            Some(label) if self.is_current(reader) => {
                watch.applied(server, index);
                watch.hands_over(server, index, label.term);
            }
            Some(_) => {}
        }
    }
}
