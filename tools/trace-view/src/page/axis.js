// ---- The horizontal axis -----------------------------------------------------------------------
//
// On the simulated network a request, its delivery, the reply and its return fall into the same
// microsecond, and a leader sends to all its followers at once: on an axis of time alone a whole
// round is one line. On an axis of order alone a second of silence is as short as one message, and
// timeouts and partitions cannot be seen. So the usual axis gives half of its length to time and
// half to events: `time + STEP * number`. Silence stays long, and simultaneous messages lie side by
// side in the order in which they happened. Both pure axes are one key away.

const AXES = ["mixed", "time", "order"];

/** The place of each event on an axis, and the ends of the run on it. */
function buildAxis(model, name) {
  const { us, count } = model;
  const span = Math.max(1, model.endUs - model.startUs);
  const step = name === "mixed" ? span / Math.max(1, count) : name === "order" ? 1 : 0;
  const rate = name === "order" ? 0 : 1;
  const at = new Float64Array(count);
  for (let i = 0; i < count; i++) at[i] = (us[i] - model.startUs) * rate + i * step;
  const end = (model.endUs - model.startUs) * rate + Math.max(0, count - 1) * step;
  // What is closest together must still come apart; beyond that there is nothing to see.
  const least = name === "order" ? 3 : name === "time" ? 5 : step * 3;
  return { name, at, end, least, step: step || span / Math.max(1, count) };
}

/** Where a time lies: at the first event of that moment, or at the last one. */
function placeOfTime(model, axis, us, last = false) {
  const { count } = model;
  const next = last ? lowerBound(model.us, us + 0.5) : lowerBound(model.us, us);
  if (!last && next < count && model.us[next] === us) return axis.at[next];
  if (last && next > 0 && model.us[next - 1] === us) return axis.at[next - 1];
  const [beforeUs, before] = next > 0 ? [model.us[next - 1], axis.at[next - 1]]
    : [model.startUs, 0];
  const [afterUs, after] = next < count ? [model.us[next], axis.at[next]]
    : [model.endUs, axis.end];
  if (afterUs <= beforeUs) return after;
  return before + Math.min(1, Math.max(0, (us - beforeUs) / (afterUs - beforeUs))) * (after - before);
}

/** The time at a place. */
function timeOfPlace(model, axis, place) {
  const { count } = model;
  const next = lowerBound(axis.at, place);
  const [before, beforeUs] = next > 0 ? [axis.at[next - 1], model.us[next - 1]]
    : [0, model.startUs];
  const [after, afterUs] = next < count ? [axis.at[next], model.us[next]]
    : [axis.end, model.endUs];
  if (after <= before) return afterUs;
  const share = Math.min(1, Math.max(0, (place - before) / (after - before)));
  return beforeUs + share * (afterUs - beforeUs);
}

/** A place as a number of events, with a part of the way to the next one: the same on all axes. */
function orderOfPlace(model, axis, place) {
  const next = lowerBound(axis.at, place);
  const before = next > 0 ? axis.at[next - 1] : 0;
  const after = next < model.count ? axis.at[next] : axis.end;
  return next - 1 + (after > before ? (place - before) / (after - before) : 1);
}

function placeOfOrder(model, axis, order) {
  const whole = Math.floor(order);
  const before = whole < 0 ? 0 : axis.at[Math.min(whole, model.count - 1)];
  const after = whole + 1 < model.count ? axis.at[Math.max(0, whole + 1)] : axis.end;
  return before + (order - whole) * (after - before);
}

/** Round steps of time, so that labels are not closer than asked. */
function tickStep(least) {
  let step = 1;
  while (true) {
    for (const factor of [1, 2, 5]) if (step * factor >= least) return step * factor;
    step *= 10;
  }
}

/** The times to be labelled: `[x, us]`, none closer to the one before than `room` pixels. */
function ticks(model, axis, view, width, room) {
  const from = timeOfPlace(model, axis, view.a), to = timeOfPlace(model, axis, view.b);
  if (to <= from || width <= 0) return { step: 1, list: [] };
  const step = tickStep((to - from) / (width / room));
  const list = [];
  let last = -Infinity;
  for (let us = Math.ceil(from / step) * step; us <= to; us += step) {
    const x = (placeOfTime(model, axis, us) - view.a) / (view.b - view.a) * width;
    if (x - last < room * 0.8) continue;
    list.push([x, us]);
    last = x;
  }
  return { step, list };
}

/** A time with as many decimals as a step of the axis needs. */
function timeText(us, step = 1) {
  const decimals = step >= 1e6 ? 0 : step >= 1e5 ? 1 : step >= 1e4 ? 2 : step >= 1e3 ? 3
    : step >= 100 ? 4 : step >= 10 ? 5 : 6;
  return (us / 1e6).toFixed(decimals);
}

/** A length of time in the unit that suits it. */
function durationText(us) {
  if (us === 0) return "0 µs";
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${+(us / 1e3).toFixed(3)} ms`;
  return `${+(us / 1e6).toFixed(6)} s`;
}
