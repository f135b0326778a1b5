// ---- the flame graph ----

const ROW_PX = 22;
const NARROWEST_PX = 0.5; // a box that is narrower is not drawn
const LABEL_PX = 22; // nor the name in one narrower than this

/** Where each box goes: left and width in parts of the whole; what is too narrow is joined. */
function layout(zoom, widthPx) {
  const narrowest = NARROWEST_PX / widthPx, placed = [], fillers = [];
  for (const scope of zoom ? lineage(zoom.parent) : []) placed.push({ scope, left: 0, width: 1, above: true });
  const tops = zoom ? [zoom] : roots;
  const scale = 1 / (tops.reduce((sum, scope) => sum + scope.weight, 0) || 1);
  const pending = [[tops, 0]];
  while (pending.length) {
    let [siblings, left] = pending.pop(), skipped = null;
    for (const scope of siblings) {
      const width = tops.length === 1 && scope === tops[0] ? 1 : scope.weight * scale;
      if (width >= narrowest) {
        placed.push({ scope, left, width });
        pending.push([scope.children, left]);
        skipped = null;
      } else {
        if (!skipped) fillers.push((skipped = { left, width: 0, count: 0, depth: scope.depth }));
        skipped.width += width;
        skipped.count++;
      }
      left += width;
    }
  }
  return { placed, fillers: fillers.filter((filler) => filler.width >= narrowest) };
}

const flame = byId("flame");
const boxes = new Map(); // scope to element
const scopeOf = new Map(); // and back
const hues = new Map();

function hue(name) {
  if (!hues.has(name)) {
    let hash = 0x811c9dc5; // FNV-1a, spread by the golden ratio so that like names get unlike colours
    for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
    hues.set(name, Math.round(((hash >>> 0) * 0.6180339887) % 1 * 360));
  }
  return hues.get(name);
}

function place(made, { left, width }, depth) {
  made.style.left = `${left * 100}%`;
  made.style.width = `${width * 100}%`;
  made.style.top = `${depth * ROW_PX}px`;
  return made;
}

function drawFlame() {
  const widthPx = flame.clientWidth || 1000, { placed, fillers } = layout(state.zoom, widthPx);
  boxes.clear();
  scopeOf.clear();
  let deepest = 0;
  const made = placed.map((spot) => {
    const box = place(makeBox(spot, widthPx), spot, spot.scope.depth);
    boxes.set(spot.scope, box);
    scopeOf.set(box, spot.scope);
    deepest = Math.max(deepest, spot.scope.depth);
    return box;
  });
  for (const filler of fillers) {
    const title = `${counted(filler.count, "scope")} too narrow to draw: zoom in, or see the table`;
    const box = element("div", { class: "filler", title });
    made.push(place(box, filler, filler.depth));
    deepest = Math.max(deepest, filler.depth);
  }
  flame.replaceChildren(...made);
  flame.style.height = `${(deepest + 1) * ROW_PX}px`;
  drawCrumbs();
  markBoxes();
}

function makeBox({ scope, width, above }, widthPx) {
  const wide = width * widthPx >= LABEL_PX, words = troubles(scope).map(([words]) => words);
  const box = element("div", { class: "box", role: "treeitem", tabindex: -1, "aria-level": scope.depth + 1 });
  box.setAttribute("aria-label", [scope.label, atLeast(scope), percent(scope.share), ...words].join(", "));
  box.style.setProperty("--hue", hue(scope.name));
  box.classList.toggle("narrow", !wide);
  box.classList.toggle("above", Boolean(above));
  box.classList.toggle("interrupted", scope.interrupted_count > 0);
  box.classList.toggle("still-open", scope.open_count > 0);
  box.classList.toggle("failed", Object.keys(scope.errors).length > 0);
  if (wide) box.textContent = words.length ? `${scope.label} · ${words[0]}` : scope.label;
  return box;
}

