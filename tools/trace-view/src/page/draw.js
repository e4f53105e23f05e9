// ---- The diagram -------------------------------------------------------------------------------

const BAND = 30, AXIS = 24, TESTER = 60;

/** The colours as the style sheet has them now. */
function readPalette() {
  const style = getComputedStyle(document.documentElement);
  const names = ["back", "text", "dim", "line", "soft", "bad", "bar", "follower", "candidate",
    "leader", "old-leader", "on-leader", "vote", "append", "beat", "other", "snapshot", "lost", "late", "refused", "cut",
    "down", "on-down", "hit", "check", "group", "on-shard"];
  const palette = {};
  for (const name of names) palette[name] = style.getPropertyValue("--" + name).trim();
  palette.purpose = [palette.vote, palette.append, palette.beat, palette.other, palette.snapshot];
  palette.shard = Array.from({ length: SHARDS }, (_, shard) => style.getPropertyValue(`--shard-${shard}`).trim());
  palette.role = [palette.soft, palette.follower, palette.candidate, palette.leader, palette.down];
  return palette;
}

/** The lanes that are shown, from top to bottom: clients are above the servers. */
function shownLanes({ model, hidden }) {
  const shown = model.lanes.map((_, lane) => lane).filter((lane) => !hidden.has(lane));
  const clients = shown.filter((lane) => isClient(model, lane));
  clients.sort((a, b) => model.lanes[a].localeCompare(model.lanes[b], "en", { numeric: true }));
  return [...clients, ...shown.filter((lane) => !isClient(model, lane))];
}

/** How much room a client's lane takes. */
const CLIENT_PITCH = 30;

/** Where the lanes lie. Hidden ones take no room. */
function layOut(app, width) {
  const shown = shownLanes(app);
  const clients = shown.filter((lane) => isClient(app.model, lane)).length;
  const narrow = width < 560;
  const gutter = narrow ? 34 : 78;
  // What is left of the first screen below the verdict, so that all lanes are seen at once.
  const above = document.getElementById("stage").getBoundingClientRect().top + window.scrollY;
  const strip = STRIP_TOP + shown.length * STRIP_ROW + 6;
  const room = Math.max(300, Math.min(900, window.innerHeight - above - strip - 34));
  const least = narrow ? 62 : 64;
  const top = AXIS + TESTER;
  // Above the clients is room for the words about what they feel.
  const lower = clients === 0 ? top : top + 14 + clients * CLIENT_PITCH;
  const others = shown.length - clients;
  const blocks = shown.reduce((sum, lane) => sum + blockRoom(app, lane), 0);
  const pitch = Math.max(least, Math.min(150, (room - lower - blocks - 8) / Math.max(1, others)));
  const y = new Float64Array(app.model.lanes.length).fill(-1);
  let below = lower;
  shown.forEach((lane, row) => {
    if (row < clients) {
      y[lane] = top + 14 + CLIENT_PITCH * (row + 0.5);
      return;
    }
    y[lane] = below + blockRoom(app, lane) + pitch / 2;
    below += blockRoom(app, lane) + pitch;
  });
  return { width, gutter, narrow, pitch, shown, y, top, plot: width - gutter, height: Math.round(below + 8) };
}

function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.height = height + "px";
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** Stripes, so that a state can be told without its colour. */
function stripes(context, color, gap, direction) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = gap;
  const pen = tile.getContext("2d");
  pen.strokeStyle = color;
  pen.lineWidth = gap / 6;
  pen.beginPath();
  for (const shift of [-gap, 0, gap]) {
    pen.moveTo(shift, direction > 0 ? gap : 0);
    pen.lineTo(shift + gap, direction > 0 ? 0 : gap);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}

/** What one frame needs to know. */
function newFrame(app, context) {
  const { model, axis, view, layout } = app;
  const scale = layout.plot / (view.b - view.a);
  const first = Math.max(0, lowerBound(axis.at, view.a));
  const last = Math.min(model.count - 1, lowerBound(axis.at, view.b + 1e-9) - 1);
  const x = (place) => layout.gutter + (place - view.a) * scale;
  const xe = (i) => (i < 0 ? layout.gutter - 9 : i >= model.count ? x(axis.end) : x(axis.at[i]));
  return { app, context, model, axis, view, layout, scale, first, last, x, xe,
    colors: app.palette, left: layout.gutter, right: layout.width, patterns: {}, labels: [], taken: [],
    placed: [] };
}

