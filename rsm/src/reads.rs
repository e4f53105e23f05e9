//! Reads without an entry in the log, by read index (paper, section 8).
//!
//! Raft says up to which index a server must have executed all before it may answer
//! ([`raft_api::Raft::read_index`]). One task takes the reads that have their index, in their order, waits
//! until this server is there, and reads the machine. Where Raft has no index to give but this server
//! leads, the read is submitted like any other request: that always works, and at a new leader it is the
//! entry of its own term that the next read needs.

use labrt::channel::Receiver;
use raft_api::{NoReadIndex, Raft};

use crate::pending::Tell;
use crate::server::{Works, waiting};
use crate::{Machine, Rsm, SubmitError};

/// A machine of which some requests change nothing: these can be executed without the log.
pub trait Readable: Machine {
    /// Whether a request changes nothing.
    fn is_read(request: &Self::Request) -> bool;

    /// Answers a request that changes nothing, as [`apply`](Machine::apply) would. It is not asked anything else.
    fn read(&self, request: &Self::Request) -> Self::Reply;
}

/// What the task that reads is told.
pub(crate) enum ToRead<M: Machine> {
    /// Raft has said how a read is to be answered.
    Read {
        /// What it is called in the table of those who wait.
        read: u64,
        request: M::Request,
        /// Reads the machine.
        answer: fn(&M, &M::Request) -> M::Reply,
        /// Up to which index all must be executed; `None`: it must go through the log.
        index: Option<u64>,
    },
    /// The server is over.
    End,
}

impl<M: Readable, R: Raft> Rsm<M, R> {
    /// As [`read`](Rsm::read), but does not wait: `tell` is called with the result as that of
    /// [`submit_then`](Rsm::submit_then).
    ///
    /// # Panics
    /// If the request [changes something](Readable::is_read): it has to be submitted.
    pub fn read_then(
        &self,
        request: M::Request,
        tell: impl FnOnce(Result<M::Reply, SubmitError>) + Send + 'static,
    ) {
        assert!(
            M::is_read(&request),
            "a request that changes something was to be read: it needs `submit`"
        );
        let tell: Tell<M::Reply> = Box::new(tell);
        let Works { raft, shared, options } = &self.works;
        if !options.read_index {
            return self.works.submit_then(request, tell);
        }
        let begun = shared.pending.lock().begin_read(tell);
        let read = match begun {
            Ok(read) => read,
            Err(told) => return told.tell(),
        };
        let shared = shared.clone();
        raft.read_index(Box::new(move |index| {
            let index = match index {
                Ok(index) => Some(index),
                Err(NoReadIndex::NothingCommitted | NoReadIndex::Unsupported) => None,
                Err(NoReadIndex::NotLeader) => {
                    let tell = shared.pending.lock().take_read(read);
                    return tell.into_iter().for_each(|tell| tell(Err(SubmitError::NotLeader)));
                }
            };
            let answer = M::read;
            // If nobody receives it, the server is over, and the reader has been told so.
            let _ = shared.to_read.send(ToRead::Read { read, request, answer, index });
        }));
    }

    /// Answers a request that changes nothing; waits for it. With
    /// [`Options::read_index`](crate::Options::read_index) no entry goes into the log, where that is
    /// possible; else it is submitted. Either way the answer has all that was executed before this call, on
    /// whichever server.
    ///
    /// # Errors
    /// As [`submit`](Rsm::submit).
    ///
    /// # Panics
    /// As [`read_then`](Rsm::read_then).
    pub fn read(&self, request: M::Request) -> Result<M::Reply, SubmitError> {
        waiting(|tell| self.read_then(request, tell))
    }
}

impl<M: Machine, R: Raft> Works<M, R> {
    /// Answers reads, one after the other, until the server is over.
    pub(crate) fn answer_reads(&self, to_read: &Receiver<ToRead<M>>) {
        for next in to_read {
            let ToRead::Read { read, request, answer, index } = next else { return };
            let take = || self.shared.pending.lock().take_read(read);
            match index {
                Some(index) => {
                    let reply =
                        self.shared.stand.read_at(index, |machine| answer(machine, &request));
                    if let Some((tell, reply)) = take().zip(reply) {
                        tell(Ok(reply));
                    }
                }
                None => {
                    if let Some(tell) = take() {
                        self.submit_then(request, tell);
                    }
                }
            }
        }
    }
}
