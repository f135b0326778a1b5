// ---- searching ----

const matches = (name) => name.toLowerCase().includes(state.query);

function search(text) {
  byId("search").value = text;
  state.query = text.trim().toLowerCase();
  byId("matched").textContent = state.query ? matchedShare() : "";
  markBoxes();
  drawTable();
}

function matchedShare() {
  const covered = new Set();
  let found = 0, found_ns = 0;
  for (const scope of scopes) {
    const match = matches(scope.name), within = covered.has(scope.parent);
    if (match) found += scope.count;
    if (match && !within) found_ns += scope.total_ns;
    if (match || within) covered.add(scope);
  }
  return found ? `${counted(found, "span")}, ${percent(Math.min(1, found_ns / (whole_ns || 1)))} of the time` : "no match";
}
byId("search").addEventListener("input", (event) => search(event.target.value));
