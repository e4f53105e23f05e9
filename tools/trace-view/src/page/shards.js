// ---- Shards ------------------------------------------------------------------------------------
//
// Servers that share shards say what their group does with each. The lane of such a server has a block
// above its band, with a line for each shard from top to bottom: filled while it is served, hollow while
// only its data are there. So a shard that moves ends on the lanes of one group and begins on those of
// another one, in the same row and colour. Where there is room its number stands there.

/** The height of a shard's line, and of the whole block; and how wide a number needs it to be. */
const SHARD_ROW = 2.4, SHARD_BLOCK = 24, SHARD_CELL = 13;
const SHARDS = 10;
/** The room between a block and the band of its server. */
const SHARD_GAP = 4;

const hasShards = (model, lane) => lane < model.servers && model.shardsOf[lane].length > 0;

/** What each server has said of shards, and the configurations. */
function indexShards(model) {
  model.shardsOf = model.lanes.map(() => []);
  model.configs = [];
  for (let i = 0; i < model.count; i++) {
    const lane = model.lane[i];
    if (model.kind[i] === K.configured) model.configs.push(i);
    if (lane < 0 || lane >= model.servers) continue;
    const list = model.shardsOf[lane];
    if (model.kind[i] === K.shards) list.push({ at: i, serves: asShards(model.events[i].serves), keeps: asShards(model.events[i].keeps) });
    // What a server has is in its memory.
    if (model.kind[i] === K.crashed && list.length > 0) list.push({ at: i, serves: [], keeps: [] });
  }
  model.groupOf = groupsOf(model);
}

const asShards = (list) => (Array.isArray(list) ? list.filter((shard) => shard >= 0 && shard < SHARDS) : []);

/** By lane: the name of a server's group, as `100` of `server 100-2`. The only group has none. */
function groupsOf(model) {
  return model.lanes.map((name, lane) => {
    const parts = lane < model.servers ? /^server (.+)-\d+$/.exec(name) : null;
    return parts === null ? "" : parts[1];
  });
}

/** The servers of the same group as this one. */
const lanesWith = (model, lane) => model.lanes.map((_, other) => other)
  .filter((other) => other < model.servers && model.groupOf[other] === model.groupOf[lane]);

/** How much room a block takes above a server's own. */
const SHARD_ROOM = SHARD_BLOCK + 2 * SHARD_GAP;
const blockRoom = ({ model, filter }, lane) => (filter.shards && hasShards(model, lane) ? SHARD_ROOM : 0);

/** How far what is drawn of a lane reaches above its middle. */
const topOf = (app, lane) => halfOf(app.model, lane) + (blockRoom(app, lane) > 0 ? SHARD_BLOCK + SHARD_GAP : 0);

/** Of many servers, the groups that the verdict is about are shown at first; without one, those that begin early. */
const MOST_GROUPED = 12;

function groupsHiddenAtFirst(model) {
  const grouped = model.groupOf.map((_, lane) => lane).filter((lane) => model.groupOf[lane] !== "");
  if (grouped.length <= MOST_GROUPED) return [];
  const about = new Set(model.involved.filter((lane) => lane < model.servers).map((lane) => model.groupOf[lane]));
  const late = (lane) => grouped.indexOf(lanesWith(model, lane)[0]) >= MOST_GROUPED;
  return grouped.filter((lane) => (about.size > 0 ? !about.has(model.groupOf[lane]) : late(lane)));
}

/** Runs of shown lanes that are of one group, from top to bottom. */
function groupRuns({ model, layout }) {
  const runs = [];
  for (const lane of layout.shown) {
    const name = lane < model.servers ? model.groupOf[lane] : "";
    const last = runs[runs.length - 1];
    if (name === "") continue;
    if (last && last.name === name) last.lanes.push(lane); else runs.push({ name, lanes: [lane] });
  }
  return runs;
}

/** Where the room of a lane begins and ends. */
function roomOf({ app, layout }, lane) {
  const y = layout.y[lane];
  return [y - layout.pitch / 2 - blockRoom(app, lane), y + layout.pitch / 2];
}

/** The groups as bands behind the lanes of their servers. */
function drawGroups(frame) {
  const { context, colors, layout, left, right } = frame;
  groupRuns(frame).forEach(({ lanes }, number) => {
    const [top, bottom] = [roomOf(frame, lanes[0])[0], roomOf(frame, lanes[lanes.length - 1])[1]];
    if (number % 2 === 0) {
      context.fillStyle = colors.group;
      context.fillRect(left, top, right - left, bottom - top);
    }
    context.fillStyle = colors.line;
    context.fillRect(left, top - 0.5, right - left, 1);
  });
}

/** The name of each group beside its first lane. */
function nameGroups(frame) {
  const { context, colors, layout } = frame;
  context.font = "bold 11px system-ui, sans-serif";
  context.textAlign = "left";
  for (const { name, lanes } of groupRuns(frame)) {
    const top = roomOf(frame, lanes[0])[0];
    context.fillStyle = colors.line;
    context.fillRect(0, top - 0.5, layout.gutter, 1);
    context.fillStyle = colors.dim;
    context.fillText(layout.narrow ? cut(name, 5) : cut(/^\d/.test(name) ? `group ${name}` : name, 12), 4, top + 9);
  }
}

