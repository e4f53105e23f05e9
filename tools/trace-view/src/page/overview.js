// ---- The strip with the whole run --------------------------------------------------------------

const STRIP_ROW = 7, STRIP_TOP = 16;

function overviewHeight(app) {
  return STRIP_TOP + app.layout.shown.length * STRIP_ROW + 6;
}

/** The strip is drawn once for each size and axis; a frame only adds what moves. */
function drawOverview(app) {
  const { layout } = app;
  const height = overviewHeight(app);
  const context = fitCanvas(app.overview, layout.width, height);
  const key = [layout.width, height, window.devicePixelRatio, app.axis.name, app.colorsAge,
    [...app.hidden].join()].join(" ");
  if (app.stripKey !== key) {
    app.stripKey = key;
    app.strip = document.createElement("canvas");
    app.strip.width = app.overview.width;
    app.strip.height = app.overview.height;
    drawStrip(app, app.strip.getContext("2d"), layout.width, height);
  }
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(app.strip, 0, 0);
  context.restore();
  drawMarksOfStrip(app, context, height);
  drawWindow(app, context, height);
}

/** From places to pixels of the strip. */
function stripX(app, place) {
  const { gutter, plot } = app.layout;
  return gutter + place / Math.max(1e-9, app.axis.end) * plot;
}

function stripPlace(app, x) {
  const { gutter, plot } = app.layout;
  return (x - gutter) / plot * app.axis.end;
}

function drawStrip(app, context, width, height) {
  const { model, axis, layout, palette: colors } = app;
  const ratio = window.devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = colors.back;
  context.fillRect(0, 0, width, height);
  const x = (i) => stripX(app, i < 0 ? 0 : i >= model.count ? axis.end : axis.at[i]);
  layout.shown.forEach((lane, row) => {
    const y = STRIP_TOP + row * STRIP_ROW;
    const { roles, cuts, downs } = model.states[lane];
    for (let s = 0; s < roles.at.length; s++) {
      const end = s + 1 < roles.at.length ? roles.at[s + 1] : model.count;
      const stale = staleFrom(model, lane, s);
      const tall = [1, 2, 4, STRIP_ROW - 1, 0][roles.role[s]];
      const draw = (from, to, color) => {
        context.fillStyle = color;
        context.fillRect(x(from), y + STRIP_ROW - 1 - tall, Math.max(0.7, x(to) - x(from)), tall);
      };
      if (roles.at[s] < stale) draw(roles.at[s], stale, colors.role[roles.role[s]]);
      if (stale < end) draw(stale, end, colors["old-leader"]);
    }
    for (const one of model.operationsOf[lane]) {
      context.fillStyle = one.bad ? colors.bad : colors.bar;
      context.globalAlpha = one.bad ? 1 : 0.4;
      context.fillRect(x(one.begin), y + 1, Math.max(0.7, x(one.end < 0 ? model.count : one.end) - x(one.begin)), STRIP_ROW - 3);
      context.globalAlpha = 1;
    }
    context.fillStyle = colors.cut;
    for (const [from, to] of lane < model.servers ? cuts : []) {
      context.globalAlpha = 0.35;
      context.fillRect(x(from), y, Math.max(1, x(to) - x(from)), STRIP_ROW - 1);
      context.globalAlpha = 1;
    }
    context.fillStyle = colors.down;
    for (const [from, to] of downs) {
      context.fillRect(x(from), y, Math.max(1, x(to) - x(from)), STRIP_ROW - 1);
    }
  });
  const view = { a: 0, b: axis.end };
  const { step, list } = ticks(model, axis, view, layout.plot, layout.narrow ? 50 : 80);
  context.font = "10px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const [offset, us] of list) {
    context.fillStyle = colors.line;
    context.fillRect(layout.gutter + offset, 10, 1, height);
    context.fillStyle = colors.dim;
    const text = timeText(us, step) + " s";
    if (offset + context.measureText(text).width + 3 < layout.plot) {
      context.fillText(text, layout.gutter + offset + 2, 7);
    }
  }
  context.fillStyle = colors.dim;
  context.fillText(layout.narrow ? "all" : "whole run", 4, 7);
}

function drawMarksOfStrip(app, context, height) {
  const { model, axis, palette: colors } = app;
  context.fillStyle = colors.hit;
  let skip = -Infinity;
  for (const i of app.hits) {
    const x = stripX(app, axis.at[i]);
    if (x - skip < 1) continue;
    skip = x;
    context.fillRect(x - 0.5, height - 6, 1.5, 6);
  }
  if (!model.verdict) return;
  context.fillStyle = colors.bad;
  const first = model.violations[0];
  const place = first === undefined ? placeOfTime(model, axis, model.verdict.us, true) : axis.at[first];
  context.fillRect(stripX(app, place) - 1, 0, 2, height);
  model.verdict.facts.forEach((fact, number) => {
    const at = factPlace(model, axis, number);
    if (at === null) return;
    context.beginPath();
    const row = app.layout.shown.indexOf(fact.server);
    const y = row < 0 ? 7 : STRIP_TOP + row * STRIP_ROW + 3;
    context.arc(stripX(app, at), y, 3, 0, 7);
    context.fill();
  });
}

function drawWindow(app, context, height) {
  const { view, layout, palette: colors } = app;
  const x1 = Math.max(layout.gutter, stripX(app, view.a));
  const x2 = Math.min(layout.width, stripX(app, view.b));
  context.fillStyle = colors.back;
  context.globalAlpha = 0.45;
  context.fillRect(layout.gutter, 0, x1 - layout.gutter, height);
  context.fillRect(x2, 0, layout.width - x2, height);
  context.globalAlpha = 1;
  context.strokeStyle = colors.bar;
  context.lineWidth = 2;
  context.strokeRect(x1 - 1, 1, Math.max(4, x2 - x1) + 2, height - 2);
}
