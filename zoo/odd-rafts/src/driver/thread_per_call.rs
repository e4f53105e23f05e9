//! A thread for each call, as the course's students write it: one mutex, a ticker that waits on a
//! condition variable, and threads that block in their calls without the lock.

use std::sync::Arc;

use labrpc::Service;
use labrt::sync::{Condvar, Mutex, MutexGuard};
use labrt::thread;
use labrt::time::Instant;
use raft_api::{Bytes, RaftState, Started};

use super::{Desk, Post, Running};
use crate::dress::Handler;
use crate::message::{Reply, Request};
use crate::server::Server;

pub(super) struct ThreadPerCall {
    state: Mutex<State>,
    /// Something may be due earlier than it was.
    changed: Condvar,
    desk: Desk,
    post: Arc<Post>,
}

struct State {
    server: Server,
    killed: bool,
}

impl ThreadPerCall {
    pub(super) fn run(server: Server, desk: Desk, post: Arc<Post>) -> Arc<dyn Running> {
        let state = Mutex::new(State { server, killed: false });
        let raft = Arc::new(ThreadPerCall { state, changed: Condvar::new(), desk, post });
        let ticker = raft.clone();
        thread::Builder::new().name("ticker").spawn(move || ticker.tick());
        raft
    }

    fn tick(self: Arc<Self>) {
        let mut state = self.state.lock();
        while !state.killed {
            match self.wake_at(&state.server) {
                Some(at) if at <= Instant::now() => self.send_what_is_due(&mut state),
                Some(at) => {
                    self.changed.wait_until(&mut state, at);
                }
                None => self.changed.wait(&mut state),
            }
        }
    }

    fn wake_at(&self, server: &Server) -> Option<Instant> {
        let sends = (0..self.post.servers()).filter_map(|to| server.send_at(to));
        sends.chain(server.tick_at()).min()
    }

    fn send_what_is_due(self: &Arc<Self>, state: &mut State) {
        let (server, now) = (&mut state.server, Instant::now());
        let mut requests = server.tick(now);
        self.desk.settle(server);
        for to in 0..self.post.servers() {
            requests.extend(server.request_if_due(to, now).map(|request| (to, request)));
        }
        for (to, request) in requests {
            for _ in 0..self.post.copies(&request) {
                let (raft, request) = (self.clone(), request.clone());
                thread::spawn(move || raft.call(to, &request));
            }
        }
    }

    fn call(&self, to: usize, request: &Request) {
        if let Some(reply) = self.post.call(to, request) {
            self.take_reply(to, &reply);
        }
    }

    fn take_reply(&self, from: usize, reply: &Reply) {
        self.with_server(|server| server.reply(from, reply, Instant::now()));
    }

    /// Does something with the server, and what follows from it.
    fn with_server<R>(&self, f: impl FnOnce(&mut Server) -> R) -> R {
        let mut state: MutexGuard<'_, State> = self.state.lock();
        let result = f(&mut state.server);
        self.desk.settle(&mut state.server);
        self.changed.notify_one();
        result
    }
}

impl Running for ThreadPerCall {
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
    }
}

/// The server as the others see it.
struct Handlers(Arc<ThreadPerCall>);

impl Handler for Handlers {
    fn request(&self, request: Request) -> Option<Reply> {
        Some(self.0.with_server(|server| server.request(&request, Instant::now())))
    }

    fn reply(&self, from: usize, reply: Reply) {
        self.0.take_reply(from, &reply);
    }
}
