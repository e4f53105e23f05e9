//! Writing what a service's declaration stands for.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::declaration::{How, Method, Service, THEN, TO};

pub(crate) fn service(service: &Service) -> TokenStream {
    let item = &service.item;
    let (name, visibility) = (&item.ident, &item.vis);
    let wire_name = &service.wire_name;
    let service_name = format_ident!("{name}Service");
    let client_name = format_ident!("{name}Client");
    let registrations = service.methods.iter().map(registration);
    let calls = service.methods.iter().map(|method| call(wire_name, method));
    let service_doc = format!("Makes the service `{wire_name}` out of an implementation.");
    let of_doc = format!("The service `{wire_name}` as implemented by `implementation`.");
    let client_doc = format!("Calls the service `{wire_name}` of the server behind a client end.");
    quote! {
        #item

        #[doc = #service_doc]
        #[derive(Clone, Copy, Debug)]
        #visibility struct #service_name;

        impl #service_name {
            #[doc = #of_doc]
            #visibility fn of<S>(implementation: ::std::sync::Arc<S>) -> ::labrpc::Service
            where
                S: #name + ::core::marker::Send + ::core::marker::Sync + 'static,
            {
                let service = ::labrpc::Service::new(#wire_name);
                #(#registrations)*
                service
            }
        }

        #[doc = #client_doc]
        #[derive(Clone, Debug)]
        #visibility struct #client_name {
            end: ::labrpc::ClientEnd,
        }

        impl #client_name {
            /// A client that calls through this end.
            #visibility fn new(end: ::labrpc::ClientEnd) -> Self {
                Self { end }
            }

            #(#calls)*
        }
    }
}

fn registration(method: &Method) -> TokenStream {
    let Method { cfgs, name, wire_name, args, reply, .. } = method;
    let returns = matches!(method.how, How::Returns);
    let register = match method.how {
        How::Returns => quote!(method),
        How::Later => quote!(method_later),
        How::Inline => quote!(method_inline),
    };
    let handler = if returns {
        quote!(move |args: #args| -> #reply { S::#name(&implementation, args) })
    } else {
        quote! {
            move |args: #args, reply: ::labrpc::Reply<#reply>| S::#name(&implementation, args, reply)
        }
    };
    quote! {
        #(#cfgs)*
        let service = service.#register(#wire_name, {
            let implementation = ::std::sync::Arc::clone(&implementation);
            #handler
        });
    }
}

fn call(service: &str, method: &Method) -> TokenStream {
    let Method { docs, cfgs, name, wire_name, args, reply, .. } = method;
    let wire_name = format!("{service}.{wire_name}");
    let then = format_ident!("{name}_{THEN}");
    let call_doc = format!("Calls `{wire_name}` and waits for the reply.");
    let then_doc = format!(
        "Calls `{wire_name}` and returns at once. `then` gets the result, on a task of its own."
    );
    let to = format_ident!("{name}_{TO}");
    let to_doc = format!(
        "Calls `{wire_name}` and returns at once. The result goes to an unbounded channel, with the \
         tag; see `labrpc::ClientEnd::call_to`."
    );
    quote! {
        #(#cfgs)*
        #(#docs)*
        ///
        #[doc = #call_doc]
        ///
        /// # Errors
        /// `NoReply` if the request or the reply was lost or the server cannot be reached.
        #[track_caller]
        pub fn #name(&self, args: &#args) -> ::core::result::Result<#reply, ::labrpc::NoReply> {
            self.end.call(#wire_name, args)
        }

        #(#cfgs)*
        #(#docs)*
        ///
        #[doc = #then_doc]
        #[track_caller]
        pub fn #then(
            &self,
            args: &#args,
            then: impl ::core::ops::FnOnce(::core::result::Result<#reply, ::labrpc::NoReply>)
                + ::core::marker::Send
                + 'static,
        ) {
            self.end.call_then(#wire_name, args, then);
        }

        #(#cfgs)*
        #(#docs)*
        ///
        #[doc = #to_doc]
        #[track_caller]
        pub fn #to<Tag, Message>(
            &self,
            args: &#args,
            tag: Tag,
            to: &::labrpc::labrt::channel::Sender<Message>,
        )
        where
            Tag: ::core::marker::Send + 'static,
            Message: ::core::convert::From<::labrpc::Returned<Tag, #reply>>
                + ::core::marker::Send
                + 'static,
        {
            self.end.call_to(#wire_name, args, tag, to);
        }
    }
}
