//! A task for each other server, which brings that one up to date and waits for its answers; and a
//! ticker for elections.

use std::sync::Arc;

use labrpc::Service;
use labrt::channel::{self, Receiver, RecvTimeoutError, Sender};
use labrt::sync::{Condvar, Mutex};
use labrt::thread;
use labrt::time::Instant;
use raft_api::{Bytes, RaftState, Started};

use super::{Desk, Event, Post, Running};
use crate::dress::Handler;
use crate::message::{Reply, Request};
use crate::server::Server;

pub(super) struct Replicators {
    state: Mutex<State>,
    /// The ticker may have something to do earlier than it thought.
    changed: Condvar,
    /// By server, the way to its replicator.
    replicators: Vec<Sender<Event>>,
    desk: Desk,
    post: Arc<Post>,
}

struct State {
    server: Server,
    killed: bool,
}

impl Replicators {
    pub(super) fn run(server: Server, desk: Desk, post: Arc<Post>) -> Arc<dyn Running> {
        let (replicators, inboxes): (Vec<_>, Vec<_>) =
            (0..post.servers()).map(|_| channel::unbounded()).unzip();
        let state = Mutex::new(State { server, killed: false });
        let changed = Condvar::new();
        let raft = Arc::new(Replicators { state, changed, replicators, desk, post });
        let ticker = raft.clone();
        thread::Builder::new().name("ticker").spawn(move || ticker.tick());
        let others = inboxes.into_iter().enumerate().filter(|(to, _)| *to != raft.post.me());
        for (to, inbox) in others {
            let replicator = raft.clone();
            let name = format!("replicator for {to}");
            thread::Builder::new().name(name).spawn(move || replicator.replicate(to, &inbox));
        }
        raft
    }

    fn tick(self: Arc<Self>) {
        let mut state = self.state.lock();
        while !state.killed {
            match state.server.tick_at() {
                Some(at) if at <= Instant::now() => {
                    let requests = state.server.tick(Instant::now());
                    self.settle(&mut state.server);
                    for (to, request) in requests {
                        self.tell(to, Event::Send(request));
                    }
                }
                Some(at) => {
                    self.changed.wait_until(&mut state, at);
                }
                None => self.changed.wait(&mut state),
            }
        }
    }

    fn replicate(&self, to: usize, inbox: &Receiver<Event>) {
        loop {
            let mut state = self.state.lock();
            if state.killed {
                return;
            }
            let request = state.server.request_if_due(to, Instant::now());
            let wake_at = state.server.send_at(to);
            drop(state);
            if let Some(request) = request {
                self.send(to, &request);
            }
            let event = match wake_at {
                Some(at) => inbox.recv_deadline(at),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match event {
                Ok(Event::Send(request)) => self.send(to, &request),
                Ok(Event::Answer(from, Some(reply))) => self.take_reply(from, &reply),
                _ => {}
            }
        }
    }

    fn send(&self, to: usize, request: &Request) {
        self.post.send(to, request, &self.replicators[to]);
    }

    fn tell(&self, to: usize, event: Event) {
        // Only a server that was killed has no replicators.
        let _ = self.replicators[to].send(event);
    }

    fn take_reply(&self, from: usize, reply: &Reply) {
        self.with_server(|server| server.reply(from, reply, Instant::now()));
    }

    /// Does something with the server, and what follows from it.
    fn with_server<R>(&self, f: impl FnOnce(&mut Server) -> R) -> R {
        let mut state = self.state.lock();
        let result = f(&mut state.server);
        self.settle(&mut state.server);
        self.changed.notify_one();
        result
    }

    /// Saves, hands on, and wakes the replicators that have something to do before the next
    /// heartbeat.
    fn settle(&self, server: &mut Server) {
        self.desk.settle(server);
        for to in server.take_hurried() {
            self.tell(to, Event::Wake);
        }
    }
}

impl Running for Replicators {
    fn service(self: Arc<Self>) -> Service {
        let post = self.post.clone();
        post.service(Handlers(self))
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        self.with_server(|server| server.start(command, Instant::now()))
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        self.with_server(|server| server.take_snapshot(index, snapshot));
    }

    fn state(&self) -> RaftState {
        self.state.lock().server.state()
    }

    fn kill(&self) {
        self.state.lock().killed = true;
        self.changed.notify_all();
        (0..self.post.servers()).for_each(|to| self.tell(to, Event::End));
    }
}

/// The server as the others see it.
struct Handlers(Arc<Replicators>);

impl Handler for Handlers {
    fn request(&self, request: Request) -> Option<Reply> {
        Some(self.0.with_server(|server| server.request(&request, Instant::now())))
    }

    fn reply(&self, from: usize, reply: Reply) {
        self.0.take_reply(from, &reply);
    }
}
