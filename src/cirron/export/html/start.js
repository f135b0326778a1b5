// ---- to begin with ----

drawHeader();
drawMemory();
drawTable();
drawFlame();
if (roots.length) select(roots[0].path, roots[0]);
else byId("detail").hidden = true;
let drawnPx = flame.clientWidth;
addEventListener("resize", () => {
  if (flame.clientWidth !== drawnPx) {
    drawnPx = flame.clientWidth;
    drawFlame();
  }
});
