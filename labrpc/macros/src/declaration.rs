//! Reading the trait that declares a service.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, GenericArgument, Ident, ItemTrait, Lit, Meta, Pat,
    PathArguments, Receiver, ReceiverKind, Result, ReturnType, TraitItem, TraitItemFn, Type,
};

/// A service as declared.
pub(crate) struct Service {
    /// The trait, without our own attributes.
    pub(crate) item: ItemTrait,
    pub(crate) wire_name: String,
    pub(crate) methods: Vec<Method>,
}

pub(crate) struct Method {
    pub(crate) docs: Vec<Attribute>,
    /// Whether it is there at all: what is made for it is there if it is.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) wire_name: String,
    pub(crate) args: Type,
    pub(crate) reply: Type,
    pub(crate) how: How,
}

/// How a method's handler gives its reply.
pub(crate) enum How {
    Returns,
    Later,
    Inline,
}

pub(crate) fn read(attribute: TokenStream, item: TokenStream) -> Result<Service> {
    let mut item: ItemTrait = syn::parse2(item)?;
    let wire_name = match attribute.is_empty() {
        true => item.ident.to_string(),
        false => read_name(syn::parse2(attribute)?)?,
    };
    if !item.generics.params.is_empty() {
        return Err(Error::new(item.generics.span(), "a service cannot be generic"));
    }
    let mut methods = Vec::new();
    for member in &mut item.items {
        match member {
            TraitItem::Fn(method) => methods.push(read_method(method)?),
            other => return Err(Error::new(other.span(), "a service has methods only")),
        }
    }
    refuse_names_of_the_client(&methods)?;
    Ok(Service { item, wire_name, methods })
}

/// What a client offers beside the method that waits, by the end of its name.
pub(crate) const THEN: &str = "then";
/// Likewise.
pub(crate) const TO: &str = "to";

/// Refuses methods that would be called as something else that the client has.
fn refuse_names_of_the_client(methods: &[Method]) -> Result<()> {
    let mut errors: Option<Error> = None;
    let mut refuse = |method: &Method, text: String| {
        let error = Error::new(method.name.span(), text);
        match &mut errors {
            Some(errors) => errors.combine(error),
            None => errors = Some(error),
        }
    };
    for method in methods {
        let name = method.name.unraw().to_string();
        if name == "new" {
            let text = "a method cannot be named `new`: that is what makes the client";
            refuse(method, text.into());
        }
        for end in [THEN, TO] {
            let of = |other: &&Method| name == format!("{}_{end}", other.name.unraw());
            let Some(other) = methods.iter().find(of) else { continue };
            // Whether both are there at once, only the compiler knows.
            if method.cfgs.is_empty() && other.cfgs.is_empty() {
                let text = format!(
                    "`{name}` is what the client calls the way to call `{}` without waiting: \
                     this method needs another name",
                    other.name
                );
                refuse(method, text);
            }
        }
    }
    errors.map_or(Ok(()), Err)
}

/// The trait as the compiler can read it; what is no trait stays as it is.
pub(crate) fn without_own_attributes(item: TokenStream) -> TokenStream {
    let Ok(mut parsed) = syn::parse2::<ItemTrait>(item.clone()) else { return item };
    for member in &mut parsed.items {
        if let TraitItem::Fn(method) = member {
            method.attrs.retain(|attribute| !attribute.path().is_ident("rpc"));
        }
    }
    parsed.into_token_stream()
}

/// The text of `name = "..."`.
fn read_name(attribute: Meta) -> Result<String> {
    if let Meta::NameValue(pair) = &attribute
        && pair.path.is_ident("name")
        && let Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) = &pair.value
        && !name.value().contains('.')
    {
        return Ok(name.value());
    }
    let text = "the only thing known here is `name = \"Raft\"`: the service's name on the wire, \
                without a dot";
    Err(Error::new(attribute.span(), text))
}

fn read_method(method: &mut TraitItemFn) -> Result<Method> {
    let inline = take_inline(&mut method.attrs)?;
    let signature = &method.sig;
    if let Some(token) = &signature.asyncness {
        return Err(Error::new(token.span(), "a handler is an ordinary function: it may block"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(signature.generics.span(), "a method cannot be generic"));
    }
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if is_shared(receiver) => {}
        other => {
            let span = other.map_or(signature.span(), Spanned::span);
            let text = "a handler takes `&self`, since any number of calls run at once";
            return Err(Error::new(span, text));
        }
    }
    let values: Vec<&Type> = inputs
        .map(|input| match input {
            FnArg::Typed(input) if matches!(*input.pat, Pat::Ident(_)) => Ok(&*input.ty),
            other => Err(Error::new(other.span(), "an argument needs a plain name")),
        })
        .collect::<Result<_>>()?;
    let (args, reply, how) = match (&values[..], &signature.output) {
        ([args], ReturnType::Type(_, reply)) if reply_type(args).is_none() => {
            if inline {
                let text = "`#[rpc(inline)]` is for handlers that take a `labrpc::Reply`";
                return Err(Error::new(signature.span(), text));
            }
            ((*args).clone(), (**reply).clone(), How::Returns)
        }
        ([args, last], ReturnType::Default) if reply_type(last).is_some() => {
            let reply = reply_type(last).expect("just matched");
            ((*args).clone(), reply.clone(), if inline { How::Inline } else { How::Later })
        }
        (values, output) => return Err(Error::new(signature.span(), wrong_shape(values, output))),
    };
    let named =
        |name: &str| method.attrs.iter().filter(|a| a.path().is_ident(name)).cloned().collect();
    let (docs, cfgs) = (named("doc"), named("cfg"));
    let name = signature.ident.clone();
    let wire_name = camel_case(&name.to_string());
    Ok(Method { docs, cfgs, name, wire_name, args, reply, how })
}

/// What is wrong with the arguments and the result of a method, and what to do about it.
fn wrong_shape(values: &[&Type], output: &ReturnType) -> &'static str {
    let takes_reply = values.iter().any(|value| reply_type(value).is_some());
    match (takes_reply, values.len(), output) {
        (_, 0, _) => "a method takes one value; if there is nothing to say, write `args: ()`",
        (true, _, ReturnType::Type(..)) => {
            "a method either returns the reply or takes a `labrpc::Reply`, not both"
        }
        (true, 1, _) => "a method takes one value before the `labrpc::Reply`, such as `args: ()`",
        (true, ..) => "a method takes one value and then the `labrpc::Reply`, as the last argument",
        (false, 1, _) => "a method returns its reply; if there is nothing to say, write `-> ()`",
        (false, ..) => "a method takes one value: put several into a struct of their own",
    }
}

/// Removes `#[rpc(inline)]`; true if it was there.
fn take_inline(attributes: &mut Vec<Attribute>) -> Result<bool> {
    let mut inline = false;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("rpc")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("inline") {
                inline = true;
                Ok(())
            } else {
                Err(meta.error("the only thing known here is `#[rpc(inline)]`"))
            }
        })?;
    }
    attributes.retain(|a| !a.path().is_ident("rpc"));
    Ok(inline)
}

fn is_shared(receiver: &Receiver) -> bool {
    matches!(receiver.kind, ReceiverKind::Reference(_, _, None))
}

/// The `T` of a type written as `Reply<T>`, with any path before it.
fn reply_type(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == "Reply")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(reply)) => Some(reply),
        _ => None,
    }
}

/// `append_entries` becomes `AppendEntries`.
fn camel_case(name: &str) -> String {
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect::<String>()
    };
    name.trim_start_matches("r#").split('_').map(capitalised).collect()
}
