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
  no_way_back: "nothing that the server sends reaches the caller",
};

const laneName = (model, lane) => (lane >= 0 ? model.lanes[lane] : "tester");
const shortMethod = (method) => String(method).split(".").pop();

/** A name for narrow places: `S3` for a server. */
function laneShort(model, lane) {
  if (lane < 0) return laneName(model, lane);
  if (lane < model.servers) return model.groupOf[lane] === "" ? `S${lane}` : laneName(model, lane).replace(/^server /, "");
  return laneName(model, lane).replace(/^client /, "c").slice(0, 5);
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
function prevText(is) {
  return `prev ${is.at}${is.at_term === undefined ? "" : ` of term ${is.at_term}`}`;
}

/** What a refusal says besides its term, whatever its fields are called. */
function moreText(event) {
  return moreOf(event).map(([name, value]) => `${name} ${value === null ? "none" : value}`).join(", ");
}

const moreOf = (event) => (event && event.is && event.is.more) || [];

/** Up to which entry a snapshot goes, and its size: `up to 9 of term 2, 280 bytes`. */
function snapshotText({ at, at_term: atTerm, bytes }, before = "up to ", between = " of term ") {
  const place = at === undefined ? "" : before + at + (atTerm === undefined ? "" : between + atTerm);
  return [place, bytes === undefined ? "" : sizeText(bytes)].filter(Boolean).join(", ");
}

/** What a request asks for: `AppendEntries (entries 8 to 9), term 4`. */
function requestText(call) {
  const { is } = call;
  const inTerm = is.term === undefined ? "" : `, term ${is.term}`;
  const name = shortMethod(call.method);
  if (call.purpose === BEAT) return `${name} (heartbeat)${inTerm}`;
  if (call.purpose === VOTE) return `${name}${call.is.pre ? " (pre-vote)" : ""}${inTerm}${lastText(is, ", its log ends at ", " of term ")}`;
  if (call.purpose === APPEND) return `${name} (${entryRange(is)})${inTerm}`;
  if (call.purpose === SNAPSHOT) return `${name} (${snapshotText(is)})${inTerm}`;
  return name + inTerm;
}

/** Where a candidate's log ends, which decides who may vote for it. */
function lastText(is, before, between) {
  return is.at === undefined ? "" : before + is.at + (is.at_term === undefined ? "" : between + is.at_term);
}

/** Which entries a request carries: `entries 8 to 9`. */
function entryRange({ at, count }) {
  if (at === undefined) return plural(count, "entry");
  return count === 1 ? `entry ${at + 1}` : `entries ${at + 1} to ${at + count}`;
}

/** A vote that promises nothing says so. */
const preText = (call) => (call.is.pre ? "pre-" : "");

function replyText(call, event) {
  if (!event || event.reply === undefined) return "reply";
  const answer = answerOf(event);
  if (answer === true) {
    return call.purpose === VOTE ? `${preText(call)}vote granted` : call.purpose === SNAPSHOT ? "it has all of that" : "accepted";
  }
  if (answer === false && call.purpose === VOTE) return `${preText(call)}vote refused`;
  if (answer === false) return refusalText(call, event);
  return `reply to ${shortMethod(call.method)}`;
}

function refusalText(call, event) {
  const more = moreText(event);
  const at = call.is.at === undefined ? "" : ` at ${prevText(call.is)}`;
  return `refused${at}${more === "" ? "" : `; ${more}`}`;
}

/** A label for a reply. An old one says so: it answers what was asked in an earlier term. */
function replyLabel(model, one, call, event) {
  const { term, at, at_term: atTerm } = call.is;
  const old = isStale(model, one) ? ` OLD t${term}` : "";
  if (call.purpose === VOTE) {
    const answer = answerOf(event);
    return (answer === undefined ? "reply" : `${answer ? "" : "no "}${preText(call)}vote`) +
      (old || (term === undefined ? "" : ` t${term}`));
  }
  if (answerOf(event) !== false) return (answerOf(event) === true ? "ok" : "reply") + old;
  const values = moreOf(event).map(([, value]) => (value === null ? "–" : value)).join("/");
  const prev = at === undefined ? "" : ` prev ${at}${atTerm === undefined ? "" : `:t${atTerm}`}`;
  return `no${prev}${values === "" ? "" : ` (${values})`}${old}`;
}

/** Which entries an append carries, and their term if it is not that of the request. */
function appendLabel({ at, count, term, last_term: own }, inTerm) {
  if (at === undefined) return `+${count}${inTerm}`;
  const range = count === 1 ? `${at + 1}` : `${at + 1}–${at + count}`;
  return `+[${range}]${own !== undefined && own !== term ? ` of t${own} in` : ""}${inTerm}`;
}

/** A label for a message in the diagram. */
function messageLabel(model, one) {
  const call = model.calls[one.call];
  if (one.leg === REPLY) return replyLabel(model, one, call, model.events[one.start]);
  const { is } = call;
  const inTerm = is.term === undefined ? "" : ` t${is.term}`;
  if (call.purpose === VOTE) return `${preText(call)}vote?${inTerm}${is.at === undefined ? "" : `${lastText(is, " (", ":t")})`}`;
  if (call.purpose === BEAT) return "beat" + inTerm;
  if (call.purpose === SNAPSHOT) return `snapshot${inTerm} (${snapshotText(is, "≤", ":t")})`;
  if (call.purpose === OTHER) return cut(shortMethod(call.method), 14);
  return appendLabel(is, inTerm);
}

