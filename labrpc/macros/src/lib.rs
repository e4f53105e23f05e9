//! The attribute `#[labrpc::service]`; see [`macro@service`].

use proc_macro::TokenStream;

mod declaration;
mod generate;

/// Makes a service out of a trait: registration on a server and a typed client.
///
/// ```ignore
/// #[labrpc::service]
/// pub trait Raft {
///     fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply;
///     fn append_entries(&self, args: AppendEntriesArgs, reply: labrpc::Reply<AppendEntriesReply>);
/// }
/// ```
///
/// gives, beside the trait itself,
///
/// - `RaftService::of(Arc<impl Raft>)`, a `labrpc::Service` to put on a server;
/// - `RaftClient::new(end)` with the methods `request_vote(&args) -> Result<RequestVoteReply,
///   NoReply>`, which blocks, and two that do not: `request_vote_then(&args, |result| ...)` and
///   `request_vote_to(&args, tag, &channel)`; likewise for `append_entries`. So no method can be named `new`, nor
///   as another one with `_then` or `_to` at its end.
///
/// On the wire the methods are called `Raft.RequestVote` and `Raft.AppendEntries`, as in Go. A
/// service whose trait has another name is declared with `#[labrpc::service(name = "Raft")]`.
///
/// A method takes `&self`, one value, and either returns the reply or takes a `Reply` as its last
/// argument. Its handler runs as a task of its own, unless the method is marked `#[rpc(inline)]`:
/// then it must take a `Reply` and must not block.
#[proc_macro_attribute]
pub fn service(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    let expanded = declaration::read(attribute.into(), item.clone())
        .map(|service| generate::service(&service))
        .unwrap_or_else(|error| {
            // The trait itself stays, or each implementation would be an error too.
            let item = declaration::without_own_attributes(item);
            let error = error.to_compile_error();
            quote::quote!(#error #item)
        });
    expanded.into()
}
