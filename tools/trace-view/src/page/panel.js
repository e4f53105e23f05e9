// ---- What is beside and below the diagram ------------------------------------------------------

const MOST_ROWS = 300, MOST_ENTRIES = 40, MOST_CHAIN = 25, LOG_BEFORE = 2, LOG_AFTER = 2;

/** An element with its text; whatever a trace says goes in as text, never as markup. */
function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "onclick") element.addEventListener("click", value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child);
  }
  return element;
}

/** A button that selects an event. */
function eventLink(app, i, text) {
  return el("button", { type: "button", class: "link", "data-event": i, onclick: () => select(app, i, true) }, text);
}

/**
 * Fills a box anew. A reader who was in it with the keyboard stays in it: at the link to the same event if
 * there is one, or else at the box's heading.
 */
function refill(box, nodes, heading, keepsLink = true) {
  const at = box.contains(document.activeElement) ? document.activeElement : null;
  box.replaceChildren(...nodes);
  if (at === null) return;
  const { event } = at.dataset;
  const link = keepsLink && event !== undefined ? box.querySelector(`[data-event="${event}"]`) : null;
  (link || heading).focus({ preventScroll: true });
}

/** A heading that can have the focus, though none comes to it by itself. */
const headingOf = (text) => el("h2", { tabindex: "-1" }, text);

/** A value field by field: objects as lists of terms, entries of a log one a line. */
function valueNode(value, first = undefined) {
  if (Array.isArray(value)) {
    if (value.length === 0) return el("span", { class: "dim" }, "none");
    if (value.every((one) => one !== null && typeof one === "object")) return entryList(value, first);
    return el("span", {}, cut(value.map(scalarText).join(", "), 400));
  }
  if (value !== null && typeof value === "object") {
    const list = el("dl", { class: "fields" });
    for (const key of Object.keys(value)) {
      list.append(el("dt", {}, key), el("dd", {}, valueNode(value[key], first)));
    }
    return list;
  }
  const text = scalarText(value);
  // Of bytes the beginning tells as much as more of them.
  return el("span", {}, cut(text, text.startsWith("0x") ? 80 : 400));
}

function scalarText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Entries one a line, with their indexes if that of the first is known. */
function entryList(entries, first) {
  let index = first;
  const list = el("ul", { class: "entries" });
  entries.slice(0, MOST_ENTRIES).forEach((entry) => {
    const left = itemsLeftOut(entry);
    const at = index === undefined || left > 0 ? "" : `[${index}] `;
    if (index !== undefined) index += left || 1;
    list.append(left > 0
      ? el("li", { class: "dim" }, `+${left} of ${sizeText(entry.bytes)}, left out of the trace`)
      : el("li", {}, at + entryText(entry)));
  });
  if (entries.length > MOST_ENTRIES) {
    list.append(el("li", { class: "dim" }, `and ${entries.length - MOST_ENTRIES} more`));
  }
  return list;
}

/** How many items of a list one stands for that was left out of the trace; 0 for any other one. */
function itemsLeftOut(item) {
  const names = item === null ? [] : Object.keys(item);
  return names.length === 2 && "bytes" in item && item.left_out > 0 ? item.left_out : 0;
}