function drawDiagram(app) {
  const context = fitCanvas(app.canvas, app.layout.width, app.layout.height);
  const frame = newFrame(app, context);
  app.frame = frame;
  const { layout, colors } = frame;
  context.fillStyle = colors.back;
  context.fillRect(0, 0, layout.width, layout.height);
  context.save();
  context.beginPath();
  context.rect(layout.gutter, 0, layout.plot, layout.height);
  context.clip();
  context.lineJoin = "round";
  context.textBaseline = "middle";
  frame.patterns.cut = stripes(context, colors.cut, 8, 1);
  frame.patterns.candidate = stripes(context, colors.text, 6, -1);
  frame.patterns.inferred = stripes(context, colors.back, 5, 1);
  const focus = app.hovered >= 0 ? app.hovered : app.selected;
  drawGroups(frame);
  drawAxis(frame);
  drawTroubles(frame);
  drawCuts(frame);
  drawGaps(frame);
  drawMessages(frame, focus >= 0);
  for (const lane of layout.shown) drawLane(frame, lane);
  labelMessages(frame, focus >= 0);
  drawTester(frame);
  if (app.filter.shards) drawConfigs(frame);
  if (focus >= 0) drawFocus(frame, focus);
  drawVerdict(frame);
  drawHits(frame);
  placeLabels(frame);
  context.restore();
  drawGutter(frame);
}

/** Where the middle of the run was left out. */
function drawGaps(frame) {
  const { context, colors, layout, model, xe, left, right, patterns } = frame;
  for (const i of model.gaps) {
    let end = i + 1;
    while (end < model.count && model.us[end] < model.events[i].until_us) end++;
    const [x1, x2] = [Math.max(left, xe(i)), Math.min(right, Math.max(xe(end), xe(i) + 8))];
    if (x2 < left || x1 > right) continue;
    context.globalAlpha = 0.4;
    context.fillStyle = patterns.inferred;
    context.fillRect(x1, AXIS, x2 - x1, layout.height);
    context.globalAlpha = 1;
    context.fillStyle = colors.late;
    context.fillRect(x1, AXIS, 2, layout.height);
    context.fillRect(x2 - 2, AXIS, 2, layout.height);
    label(frame, WORTH.step, `${model.events[i].events} events are left out`, colors.late,
      [[x1 + 5, AXIS + TESTER + 8]], { must: true });
  }
}

// ---- Axis --------------------------------------------------------------------------------------

function drawAxis(frame) {
  const { app, context, colors, layout, left, model, first, last } = frame;
  if (last - first < 500 && app.axis.name !== "time") drawMoments(frame);
  const { step, list } = ticks(model, app.axis, app.view, layout.plot, layout.narrow ? 64 : 84);
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "left";
  context.strokeStyle = colors.line;
  context.lineWidth = 1;
  context.beginPath();
  for (const [offset] of list) {
    const x = Math.round(left + offset) + 0.5;
    context.moveTo(x, 14);
    context.lineTo(x, layout.height);
  }
  context.stroke();
  for (const [offset, us] of list) {
    label(frame, WORTH.role, timeText(us, step) + " s", colors.dim, [[left + offset + 4, 9]]);
  }
  // Within one moment there is no tick; which moment it is must be said all the same.
  if (list.length === 0) {
    label(frame, WORTH.role, timeText(timeOfPlace(model, app.axis, app.view.a)) + " s", colors.dim, [[left + 4, 9]]);
  }
}

/** What happens in the same microsecond lies on one strip. */
function drawMoments(frame) {
  const { context, colors, layout, model, first, last, xe, scale, axis } = frame;
  const half = axis.step * scale / 2;
  if (half < 1.5) return;
  context.fillStyle = colors.soft;
  for (let i = Math.max(0, first); i <= last;) {
    let begin = i;
    while (begin > 0 && model.us[begin - 1] === model.us[i]) begin--;
    let end = i;
    while (end + 1 < model.count && model.us[end + 1] === model.us[i]) end++;
    if (end > begin) {
      context.fillRect(xe(begin) - half, AXIS, xe(end) - xe(begin) + 2 * half, layout.height);
    }
    i = end + 1;
  }
}

// ---- Verdict and search hits -------------------------------------------------------------------

