//! The dresses: what messages look like on the wire.
//!
//! A dress is four types, one for each request and each reply. A type knows how to be made out of
//! what is to be said, and how to say it again; for a reply the caller's own request helps. Which
//! types go together is in the table [`DRESSES`].

use std::marker::PhantomData;
use std::sync::Arc;

use labgob::Gob;
use labrpc::{ClientEnd, Returned, Service};
use labrt::channel::Sender;

use crate::driver::Event;
use crate::message::{
    AppendReply, AppendRequest, InstallRequest, InstallSubject, Reply, Request, Subject, VoteReply,
    VoteRequest,
};

#[macro_use]
mod macros;
mod entries;
mod go_style;
mod headed;
mod installing;
mod one_way;
mod plain;
mod replies;
mod spellings;
mod table;
#[cfg(test)]
mod tests;
mod transfer;
mod votes;
mod wrapped;
mod zero_based;

use installing::{InstallSnapshotArgs, InstallSnapshotReply};
pub(crate) use table::{DRESSES, Row};
use transfer::{TimeoutNowAnswer, TimeoutNowArgs};

/// A RequestVote on the wire.
pub(crate) trait AsksVote: Gob + Send + Sync {
    /// It says by itself whether it is a pre-vote.
    const MARKS_PRE_VOTE: bool = false;
    fn dress(vote: &VoteRequest) -> Self;
    fn undress(self) -> VoteRequest;
}

/// The reply to it.
pub(crate) trait AnswersVote: Gob + Send + Sync {
    fn dress(reply: &VoteReply) -> Self;
    fn undress(self, asked: &VoteRequest) -> VoteReply;
}

/// An AppendEntries on the wire.
pub(crate) trait AsksAppend: Gob + Send + Sync {
    fn dress(append: &AppendRequest) -> Self;
    fn undress(self) -> AppendRequest;
}

/// The reply to it.
pub(crate) trait AnswersAppend: Gob + Send + Sync {
    fn dress(reply: &AppendReply) -> Self;
    fn undress(self, about: Subject) -> AppendReply;
}

/// An InstallSnapshot on the wire. The reply is the same in all dresses.
pub(crate) trait AsksInstall: Gob + Send + Sync {
    fn dress(install: &InstallRequest) -> Self;
    fn undress(self) -> InstallRequest;
}

/// What a server does with messages.
pub(crate) trait Handler: Send + Sync {
    /// Answers a request; not at all if the server has ended.
    fn request(&self, request: Request) -> Option<Reply>;
    /// Takes a reply that came as a message of its own.
    fn reply(&self, from: usize, reply: Reply);
}

/// How messages travel. All methods but [`call`](Dress::call) return at once.
pub(crate) trait Dress: Send + Sync {
    /// Sends a request and waits for the reply, if it comes with the call.
    fn call(&self, end: &ClientEnd, request: &Request) -> Option<Reply>;
    /// Sends a request; the reply goes to the channel.
    fn call_to(&self, end: &ClientEnd, to: usize, request: &Request, events: &Sender<Event>);
    /// Sends a reply as a message of its own.
    fn reply(&self, end: &ClientEnd, from: usize, reply: &Reply);
    /// The service that receives all this. With `ends` it can answer by messages.
    fn service(&self, handler: Arc<dyn Handler>, me: usize, ends: Arc<[ClientEnd]>) -> Service;
}

/// Requests and replies of these types, as calls.
pub(crate) struct Calls<V, VR, A, AR, I = InstallSnapshotArgs>(PhantomData<(V, VR, A, AR, I)>);

impl<V, VR, A, AR, I> Calls<V, VR, A, AR, I> {
    pub(crate) const NEW: Self = Calls(PhantomData);
}

/// The method of a vote. A type that cannot say that it is a pre-vote needs another one.
fn vote_method<V: AsksVote>(vote: &VoteRequest) -> &'static str {
    match vote.pre && !V::MARKS_PRE_VOTE {
        true => "Raft.PreVote",
        false => "Raft.RequestVote",
    }
}