/** A message in a few plain words, for those that matter most: who says what to whom. */
function plainMessage(model, one) {
  const call = model.calls[one.call];
  const [from, to] = [laneShort(model, one.from), laneShort(model, one.to)];
  const { is } = call;
  const inTerm = is.term === undefined ? "" : ` in term ${is.term}`;
  if (one.leg === REQUEST) {
    if (call.purpose === VOTE) return `${from} asks for ${to}'s ${preText(call)}vote${inTerm}${lastText(is, "; its log ends at ", " of term ")}`;
    if (call.purpose === BEAT) return `${from} sends ${to} a heartbeat${inTerm}`;
    if (call.purpose === APPEND) return `${from} sends ${to} ${entryRange(is)}${inTerm}`;
    if (call.purpose === SNAPSHOT) return `${from} sends ${to} a snapshot (${snapshotText(is)})${inTerm}`;
    return `${from} calls ${shortMethod(call.method)} of ${to}`;
  }
  const yes = answerOf(model.events[one.start]);
  if (call.purpose === VOTE && yes !== undefined) {
    if (is.pre) return `${from} ${yes ? "grants" : "refuses"} ${to} its pre-vote${inTerm}`;
    return yes ? `${from} votes for ${to}${inTerm}` : `${from} refuses ${to} its vote${inTerm}`;
  }
  if ((call.purpose === APPEND || call.purpose === BEAT) && yes !== undefined) {
    const what = call.purpose === APPEND ? entryRange(is) : "a heartbeat";
    return yes ? `${from} accepts ${what} from ${to}${inTerm}` : `${from} refuses ${what} from ${to}${inTerm}`;
  }
  if (call.purpose === SNAPSHOT && yes !== undefined) {
    return `${from} ${yes ? "has" : "refuses"} the snapshot of ${to}${is.at === undefined ? "" : ` up to ${is.at}`}${inTerm}`;
  }
  return `${from} answers ${to}`;
}

/** An event in a few plain words, for its label in the diagram. */
function plainEvent(model, i) {
  const m = model.messageOf[i];
  if (m >= 0) return plainMessage(model, model.messages[m]);
  return `${laneShort(model, model.place[i])} ${describe(model, i)}`;
}