function sizeText(bytes) {
  return bytes < 1000 ? `${bytes} bytes` : `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;
}

/** An item of a list in one line: `term 3, command 7`. */
function entryText(entry) {
  const parts = Object.entries(entry).map(([name, value]) =>
    (Array.isArray(entry) ? "" : `${name} `) + (value !== null && typeof value === "object"
      ? JSON.stringify(value) : scalarText(value)));
  return cut(parts.join(", "), 120);
}

/** Everything about an event. In a tip nothing can be clicked, so it has no links. */
function details(app, i, links) {
  const { model } = app;
  const event = model.events[i];
  const link = (to, text) => (links ? eventLink(app, to, text) : text);
  const place = model.place[i];
  const parts = [el("h3", {}, `${laneName(model, place)}: ${cut(describe(model, i), 300)}`)];
  const facts = el("dl", { class: "fields" });
  const row = (name, ...value) => facts.append(el("dt", {}, name), el("dd", {}, ...value));
  row("time", `${timeText(model.us[i])} s`, el("span", { class: "dim" }, `  event ${event.n}`));
  if (event.task) row("task", event.task, ...sourceOfTask(model, event.task));
  const cause = model.cause[i];
  if (cause >= 0) row("cause", link(cause, `${event.cause}: ${cut(lineWithLane(model, cause), 140)}`));
  else if (event.cause !== undefined) row("cause", `${event.cause}: not in this trace`);
  parts.push(facts);
  if (model.operationOf[i] >= 0) parts.push(...operationDetails(app, model.operations[model.operationOf[i]], link));
  else if (model.callOf[i] >= 0) parts.push(...callDetails(app, model.calls[model.callOf[i]], i, link));
  else parts.push(ownFields(model, i));
  if (model.kind[i] === K.violation && links) parts.push(factList(app, event.verdict));
  else if (links) parts.push(chainList(app, i));
  return parts;
}

/** The line that a task was started at, if it is called by its place and the source was at hand. */
function sourceOfTask(model, task) {
  const text = model.sources[task];
  return text === undefined ? [] : [el("div", {}, el("code", {}, text))];
}

function lineWithLane(model, i) {
  return `${laneName(model, model.place[i])} ${describe(model, i)}`;
}

/** The way of a call: each of its events with its time, then what was asked and answered. */
function callDetails(app, call, at, link) {
  const { model } = app;
  const way = el("dl", { class: "fields" });
  const names = [["sent", "sent"], ["delayed", "delayed"], ["delivered", "delivered"],
    ["duplicated", "comes twice"], ["replied", "replied"], ["delivered_again", "delivered again"],
    ["replied_again", "replied to the copy"], ["late", "held back"], ["lost", "lost"], ["returned", "returned"],
    ["failed", "failed"]];
  for (const [name, words] of names) {
    const i = call[name];
    if (i < 0) continue;
    const event = model.events[i];
    const text = `${timeText(model.us[i])} s` + (call.sent >= 0 && i !== call.sent
      ? ` (+${durationText(model.us[i] - model.us[call.sent])})` : "");
    const more = name === "lost" ? `: ${event.leg}, ${LOSSES[event.why] || event.why}`
      : ["delayed", "late", "duplicated"].includes(name) ? `: by ${durationText(event.by_us)}` : "";
    way.append(el("dt", {}, i === at ? `▸ ${words}` : words), el("dd", {}, link(i, text), more));
  }
  for (const [leg, word] of [[REQUEST, "request"], [REPLY, "reply"]]) {
    const m = leg === REQUEST ? call.sent : call.replied >= 0 ? call.replied : -1;
    const one = m >= 0 && model.messageOf[m] >= 0 ? model.messages[model.messageOf[m]] : null;
    if (one && one.fate !== FINE) {
      const words = one.overtaken ? "overtaken by a later one" : FATES[one.fate];
      way.append(el("dt", {}, word), el("dd", { class: "warn" }, words));
    }
  }
  const parts = [way];
  if (call.sent >= 0) {
    const event = model.events[call.sent];
    parts.push(el("h4", {}, event.method, el("span", { class: "dim" },
      `  ${laneName(model, call.from)} → ${laneName(model, call.to)}, ${event.bytes} bytes`)));
    const { at } = call.is;
    parts.push(valueNode(event.args, call.purpose === APPEND && at !== undefined ? at + 1 : undefined));
  }
  if (call.replied >= 0) {
    const event = model.events[call.replied];
    parts.push(el("h4", {}, "Reply", el("span", { class: "dim" }, `  ${event.bytes} bytes`)));
    parts.push(valueNode(event.reply));
  }
  return parts;
}

/** The fields of an event that is no part of a call. */
function ownFields(model, i) {
  const own = {};
  for (const [key, value] of Object.entries(model.events[i])) {
    if (["n", "us", "lane", "task", "cause", "event", "verdict", "is", "learned"].includes(key)) continue;
    if (key === "log" && value) {
      own[`log from ${value.from}`] = value.entries;
      if (value.base) own["log begins behind"] = value.base;
    } else own[key] = value;
  }
  return valueNode(own);
}

/** What a violation contradicts: each fact leads to its event. */
function factList(app, verdict) {
  const { model } = app;
  const list = el("ol", { class: "chain" });
  verdict.facts.forEach((fact, number) => {
    const at = model.factEvents[number];
    const text = (typeof fact.us === "number" ? `${timeText(fact.us)} s  ` : "") + fact.text;
    list.append(el("li", {}, at >= 0 ? eventLink(app, at, text) : text));
  });
  return el("div", {}, el("h4", {}, "What does not fit together"), list);
}

function chainList(app, i) {
  const { model } = app;
  const chain = chainOf(model, i).slice(1);
  if (chain.length === 0) return el("p", { class: "dim" }, "No earlier event is known to have led to it.");
  const list = el("ol", { class: "chain" });
  for (const at of chain.slice(0, MOST_CHAIN)) {
    list.append(el("li", {}, eventLink(app, at,
      `${timeText(model.us[at])} s  ${cut(lineWithLane(model, at), 110)}`)));
  }
  if (chain.length > MOST_CHAIN) {
    list.append(el("li", { class: "dim" }, `and ${chain.length - MOST_CHAIN} earlier`));
  }
  return el("div", {}, el("h4", {}, "What led to it"), list);
}

function showPanel(app) {
  const panel = document.getElementById("panel");
  const i = app.selected;
  if (i < 0) {
    const empty = "Point at a message or a mark to see what it is and what led to it. " +
      "Click to keep it here; Escape lets it go.";
    const heading = headingOf("Nothing selected");
    return refill(panel, [heading, el("p", { class: "dim" }, empty)], heading);
  }
  const close = el("button", { type: "button", class: "close", "aria-label": "Let the selection go",
    onclick: () => select(app, -1) }, "×");
  const title = i !== app.model.guilty ? "Selected" : app.model.sure ? "What broke the rule" : "Where to look first";
  panel.classList.toggle("guilty", i === app.model.guilty);
  const heading = headingOf(title);
  // What is new begins there.
  refill(panel, [close, heading, ...details(app, i, true)], heading, false);
  panel.scrollTop = 0;
}

// ---- The tip at the pointer --------------------------------------------------------------------

function showTip(app, x, y, nodes) {
  const tip = document.getElementById("tip");
  if (nodes === null) {
    tip.hidden = true;
    return;
  }
  tip.replaceChildren(...nodes);
  tip.hidden = false;
  const stage = document.getElementById("stage").getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = x + 18 + width < stage.width ? x + 18 : Math.max(0, x - 18 - width);
  const lowest = window.innerHeight - stage.top - height - 6;
  const top = Math.max(-stage.top + 4, Math.min(y + 14, lowest));
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}

function densityTip(model, { lane, total, parts }) {
  const words = parts.map((number, p) => [number, [...PURPOSES, "lost message"][p]])
    .filter(([number]) => number > 0).map(([number, word]) => plural(number, word));
  return [el("h3", {}, `${laneName(model, lane)} sent ${plural(total, "message")} here`),
    el("p", {}, `${words.join(", ")}, requests and replies. Zoom in to see each of them.`)];
}

// ---- Logs around the conflict ------------------------------------------------------------------

/** Which index to show, of whose group, and after which event: that of the selection, else that of the violation. */
function logQuestion(app) {
  const { model } = app;
  const verdict = model.verdict;
  const chosen = app.selected >= 0 ? model.events[app.selected] : null;
  const own = chosen && typeof chosen.index === "number" ? chosen.index : null;
  const index = verdict && typeof verdict.index === "number" ? verdict.index : own;
  if (index === null) return null;
  const about = model.involved.find((lane) => lane < model.servers);
  const lane = chosen && index === own && model.place[app.selected] >= 0 ? model.place[app.selected] : about === undefined ? 0 : about;
  if (chosen) return { index, lane, event: app.selected, when: "at the selected event" };
  const first = model.violations[0];
  const event = first === undefined ? model.count - 1 : first;
  return { index, lane, event, when: "at the violation" };
}

function showLogs(app) {
  const { model } = app;
  const box = document.getElementById("logs");
  const question = logQuestion(app);
  box.hidden = question === null;
  if (question === null) return;
  const { index, event, when } = question;
  // Only the logs of one group have anything to do with each other.
  const lanes = lanesWith(model, question.lane);
  const logs = lanes.map((lane) => logAt(model, lane, event));
  const applied = lanes.map((lane) => appliedBy(model, lane, event));
  const indices = [];
  // Counted from the index: to the greatest number there is nothing can be added.
  for (let from = -LOG_BEFORE; from <= LOG_AFTER; from++) if (index + from >= 1) indices.push(index + from);
  // As in the paper: a row for each server, the log from left to right.
  const head = el("tr", {}, el("th", { scope: "col" }, ""), indices.map((at) =>
    el("th", { scope: "col", class: at === index ? "conflict" : null }, String(at))));
  const columns = indices.map((at) => logColumn(at, logs, applied));
  const bases = logs.map(({ base }) => base);
  const body = el("tbody", {}, lanes.map((lane, row) => el("tr", {},
    el("th", { scope: "row", title: laneName(model, lane), class: isInvolved(model, lane) ? "bad" : null }, laneShort(model, lane)),
    indices.map((at, k) => (at <= bases[row] ? snapshotCell(logs[row], at, at === index)
      : logCell(columns[k][row], at === index))))));
  const source = model.logsAreTold ? "✓ applied since its last start"
    : "By the messages: what a server sent or accepted; ✓ applied since its last start";
  const heading = headingOf(`Logs around index ${index}`);
  refill(box, [heading,
    el("p", { class: "dim" }, `${when}, ${timeText(model.us[event] || 0)} s. ${source}; ` +
      "≠ not what most have" + (bases.some((base) => base > 0) ? "; ▤ a snapshot has taken its place" : "")),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Logs" },
      el("table", { class: "logs" }, el("thead", {}, head), body)), storyNode(app, index, event, lanes) || ""], heading);
}

function isInvolved(model, lane) {
  return model.involved.includes(lane);
}

/** What each server has at an index, and whether it differs from what most have. */
function logColumn(at, logs, applied) {
  const cells = logs.map((log, lane) => {
    const done = applied[lane].get(at);
    const entry = log[at];
    if (entry === undefined && done === undefined) return null;
    const term = !entry || entry.term === null ? "" : `t${entry.term}`;
    const command = entry === undefined || entry.command === undefined ? done : entry.command;
    return { term, command, done, odd: done !== undefined && done !== command };
  });
  // A column is compared by what is known of all of its cells.
  const known = cells.filter(Boolean);
  const [terms, commands] = [known.every(({ term }) => term), known.every(({ command }) => command !== undefined)];
  for (const cell of known) cell.key = `${terms ? cell.term : ""} ${commands ? cell.command : ""}`;
  const usual = mostCommon(cells.filter(Boolean).map((cell) => cell.key));
  for (const cell of cells) if (cell) cell.differs = cell.odd || cell.key !== usual;
  return cells;
}

/** What a snapshot has taken the place of; of the last of these entries the term is known. */
function snapshotCell({ base, baseTerm }, at, here) {
  const term = at === base && baseTerm !== null ? `t${baseTerm}` : "";
  return el("td", { class: `snapshot${here ? " conflict" : ""}`, title: `in a snapshot up to ${base} ${term}` },
    el("span", { class: "dim" }, `▤ ${term}`), el("span", { class: "dim" }, `≤${base}`));
}

function logCell(cell, here) {
  const mark = here ? " conflict" : "";
  if (cell === null) return el("td", { class: "dim" + mark }, "–");
  const { term, command, done, odd, differs } = cell;
  const title = `${term} ${command === undefined ? "command not known" : command}${done === undefined ? "" : ", applied: " + done}`;
  return el("td", { class: (differs ? "differs" : "") + mark, title },
    el("span", { class: differs ? null : "dim" }, (differs ? "≠ " : "") + term),
    el("span", {}, (command === undefined ? "?" : shortCommand(command)) + (done !== undefined && !odd ? " ✓" : "")),
    odd ? el("span", {}, `✓ ${shortCommand(done)}!`) : null);
}

/** The text that most have; null if there is none. */
function mostCommon(texts) {
  const counts = new Map();
  for (const text of texts) counts.set(text, (counts.get(text) || 0) + 1);
  const most = Math.max(0, ...counts.values());
  const best = [...counts.keys()].filter((text) => counts.get(text) === most);
  // Of two that are equally common neither is usual.
  return best.length === 1 ? best[0] : null;
}

// ---- The events in view, as a table ------------------------------------------------------------

/** The plain text behind the picture. It is filled only while it is open. */
function showTable(app) {
  const { model, axis, view } = app;
  const box = document.getElementById("events");
  const first = Math.max(0, lowerBound(axis.at, view.a));
  const last = Math.min(model.count, lowerBound(axis.at, view.b + 1e-9));
  const list = [];
  let all = 0;
  for (let i = first; i < last; i++) {
    if (!eventIsShown(app, i)) continue;
    all++;
    if (list.length < MOST_ROWS) list.push(i);
  }
  document.getElementById("events-count").textContent = String(all);
  if (!box.open) return;
  const rows = list.map((i) => el("tr", { class: i === app.selected ? "conflict" : null },
    el("td", {}, eventLink(app, i, String(model.events[i].n))),
    el("td", {}, timeText(model.us[i])), el("td", {}, laneName(model, model.place[i])),
    el("td", {}, cut(describe(model, i), 300)), el("td", {}, model.events[i].task)));
  refill(document.getElementById("events-body"), rows, box.querySelector("summary"));
  const more = document.getElementById("events-more");
  more.hidden = all <= MOST_ROWS;
  more.textContent = `These are the first ${MOST_ROWS} of ${all}. Zoom in to see the others.`;
}

/** Whether the filters let an event be listed and stepped to. */
function eventIsShown(app, i) {
  const { model, filter } = app;
  if (model.place[i] >= 0 && app.hidden.has(model.place[i])) return false;
  const kind = model.kind[i];
  if (kind >= K.sent && kind <= K.failed) {
    const m = model.messageOf[i];
    return m < 0 || isShown(app, model.messages[m]);
  }
  if (kind === K.state || kind === K.inferred) return filter.state;
  if (kind === K.applied) return filter.apply;
  if (kind === K.saved) return filter.saved;
  if (kind === K.snapshot || kind === K.installed) return filter.snapshots;
  if (kind === K.called || kind === K.answered) return filter.operations;
  if (kind === K.shards || kind === K.configured) return filter.shards;
  if (kind === K.note) return filter.notes;
  if (kind === K.offered && model.events[i].index === undefined && !filter.refusals) return false;
  if ([K.offered, K.begin, K.end, K.network].includes(kind)) return filter.tester;
  return true;
}