/** The configurations: a line through all groups that have shards, and who has how many. */
function drawConfigs(frame) {
  const { context, colors, layout, model, first, last, xe } = frame;
  const lanes = layout.shown.filter((lane) => hasShards(model, lane));
  for (const i of model.configs) {
    if (i < first || i > last) continue;
    const x = xe(i);
    context.fillStyle = colors.check;
    context.fillRect(x - 0.75, AXIS + 16, 1.5, TESTER - 20);
    if (lanes.length > 0) {
      const top = roomOf(frame, lanes[0])[0];
      context.globalAlpha = 0.5;
      context.fillRect(x - 0.5, top, 1, roomOf(frame, lanes[lanes.length - 1])[1] - top);
      context.globalAlpha = 1;
    }
    label(frame, WORTH.chain, configText(model.events[i]), colors.check, rows(x + 4), { bold: true, most: 260 });
  }
}

/** A configuration in words: `configuration 3: 100 has 0–4, 101 has 5–9`. */
function configText({ config, owners }) {
  const list = Array.isArray(owners) ? owners : [];
  const groups = [...new Set(list)].sort((a, b) => a - b);
  const has = groups.map((group) => {
    const shards = list.flatMap((owner, shard) => (owner === group ? [shard] : []));
    return `${group === 0 ? "nobody" : group} has ${shardList(shards)}`;
  });
  return `configuration ${config}: ${has.join(", ")}`;
}

/** Numbers of shards, those in a row as one: `0–3, 7`. */
function shardList(shards) {
  if (shards.length === 0) return "none";
  const runs = [];
  for (const shard of shards) {
    const last = runs[runs.length - 1];
    if (last && last[1] + 1 === shard) last[1] = shard; else runs.push([shard, shard]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ");
}

/** What a server says of itself, in words. */
function shardsText({ group, config, serves, keeps }) {
  const kept = Array.isArray(keeps) && keeps.length > 0 ? `, keeps ${shardList(keeps)}` : "";
  return `says: group ${group} is at configuration ${config}, serves ${shardList(Array.isArray(serves) ? serves : [])}${kept}`;
}

/** The block of a server, from one thing that it says to the next. */
function drawShards(frame, lane) {
  const { layout, model, first, last, xe, left, right } = frame;
  const list = model.shardsOf[lane];
  if (list.length === 0) return;
  const top = layout.y[lane] - BAND / 2 - SHARD_GAP - SHARD_BLOCK;
  const ats = list.map(({ at }) => at);
  for (let s = Math.max(0, lastAtMost(ats, first)); s < list.length && ats[s] <= last; s++) {
    const [x1, x2] = [Math.max(left - 9, xe(ats[s])), Math.min(right + 9, s + 1 < list.length ? xe(ats[s + 1]) : right + 9)];
    if (x2 < left || x2 <= x1) continue;
    list[s].serves.forEach((shard) => drawShard(frame, shard, true, x1, x2, top));
    list[s].keeps.forEach((shard) => drawShard(frame, shard, false, x1, x2, top));
    if (x2 - Math.max(left, x1) > SHARDS * SHARD_CELL + 6) drawCells(frame, list[s], Math.max(left, x1) + 2, top);
  }
}

function drawShard(frame, shard, served, x1, x2, top) {
  const { context, colors } = frame;
  const y = top + shard * SHARD_ROW;
  context.fillStyle = colors.shard[shard];
  if (served) {
    context.fillRect(x1, y + 0.2, Math.max(1, x2 - x1), SHARD_ROW - 0.4);
    return;
  }
  // Hollow: what is kept is there and answers nobody.
  for (let x = x1; x < x2; x += 6) context.fillRect(x, y + 0.7, Math.min(2.5, x2 - x), SHARD_ROW - 1.4);
}

/** The shards by their numbers, each at its place in a row of ten. */
function drawCells(frame, { serves, keeps }, x, top) {
  const { context, colors } = frame;
  context.font = "bold 11px system-ui, sans-serif";
  context.textAlign = "center";
  const cell = (shard, served) => {
    const [from, y, size] = [x + shard * SHARD_CELL, top + (SHARD_BLOCK - 17) / 2, SHARD_CELL - 1];
    context.fillStyle = served ? colors.shard[shard] : colors.back;
    context.fillRect(from, y, size, 17);
    context.strokeStyle = served ? colors.back : colors.shard[shard];
    context.lineWidth = 1;
    context.setLineDash(served ? [] : [3, 2]);
    context.strokeRect(from + 0.5, y + 0.5, size - 1, 16);
    context.setLineDash([]);
    context.fillStyle = served ? colors["on-shard"] : colors.text;
    context.fillText(String(shard), from + size / 2, y + 9);
  };
  serves.forEach((shard) => cell(shard, true));
  keeps.forEach((shard) => cell(shard, false));
  context.textAlign = "left";
}
