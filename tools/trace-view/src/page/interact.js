// ---- The view ----------------------------------------------------------------------------------

/** Room beside the ends of the run, as a share of the view. */
const MARGIN = 0.03;
/** With more events no label can be read. */
const MOST_IN_VIEW = 300;
/** The moments before the end are shown so close that labels find room. */
const CLOSE_VIEW = 110;

function setView(app, a, b) {
  const { axis } = app;
  const most = axis.end * (1 + 2 * MARGIN) + axis.least;
  const length = Math.min(most, Math.max(axis.least, b - a));
  const middle = (a + b) / 2;
  const edge = Math.max(length * 0.1, axis.end * MARGIN);
  const low = -edge, high = Math.max(axis.end + edge - length, low);
  const start = Math.min(high, Math.max(low, middle - length / 2));
  app.view = { a: start, b: start + length };
  app.tableDue = true;
  redraw(app);
}

/** Goes to a view so that the eye can follow, unless the reader wants no movement. */
function glideTo(app, a, b) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const from = app.view;
  const start = performance.now();
  app.glide = null;
  if (calm) return setView(app, a, b);
  const glide = () => {
    if (app.glide !== glide) return;
    const share = Math.min(1, (performance.now() - start) / 220);
    const eased = 1 - (1 - share) ** 3;
    setView(app, from.a + (a - from.a) * eased, from.b + (b - from.b) * eased);
    if (share < 1) requestAnimationFrame(glide);
  };
  app.glide = glide;
  requestAnimationFrame(glide);
}

/** Zooms by a factor around a place, the middle if none is given. */
function zoom(app, factor, place = (app.view.a + app.view.b) / 2) {
  app.glide = null;
  const { a, b } = app.view;
  setView(app, place - (place - a) * factor, place + (b - place) * factor);
}

function pan(app, share) {
  app.glide = null;
  const { a, b } = app.view;
  setView(app, a + (b - a) * share, b + (b - a) * share);
}

function fitAll(app) {
  glideTo(app, -app.axis.end * MARGIN / 2, app.axis.end * (1 + MARGIN / 2));
}

/** The moments before the run failed, with what led to it; of a run that passed, the whole. */
function initialView(app) {
  const { model, axis } = app;
  const verdict = model.verdict;
  if (!verdict && model.footer) return [-axis.end * MARGIN / 2, axis.end * (1 + MARGIN / 2)];
  const operations = viewOfOperations(app);
  if (operations) return operations;
  const last = verdict ? lowerBound(model.us, verdict.us + 0.5) : model.count;
  const close = app.layout && app.layout.narrow ? Math.round(CLOSE_VIEW / 3) : CLOSE_VIEW;
  let first = Math.max(0, last - close);
  // What led to it, and earlier facts, are worth a wider view as long as arrows can be told apart.
  const causes = model.guilty < 0 ? [] : chainOf(model, model.guilty).slice(0, 4);
  for (const i of [...causes, ...model.factEvents, model.guilty]) {
    if (i >= 0 && i < first && last - i < MOST_IN_VIEW) first = i;
  }
  const b = last > 0 ? axis.at[Math.min(last, model.count) - 1] : axis.end;
  const a = first < model.count ? axis.at[first] : 0;
  const room = Math.max(axis.least, (b - a) * 0.06);
  return [a - room / 3, b + room];
}

function setAxis(app, name) {
  const orders = [app.view.a, app.view.b].map((place) => orderOfPlace(app.model, app.axis, place));
  app.axis = buildAxis(app.model, name);
  const [a, b] = orders.map((order) => placeOfOrder(app.model, app.axis, order));
  setView(app, a, b);
  for (const button of document.querySelectorAll("#axis button")) {
    button.setAttribute("aria-pressed", String(button.dataset.axis === name));
  }
}

// ---- Selection ---------------------------------------------------------------------------------

/** Selects an event, or none with -1; brings it into view if asked. */
function select(app, i, show = false) {
  app.selected = i;
  app.hovered = -1;
  app.panelDue = app.tableDue = true;
  document.getElementById("status").textContent = i >= 0 ? fullLine(app.model, i) : "";
  if (i >= 0 && show) bringIntoView(app, i);
  showTip(app, 0, 0, null);
  redraw(app);
}

function bringIntoView(app, i) {
  const { axis, view } = app;
  const length = view.b - view.a;
  // Selected from the whole run, an event would be one among thousands: closer.
  const near = Math.min(length, Math.max(axis.step * 400, axis.least));
  const place = axis.at[i];
  if (place > view.a + length * 0.05 && place < view.b - length * 0.05 && near > length / 20) return;
  glideTo(app, place - near / 2, place + near / 2);
}

