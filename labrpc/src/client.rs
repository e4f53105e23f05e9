use std::fmt;
use std::sync::Arc;

use labgob::Gob;
use labrt::channel;

use crate::call::{Answer, Request};
use crate::network::Inner;
use crate::service::MethodType;

/// The caller's end of a connection. Clones are the same end.
///
/// Go: the type `ClientEnd`.
#[derive(Clone)]
pub struct ClientEnd {
    network: Arc<Inner>,
    place: usize,
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
    pub(crate) fn new(network: Arc<Inner>, place: usize) -> ClientEnd {
        ClientEnd { network, place }
    }

    /// Calls a method by its name on the wire, such as `Raft.AppendEntries`, and waits for the
    /// reply or for the network to give up. A typed client made by
    /// [`#[labrpc::service]`](crate::service) is the better way.
    ///
    /// Go: `Call`.
    ///
    /// # Errors
    /// [`NoReply`], after up to 7 s; never later, unless the handler never returns.
    ///
    /// # Panics
    /// If the server has no such service or method, or it has other types: a programming error.
    #[track_caller]
    pub fn call<A: Gob, R: Gob>(&self, method: &str, args: &A) -> Result<R, NoReply> {
        let (sender, answer) = channel::bounded(1);
        let done = move |answer| {
            // A caller that was killed meanwhile no longer listens.
            let _ = sender.send(answer);
        };
        let request = Request { blocking: true, ..request::<A, R>(method, args) };
        self.network.call(self.place, request, Box::new(done));
        match answer.recv() {
            Ok(Answer::Reply(bytes)) => Ok(decode(method, &bytes)),
            Ok(Answer::NoReply) | Err(_) => Err(NoReply),
            Ok(Answer::Misuse(words)) => panic!("{words}"),
        }
    }

    /// As [`call`](ClientEnd::call), but returns at once; `then` gets the result.
    ///
    /// `then` runs on a task of the network, which does nothing else meanwhile: it must not block.
    /// A programming error as above panics on that task, and `then` is not called.
    pub fn call_then<A: Gob, R: Gob>(
        &self,
        method: &str,
        args: &A,
        then: impl FnOnce(Result<R, NoReply>) + Send + 'static,
    ) {
        let request = request::<A, R>(method, args);
        let method = request.method.clone();
        let network = Arc::downgrade(&self.network);
        let done = move |answer| match answer {
            Answer::Reply(bytes) => then(Ok(decode(&method, &bytes))),
            Answer::NoReply => then(Err(NoReply)),
            // On a task of its own, so that the network goes on for those who did nothing wrong.
            Answer::Misuse(words) => {
                if let Some(network) = network.upgrade() {
                    network.run(move || panic!("{words}"));
                }
            }
        };
        self.network.call(self.place, request, Box::new(done));
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
        write!(f, "ClientEnd({})", self.place)
    }
}
