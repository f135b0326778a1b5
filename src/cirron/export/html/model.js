"use strict";
// The page is a function of the JSON above. What was recorded enters it as text only: textContent, never as HTML.

const byId = (id) => document.getElementById(id);
const { run, paths, scopes, left_out, memory = [], cirron_version } = JSON.parse(byId("profile").textContent);

// ---- numbers and names ----

const clean = (text) => String(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
  const code = character.codePointAt(0).toString(16);
  return code.length <= 2 ? "\\x" + code.padStart(2, "0") : "\\u" + code.padStart(4, "0");
});
const count = (number) => number.toLocaleString("en");
const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const percent = (share) => (share > 0 && share < 0.01 ? "<1 %" : `${Math.round(share * 100)} %`);
const finePercent = (share) => (share > 0 && share < 1e-4 ? "<0.01 %" : `${(share * 100).toFixed(2)} %`);
const threeDigits = (value) => value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);

function duration(ns) {
  if (ns === null || ns === undefined) return "–";
  const seconds = Math.round(ns / 1e9), two = (number) => String(number).padStart(2, "0");
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
  if (seconds >= 100) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]])
    if (ns >= size * 0.9995) return `${threeDigits(ns / size)} ${unit}`;
  return `${Math.round(ns)} ns`;
}

function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit ? threeDigits(value) : value} ${units[unit]}`;
}

function number(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(3).replace(/\.?0+e/, "e");
  return String(+value.toPrecision(5));
}

// ---- the model: both lists as trees, parents before children ----

for (const list of [paths, scopes])
  for (const each of list) {
    each.parent = each.parent === null ? null : list[each.parent];
    each.children = [];
    if (each.parent) each.parent.children.push(each);
    each.depth = each.parent ? each.parent.depth + 1 : 0;
  }
for (const path of paths) path.scopes = [];
for (const scope of scopes) {
  scope.path = paths[scope.path];
  scope.path.scopes.push(scope);
  scope.name = scope.path.name;
  scope.label = clean(scope.name);
  if (scope.count > 1) scope.label += ` ×${count(scope.count)}`;
  else if (scope.index !== null) scope.label += `[${scope.index}]`;
}
// As wide as its time or, where scopes ran beside each other, as what is below it.
for (const scope of [...scopes].reverse())
  scope.weight = Math.max(scope.total_ns, scope.children.reduce((sum, child) => sum + child.weight, 0));
const STILL_OPEN = run.sessions.some((session) => session.ended === "live") ? "still open" : "end unknown";
const roots = scopes.filter((scope) => !scope.parent);
const whole_ns = roots.reduce((sum, root) => sum + root.total_ns, 0);

function lineage(item) {
  const line = [];
  for (; item; item = item.parent) line.push(item);
  return line.reverse();
}

/** The names above a path as far as there is room, each with a slash behind it. */
function above(path) {
  const names = lineage(path.parent).map((each) => `${clean(each.name)} / `);
  return (names.length > 3 ? "… / " : "") + names.slice(-3).join("");
}

/** What the ranks took, the least first, and of these the one in the middle. */
function byRank(item) {
  const walls = Object.entries(item.rank_walls_ns).sort((one, other) => one[1] - other[1]);
  return { walls, least: walls[0], median: walls[Math.floor((walls.length - 1) / 2)], most: walls.at(-1) };
}

const MORE_ROWS = 500; // that the table shows at once
const state = { zoom: null, path: null, scope: null, query: "", sort: "total_ns", descending: true, rows: MORE_ROWS };
