// ---- Calls and messages ------------------------------------------------------------------------

/** A call's events by their kind, and who talks to whom. */
function indexCalls(model) {
  const { events, kind, count } = model;
  const numbers = new Map();
  const calls = [];
  model.callOf = new Int32Array(count).fill(-1);
  for (let i = 0; i < count; i++) {
    const event = events[i];
    if (kind[i] >= K.duplicated && kind[i] <= K.replied_again && numbers.has(event.call)) {
      model.callOf[i] = numbers.get(event.call);
      calls[model.callOf[i]][KINDS[kind[i]]] = i;
    }
    if (kind[i] < K.sent || kind[i] > K.failed) continue;
    let number = numbers.get(event.call);
    if (number === undefined) {
      number = calls.length;
      numbers.set(event.call, number);
      calls.push({ from: -1, to: -1, purpose: OTHER, method: "", is: asked(null), sent: -1, delayed: -1,
        delivered: -1, replied: -1, late: -1, returned: -1, failed: -1, lost: -1, leg: REQUEST, duplicated: -1, delivered_again: -1, replied_again: -1 });
    }
    model.callOf[i] = number;
    const call = calls[number];
    call[KINDS[kind[i]]] = i;
    const lane = model.lane[i];
    if (kind[i] === K.sent) {
      call.from = lane;
      call.to = event.to < model.lanes.length ? event.to : -1;
      call.method = event.method;
      call.purpose = PURPOSE_OF[asked(event).kind];
      call.is = asked(event);
    } else if (kind[i] === K.delivered || kind[i] === K.replied) {
      call.to = lane;
    } else if (kind[i] === K.returned || kind[i] === K.failed) {
      if (lane >= 0) call.from = lane;
    } else if (kind[i] === K.lost) {
      call.leg = event.leg === "reply" ? REPLY : REQUEST;
    }
  }
  model.calls = calls;
  indexMessages(model);
}

/** The messages of all calls: a request, and a reply if there was one. */
function indexMessages(model) {
  const list = [];
  model.calls.forEach((call, number) => {
    const lostRequest = call.lost >= 0 && call.leg === REQUEST;
    const lostReply = call.lost >= 0 && call.leg === REPLY;
    if (call.sent >= 0 && call.from >= 0 && call.to >= 0) {
      const end = call.delivered >= 0 ? call.delivered : lostRequest ? call.lost : -1;
      list.push(message(model, call, number, REQUEST, call.sent, end));
    }
    // A handler that never answered has no reply to begin with: what is lost begins where it ends.
    const start = call.replied >= 0 ? call.replied : lostReply ? call.lost : -1;
    if (start >= 0 && call.from >= 0 && call.to >= 0) {
      const end = call.returned >= 0 ? call.returned : lostReply ? call.lost : -1;
      list.push(message(model, call, number, REPLY, start, end));
    }
  });
  list.sort((a, b) => a.start - b.start);
  findOvertaken(list);
  model.messages = list;
  model.reach = new Int32Array(Math.ceil(list.length / BLOCK)).fill(-1);
  list.forEach((one, m) => {
    const block = Math.floor(m / BLOCK);
    model.reach[block] = Math.max(model.reach[block], one.end, one.start);
  });
  model.messageOf = new Int32Array(model.count).fill(-1);
  list.forEach((one, m) => {
    model.messageOf[one.start] = m;
    if (one.end >= 0) model.messageOf[one.end] = m;
    const call = model.calls[one.call];
    const held = one.leg === REQUEST ? call.delayed : call.late;
    if (held >= 0) model.messageOf[held] = m;
    if (call.failed >= 0) model.messageOf[call.failed] = m;
  });
}

function message(model, call, number, leg, start, end) {
  const [from, to] = leg === REQUEST ? [call.from, call.to] : [call.to, call.from];
  const event = model.events[start];
  let fate = end < 0 ? OPEN : FINE;
  if (end >= 0 && end === call.lost) {
    const why = model.events[end].why;
    fate = why === "dropped" ? DROPPED : ["disconnected", "no_server", "no_way_back"].includes(why) ? CUT : GONE;
  } else if (leg === REPLY && answerOf(event) === false) {
    fate = REFUSED;
  } else if (leg === REPLY && call.late >= 0 && end >= 0) {
    fate = LATE;
  }
  return { call: number, leg, from, to, start, end, fate, purpose: call.purpose, overtaken: false };
}

/** A message is overtaken if one that was sent later, the same way, arrives before it. */
function findOvertaken(list) {
  const arrived = list.filter((one) => one.end >= 0 && one.fate !== DROPPED && one.fate !== CUT &&
    one.fate !== GONE);
  arrived.sort((a, b) => a.end - b.end);
  const newest = new Map();
  for (const one of arrived) {
    const way = one.from * 65536 + one.to * 2 + one.leg;
    const seen = newest.get(way);
    if (seen !== undefined && seen > one.start) {
      one.overtaken = true;
      if (one.fate === FINE) one.fate = LATE;
    } else {
      newest.set(way, one.start);
    }
  }
}

/** Calls `visit` with each message that is on its way somewhere between two events. */
function eachMessage(model, from, to, visit) {
  const { messages, reach } = model;
  for (let block = 0; block < reach.length; block++) {
    if (reach[block] < from) continue;
    const begin = block * BLOCK;
    if (messages[begin].start > to) return;
    const end = Math.min(messages.length, begin + BLOCK);
    for (let m = begin; m < end; m++) {
      const one = messages[m];
      if (one.start > to) return;
      if (one.end >= from || one.start >= from) visit(one, m);
    }
  }
}
