// ---- Keys --------------------------------------------------------------------------------------

/**
 * What the keys do. The same list is shown on `?`. On many keyboards brackets are not easy to type, so what they do
 * a letter does too.
 */
const KEYS = [
  [["+", "="], (app) => zoom(app, 0.6), "zoom in"],
  [["-", "_"], (app) => zoom(app, 1 / 0.6), "zoom out"],
  [["ArrowLeft"], (app) => pan(app, -0.15), "earlier"],
  [["ArrowRight"], (app) => pan(app, 0.15), "later"],
  [["0"], fitAll, "the whole run"],
  [["v"], jumpToViolation, "the first violation"],
  [["]", "j"], (app) => step(app, 1, false), "next event on the same lane"],
  [["[", "k"], (app) => step(app, -1, false), "previous event on the same lane"],
  [["."], (app) => step(app, 1, true), "next event on any lane"],
  [[","], (app) => step(app, -1, true), "previous event on any lane"],
  [["ArrowDown"], (app) => stepLane(app, 1), "nearest event on the lane below"],
  [["ArrowUp"], (app) => stepLane(app, -1), "nearest event on the lane above"],
  [["c"], toCause, "the event that led to the selected one"],
  [["/"], () => document.getElementById("search").focus(), "search"],
  [["n"], (app) => nextHit(app, 1), "next hit"],
  [["N"], (app) => nextHit(app, -1), "previous hit"],
  [["a"], (app) => setAxis(app, AXES[(AXES.indexOf(app.axis.name) + 1) % 3]), "the next kind of axis"],
  [["Escape"], (app) => select(app, -1), "let the selection go"],
  [["?"], () => document.getElementById("help").showModal(), "this help"],
];
const KEY_NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

function toCause(app) {
  const before = app.selected >= 0 ? previousInChain(app.model, app.selected) : -1;
  if (before >= 0) select(app, before, true);
}

/**
 * Whether a key is a shortcut of the browser or of the system. With AltGr, which Windows takes for Ctrl and Alt, and
 * with Option on a Mac many keyboards type brackets.
 */
function isOfOthers(event) {
  if (event.metaKey) return true;
  if (event.getModifierState("AltGraph")) return false;
  return event.ctrlKey || event.altKey && event.key !== "[" && event.key !== "]";
}

function listenToKeys(app) {
  document.addEventListener("keydown", (event) => {
    if (isOfOthers(event) || document.getElementById("help").open) return;
    const inField = event.target.closest("input, select, textarea");
    if (inField) {
      if (event.key === "Escape" || event.key === "Enter") app.canvas.focus();
      if (event.key !== "Enter") return;
      searchNow(app);
      nextHit(app, event.shiftKey ? -1 : 1);
      return;
    }
    // Elsewhere arrows scroll the page or a table, as always.
    const arrow = event.key.startsWith("Arrow");
    const isPlain = event.target === document.body || event.target.matches("h2");
    if (arrow && event.target !== app.canvas && !isPlain) return;
    if (isPlain && (event.key === "ArrowUp" || event.key === "ArrowDown") &&
      app.selected < 0) return;
    const key = KEYS.find(([names]) => names.includes(event.key));
    if (!key || event.key.length === 1 && !app.singleKeys) return;
    event.preventDefault();
    key[1](app);
  });
  const list = document.getElementById("keys");
  for (const [names, , words] of KEYS) {
    const keys = names.flatMap((name, k) => [k > 0 ? " " : null, el("kbd", {}, KEY_NAMES[name] || name)]);
    list.append(el("div", {}, el("dt", {}, ...keys), el("dd", {}, words)));
  }
}

/** Keys of one letter get in the way of some ways to write, such as speech: they can be switched off. */
function listenToKeySwitch(app) {
  const box = document.getElementById("single-keys");
  const remembered = () => { try { return localStorage.getItem("single-keys"); } catch (error) { return null; } };
  app.singleKeys = remembered() !== "off";
  box.checked = app.singleKeys;
  box.addEventListener("change", () => {
    app.singleKeys = box.checked;
    try {
      localStorage.setItem("single-keys", box.checked ? "on" : "off");
    } catch (error) {
      // A page from a file may not be allowed to remember anything.
    }
  });
}