impl<V, VR, A, AR, I> Dress for Calls<V, VR, A, AR, I>
where
    V: AsksVote,
    VR: AnswersVote,
    A: AsksAppend,
    AR: AnswersAppend,
    I: AsksInstall,
{
    fn call(&self, end: &ClientEnd, request: &Request) -> Option<Reply> {
        match request {
            Request::Vote(vote) => {
                let reply: VR = end.call(vote_method::<V>(vote), &V::dress(vote)).ok()?;
                Some(Reply::Vote(reply.undress(vote)))
            }
            Request::Append(append) => {
                let reply: AR = end.call("Raft.AppendEntries", &A::dress(append)).ok()?;
                Some(Reply::Append(reply.undress(append.subject())))
            }
            Request::Install(install) => {
                let reply = end.call("Raft.InstallSnapshot", &I::dress(install)).ok()?;
                Some(Reply::Install(InstallSnapshotReply::undress(reply, install.subject())))
            }
            Request::TimeoutNow(asked) => {
                let args = TimeoutNowArgs::dress(*asked);
                let reply: TimeoutNowAnswer = end.call(transfer::METHOD, &args).ok()?;
                Some(Reply::TimeoutNow(reply.undress()))
            }
        }
    }

    fn call_to(&self, end: &ClientEnd, to: usize, request: &Request, events: &Sender<Event>) {
        match request {
            Request::Vote(vote) => {
                let (method, tag) = (vote_method::<V>(vote), Asked { to, about: *vote });
                end.call_to::<V, VR, _, _>(method, &V::dress(vote), tag, events);
            }
            Request::Append(append) => {
                let tag = Asked { to, about: append.subject() };
                let args = A::dress(append);
                end.call_to::<A, AR, _, _>("Raft.AppendEntries", &args, tag, events);
            }
            Request::Install(install) => {
                let tag = Asked { to, about: install.subject() };
                let args = I::dress(install);
                end.call_to::<I, InstallSnapshotReply, _, _>(
                    "Raft.InstallSnapshot",
                    &args,
                    tag,
                    events,
                );
            }
            Request::TimeoutNow(asked) => {
                let (args, tag) = (TimeoutNowArgs::dress(*asked), Asked { to, about: () });
                end.call_to::<_, TimeoutNowAnswer, _, _>(transfer::METHOD, &args, tag, events);
            }
        }
    }

    fn reply(&self, _end: &ClientEnd, _from: usize, _reply: &Reply) {}

    fn service(&self, handler: Arc<dyn Handler>, _me: usize, _ends: Arc<[ClientEnd]>) -> Service {
        let votes = |pre: bool| {
            let handler = handler.clone();
            move |args: V, answer: labrpc::Reply<VR>| {
                let mut vote = args.undress();
                vote.pre |= pre;
                if let Some(Reply::Vote(reply)) = handler.request(Request::Vote(vote)) {
                    answer.send(VR::dress(&reply));
                }
            }
        };
        let service = Service::new("Raft")
            .method_later("RequestVote", votes(false))
            .method_later("PreVote", votes(true));
        let installs = handler.clone();
        let install = move |args: I, answer: labrpc::Reply<InstallSnapshotReply>| {
            let request = Request::Install(args.undress());
            if let Some(Reply::Install(reply)) = installs.request(request) {
                answer.send(InstallSnapshotReply::dress(&reply));
            }
        };
        let service = service.method_later("InstallSnapshot", install);
        let asked = handler.clone();
        let timeout_now = move |args: TimeoutNowArgs, answer: labrpc::Reply<TimeoutNowAnswer>| {
            let request = Request::TimeoutNow(args.undress());
            if let Some(Reply::TimeoutNow(reply)) = asked.request(request) {
                answer.send(TimeoutNowAnswer::dress(reply));
            }
        };
        let service = service.method_later("TimeoutNow", timeout_now);
        service.method_later("AppendEntries", move |args: A, answer: labrpc::Reply<AR>| {
            let request = Request::Append(args.undress());
            if let Some(Reply::Append(reply)) = handler.request(request) {
                answer.send(AR::dress(&reply));
            }
        })
    }
}

/// Goes with a call: whom was asked, and for what.
pub(crate) struct Asked<T> {
    to: usize,
    about: T,
}

impl<R: AnswersVote> From<Returned<Asked<VoteRequest>, R>> for Event {
    fn from(returned: Returned<Asked<VoteRequest>, R>) -> Event {
        let Asked { to, about } = returned.tag;
        let reply = returned.result.ok().map(|reply| Reply::Vote(reply.undress(&about)));
        Event::Answer(to, reply)
    }
}

impl<R: AnswersAppend> From<Returned<Asked<Subject>, R>> for Event {
    fn from(returned: Returned<Asked<Subject>, R>) -> Event {
        let Asked { to, about } = returned.tag;
        let reply = returned.result.ok().map(|reply| Reply::Append(reply.undress(about)));
        Event::Answer(to, reply)
    }
}

impl From<Returned<Asked<InstallSubject>, InstallSnapshotReply>> for Event {
    fn from(returned: Returned<Asked<InstallSubject>, InstallSnapshotReply>) -> Event {
        let Asked { to, about } = returned.tag;
        let reply = returned.result.ok().map(|reply| Reply::Install(reply.undress(about)));
        Event::Answer(to, reply)
    }
}

impl From<Returned<Asked<()>, TimeoutNowAnswer>> for Event {
    fn from(returned: Returned<Asked<()>, TimeoutNowAnswer>) -> Event {
        let reply = returned.result.ok().map(|reply| Reply::TimeoutNow(reply.undress()));
        Event::Answer(returned.tag.to, reply)
    }
}
