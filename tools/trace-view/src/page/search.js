// ---- Search and filters ------------------------------------------------------------------------

const FILTERS = [["votes", "votes"], ["appends", "appends"], ["heartbeats", "heartbeats"],
  ["snapshots", "snapshots"], ["others", "other calls"], ["replies", "replies"], ["lost", "lost"],
  ["state", "state"], ["apply", "applied"], ["saved", "saved"], ["operations", "operations"], ["shards", "shards"],
  ["tester", "tester"], ["refusals", "refused offers"], ["notes", "notes"]];

/** The text of an event that a search looks through. Made at the first search, then kept. */
function haystack(app) {
  if (!app.texts) {
    app.texts = app.model.events.map((event, i) =>
      (JSON.stringify(event) + " " + describe(app.model, i)).toLowerCase());
  }
  return app.texts;
}

/** Finds the words; all of them must be in an event. The next hit is at or behind the view's middle. */
function search(app, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  app.hits = [];
  app.hitAt = -1;
  if (words.length > 0) {
    haystack(app).forEach((hay, i) => {
      if (words.every((word) => hay.includes(word))) app.hits.push(i);
    });
  }
  showHits(app);
  redraw(app);
}

/** Searches once the reader has stopped typing. */
function searchSoon(app) {
  clearTimeout(app.searchTimer);
  app.searchTimer = setTimeout(() => searchNow(app), 120);
}

/** Searches at once, unless that was done: then its hits are gone through. */
function searchNow(app) {
  clearTimeout(app.searchTimer);
  const text = document.getElementById("search").value;
  if (text === app.searched) return;
  app.searched = text;
  search(app, text);
}

function showHits(app) {
  const asked = document.getElementById("search").value.trim() !== "";
  const at = app.hitAt >= 0 ? `${app.hitAt + 1} of ` : "";
  document.getElementById("hits").textContent = asked ? at + plural(app.hits.length, "hit") : "";
}

/** Goes to the next or previous hit, seen from the selection or from the view. */
function nextHit(app, step) {
  const { hits, axis, view } = app;
  if (hits.length === 0) return;
  if (app.hitAt < 0) {
    const from = app.selected >= 0 ? app.selected : lowerBound(axis.at, (view.a + view.b) / 2);
    app.hitAt = step > 0 ? lowerBound(hits, from) % hits.length
      : (lowerBound(hits, from) - 1 + hits.length) % hits.length;
  } else {
    app.hitAt = (app.hitAt + step + hits.length) % hits.length;
  }
  select(app, hits[app.hitAt], true);
  showHits(app);
}

function buildFilters(app) {
  const box = document.getElementById("filters");
  for (const [name, words] of FILTERS) {
    box.append(chip(words, `chip ${name}`, app.filter[name], (on) => {
      app.filter[name] = on;
      if (name === "shards") app.layout = null; // they take room
      redraw(app);
    }));
  }
  const lanes = document.getElementById("lanes");
  app.model.lanes.forEach((_, lane) => {
    lanes.append(chip(laneShort(app.model, lane), "chip", !app.hidden.has(lane), (on) => {
      if (on) app.hidden.delete(lane); else app.hidden.add(lane);
      app.layout = null;
      redraw(app);
    }, laneName(app.model, lane)));
  });
}

/** A button that is on or off. */
function chip(text, className, on, change, label = text) {
  const button = el("button", { type: "button", class: className, "aria-pressed": String(on),
    title: label }, text);
  button.addEventListener("click", () => {
    const now = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(now));
    change(now);
  });
  return button;
}