function listenToButtons(app) {
  const actions = { "zoom-in": () => zoom(app, 0.6), "zoom-out": () => zoom(app, 1 / 0.6),
    fit: () => fitAll(app), violation: () => jumpToViolation(app),
    "help-open": () => document.getElementById("help").showModal() };
  for (const [id, action] of Object.entries(actions)) {
    document.getElementById(id).addEventListener("click", action);
  }
  document.getElementById("violation").hidden = !app.model.verdict;
  for (const button of document.querySelectorAll("#axis button")) {
    button.addEventListener("click", () => setAxis(app, button.dataset.axis));
  }
  document.getElementById("search").addEventListener("input", () => searchSoon(app));
  document.getElementById("events").addEventListener("toggle", () => showTable(app));
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
  }
  // The verdict stands in the page without scripts; with them, its times lead to the diagram.
  for (const time of document.querySelectorAll("span[data-us]")) {
    const number = time.dataset.fact === undefined ? -1 : Number(time.dataset.fact);
    time.replaceWith(el("button", { type: "button", class: "link time",
      onclick: () => jumpToFact(app, number, Number(time.dataset.us)) }, time.textContent));
  }
}

// ---- The address -------------------------------------------------------------------------------
//
// `#t=12.3..14.5&sel=123`: the view in seconds and the number of the selected event. Within one
// moment seconds say nothing, so the page itself writes `n=` with numbers of events instead.

function readAddress(app) {
  const { model } = app;
  const asked = new URLSearchParams(location.hash.slice(1));
  if (AXES.includes(asked.get("axis")) && asked.get("axis") !== app.axis.name) setAxis(app, asked.get("axis"));
  const range = (name) => {
    const numbers = (asked.get(name) || "").split("..").map(Number);
    return numbers.length === 2 && numbers.every(Number.isFinite) && asked.get(name) ? numbers : null;
  };
  const [times, orders] = [range("t"), range("n")];
  if (orders && model.count > 0) {
    const first = model.events[0].n;
    setView(app, ...orders.map((order) => placeOfOrder(model, app.axis, order - first)));
  } else if (times) {
    const [a, b] = times.map((seconds) => Math.round(seconds * 1e6));
    setView(app, placeOfTime(model, app.axis, a), placeOfTime(model, app.axis, b, true));
  }
  if (asked.has("sel")) select(app, eventByNumber(model, Number(asked.get("sel"))));
}

function writeAddress(app) {
  const { model, axis, view } = app;
  const parts = [];
  if (axis.name !== AXES[0]) parts.push(`axis=${axis.name}`);
  if (axis.name === "time") {
    parts.push("t=" + [view.a, view.b].map((place) => timeText(timeOfPlace(model, axis, place))).join(".."));
  } else if (model.count > 0) {
    const first = model.events[0].n;
    parts.push("n=" + [view.a, view.b].map((place) =>
      +(orderOfPlace(model, axis, place) + first).toFixed(3)).join(".."));
  }
  if (app.selected >= 0) parts.push(`sel=${model.events[app.selected].n}`);
  try {
    history.replaceState(null, "", "#" + parts.join("&"));
  } catch (error) {
    // Some browsers allow no address to be changed in a page from a file. Nothing else needs it.
  }
}

// ---- Frames ------------------------------------------------------------------------------------

/** Asks for a frame. Whatever changed, there is one at most for each of the screen's. */
function redraw(app) {
  if (app.frameDue) return;
  app.frameDue = true;
  requestAnimationFrame(() => drawNow(app));
}

function drawNow(app) {
  app.frameDue = false;
  const start = performance.now();
  if (app.layout === null || app.layout.width !== stageWidth()) app.layout = layOut(app, stageWidth());
  const focus = app.hovered >= 0 ? app.hovered : app.selected;
  if (app.pastFor !== focus) {
    app.pastFor = focus;
    app.past = focus >= 0 ? pastOf(app.model, endOfFocus(app.model, focus)) : null;
  }
  drawDiagram(app);
  drawOverview(app);
  drawRange(app);
  if (app.panelDue) {
    app.panelDue = false;
    showPanel(app);
    showLogs(app);
  }
  report(app, performance.now() - start);
  if (app.tableDue) {
    app.tableDue = false;
    clearTimeout(app.tableTimer);
    app.tableTimer = setTimeout(() => { showTable(app); showElections(app); writeAddress(app); }, 150);
  }
}

