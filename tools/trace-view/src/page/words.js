// ---- Events in words ---------------------------------------------------------------------------

const FATES = ["arrived", "held back or overtaken", "dropped by the unreliable network",
  "no connection", "sender or receiver was gone meanwhile", "still on its way", "refused"];
const LOSSES = {
  dropped: "the unreliable network dropped it",
  disconnected: "sender or receiver was disconnected",
  no_server: "there was no such server: it had crashed",
  gone: "meanwhile one of the two was disconnected or had crashed",
  unanswered: "the handler gave no answer",
  ended: "the network came to its end",
};

const laneName = (model, lane) => (lane >= 0 ? model.lanes[lane] : "tester");
const shortMethod = (method) => String(method).split(".").pop();

/** A name for narrow places: `S3` for a server. */
function laneShort(model, lane) {
  return lane < model.servers ? `S${lane}` : laneName(model, lane).slice(0, 4);
}

function plural(number, word) {
  return `${number} ${number === 1 ? word : word.endsWith("y") ? word.slice(0, -1) + "ies" : word + "s"}`;
}

function cut(text, most) {
  text = String(text);
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

/** A command for narrow places. Long ones differ at their ends too: `1831…5825`. */
function shortCommand(command) {
  const text = String(command);
  return text.length <= 10 ? text : `${text.slice(0, 4)}…${text.slice(-4)}`;
}

/** Where an AppendEntries joins on: `prev 3 of term 2`. */
function prevText(args) {
  const term = prevTermOf(args);
  return `prev ${prevIndexOf(args)}${term === undefined ? "" : ` of term ${term}`}`;
}

/** What a refusal says besides its term, whatever its fields are called. */
function conflictText(reply) {
  return conflictFields(reply).map(([name, value]) => `${name} ${value === null ? "none" : value}`).join(", ");
}

function conflictFields(reply) {
  if (reply === null || typeof reply !== "object") return [];
  return Object.entries(reply).filter(([name, value]) => !is("Term")(plain(name)) && !is("Yes")(plain(name)) &&
    (value === null || typeof value === "number"));
}

/** What a request asks for: `append 8–9, term 4`. */
function requestText(call, args) {
  const term = termOf(args);
  const inTerm = term === undefined ? "" : `, term ${term}`;
  const name = shortMethod(call.method);
  if (call.purpose === BEAT) return `${name} (heartbeat)${inTerm}`;
  if (call.purpose === VOTE) return `${name}${inTerm}${lastText(args, ", its log ends at ", " of term ")}`;
  const entries = entriesOf(args);
  if (call.purpose === APPEND && Array.isArray(entries)) {
    return `${name} (${entryRange(args, entries)})${inTerm}`;
  }
  return name + inTerm;
}

/** Where a candidate's log ends, which decides who may vote for it. */
function lastText(args, before, between) {
  const index = field(args, is("LastIndex"));
  const term = field(args, is("LastTerm"));
  return index === undefined ? "" : before + index + (term === undefined ? "" : between + term);
}

/** Which entries a request carries: `entries 8 to 9`. */
function entryRange(args, entries) {
  const prev = Number(prevIndexOf(args));
  if (!Number.isFinite(prev)) return plural(entries.length, "entry");
  const [first, last] = [prev + 1, prev + entries.length];
  return first === last ? `entry ${first}` : `entries ${first} to ${last}`;
}

function replyText(call, reply) {
  if (reply === undefined) return "reply";
  const answer = answerOf(reply);
  if (answer === true) return call.purpose === VOTE ? "vote granted" : "accepted";
  if (answer === false && call.purpose === VOTE) return "vote refused";
  if (answer === false) return refusalText(call, reply);
  return `reply to ${shortMethod(call.method)}`;
}

function refusalText(call, reply) {
  const conflict = conflictText(reply);
  const at = call.args === undefined || prevIndexOf(call.args) === undefined ? "" : ` at ${prevText(call.args)}`;
  return `refused${at}${conflict === "" ? "" : `; ${conflict}`}`;
}

/** A label for a reply. An old one says so: it answers what was asked in an earlier term. */
function replyLabel(model, one, call, reply) {
  const term = termOf(call.args);
  const old = isStale(model, one) ? ` OLD t${term}` : "";
  if (call.purpose === VOTE) {
    return ({ "vote granted": "granted", "vote refused": "no vote" }[replyText(call, reply)] || "reply") +
      (old || (term === undefined ? "" : ` t${term}`));
  }
  if (!isRefusal(reply)) return (isAccepted(reply) ? "ok" : "reply") + old;
  const values = conflictFields(reply).map(([, value]) => (value === null ? "–" : value)).join("/");
  const prev = prevIndexOf(call.args);
  const prevTerm = prevTermOf(call.args);
  const at = prev === undefined ? "" : ` prev ${prev}${prevTerm === undefined ? "" : `:t${prevTerm}`}`;
  return `no${at}${values === "" ? "" : ` (${values})`}${old}`;
}

/** Which entries an append carries, and their term if it is not that of the request. */
function appendLabel(args, entries, term, inTerm) {
  const prev = Number(prevIndexOf(args));
  if (!Number.isFinite(prev)) return `+${entries.length}${inTerm}`;
  const range = entries.length === 1 ? `${prev + 1}` : `${prev + 1}–${prev + entries.length}`;
  const own = termOf(entries[entries.length - 1]);
  return `+[${range}]${own !== undefined && own !== term ? ` of t${own} in` : ""}${inTerm}`;
}

/** A label for a message in the diagram. */
function messageLabel(model, one) {
  const call = model.calls[one.call];
  const event = model.events[one.start];
  if (one.leg === REPLY) return replyLabel(model, one, call, event.reply);
  const term = termOf(event.args);
  const inTerm = term === undefined ? "" : ` t${term}`;
  if (call.purpose === VOTE) return `vote?${inTerm}${lastText(event.args, " (", ":t")}${lastText(event.args, "", "") === "" ? "" : ")"}`;
  if (call.purpose === BEAT) return "beat" + inTerm;
  if (call.purpose === OTHER) return cut(shortMethod(call.method), 14);
  const entries = entriesOf(event.args);
  return Array.isArray(entries) ? appendLabel(event.args, entries, term, inTerm) : "append" + inTerm;
}

/** An event in one line, without its time and lane. */
function describe(model, i) {
  const event = model.events[i];
  const call = model.callOf[i] >= 0 ? model.calls[model.callOf[i]] : null;
  const args = call && call.sent >= 0 ? model.events[call.sent].args : undefined;
  const request = call ? requestText(call, args) : "";
  const to = (lane) => laneName(model, lane);
  switch (model.kind[i]) {
    case K.sent: return `sends ${request} to ${to(call.to)}`;
    case K.delayed: return `the network delays ${request} by ${durationText(event.by_us)}`;
    case K.lost: {
      const what = event.leg === "reply" ? `reply to ${request}` : `${request} to ${to(call.to)}`;
      return `lost: ${what}; ${LOSSES[event.why] || event.why}`;
    }
    case K.delivered: return `receives ${request} from ${to(call.from)}`;
    case K.replied: return `answers ${to(call.from)}: ${replyText(call, event.reply)}`;
    case K.late: return `the network holds the reply back for ${durationText(event.by_us)}`;
    case K.returned: {
      const reply = call.replied >= 0 ? model.events[call.replied].reply : undefined;
      return `hears from ${to(call.to)}: ${replyText(call, reply)}`;
    }
    case K.failed: return `learns that no reply to ${request} will come from ${to(call.to)}`;
    case K.started: return "is started";
    case K.crashed: return "crashes";
    case K.connected: return "is connected";
    case K.disconnected: return "is disconnected: it can reach nobody";
    case K.network: return networkText(event);
    case K.offered: return event.index === undefined ? `is offered ${event.command} and refuses`
      : `is offered ${event.command}, takes it for index ${event.index} in term ${event.term}`;
    case K.applied: return `applies ${event.command} at index ${event.index}`;
    case K.saved: return `saves ${event.bytes} bytes`;
    case K.state: return stateText(event);
    case K.inferred: return `must be ${event.role} in term ${event.term}, by its messages`;
    case K.begin: return `begins: ${event.name}`;
    case K.end: {
      const span = model.spanOf[i] >= 0 ? model.events[model.spans[model.spanOf[i]].begin] : null;
      return `ends${span ? ": " + span.name : ""}${event.text ? " – " + event.text : ""}`;
    }
    case K.note: return `[${event.topic}] ${event.text}`;
    case K.violation: return `VIOLATION of ${event.verdict.check}: ${event.verdict.words}`;
    default: return `an event that this page does not know: ${event.event}`;
  }
}

function networkText(event) {
  return `the network is ${event.reliable ? "reliable" : "unreliable"}` +
    (event.long_reordering ? ", many replies are late" : "") +
    (event.long_delays ? ", unreachable servers take seconds to fail" : "");
}

function stateText(event) {
  const vote = event.vote === null || event.vote === undefined ? "" : `, voted for ${event.vote}`;
  const commit = event.commit === undefined ? "" : `, commit ${event.commit}`;
  let log = "";
  if (event.log) {
    const { from, entries } = event.log;
    log = entries.length === 0 ? `, log ends before ${from}`
      : entries.length === 1 ? `, log from ${from}: ${cut(entries[0].command, 40)}`
      : `, log from ${from} to ${from + entries.length - 1} is new`;
  }
  return `is ${event.role} in term ${event.term}${vote}${commit}${log}`;
}

/** The whole line of an event: when, who, what. */
function fullLine(model, i) {
  return `${timeText(model.us[i])} s, ${laneName(model, model.place[i])}: ${describe(model, i)}`;
}