/** An event in one line, without its time and lane. */
function describe(model, i) {
  const event = model.events[i];
  const call = model.callOf[i] >= 0 ? model.calls[model.callOf[i]] : null;
  const request = call ? requestText(call) : "";
  const to = (lane) => laneName(model, lane);
  switch (model.kind[i]) {
    case K.sent: return `sends ${request} to ${to(call.to)}`;
    case K.delayed: return `the network delays ${request} by ${durationText(event.by_us)}`;
    case K.lost: {
      const what = event.leg === "reply" ? `reply to ${request}` : `${request} to ${to(call.to)}`;
      return `lost: ${what}; ${LOSSES[event.why] || event.why}`;
    }
    case K.delivered: return `receives ${request} from ${to(call.from)}`;
    case K.replied: return `answers ${to(call.from)}: ${replyText(call, event)}`;
    case K.late: return `the network holds the reply back for ${durationText(event.by_us)}`;
    case K.returned: {
      return `hears from ${to(call.to)}: ${replyText(call, model.events[call.replied])}`;
    }
    case K.failed: return `learns that no reply to ${request} will come from ${to(call.to)}`;
    case K.started: return "is started";
    case K.crashed: return "crashes";
    case K.connected: return "is connected";
    case K.disconnected: return "is disconnected: it can reach nobody";
    case K.duplicated: return `the network delivers ${request} once more after ${durationText(event.by_us)}`;
    case K.delivered_again: return `receives ${request} once more${call ? ` from ${to(call.from)}` : ""}`;
    case K.replied_again: return `answers the copy of ${request}, which nobody hears` +
      (call ? `: ${replyText(call, event)}` : "");
    case K.paused: return "is paused: it does nothing";
    case K.resumed: return "goes on";
    case K.one_way: return event.cut ? `is cut off in one direction: nothing reaches ${to(event.to)}`
      : `reaches ${to(event.to)} again`;
    case K.slow: return event.by_us > 0 ? `is slow from and to ${to(event.to)}: up to ${durationText(event.by_us)} more`
      : `is as fast as ever from and to ${to(event.to)}`;
    case K.clock: return `has a clock that runs at ${event.thousandths} thousandths`;
    case K.torn: return `crashes in the middle of a save, which is ${event.kept ? "kept" : "lost"}`;
    case K.network: return networkText(event);
    case K.offered: return event.index === undefined ? `is offered ${event.command} and refuses`
      : `is offered ${event.command}, takes it for index ${event.index} in term ${event.term}`;
    case K.applied: return `applies ${event.command} at index ${event.index}`;
    case K.saved: return `saves ${event.bytes} bytes` +
      (event.snapshot === undefined ? "" : ` and a snapshot of ${sizeText(event.snapshot)}`);
    case K.snapshot: return `gets a snapshot of its service, up to ${event.index}, ${sizeText(event.bytes)}`;
    case K.installed: return `${event.term === undefined ? "begins with its stored" : "installs a"} snapshot up to ` +
      `${event.index}${event.term === undefined ? "" : ` of term ${event.term}`}, ${sizeText(event.bytes)}`;
    case K.state: return stateText(event);
    case K.inferred: return `must be ${event.role} in term ${event.term}, by its messages`;
    case K.begin: return `begins: ${event.name}`;
    case K.end: {
      const span = model.spanOf[i] >= 0 ? model.events[model.spans[model.spanOf[i]].begin] : null;
      return `ends${span ? ": " + span.name : ""}${event.text ? " – " + event.text : ""}`;
    }
    case K.shards: return shardsText(event);
    case K.configured: return `learns of ${configText(event)}`;
    case K.called: return `asks for ${operationText(model, model.operations[model.operationOf[i]])}`;
    case K.answered: return event.text === "" ? "has what it asked for" : `has got ${event.text}`;
    case K.note: return `[${event.topic}] ${event.text}`;
    case K.left_out: return `${event.events} events are left out up to ${timeText(event.until_us)} s: ` +
      "the run was too long to be kept whole";
    case K.violation: return `breaks the rule "${event.verdict.check}": ${event.verdict.words}`;
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
    const { from, entries, base } = event.log;
    log = entries.length === 0 ? `, log ends before ${from}`
      : entries.length === 1 ? `, log from ${from}: ${cut(entries[0].command, 40)}`
      : `, log from ${from} to ${from + entries.length - 1} is new`;
    if (base) log += `, log begins behind ${base.index} of term ${base.term}`;
  }
  return `is ${event.role} in term ${event.term}${vote}${commit}${log}`;
}

/** The whole line of an event: when, who, what. */
function fullLine(model, i) {
  return `${timeText(model.us[i])} s, ${laneName(model, model.place[i])}: ${describe(model, i)}`;
}