/** What is selected, what matches, and which box the Tab key comes to. */
function markBoxes() {
  const reached = boxes.has(state.scope) ? state.scope : boxes.keys().next().value;
  flame.classList.toggle("searching", state.query !== "");
  for (const [scope, box] of boxes) {
    const selected = scope === state.scope || (!state.scope && scope.path === state.path);
    box.classList.toggle("selected", selected);
    box.setAttribute("aria-selected", selected);
    box.classList.toggle("match", state.query !== "" && matches(scope.name));
    box.tabIndex = scope === reached ? 0 : -1;
  }
}

function drawCrumbs() {
  const line = lineage(state.zoom);
  const crumb = (words, scope) => link(words, () => zoomTo(scope, scope));
  byId("crumbs").replaceChildren(...(line.length ? [crumb("all", null)] : []), ...line.flatMap((scope) =>
    [" / ", scope === state.zoom ? element("span", { class: "name" }, scope.label) : crumb(scope.label, scope)]));
}

function zoomTo(scope, selected) {
  state.zoom = scope && scope.parent ? scope : roots.length > 1 ? scope : null;
  drawFlame();
  if (selected) select(selected.path, selected);
}

/** Zoom to where a scope can be seen, and select it. */
function show(scope) {
  zoomTo(scope.parent, scope);
  boxes.get(scope)?.focus();
}

function walk(key, from) {
  const seen = (scopes) => scopes.filter((scope) => boxes.has(scope));
  const siblings = seen(from.parent ? from.parent.children : roots), at = siblings.indexOf(from);
  const next = {
    ArrowUp: from.parent, ArrowDown: seen(from.children)[0], ArrowLeft: siblings[at - 1], ArrowRight: siblings[at + 1],
    Home: boxes.keys().next().value,
  };
  const box = next[key] && boxes.get(next[key]);
  if (!box) return;
  for (const other of boxes.values()) other.tabIndex = -1;
  box.tabIndex = 0;
  box.focus();
}

flame.addEventListener("click", (event) => {
  const scope = scopeOf.get(event.target);
  if (scope) enter(scope);
});
function enter(scope) {
  zoomTo(scope, scope);
  hideTip();
  boxes.get(scope)?.focus({ focusVisible: false });
}
flame.addEventListener("keydown", (event) => {
  const scope = scopeOf.get(event.target);
  if (!scope || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" || event.key === " ") enter(scope);
  else if (["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home"].includes(event.key)) walk(event.key, scope);
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  const typing = event.target === byId("search");
  if (event.key === "/" && !typing) {
    byId("search").focus();
    event.preventDefault();
  } else if (event.key === "Escape") {
    hideTip();
    if (typing && state.query) search("");
    else if (state.zoom) {
      const left = state.zoom;
      zoomTo(left.parent, left.parent || left);
      if (!typing) boxes.get(left)?.focus();
    }
  }
});

// ---- what a box says ----

function tellOf(scope, x, y) {
  const rows = [
    ["count", count(scope.count)], ["total", atLeast(scope)], ["self", duration(scope.self_ns)],
    ...(scope.count > 1 ? [["mean", duration(scope.mean_ns)], ["p95", duration(scope.p95_ns)]] : []),
    ["share", percent(scope.share)],
    ...(scope.parent?.total_ns ? [["of parent", percent(scope.total_ns / scope.parent.total_ns)]] : []),
    ...troubles(scope).slice(0, 4).map(([words]) => ["", words]),
  ];
  showTip(rows, scope.label, x, y);
}
flame.addEventListener("pointermove", (event) => {
  const scope = scopeOf.get(event.target);
  if (scope) tellOf(scope, event.clientX, event.clientY);
  else hideTip();
});
flame.addEventListener("pointerleave", hideTip);
flame.addEventListener("focusout", hideTip);
flame.addEventListener("focusin", (event) => {
  const scope = scopeOf.get(event.target);
  if (!scope || !event.target.matches(":focus-visible")) return;
  const { left, bottom } = event.target.getBoundingClientRect();
  tellOf(scope, left, bottom);
});
