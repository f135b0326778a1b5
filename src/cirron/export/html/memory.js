// ---- memory over time, with the phases below it ----

const BAND = { height: 16, gap: 2, letter: 6.5 };

function drawMemory() {
  byId("memory").hidden = !memory.length;
  byId("memory-courses").append(...memory.map(memoryFigure));
}

function memoryFigure(device) {
  const name = element("strong", { class: "name" }, clean(device.device));
  const words = ` · rank ${device.rank} · at most ${bytes(device.highest_bytes)}`;
  return element("figure", {}, element("figcaption", {}, name, words), memoryPicture(device));
}

function memoryPicture({ device, points, bands, highest_bytes }) {
  const frame = frameOf([...points, [points.at(-1)[0], 0]]); // from nothing, so that heights compare
  const rows = bands.reduce((most, band) => Math.max(most, band.depth), 0);
  const height = CHART.height + rows * (BAND.height + BAND.gap);
  const label = `Memory of ${clean(device)}, at most ${bytes(highest_bytes)}`;
  const svg = drawn("svg", { viewBox: `0 0 ${CHART.width} ${height}`, role: "img", "aria-label": label });
  svg.append(...axes(frame, bytes), course(points, frame), ...bands.map((band) => phaseBand(band, frame)));
  svg.addEventListener("pointermove", (event) => tellPoint(event, svg, { name: "memory", points }, frame, bytes));
  svg.addEventListener("pointerleave", hideTip);
  return svg;
}

function phaseBand(band, { x, first, last }) {
  const from = x(Math.max(first, band.offset_ns)), width = Math.max(0.5, x(Math.min(last, band.end_ns)) - from);
  const y = CHART.height + (band.depth - 1) * (BAND.height + BAND.gap), name = clean(band.name);
  const words = band.count > 1 ? `${name} (${counted(band.count, "phase")})` : name;
  const group = drawn("g", {});
  const box = drawn("rect", { class: "phase", x: from, y, width, height: BAND.height });
  box.style.setProperty("--hue", hue(band.name));
  group.append(box);
  if (width > BAND.letter * name.length) group.append(drawn("text", { class: "phase", x: from + 3, y: y + 12 }, name));
  group.append(drawn("title", {}, words));
  return group;
}
