// Keys: listed on the page, dead in inputs, and those of one letter can be switched off (WCAG 2.1.4).

const GO_MS = 1500;

/**
 * @param {{tiles: () => HTMLElement[], opened: () => boolean, open: (index: number) => void, step: (by: number) => void, back: () => void, inside: () => boolean, go: (place: string) => void,
 *   overlays: () => void, theme: () => void, help: () => void, snapshot: () => void, fullscreen: () => void, freeze: () => void,
 *   log: () => void, search: () => void}} page
 */
export function listen(page) {
  const box = /** @type {HTMLInputElement} */ (document.getElementById("keys-on"));
  let goAt = -Infinity;
  box.checked = localStorage.getItem("vedette-keys") !== "off";
  box.addEventListener("change", () => localStorage.setItem("vedette-keys", box.checked ? "on" : "off"));

  addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (target.closest("input, textarea, select, [contenteditable]")) return;
    const done = () => event.preventDefault();
    if (event.key === "Escape" && (page.opened() || page.inside())) return done(), page.back();
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (page.opened() && step) return done(), page.step(step);
    if (event.key.startsWith("Arrow") && !page.opened() && !page.inside()) return move(event.key, page.tiles()) && done();
    if (!box.checked && event.key.length === 1) return;
    const place = performance.now() - goAt < GO_MS && { l: "live", a: "applications", c: "cameras", o: "logs", d: "device" }[event.key.toLowerCase()];
    goAt = event.key === "g" ? performance.now() : -Infinity;
    if (place) return done(), page.go(place);
    if (/^[1-9]$/.test(event.key)) return done(), page.open(Number(event.key) - 1);
    if (event.key === " " && page.opened() && !target.closest("button, a, summary")) return done(), page.freeze();
    const letter = { o: page.overlays, t: page.theme, "?": page.help, s: page.snapshot, f: page.fullscreen, l: page.log, "/": page.search }[event.key.toLowerCase()];
    if (letter) return done(), letter();
  });
}

/** Moves the focus to the nearest tile in a direction. @param {string} key @param {HTMLElement[]} tiles */
function move(key, tiles) {
  if (!tiles.length) return false;
  const links = tiles.map((tile) => /** @type {HTMLElement} */ (tile.querySelector("a.name")));
  const current = tiles.findIndex((tile) => tile.contains(document.activeElement));
  if (current < 0) return links[0].focus(), true;
  const from = tiles[current].getBoundingClientRect();
  let best = -1;
  let least = Infinity;
  tiles.forEach((tile, index) => {
    const to = tile.getBoundingClientRect();
    const dx = to.left - from.left;
    const dy = to.top - from.top;
    const along = { ArrowLeft: -dx, ArrowRight: dx, ArrowUp: -dy, ArrowDown: dy }[key] ?? 0;
    const across = key === "ArrowLeft" || key === "ArrowRight" ? Math.abs(dy) : Math.abs(dx);
    if (along > 1 && along + 3 * across < least) [best, least] = [index, along + 3 * across];
  });
  if (best >= 0) links[best].focus();
  return true;
}
