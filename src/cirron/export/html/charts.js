// ---- marks ----

const CHART = { width: 640, height: 170, left: 62, right: 12, top: 8, bottom: 24 };
const TIME_UNITS = [["h", 3600e9], ["min", 60e9], ["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]];

function drawCharts(path, scope) {
  const made = path.series.map((series) => chart(series, scope));
  const links = listed(markedBelow(path), (each) =>
    link(`${above(each)}${clean(each.name)} (${someMarks(each)})`, () => select(each, null)));
  if (links.length) made.push(element("p", { class: "hint" }, "Marks below: ", ...links));
  byId("charts").replaceChildren(...made);
}

function markedBelow(path) {
  const found = [], pending = [...path.children].reverse();
  while (pending.length) {
    const next = pending.pop();
    if (next.series.length) found.push(next);
    pending.push(...[...next.children].reverse());
  }
  return found;
}

function someMarks(path) {
  const names = path.series.slice(0, 3).map((series) => clean(series.name));
  return [...names, ...(path.series.length > 3 ? ["…"] : [])].join(", ");
}

function chart(series, scope) {
  const { last } = series, name = element("strong", { class: "name" }, clean(series.name));
  const words = typeof last === "number" ? number(last) : last === null ? "none" : clean(last);
  const caption = element("figcaption", {}, name, ` · ${counted(series.count, "mark")} · last ${words}`);
  const figure = element("figure", {}, caption);
  if (series.points.filter(([, value]) => value !== null).length > 1) figure.append(picture(series, scope));
  return figure;
}

/** A line chart over the time since the start of the run; while the scope lasted the ground is tinted. */
function picture(series, scope) {
  const frame = frameOf(series.points), { low, high } = frame;
  const label = `${clean(series.name)} from ${number(low)} to ${number(high)}`;
  const svg = drawn("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img", "aria-label": label });
  svg.append(...(scope ? spanOf(scope, frame) : []), ...axes(frame));
  svg.append(...stretches(series.points).map((points) => course(points, frame)));
  svg.addEventListener("pointermove", (event) => tellPoint(event, svg, series, frame));
  svg.addEventListener("pointerleave", hideTip);
  return svg;
}

/** Where the points lie, and how times and values become places. */
function frameOf(points) {
  const values = points.map(([, value]) => value).filter((value) => value !== null);
  const first = points[0][0], last = Math.max(points.at(-1)[0], first + 1);
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const across = CHART.width - CHART.left - CHART.right, down = CHART.height - CHART.top - CHART.bottom;
  return {
    first, last, low, high, across, down,
    x: (ns) => CHART.left + ((ns - first) / (last - first)) * across,
    y: (value) => CHART.top + ((high / 2 - value / 2) / (high / 2 - low / 2)) * down, // halves, which do not overflow
  };
}

function spanOf(scope, { first, last, x, down }) {
  const lasts = scope.end_ns === null || scope.open_count || scope.interrupted_count;
  const from = Math.max(first, scope.offset_ns), to = lasts ? last : Math.min(last, scope.end_ns);
  if (to <= from || to - from > 0.99 * (last - first)) return [];
  return [drawn("rect", { class: "span", x: x(from), y: CHART.top, width: x(to) - x(from), height: down })];
}

function axes({ first, last, low, high, x, y }, tell = number) {
  const [unit, size] = TIME_UNITS.find(([, size]) => last - first >= 2 * size) ?? ["ns", 1];
  const made = [];
  for (const value of ticks(low, high, 4)) {
    const at = y(value);
    made.push(drawn("line", { class: "grid", x1: CHART.left, x2: CHART.width - CHART.right, y1: at, y2: at }));
    made.push(drawn("text", { x: CHART.left - 6, y: at + 4, "text-anchor": "end" }, tell(value)));
  }
  for (const at of ticks(first / size, last / size, 5))
    made.push(drawn("text", { x: x(at * size), y: CHART.height - 6, "text-anchor": "middle" }, `+ ${number(at)} ${unit}`));
  return made;
}

/** Round steps of 1, 2 or 5 between two values; about as many as asked for. */
function ticks(low, high, many) {
  const rough = high / many - low / many;
  if (!(rough > 0) || !isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const first = Math.ceil(low / step), found = [];
  for (let at = first; at * step <= high && found.length < 2 * many; at++) found.push(at * step);
  return found.length ? found : [low];
}

/** The parts of a series between values that are no numbers. */
function stretches(points) {
  const found = [[]];
  for (const point of points)
    if (point[1] !== null) found.at(-1).push(point);
    else if (found.at(-1).length) found.push([]);
  return found.filter((stretch) => stretch.length);
}

function course(points, { x, y }) {
  if (points.length === 1) return drawn("circle", { class: "dot", cx: x(points[0][0]), cy: y(points[0][1]), r: 2 });
  const corners = points.map(([ns, value]) => `${x(ns).toFixed(1)},${y(value).toFixed(1)}`);
  return drawn("polyline", { class: "course", points: corners.join(" ") });
}

function tellPoint(event, svg, series, { first, last, across }, tell = number) {
  const { left, width } = svg.getBoundingClientRect();
  const at = first + ((((event.clientX - left) / width) * CHART.width - CHART.left) / across) * (last - first);
  const numbers = series.points.filter(([, value]) => value !== null);
  const [ns, value] = numbers.reduce((best, point) => (Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best));
  showTip([["at", `+ ${duration(ns)}`], ["value", tell(value)]], clean(series.name), event.clientX, event.clientY);
}
