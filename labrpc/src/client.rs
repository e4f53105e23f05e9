use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};

use labgob::Gob;
use labrt::Node;
use labrt::channel::{self, Sender};
use labrt::sync::uninterrupted;

use crate::call::Done;
use crate::ends::{EndId, EndRef};
use crate::exchange::Exchange;
use crate::kept::KeptRequest;
use crate::name::Name;
use crate::request::{Answer, MethodType, Request};

/// The caller's end of a connection. Clones are the same end.
///
/// Go: the type `ClientEnd`.
#[derive(Clone)]
pub struct ClientEnd {
    network: Arc<Exchange>,
    end: EndRef,
}

/// The one way for a call to fail: no reply came. Whether the handler ran cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReply;

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no reply: the request or the reply was lost, or the server is unreachable")
    }
}

impl std::error::Error for NoReply {}

impl ClientEnd {
    pub(crate) fn new(network: Arc<Exchange>, id: EndId, name: Name) -> ClientEnd {
        ClientEnd { network, end: EndRef { id, name } }
    }

    /// Calls a method by its name on the wire, such as `Raft.AppendEntries`, and waits for the
    /// reply or for the network to give up. A typed client made by
    /// [`#[labrpc::service]`](crate::service) is the better way.
    ///
    /// Go: `Call`.
    ///
    /// # Errors
    /// [`NoReply`]: if the server cannot be reached, after up to 7 s; if that becomes so while the handler runs, 0.1 s
    /// later at most; if a message is lost on the way, when it would have gone on. So that a reply is lost shows when the
    /// handler has ended, and a call to a server that is [paused](labrt::Node::pause) fails only after that goes on.
    /// [`Faults`](crate::Faults) and [slow](crate::Network::set_slowness) ends may make all of it longer.
    ///
    /// # Panics
    /// If the server has no such service or method, or it has other types: a programming error.
    #[track_caller]
    pub fn call<A: Gob, R: Gob>(&self, method: &str, args: &A) -> Result<R, NoReply> {
        let request = Request { blocking: true, ..request::<A, R>(method, args) };
        result(method, self.wait(request))
    }

    /// Makes a request that was kept once more, by this end, and waits. Returns the reply as it is encoded.
    ///
    /// # Errors
    /// As [`call`](ClientEnd::call).
    ///
    /// # Panics
    /// If the server has no such service or method, or it has other types.
    #[track_caller]
    pub fn call_kept(&self, request: &KeptRequest) -> Result<Vec<u8>, NoReply> {
        let KeptRequest { method, types, args } = request.clone();
        match self.wait(Request { method, types, args, blocking: true }) {
            Answer::Reply(bytes) => Ok(bytes),
            Answer::NoReply => Err(NoReply),
            Answer::Misuse(words) => panic!("{words}"),
        }
    }

    /// Makes a call and waits for its end.
    #[track_caller]
    fn wait(&self, request: Request) -> Answer {
        let (sender, answer) = channel::bounded(1);
        let done = move |answer| {
            // A caller that was killed meanwhile no longer listens.
            let _ = sender.send(answer);
        };
        self.network.call(&self.end, request, Done::Message(Box::new(done)));
        answer.recv().unwrap_or(Answer::NoReply)
    }

    /// As [`call`](ClientEnd::call), but returns at once; the result goes to a channel, together with
    /// a tag that tells which call it is of.
    ///
    /// This is the cheapest form, since no code of the caller's waits for the reply: an event loop
    /// has the results of all its calls come into its own queue, as one kind of message among others.
    /// `From` puts result and tag into such a message. It runs wherever the reply happens to be, so
    /// it must only move values: a call into labrt panics there (simulated clock).
    ///
    /// A programming error as above panics on a task of its own, and no message comes.
    ///
    /// # Panics
    /// If the channel has a limit: the network must not wait for room in it.
    #[track_caller]
    pub fn call_to<A: Gob, R: Gob, T, M>(&self, method: &str, args: &A, tag: T, to: &Sender<M>)
    where
        T: Send + 'static,
        M: From<Returned<T, R>> + Send + 'static,
    {
        assert!(
            to.capacity().is_none(),
            "the channel for the result of {method} is bounded; the network must not wait for room \
             in it: make it with `labrt::channel::unbounded`"
        );
        let request = request::<A, R>(method, args);
        let (method, network, to) = (request.method.clone(), self.weak(), to.clone());
        let at = Location::caller();
        let done = move |answer: Answer| {
            let answer = answer.made_at(at);
            let make = || M::from(Returned { tag, result: result(&method, answer) });
            match catch_unwind(AssertUnwindSafe(|| uninterrupted(make))) {
                // If nobody listens any more, its destructor is not the business of this task.
                Ok(message) => {
                    if let Err(unheard) = to.send(message) {
                        run(&network, move || drop(unheard));
                    }
                }
                Err(panic) => run(&network, move || resume_unwind(panic)),
            }
        };
        self.network.call(&self.end, request, Done::Message(Box::new(done)));
    }

    /// As [`call`](ClientEnd::call), but returns at once; `then` gets the result.
    ///
    /// `then` runs on a task of its own, which may block. It belongs to the node of the task that
    /// made the call: if that is killed, `then` is dropped or ends. A programming error as above
    /// panics on that task, and `then` is not called.
    #[track_caller]
    pub fn call_then<A: Gob, R: Gob>(
        &self,
        method: &str,
        args: &A,
        then: impl FnOnce(Result<R, NoReply>) + Send + 'static,
    ) {
        let request = request::<A, R>(method, args);
        let method = request.method.clone();
        let at = Location::caller();
        let done = move |answer: Answer| then(result(&method, answer.made_at(at)));
        let done = Done::Function(Box::new(done), Node::current());
        self.network.call(&self.end, request, done);
    }

    /// For what is kept in the network itself.
    fn weak(&self) -> Weak<Exchange> {
        Arc::downgrade(&self.network)
    }
}

/// The end of a call, as a message: see [`ClientEnd::call_to`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned<T, R> {
    /// What the caller gave along.
    pub tag: T,
    /// The reply.
    pub result: Result<R, NoReply>,
}

/// Runs something on a task of its own, if the network still exists.
fn run(network: &Weak<Exchange>, job: impl FnOnce() + Send + 'static) {
    if let Some(network) = network.upgrade() {
        network.run(job);
    }
}

/// What the caller gets.
///
/// # Panics
/// If the call was a programming error.
#[track_caller]
fn result<R: Gob>(method: &str, answer: Answer) -> Result<R, NoReply> {
    match answer {
        Answer::Reply(bytes) => Ok(decode(method, &bytes)),
        Answer::NoReply => Err(NoReply),
        Answer::Misuse(words) => panic!("{words}"),
    }
}

fn request<A: Gob, R: Gob>(method: &str, args: &A) -> Request {
    let types = MethodType::of::<A, R>();
    Request { method: Arc::from(method), types, args: labgob::encode(args), blocking: false }
}

/// The type was compared before the handler ran, so this fails only by a bug.
fn decode<R: Gob>(method: &str, bytes: &[u8]) -> R {
    labgob::decode(bytes).unwrap_or_else(|error| panic!("the reply of {method}: {error}"))
}

impl fmt::Debug for ClientEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientEnd({})", self.end.name)
    }
}