function jumpToFact(app, number, us) {
  const i = number >= 0 ? app.model.factEvents[number] : -1;
  if (i >= 0) return select(app, i, true);
  const place = placeOfTime(app.model, app.axis, us);
  const half = (app.view.b - app.view.a) / 2;
  glideTo(app, place - half, place + half);
}

/** Where a reader begins: at the event that broke the rule. */
const beginning = (model) => (model.guilty >= 0 ? model.guilty : model.violations.length > 0 ? model.violations[0] : -1);

function jumpToViolation(app) {
  if (!app.model.verdict) return;
  const [a, b] = initialView(app);
  glideTo(app, a, b);
  select(app, beginning(app.model));
}

/** The next event of a lane that the filters show; all lanes' if `lane` is null. */
function step(app, direction, anyLane) {
  const { model, axis, view } = app;
  let i = app.selected;
  const lane = i >= 0 ? model.place[i] : app.layout.shown[0];
  if (i < 0) i = lowerBound(axis.at, (view.a + view.b) / 2) - (direction > 0 ? 1 : 0);
  for (i += direction; i >= 0 && i < model.count; i += direction) {
    if ((anyLane || model.place[i] === lane) && eventIsShown(app, i)) return select(app, i, true);
  }
}

/** The event nearest in order on the lane above or below, of those that the filters show. */
function stepLane(app, direction) {
  const { model, layout } = app;
  if (app.selected < 0) return step(app, 1, true);
  const rows = [-1, ...layout.shown];
  const row = rows.indexOf(model.place[app.selected]) + direction;
  if (row < 0 || row >= rows.length) return;
  const list = rows[row] < 0 ? model.testerEvents : model.laneEvents[rows[row]];
  const after = lowerBound(list, app.selected);
  let [left, right] = [after - 1, after];
  while (left >= 0 && !eventIsShown(app, list[left])) left--;
  while (right < list.length && !eventIsShown(app, list[right])) right++;
  const near = [list[left], list[right]].filter((i) => i !== undefined);
  near.sort((a, b) => Math.abs(a - app.selected) - Math.abs(b - app.selected));
  if (near.length > 0) select(app, near[0], true);
}

/** The event under a point of the diagram, or -1. */
function eventAt(app, x, y) {
  const { frame, model, layout } = app;
  if (!frame || x < layout.gutter) return -1;
  let [best, distance] = [-1, 9];
  const offer = (i, d) => { if (d < distance) [best, distance] = [i, d]; };
  for (const s of frame.segments || []) {
    const d = distanceTo(s, x, y);
    if (d.distance >= distance) continue;
    offer(s.one.end >= 0 && d.share > 0.5 ? s.one.end : s.one.start, d.distance);
  }
  for (const lane of layout.shown) {
    const half = halfOf(model, lane);
    if (Math.abs(y - layout.y[lane]) > half + (isClient(model, lane) ? 2 : 12)) continue;
    // On a band its own events come before messages that pass behind it.
    const inside = Math.abs(y - layout.y[lane]) <= half + 2 ? 3 : 0;
    eachNear(frame, model.laneEvents[lane], x, (i, dx) => {
      if (!eventIsShown(app, i)) return;
      const own = model.kind[i] < K.sent || model.kind[i] > K.failed;
      if (own || model.kind[i] === K.failed) offer(i, dx + 1 - inside);
      else if (inside > 0) offer(i, dx + 4 - inside);
    });
  }
  if (y < AXIS + TESTER && y > 0) {
    eachNear(frame, model.testerEvents, x, (i, dx) => { if (eventIsShown(app, i)) offer(i, dx); });
    for (const span of model.spans) {
      const inside = x >= frame.xe(span.begin) && x <= frame.xe(span.end < 0 ? model.count : span.end);
      if (span.lane < 0 && inside && Math.abs(y - AXIS - 7 - span.row % 2 * 16) < 8) offer(span.begin, 8);
    }
  }
  return best >= 0 ? best : operationAt(app, x, y);
}

/** Visits the few events of a list around a pixel. */
function eachNear(frame, list, x, visit) {
  const { view, scale, layout, axis } = frame;
  const from = view.a + (x - 8 - layout.gutter) / scale;
  const to = view.a + (x + 8 - layout.gutter) / scale;
  const first = lowerBound(axis.at, from), last = lowerBound(axis.at, to) - 1;
  let k = lowerBound(list, first);
  for (let seen = 0; k < list.length && list[k] <= last && seen < 400; k++, seen++) {
    visit(list[k], Math.abs(frame.xe(list[k]) - x));
  }
}

