//! One task that owns the server. Everything that happens comes to it as an event.

use std::sync::Arc;

use labrpc::Service;
use labrt::channel::{self, Receiver, RecvTimeoutError, Sender};
use labrt::thread;
use labrt::time::Instant;
use raft_api::{Bytes, RaftState, Started};

use super::{Desk, Event, Post, Running};
use crate::dress::Handler;
use crate::message::{Reply, Request};
use crate::server::Server;

pub(super) struct EventLoop {
    events: Sender<Event>,
    post: Arc<Post>,
}

/// What the loop owns.
struct Owned {
    server: Server,
    desk: Desk,
    post: Arc<Post>,
    /// For the replies of its own calls.
    events: Sender<Event>,
}

impl EventLoop {
    pub(super) fn run(server: Server, desk: Desk, post: Arc<Post>) -> Arc<dyn Running> {
        let (events, inbox) = channel::unbounded();
        let owned = Owned { server, desk, post: post.clone(), events: events.clone() };
        thread::Builder::new().name("event loop").spawn(move || owned.run(&inbox));
        Arc::new(EventLoop { events, post })
    }

    /// Asks the loop for something; nothing comes from one that has ended.
    fn ask<R>(&self, event: impl FnOnce(Sender<R>) -> Event) -> Option<R> {
        let (sender, answer) = channel::bounded(1);
        self.events.send(event(sender)).ok()?;
        answer.recv().ok()
    }
}

impl Owned {
    fn run(mut self, inbox: &Receiver<Event>) {
        loop {
            let event = match self.wake_at() {
                Some(at) => inbox.recv_deadline(at),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match event {
                Ok(Event::End) => return,
                Ok(event) => self.handle(event),
                Err(_) => {}
            }
            self.send_what_is_due();
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        let sends = (0..self.post.servers()).filter_map(|to| self.server.send_at(to));
        sends.chain(self.server.tick_at()).min()
    }

    fn handle(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Request(request, answer) => {
                let reply = self.server.request(&request, now);
                self.desk.settle(&mut self.server);
                // A caller that was killed meanwhile does not listen; so below.
                let _ = answer.send(reply);
            }
            Event::Answer(from, Some(reply)) => self.server.reply(from, &reply, now),
            Event::Start(command, answer) => {
                let started = self.server.start(command, now);
                self.desk.settle(&mut self.server);
                let _ = answer.send(started);
            }
            Event::Snapshot(index, snapshot) => self.server.take_snapshot(index, snapshot),
            Event::State(answer) => {
                let _ = answer.send(self.server.state());
            }
            _ => {}
        }
        self.desk.settle(&mut self.server);
    }

    fn send_what_is_due(&mut self) {
        let now = Instant::now();
        let requests = self.server.tick(now);
        self.desk.settle(&mut self.server);
        for (to, request) in requests {
            self.post.send(to, &request, &self.events);
        }
        for to in 0..self.post.servers() {
            if let Some(request) = self.server.request_if_due(to, now) {
                self.post.send(to, &request, &self.events);
            }
        }
    }
}

impl Running for EventLoop {
    fn service(self: Arc<Self>) -> Service {
        let post = self.post.clone();
        post.service(Handlers(self))
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        self.ask(|answer| Event::Start(command, answer)).flatten()
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        // A loop that has ended needs none.
        let _ = self.events.send(Event::Snapshot(index, snapshot));
    }

    fn state(&self) -> RaftState {
        let ended = RaftState { term: 0, is_leader: false };
        self.ask(Event::State).unwrap_or(ended)
    }

    fn kill(&self) {
        // If the loop has ended, there is nothing to do.
        let _ = self.events.send(Event::End);
    }
}

/// The server as the others see it.
struct Handlers(Arc<EventLoop>);

impl Handler for Handlers {
    fn request(&self, request: Request) -> Option<Reply> {
        self.0.ask(|answer| Event::Request(request, answer))
    }

    fn reply(&self, from: usize, reply: Reply) {
        let _ = self.0.events.send(Event::Answer(from, Some(reply)));
    }
}