function stageWidth() {
  return Math.max(280, Math.floor(document.getElementById("stage").clientWidth));
}

function drawRange(app) {
  if (!app.range) return;
  const context = app.canvas.getContext("2d");
  const [a, b] = [...app.range].sort((one, two) => one - two);
  context.fillStyle = app.palette.bar;
  context.globalAlpha = 0.2;
  context.fillRect(a, 0, b - a, app.layout.height);
  context.globalAlpha = 1;
}

/** What the page says about itself, for those who test it. */
function report(app, took) {
  const data = document.body.dataset;
  app.frames++;
  data.frames = app.frames;
  data.frameMs = took.toFixed(1);
  data.drawn = app.drawn;
  data.dense = String(app.frame.density !== null);
  data.inView = Math.max(0, app.frame.last - app.frame.first + 1);
  if (data.probe) {
    const rect = ({ one, spot }) => [one.text, one.worth, spot.x, spot.y, spot.width, spot.height];
    data.labels = JSON.stringify(app.frame.placed.map(rect));
    reportLinks(app, data);
  }
  if (data.ready) return;
  data.events = app.model.count;
  data.messages = app.model.messages.length;
  data.firstDrawMs = performance.now().toFixed(0);
  data.ready = "yes";
}

/** The splits, and when the message that is looked at could not go its way: as numbers of events. */
function reportLinks({ model, selected }, data) {
  const number = (i) => (i < 0 ? 0 : i < model.count ? model.events[i].n : "end");
  data.splits = JSON.stringify(model.splits.map(({ begin, end, text }) => [number(begin), number(end), text]));
  const one = selected >= 0 && model.messageOf[selected] >= 0 ? model.messages[model.messageOf[selected]] : null;
  data.downs = JSON.stringify(one && linkDowns(model, one.from, one.to).map((pair) => pair.map(number)));
}

// ---- Start -------------------------------------------------------------------------------------

function start() {
  const begin = performance.now();
  const trace = JSON.parse(document.getElementById("trace").textContent);
  const parsed = performance.now();
  const model = buildModel(trace);
  document.body.dataset.parseMs = (parsed - begin).toFixed(0);
  document.body.dataset.indexMs = (performance.now() - parsed).toFixed(0);
  for (const part of document.querySelectorAll(".scripted")) part.hidden = false;
  const filter = Object.fromEntries(FILTERS.map(([name]) => [name, true]));
  const app = { model, filter, hidden: hiddenAtFirst(model), axis: buildAxis(model, AXES[0]), view: { a: 0, b: 1 },
    layout: null, palette: readPalette(), colorsAge: 0, selected: -1, hovered: -1, pastFor: -1,
    past: null, hits: [], hitAt: -1, frames: 0, drawn: 0, range: null, panelDue: true,
    canvas: document.getElementById("diagram"), overview: document.getElementById("overview") };
  buildFilters(app);
  app.layout = layOut(app, stageWidth());
  setView(app, ...initialView(app));
  app.selected = beginning(model);
  listenToPointer(app);
  listenToOverview(app);
  listenToButtons(app);
  listenToKeys(app);
  listenToKeySwitch(app);
  listenToSurroundings(app);
  if (location.hash.length > 1) readAddress(app);
  drawNow(app);
}

function listenToSurroundings(app) {
  const recolor = () => {
    app.palette = readPalette();
    app.colorsAge++;
    app.layout = null;
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { recolor(); redraw(app); });
  new ResizeObserver(() => { app.layout = null; redraw(app); }).observe(document.getElementById("stage"));
  window.addEventListener("resize", () => { app.layout = null; redraw(app); });
  window.addEventListener("hashchange", () => readAddress(app));
  // Paper is white, whatever the screen is.
  const paper = (on) => () => {
    document.documentElement.classList.toggle("paper", on);
    recolor();
    drawNow(app);
  };
  window.addEventListener("beforeprint", paper(true));
  window.addEventListener("afterprint", paper(false));
}

window.addEventListener("error", (event) => {
  document.body.dataset.error = `${event.message} (line ${event.lineno})`;
  const box = document.getElementById("broken");
  box.hidden = false;
  box.textContent = `The diagram cannot be shown: ${event.message}`;
});

start();
