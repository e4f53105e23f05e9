//! A history as a file for `cargo xtask history --model queue`.

use linearizability::History;
use linearizability::models::{QueueInput, QueueOutput};

/// One line for each beginning and end of an operation, in their order: the form of Jepsen's histories.
pub(crate) fn of(history: &History<QueueInput<String>, QueueOutput<String>>) -> String {
    let mut lines = Vec::new();
    for operation in history.operations() {
        let (client, value) = (operation.client, operation.output());
        let (f, asked, got) = match &operation.input {
            QueueInput::Enqueue(element) => ("enqueue", Some(element), Some(element)),
            QueueInput::Dequeue => (
                "dequeue",
                None,
                match value {
                    Some(QueueOutput::Dequeued(first)) => first.as_ref(),
                    _ => None,
                },
            ),
        };
        let line = |kind: &str, value: Option<&String>| {
            let value = value.map_or("nil".to_string(), |value| format!("{value:?}"));
            format!("{{:process {client}, :type :{kind}, :f :{f}, :value {value}}}\n")
        };
        lines.push((operation.call, line("invoke", asked)));
        lines.extend(operation.returned.as_ref().map(|returned| (returned.at, line("ok", got))));
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}
