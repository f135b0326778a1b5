// ---- the selected scope or path ----

function select(path, scope) {
  state.path = path;
  state.scope = scope;
  markBoxes();
  for (const row of byId("paths").tBodies[0]?.rows ?? []) row.classList.toggle("selected", row.path === path);
  drawDetail();
}

function drawDetail() {
  const { path, scope } = state, item = scope ?? path;
  const names = lineage(path).map((each) => clean(each.name));
  if (scope) names[names.length - 1] = scope.label;
  byId("detail-title").replaceChildren(
    element("span", { class: "dim name" }, names.slice(0, -1).slice(-6).map((name) => `${name} / `).join("")),
    element("span", { class: "name" }, names.at(-1)));
  byId("figures").replaceChildren(...figures(item), ...(scope ? particulars(scope) : []));
  drawRanks(item);
  drawCharts(path, scope);
}

function figures(item) {
  const several = item.count > 1;
  return [
    ...troubles(item).map(([words, kind]) =>
      fact(kind === "error" ? "left by" : "state", element("span", { class: kind }, words))),
    fact("count", count(item.count)),
    fact("total", atLeast(item)),
    fact("share", percent(item.share)),
    fact("self", duration(item.self_ns)),
    ...(several ? ["mean", "min", "p50", "p95", "p99", "max"].map((name) => fact(name, duration(item[`${name}_ns`]))) : []),
    ...(item.gpu_ns ? [fact("gpu", duration(item.gpu_ns))] : []),
    ...(item.memory_peak_bytes ? [fact("memory peak", bytes(item.memory_peak_bytes))] : []),
  ];
}

function particulars(scope) {
  const lasts = scope.end_ns === null || scope.open_count;
  return [
    fact("began", `+ ${duration(scope.offset_ns)}`),
    ...(lasts ? [] : [fact(scope.count > 1 ? "last ended" : "ended", `+ ${duration(scope.end_ns)}`)]),
    ...Object.entries(scope.attrs).map(([key, value]) => fact(clean(key), clean(value))),
  ];
}

function drawRanks(item) {
  const { walls, least, median, most } = byRank(item);
  if (walls.length < 2) return byId("ranks").replaceChildren();
  const tell = ([rank, wall_ns]) => `${duration(wall_ns)} (rank ${rank})`;
  const words = `By rank: least ${tell(least)}, median ${duration(median[1])}, most ${tell(most)}`;
  const bars = walls.sort((one, other) => one[0] - other[0]).map(([rank, wall_ns]) => rankBar(rank, wall_ns, most[1]));
  byId("ranks").replaceChildren(
    element("p", { class: most[1] > 1.1 * median[1] ? "warn" : "" }, words),
    element("div", { id: "rank-bars" }, ...bars));
}

function rankBar(rank, wall_ns, most_ns) {
  const bar = element("i");
  bar.style.width = `${(100 * wall_ns) / (most_ns || 1)}%`;
  return element("div", { class: "rank" }, `rank ${rank}`, bar, element("b", {}, duration(wall_ns)));
}