/** Where the rule was broken, and the facts of the verdict by their numbers. */
function drawVerdict(frame) {
  const { context, colors, layout, model, xe, x, left, right, axis } = frame;
  const { verdict } = model;
  if (!verdict) return;
  const first = model.violations[0];
  const at = first === undefined ? x(placeOfTime(model, axis, verdict.us, true)) : xe(first);
  if (at > left - 2 && at < right + 2) {
    context.fillStyle = colors.bad;
    context.fillRect(at - 1, 14, 2, layout.height);
    label(frame, WORTH.verdict, "violation", colors.back, [[at + 4, 8], [at - 60, 8]],
      { box: colors.bad, bold: true, must: true, at: [at, 14] });
  }
  const badges = [];
  verdict.facts.forEach((fact, number) => {
    const place = factPlace(model, axis, number);
    const lane = fact.server;
    if (!(layout.y[lane] > 0)) return;
    // What lies outside of the view is named at its edge; a fact without a time holds in the end.
    const inside = place === null ? at : x(place);
    const [from, to] = [left + 12, right - 12];
    const side = inside < from ? "◀ " : inside > to ? "▶ " : "";
    // Several at one place stand side by side, away from the edge.
    let bx = Math.max(from, Math.min(to, inside));
    const isTaken = ([on, x]) => on === lane && Math.abs(x - bx) < 20;
    while (badges.some(isTaken)) bx += inside < from + 60 ? 20 : -20;
    badges.push([lane, bx]);
    const above = layout.y[lane] - topOf(frame.app, lane) - 10;
    badge(frame, bx, above, number + 1);
    const when = side && fact.us !== undefined ? `${timeText(fact.us, 1000)} s: ` : "";
    const text = side + when + factWords(model, fact);
    const y = above;
    label(frame, WORTH.fact, text, colors.bad, [[bx + 13, y], [bx - 13 - measure(frame, text), y]],
      { bold: true, must: true, at: [bx, y], most: layout.narrow ? 190 : 330 });
  });
}

function measure(frame, text) {
  frame.context.font = fontOf({ bold: true });
  return frame.context.measureText(text).width;
}

/** A fact without the name of its server, which is that of its lane. */
function factWords(model, fact) {
  const name = laneName(model, fact.server) + " ";
  return fact.text.startsWith(name) ? fact.text.slice(name.length) : fact.text;
}

/** A fact is at the event that it tells of, if there is one, else at the last of its moment. */
function factPlace(model, axis, number) {
  const i = model.factEvents[number];
  const { us } = model.verdict.facts[number];
  if (i >= 0) return axis.at[i];
  return typeof us === "number" ? placeOfTime(model, axis, us, true) : null;
}

function badge(frame, x, y, number) {
  const { context, colors } = frame;
  reserve(frame, x - 9, y - 9, 18, 18);
  context.fillStyle = colors.bad;
  context.beginPath();
  context.arc(x, y, 9, 0, 7);
  context.fill();
  context.fillRect(x - 1, y, 2, 12);
  context.fillStyle = colors.back;
  context.font = "bold 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillText(String(number), x, y + 0.5);
  context.textAlign = "left";
}

function drawHits(frame) {
  const { app, context, colors, layout, model, first, last, xe } = frame;
  const { hits } = app;
  context.strokeStyle = colors.hit;
  context.lineWidth = 2.5;
  let skip = -Infinity;
  for (let k = lowerBound(hits, first); k < hits.length && hits[k] <= last; k++) {
    const i = hits[k];
    const x = xe(i);
    const y = model.place[i] < 0 ? AXIS + 7 : layout.y[model.place[i]];
    if (y < 0 || x - skip < 2) continue;
    skip = x;
    context.beginPath();
    context.arc(x, y, i === hits[app.hitAt] ? 11 : 7, 0, 7);
    context.stroke();
  }
}

function drawGutter(frame) {
  const { context, colors, layout, model } = frame;
  context.fillStyle = colors.back;
  context.fillRect(0, 0, layout.gutter, layout.height);
  context.fillStyle = colors.line;
  context.fillRect(layout.gutter - 1, 0, 1, layout.height);
  context.textAlign = "left";
  context.fillStyle = colors.dim;
  context.font = "11px system-ui, sans-serif";
  context.fillText(layout.narrow ? "test" : "tester", 4, AXIS + 14);
  nameGroups(frame);
  for (const lane of layout.shown) {
    const bad = model.involved.includes(lane);
    context.fillStyle = bad ? colors.bad : colors.text;
    context.font = `${bad ? "bold" : "600"} 12px system-ui, sans-serif`;
    const grouped = lane < model.servers && model.groupOf[lane] !== "";
    const name = layout.narrow || grouped ? laneShort(model, lane) : cut(laneName(model, lane), 11);
    context.fillText(name, 4, layout.y[lane]);
    const half = halfOf(model, lane);
    if (bad) context.fillRect(layout.gutter - 4, layout.y[lane] - half, 3, 2 * half);
  }
}
