// ---- The tester's lane -------------------------------------------------------------------------

/** What the tester does to servers, in words; the servers follow. */
const STEPS = { started: "starts", crashed: "crashes", connected: "connects", disconnected: "cuts off" };

/** What the tester has done, step by step: the same to several servers at one moment is one step. */
function indexSteps(model) {
  model.steps = [];
  let open = null;
  for (let i = 0; i < model.count; i++) {
    const name = STEPS[KINDS[model.kind[i]]];
    const lane = model.lane[i];
    if (name !== undefined && lane >= 0) {
      if (open === null || open.name !== name || model.us[open.last] !== model.us[i]) {
        open = { i, last: i, name, lanes: [] };
        model.steps.push(open);
      }
      open.last = i;
      open.lanes.push(lane);
    } else if (model.kind[i] === K.network) {
      model.steps.push({ i, last: i, name: networkText(model.events[i]).replace("the network is", "network"), lanes: [] });
      open = null;
    }
  }
}

function stepText(model, step) {
  const names = step.lanes.map((lane) => laneShort(model, lane));
  const all = names.length > 2 && names.length === model.servers;
  return `${step.name} ${all ? "all servers" : names.join(" ")}`.trim();
}

function drawTester(frame) {
  const { app, context, colors, layout, model, first, last, xe, left, right } = frame;
  context.fillStyle = colors.line;
  context.fillRect(left, AXIS + TESTER - 2, right - left, 1);
  if (!app.filter.tester) return;
  for (const span of model.spans) {
    if (span.lane < 0) drawSpan(frame, span, AXIS + (span.row % 2) * 15, 14, true);
  }
  drawSteps(frame);
  let skip = -Infinity;
  for (let k = lowerBound(model.testerMarks, first); k < model.testerMarks.length; k++) {
    const i = model.testerMarks[k];
    if (i > last) break;
    const x = xe(i);
    if (x - skip < 2) continue;
    skip = x;
    flag(context, x, AXIS + 14, colors.check);
    label(frame, WORTH.note, model.events[i].text || "", colors.check, rows(x + 9), { most: 220 });
  }
  drawOffers(frame);
}

/** Spots in the tester's lane at an x, below its bars. */
function rows(x) {
  return [AXIS + 22, AXIS + 36, AXIS + 50].map((y) => [x, y]);
}

function drawSteps(frame) {
  const { context, colors, layout, model, first, last, xe } = frame;
  for (const step of model.steps) {
    if (step.i < first || step.i > last) continue;
    const x = xe(step.i);
    context.fillStyle = colors.text;
    context.fillRect(x - 0.75, AXIS + 16, 1.5, TESTER - 20);
    label(frame, WORTH.step, stepText(model, step), colors.text, rows(x + 4), { most: 260 });
    // Down to the server that it is done to.
    const lanes = step.lanes.filter((lane) => layout.y[lane] >= 0 && lane < model.servers);
    const deepest = Math.max(0, ...lanes.map((lane) => layout.y[lane] - BAND / 2));
    if (deepest === 0 || step.i === 0) continue;
    context.globalAlpha = 0.35;
    context.fillRect(x - 0.5, AXIS + TESTER - 4, 1, deepest - AXIS - TESTER + 4);
    context.globalAlpha = 1;
  }
}

function drawOffers(frame) {
  const { context, colors, layout, model, first, last, xe, app } = frame;
  const { offers } = model;
  const [from, to] = [lowerBound(offers, first), lastAtMost(offers, last)];
  const dense = to - from > 300;
  const top = AXIS + TESTER - 6;
  let skip = -Infinity;
  for (let k = from; k <= to; k++) {
    const i = offers[k];
    const lane = model.lane[i];
    const x = xe(i);
    const event = model.events[i];
    const taken = event.index !== undefined;
    if (!taken && !app.filter.refusals) continue;
    if (lane < 0 || app.hidden.has(lane) || taken && x - skip < 1) continue;
    const edge = layout.y[lane] - BAND / 2 - 1;
    context.globalAlpha = dense ? 0.25 : 0.6;
    context.strokeStyle = taken ? colors.check : colors.dim;
    context.lineWidth = 1;
    context.beginPath();
    // What was refused led to nothing: a short mark at the server is enough.
    context.moveTo(x, taken ? top : edge - 5);
    context.lineTo(x, taken && dense ? top + 8 : edge);
    context.stroke();
    context.globalAlpha = 1;
    if (!taken) continue;
    skip = x;
    if (!dense) triangle(context, x, edge - 3, Math.PI / 2, 4, colors.check);
    if (to - from < 120) {
      label(frame, WORTH.apply, `offers ${shortCommand(event.command)}`, colors.check, rows(x + 4).reverse());
    }
  }
}
