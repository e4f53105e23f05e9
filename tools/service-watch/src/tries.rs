//! Whom a client has asked in an operation that is under way, and what became of it.

use labgob::{Peek, Shape};
use labrpc::{CallStep, Message};
use memchr::memmem;

/// Of longer replies only the length is kept, in bytes.
const LONGEST: usize = 200;

/// By server: what a client has asked it for in one operation.
#[derive(Debug, Default)]
pub(crate) struct Tries(Vec<Try>);

/// What a client has asked one server for.
#[derive(Debug)]
pub(crate) struct Try {
    /// The number of the server's group, and its own in there.
    pub(crate) server: (usize, usize),
    /// How often, and how many of these calls are known to have been answered or to have failed.
    pub(crate) count: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    /// The last of these calls, and since when, in microseconds, it is as `how` says.
    call: u64,
    pub(crate) us: u64,
    pub(crate) how: How,
}

/// How a call stands.
#[derive(Debug)]
pub(crate) enum How {
    OnItsWay,
    /// It has reached the server, which has not answered.
    Reached,
    Answered(Answer),
    Failed,
}

/// A server's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    length: usize,
    /// All of it, if it is short.
    bytes: Vec<u8>,
    shape: &'static Shape,
}

impl Answer {
    pub(crate) fn of(reply: Message<'_>) -> Answer {
        let length = reply.bytes().len();
        let kept = if length <= LONGEST { reply.bytes() } else { &[] };
        Answer { length, bytes: kept.to_vec(), shape: reply.shape() }
    }

    /// Whether all of it is kept.
    pub(crate) fn is_short(&self) -> bool {
        self.bytes.len() == self.length
    }

    /// Whether it need not be where a client has this from. If the client has read nothing, it may have got that from a
    /// refusal as well, and nobody here can tell one from an answer. A long one, which is not kept, is no refusal.
    pub(crate) fn is_another_than(&self, read: &str) -> bool {
        self.is_short() && (read.is_empty() || memmem::find(&self.bytes, read.as_bytes()).is_none())
    }

    /// What it says, in words.
    pub(crate) fn text(&self) -> String {
        let view = Peek::of_shape(self.shape, &self.bytes).and_then(|peek| peek.view());
        view.map_or_else(|| format!("{} bytes", self.length), |view| view.to_string())
    }
}

impl Tries {
    /// Something happens to a call to a server.
    pub(crate) fn see(&mut self, server: (usize, usize), call: u64, step: CallStep<'_>, us: u64) {
        if let CallStep::Sent { .. } = step {
            return self.sent(server, call, us);
        }
        let of = self.0.iter_mut().find(|of| of.server == server && of.call == call);
        let Some(of) = of else { return };
        let how = match step {
            CallStep::Delivered => How::Reached,
            CallStep::Replied(reply) => How::Answered(Answer::of(reply)),
            CallStep::Failed => How::Failed,
            _ => return,
        };
        of.answered += u64::from(matches!(how, How::Answered(_)));
        of.failed += u64::from(matches!(how, How::Failed));
        (of.us, of.how) = (us, how);
    }

    fn sent(&mut self, server: (usize, usize), call: u64, us: u64) {
        match self.0.iter_mut().find(|of| of.server == server) {
            // It may be asked again while it still has the request: that one tells more.
            Some(Try { count, how: How::Reached, .. }) => *count += 1,
            Some(of) => {
                of.count += 1;
                (of.call, of.us, of.how) = (call, us, How::OnItsWay);
            }
            None => self.0.push(Try {
                server,
                count: 1,
                answered: 0,
                failed: 0,
                call,
                us,
                how: How::OnItsWay,
            }),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Try> {
        self.0.iter()
    }
}
