// ---- the header ----

function drawHeader() {
  const words = `cirron · run ${run.id.slice(0, 8)}`;
  document.title = words;
  byId("title").textContent = words;
  byId("made-by").textContent = `cirron ${cirron_version}. This page is complete: it loads nothing and works offline.`;
  const hosts = [...new Set(run.sessions.map((session) => session.host).filter(Boolean))];
  byId("facts").append(
    ...(run.run_id ? [fact("run id", clean(run.run_id))] : []),
    fact("started", new Date(run.started_ns / 1e6).toISOString().replace("T", " ").replace("Z", " UTC")),
    fact("duration", duration(run.duration_ns)),
    fact("ended", ...endings()),
    ...(run.ranks > 1 ? [fact("ranks", count(run.ranks))] : []),
    ...(run.workers ? [fact("workers", count(run.workers))] : []),
    ...(hosts.length ? [fact(hosts.length > 1 ? "hosts" : "host", ...listed(hosts, clean))] : []),
    fact("spans", count(run.spans)),
    ...(run.overhead_ns && whole_ns ? [fact("recording cost", finePercent(run.overhead_ns / whole_ns))] : []),
  );
  drawNotes();
  drawSessions();
}

const kindOfEnd = (ended) => (ended === "completed" ? "" : ended === "live" ? "open" : "bad");

function endings() {
  const counts = new Map();
  for (const { ended } of run.sessions) counts.set(ended, (counts.get(ended) || 0) + 1);
  const several = run.sessions.length > 1;
  return listed([...counts], ([ended, times]) =>
    element("span", { class: kindOfEnd(ended) }, (several ? `${count(times)} ` : "") + clean(ended)));
}

function drawNotes() {
  const notes = byId("notes");
  for (const [key, words] of [["interrupted_count", "Interrupted in "], ["open_count", `${STILL_OPEN[0].toUpperCase()}${STILL_OPEN.slice(1)}: `]]) {
    const deepest = scopes.filter((scope) => scope[key] && !scope.children.some((child) => child[key]));
    const links = listed(deepest, (scope) => link(scope.label, () => show(scope)));
    if (links.length) notes.append(element("span", {}, words, ...links));
  }
  const { scopes: many, spans } = left_out;
  const words = `${counted(many, "scope")} that took least are left out, with ${counted(spans, "span")}.`;
  if (many) notes.append(element("span", {}, words));
  notes.hidden = !notes.childNodes.length;
}

function drawSessions() {
  if (run.sessions.length < 2) return;
  const box = byId("sessions"), heads = ["rank", "worker", "host", "pid", "began", "duration", "ended", "session"];
  box.hidden = false;
  box.querySelector("summary").textContent = counted(run.sessions.length, "session");
  box.querySelector("table").append(
    element("tr", {}, ...heads.map((name) => element("th", { scope: "col" }, name))), ...run.sessions.map(sessionRow));
}

function sessionRow(session) {
  const cells = [
    session.rank, clean(session.worker ?? ""), clean(session.host ?? ""), session.pid,
    `+ ${duration(session.offset_ns)}`, duration(session.duration_ns),
    element("span", { class: kindOfEnd(session.ended) }, clean(session.ended)), session.id.slice(0, 8),
  ];
  return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
}
