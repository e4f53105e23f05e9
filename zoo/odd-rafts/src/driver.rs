//! The shapes of concurrency: three ways to run the same [`Server`].
//!
//! Each brings requests, replies and the time to the server, and after each of these does the same
//! three things in this order: it saves, it hands committed commands to the applier, it sends.

use std::error::Error;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use labrt::channel::{self, Sender};
use labrt::rng;
use labrt::thread;
use labrt::time::Instant;
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, RaftState, Started};

use crate::choice::{Odd, Shape};
use crate::durable::Durable;
use crate::message::{Reply, Request};
use crate::server::Server;

mod event_loop;
mod post;
mod replicators;
mod thread_per_call;

use event_loop::EventLoop;
use post::Post;
use replicators::Replicators;
use thread_per_call::ThreadPerCall;

/// A server that runs.
pub(crate) trait Running: Send + Sync {
    fn service(self: Arc<Self>) -> Service;
    fn start(&self, command: Bytes) -> Option<Started>;
    fn snapshot(&self, index: u64, snapshot: Bytes);
    fn state(&self) -> RaftState;
    fn kill(&self);
}

/// Something that has happened to a server, for tasks that wait on a channel.
pub(crate) enum Event {
    /// A call is over: of which server, and with its reply if one came with it.
    Answer(usize, Option<Reply>),
    /// A request, and where the answer is awaited.
    Request(Request, Sender<Reply>),
    /// This is to be sent.
    Send(Request),
    Start(Bytes, Sender<Option<Started>>),
    State(Sender<RaftState>),
    /// The service has put all up to this index into a snapshot.
    Snapshot(u64, Bytes),
    /// Something may be due earlier than it was.
    Wake,
    End,
}

/// What a server keeps beside its state.
pub(crate) struct Desk {
    persister: Arc<dyn Persister>,
    applier: Sender<ApplyMsg>,
}

impl Desk {
    /// Saves what is unsaved and hands on what is committed, before anything is said.
    fn settle(&self, server: &mut Server) {
        while let Some(durable) = server.unsaved() {
            let state = labgob::encode(durable);
            let saved = match server.unsaved_snapshot() {
                Some(snapshot) => self.persister.save_state_and_snapshot(&state, snapshot),
                None => self.persister.save_raft_state(&state),
            };
            if let Err(error) = saved {
                panic!("the server stops, because its state cannot be saved: {error}");
            }
            server.saved();
        }
        for message in server.take_committed() {
            // The applier ends when the service no longer listens.
            let _ = self.applier.send(message);
        }
    }
}

/// Makes a server and lets it run.
///
/// # Errors
/// If the persister cannot be read, or what it holds is not a state of these Rafts.
pub(crate) fn run(
    odd: &Odd,
    peers: Vec<ClientEnd>,
    me: usize,
    persister: Arc<dyn Persister>,
    apply: Sender<ApplyMsg>,
) -> Result<Arc<dyn Running>, Box<dyn Error + Send + Sync>> {
    let durable = Durable::restore(&persister.read_raft_state()?)?;
    let place = (me, peers.len());
    let server = Server::new(place, odd.habits(), durable, Instant::now(), rng::node_stream());
    let mut server = server.with_snapshot(persister.read_snapshot()?.into());
    let desk = Desk { persister, applier: start_applier(apply) };
    desk.settle(&mut server);
    let post = Arc::new(Post::new(odd, me, peers));
    post.repeat(server.last_words());
    Ok(match odd.shape() {
        Shape::ThreadPerCall => ThreadPerCall::run(server, desk, post),
        Shape::Replicators => Replicators::run(server, desk, post),
        Shape::EventLoop => EventLoop::run(server, desk, post),
    })
}

/// Starts the task that gives commands to the service, which may take its time and may call `start`
/// meanwhile: so no lock is held, and nobody else waits.
pub(crate) fn start_applier(apply: Sender<ApplyMsg>) -> Sender<ApplyMsg> {
    let (sender, committed) = channel::unbounded();
    thread::Builder::new().name("applier").spawn(move || {
        for message in committed {
            if apply.send(message).is_err() {
                return;
            }
        }
    });
    sender
}
