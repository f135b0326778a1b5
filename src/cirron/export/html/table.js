// ---- the table ----

const columns = [ // what of a path they show, their head, and the words
  ["name", "scope", null],
  ["count", "count", (path) => count(path.count)],
  ["total_ns", "total", atLeast],
  ...["self", "mean", "p50", "p95", "p99", "max"].map(
    (name) => [`${name}_ns`, name, (path) => duration(path[`${name}_ns`])]),
  ...(run.ranks > 1 ? [["spread", "slowest rank", slowest]] : []),
  ["share", "share", (path) => percent(path.share)],
];
for (const path of paths) {
  const { walls, median, most } = byRank(path);
  path.spread = walls.length > 1 ? most[1] / (median[1] || 1) : 0;
}

function slowest(path) {
  return path.spread ? `${path.spread.toFixed(2)} × median` : "–";
}

function drawTable() {
  const shown = paths.filter((path) => !state.query || matches(path.name));
  shown.sort((one, other) => (state.descending ? compare(other, one) : compare(one, other)));
  const body = element("tbody", {}, ...shown.slice(0, state.rows).map(tableRow));
  byId("paths").replaceChildren(tableHead(), body);
  byId("more").hidden = shown.length <= state.rows;
  byId("more").textContent = `${count(shown.length - state.rows)} more: show the next ${MORE_ROWS}`;
}

function compare(one, other) {
  const key = state.sort;
  return key === "name" ? one.name.localeCompare(other.name) : (one[key] ?? -1) - (other[key] ?? -1);
}

function tableHead() {
  const heads = columns.map(([key, words]) => {
    const button = element("button", { type: "button", onclick: () => sortBy(key) }, words);
    const head = element("th", { scope: "col" }, button);
    if (key === state.sort) head.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
    return head;
  });
  return element("thead", {}, element("tr", {}, ...heads));
}

function sortBy(key) {
  state.descending = key === state.sort ? !state.descending : key !== "name";
  state.sort = key;
  drawTable();
  byId("paths").querySelector("th[aria-sort] button").focus();
}

function tableRow(path) {
  const figures = columns.slice(1).map(([, , text]) => element("td", {}, text(path)));
  figures.at(-1).className = "share";
  figures.at(-1).style.setProperty("--share", `${Math.min(1, path.share) * 100}%`);
  const row = element("tr", {}, element("td", {}, nameOf(path), ...troublesOf(path)), ...figures);
  row.path = path;
  row.classList.toggle("selected", path === state.path);
  return row;
}

function nameOf(path) {
  const attributes = { type: "button", class: "name", onclick: () => choose(path) };
  return element("button", attributes, element("span", { class: "dim" }, above(path)), clean(path.name));
}

function troublesOf(path) {
  return troubles(path).slice(0, 3).flatMap(([words, kind]) => [" ", element("span", { class: kind }, words)]);
}

/** Select a path, and show its scopes among all others, or its only one from near. */
function choose(path) {
  const [scope, ...others] = path.scopes;
  if (!others.length) return zoomTo(scope.parent, scope);
  zoomTo(null, null);
  select(path, null);
}

byId("more").addEventListener("click", () => {
  state.rows += MORE_ROWS;
  drawTable();
});