function distanceTo(s, x, y) {
  const [dx, dy] = [s.x2 - s.x1, s.y2 - s.y1];
  const square = dx * dx + dy * dy;
  const share = square === 0 ? 0 : Math.max(0, Math.min(1, ((x - s.x1) * dx + (y - s.y1) * dy) / square));
  return { share, distance: Math.hypot(x - s.x1 - dx * share, y - s.y1 - dy * share) };
}

// ---- Pointer -----------------------------------------------------------------------------------

function placeAt(app, x) {
  const { view, layout } = app;
  return view.a + (x - layout.gutter) / layout.plot * (view.b - view.a);
}

function listenToPointer(app) {
  const { canvas } = app;
  const pointers = new Map();
  let drag = null;
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && !event.ctrlKey) {
      pan(app, event.deltaX / app.layout.plot);
    } else {
      const unit = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1;
      const delta = Math.max(-400, Math.min(400, event.deltaY * unit));
      zoom(app, Math.exp(delta * (event.ctrlKey ? 0.01 : 0.002)), placeAt(app, point(event).x));
    }
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const at = point(event);
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at);
    app.glide = null;
    drag = { from: at, view: app.view, moved: false, range: event.shiftKey,
      pinch: pointers.size === 2 ? [...pointers.values()].map((p) => placeAt(app, p.x)) : null };
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = point(event);
    if (!pointers.has(event.pointerId)) return hover(app, at);
    pointers.set(event.pointerId, at);
    if (!drag) return;
    if (Math.hypot(at.x - drag.from.x, at.y - drag.from.y) > 4) drag.moved = true;
    if (drag.pinch) return pinch(app, drag.pinch, [...pointers.values()]);
    if (!drag.moved) return;
    showTip(app, 0, 0, null);
    if (drag.range) {
      app.range = [drag.from.x, at.x];
      return redraw(app);
    }
    const shift = (drag.from.x - at.x) / app.layout.plot * (drag.view.b - drag.view.a);
    setView(app, drag.view.a + shift, drag.view.b + shift);
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    if (drag && !drag.moved && event.type === "pointerup") {
      select(app, eventAt(app, drag.from.x, drag.from.y));
    } else if (app.range) {
      const [a, b] = app.range.map((x) => placeAt(app, x)).sort((one, two) => one - two);
      app.range = null;
      glideTo(app, a, b);
    }
    drag = null;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => hover(app, null));
  canvas.addEventListener("dblclick", (event) => zoom(app, 0.4, placeAt(app, point(event).x)));
}

function pinch(app, places, points) {
  if (points.length < 2) return;
  const [p, q] = points.map((one) => one.x - app.layout.gutter);
  if (Math.abs(q - p) < 8) return;
  const perPixel = (places[1] - places[0]) / (q - p);
  if (!(perPixel > 0)) return;
  const a = places[0] - p * perPixel;
  setView(app, a, a + perPixel * app.layout.plot);
}

/** Once per frame is enough, however often the pointer reports. */
function hover(app, at) {
  app.pointer = at;
  if (app.hoverDue) return;
  app.hoverDue = true;
  requestAnimationFrame(() => {
    app.hoverDue = false;
    const i = app.pointer ? eventAt(app, app.pointer.x, app.pointer.y) : -1;
    const now = i >= 0 ? i : -1;
    if (now >= 0) showTip(app, app.pointer.x, app.pointer.y + app.canvas.offsetTop, details(app, now, false));
    else {
      const bar = app.pointer && app.frame ? densityAt(app.frame, app.pointer.x, app.pointer.y) : null;
      showTip(app, app.pointer ? app.pointer.x : 0, app.pointer ? app.pointer.y + app.canvas.offsetTop : 0,
        bar ? densityTip(app.model, bar) : null);
    }
    app.canvas.style.cursor = now >= 0 ? "pointer" : "";
    if (now !== app.hovered) {
      app.hovered = now;
      redraw(app);
    }
  });
}

function listenToOverview(app) {
  const { overview } = app;
  let grip = null;
  const placeOf = (event) => stripPlace(app, event.clientX - overview.getBoundingClientRect().left);
  const move = (event) => {
    if (grip === null) return;
    const half = (app.view.b - app.view.a) / 2;
    const middle = placeOf(event) - grip;
    setView(app, middle - half, middle + half);
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    app.glide = null;
    const place = placeOf(event), middle = (app.view.a + app.view.b) / 2;
    // Taken inside the window it moves along; elsewhere it comes to the pointer.
    grip = place > app.view.a && place < app.view.b ? place - middle : 0;
    move(event);
  });
  overview.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) overview.addEventListener(name, () => { grip = null; });
  overview.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(app, Math.exp(Math.max(-400, Math.min(400, event.deltaY)) * 0.002));
  }, { passive: false });
}
