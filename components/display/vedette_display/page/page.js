// Puts the page together: state in, tiles and panel out; tells the display what is in view.

import { listen } from "./keys.js";
import { Link } from "./link.js";
import { Panel } from "./panel.js";
import { Tile } from "./tile.js";
import { age, element, gigabytes, icon, plural, say } from "./words.js";

const PROBLEMS_SHOWN = 3;
const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const grid = $("grid");
const openedPicture = $("opened-picture");
const panel = new Panel($("panel"));
const link = new Link();
/** @type {Map<string, Tile>} */
const tiles = new Map();
/** @type {Map<number, Tile>} */
const byNumber = new Map();
/** @type {any} */
let state = null;
let clockOffsetMs = 0;
let overlays = true;
let allProblems = false;
/** @type {Tile|null} */
let opened = null;
const deviceName = () => state?.device.name ?? "the display";
const serverNow = () => Date.now() + clockOffsetMs;

// -- what the display says ------------------------------------------------------------------------------------------

link.addEventListener("state", (event) => {
  state = /** @type {CustomEvent} */ (event).detail;
  clockOffsetMs = state.now_ms - Date.now();
  updateTiles();
  updateBar();
  updateProblems();
  route();
  refresh();
});

link.addEventListener("picture", (event) => {
  const picture = /** @type {CustomEvent} */ (event).detail;
  const tile = byNumber.get(picture.tile);
  if (tile) tile.receive(picture, (drawn) => link.drawn(drawn), serverNow);
  else link.drawn(picture);
});

link.addEventListener("open", () => refresh());
link.addEventListener("lost", () => refresh());

function updateTiles() {
  const ids = new Set(state.tiles.map((/** @type {any} */ t) => t.id));
  for (const [id, tile] of tiles) {
    if (!ids.has(id)) {
      sight.unobserve(tile.root);
      tile.root.remove();
      tiles.delete(id);
      if (opened === tile) opened = null;
    }
  }
  byNumber.clear();
  state.tiles.forEach((/** @type {any} */ data, /** @type {number} */ index) => {
    let tile = tiles.get(data.id);
    if (!tile) {
      tile = new Tile(data);
      tiles.set(data.id, tile);
      sight.observe(tile.root);
    }
    tile.update(data, data.number == null ? null : state.shown[data.number]);
    if (data.number != null) byNumber.set(data.number, tile);
    tile.root.style.order = String(index);
    if (tile !== opened && tile.root.parentElement !== grid) grid.append(tile.root);
  });
  // In reading order for keyboard and screen readers too, moved only when it differs.
  const order = state.tiles.map((/** @type {any} */ t) => tiles.get(t.id)?.root).filter((/** @type {any} */ r) => r?.parentElement === grid);
  if (order.some((/** @type {any} */ node, /** @type {number} */ i) => grid.children[i] !== node)) grid.append(...order);
  grid.dataset.count = String(tiles.size);
  $("empty").hidden = tiles.size > 0;
}

function updateBar() {
  const { device, viewers, health } = state;
  say($("device"), device.name);
  const list = [
    device.cpu_percent == null ? null : ["CPU", `${Math.round(device.cpu_percent)} %`],
    device.memory_total ? ["memory", `${gigabytes(device.memory_used)} / ${gigabytes(device.memory_total)} GB`] : null,
    ["", plural(viewers, "viewer")],
  ].filter((fact) => fact != null);
  const next = element("ul", {}, ...list.map(([name, value]) => element("li", {}, name ? element("span", {}, name) : null, element("b", {}, value))));
  if (next.innerHTML !== $("facts").innerHTML) $("facts").replaceChildren(...next.childNodes);
  const count = health.summary.problems;
  document.title = `${count ? `(${count}) ` : ""}${device.name} – Vedette`;
}

function updateProblems() {
  const { problems, summary } = state.health;
  const root = $("health");
  const next = element("section");
  if (!problems.length) {
    next.append(element("p", { class: "summary", "data-severity": summary.severity }, icon(summary.severity), element("span", {}, summary.words)));
  } else {
    const shown = allProblems ? problems : problems.slice(0, PROBLEMS_SHOWN);
    next.append(element("ul", { class: "problems" }, ...shown.map((/** @type {any} */ p) => problem(p))));
    if (problems.length > PROBLEMS_SHOWN) {
      next.append(element("button", { type: "button", class: "more" }, allProblems ? "Show less" : `${problems.length - PROBLEMS_SHOWN} more`));
    }
  }
  if (next.innerHTML === root.innerHTML) return;
  const focused = root.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.subject : undefined;
  root.replaceChildren(...next.childNodes);
  if (focused) /** @type {HTMLElement|null} */ (root.querySelector(`[data-subject="${CSS.escape(focused)}"]`))?.focus();
}

$("health").addEventListener("click", (event) => {
  if (/** @type {HTMLElement} */ (event.target).closest(".more")) {
    allProblems = !allProblems;
    updateProblems();
  }
});

/** @param {any} p */
function problem(p) {
  const tile = state.tiles.find((/** @type {any} */ t) =>
    (p.kind === "camera" && t.camera_id === p.subject_id) || (p.kind === "application" && t.instance === p.subject_id) || t.output_id === p.subject_id);
  const words = [icon(p.severity), element("b", {}, `${p.subject}: ${p.words}`), element("span", { class: "problem-detail" }, p.detail || p.title)];
  const row = tile
    ? element("a", { href: `#${encodeURIComponent(tile.id)}`, "data-subject": p.subject_id }, ...words, icon("next"))
    : element("span", { class: "row" }, ...words);
  return element("li", { "data-severity": p.severity }, row);
}

// -- what is in view ------------------------------------------------------------------------------------------------

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const tile = [...tiles.values()].find((candidate) => candidate.root === entry.target);
    // Half of it in view, or half of the view filled by it: a tall picture on a small screen counts too.
    const filled = entry.intersectionRect.height > 0.5 * (entry.rootBounds?.height ?? Infinity);
    tile?.setVisible(entry.intersectionRatio >= 0.5 || filled);
  }
  look();
}, { threshold: [0, 0.25, 0.5, 0.75, 1] });

function look() {
  if (document.hidden) return link.look([], overlays);
  const seen = [];
  for (const tile of tiles.values()) {
    if (tile.visible && tile.data.number != null) {
      const width = Math.max(1, Math.round(tile.picture.clientWidth * Math.min(devicePixelRatio, 2)));
      seen.push({ tile: tile.data.number, width });
    }
  }
  link.look(seen, overlays);
}

document.addEventListener("visibilitychange", () => {
  for (const tile of tiles.values()) tile.lookingSince = performance.now();
  look();
});
addEventListener("resize", () => setTimeout(look, 200));

/** @type {string[]} */
let announcements = [];

function refresh() {
  const heard = link.open;
  for (const tile of tiles.values()) {
    const words = tile.tell(heard, serverNow(), Boolean(state?.link?.reduced));
    if (words && tile.visible) announcements.push(words);
  }
  const lost = $("lost");
  if (heard || !state) {
    lost.hidden = true;
  } else {
    const seconds = age((performance.now() - link.heardAt) / 1000);
    const next = link.nextTryAt ? `Next try in ${age(Math.max(0, link.nextTryAt - performance.now()) / 1000)}` : "Trying now";
    if (lost.hidden) {
      lost.replaceChildren(icon("warning"), element("span", {}), element("button", { type: "button", click: () => link.tryNow() }, "Try now"));
      lost.hidden = false;
    }
    say(/** @type {Node} */ (lost.children[1]), `Lost ${deviceName()} ${seconds} ago · Pictures are old. ${next}`);
  }
  if (opened && state) panel.show(opened.data, state);
  look();
}
setInterval(refresh, 500);
setInterval(() => {
  if (announcements.length) say($("announcer"), announcements.splice(0).slice(-3).join(". "));
}, 1000);

// -- the opened tile ------------------------------------------------------------------------------------------------

function route() {
  const id = decodeURIComponent(location.hash.slice(1));
  const tile = id ? tiles.get(id) ?? null : null;
  if (tile !== opened) {
    if (opened) {
      opened.frozen = false;
      if (tiles.has(opened.data.id)) grid.append(opened.root);
    }
    const before = opened;
    opened = tile;
    if (tile) {
      openedPicture.replaceChildren(tile.root);
      scrollTo({ top: 0 });
      if (state) panel.show(tile.data, state);
    } else if (state) {
      updateTiles();
      before?.name.focus({ preventScroll: false });
    }
  }
  $("opened").hidden = !opened;
  grid.hidden = Boolean(opened);
  document.body.classList.toggle("is-open", Boolean(opened));
  if (opened) {
    const { name, instance } = opened.data;
    const of = instance && instance !== name ? ` › ${instance}` : "";
    if ($("opened-name").textContent !== name + of) {
      $("opened-name").replaceChildren(name, element("span", { class: "of" }, of));
    }
  }
}

addEventListener("hashchange", () => {
  route();
  refresh();
});

/** @param {number} index */
function openAt(index) {
  const data = state?.tiles[index];
  if (data) location.hash = encodeURIComponent(data.id);
}

/** @param {number} by */
function step(by) {
  const index = state.tiles.findIndex((/** @type {any} */ t) => t.id === opened?.data.id);
  openAt((index + by + state.tiles.length) % state.tiles.length);
}

function snapshot() {
  if (!opened) return;
  const { name, instance } = opened.data;
  const stamp = new Date(opened.capturedMs || Date.now()).toISOString().replace(/[:.]/g, "-");
  /** @type {HTMLCanvasElement} */ (opened.canvas).toBlob((blob) => {
    if (!blob) return;
    const url = URL.createObjectURL(blob);
    element("a", { href: url, download: `${name}-${instance}-${stamp}.jpg` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }, "image/jpeg", 0.92);
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (opened) opened.picture.requestFullscreen?.();
}

// -- tools ----------------------------------------------------------------------------------------------------------

function toggleOverlays() {
  overlays = !overlays;
  $("overlays").setAttribute("aria-pressed", String(overlays));
  look();
}

function toggleTheme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
    || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  setTheme(dark ? "light" : "dark");
}

/** @param {string} theme */
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("vedette-theme", theme);
}

const savedTheme = localStorage.getItem("vedette-theme");
if (savedTheme) setTheme(savedTheme);
const dialog = /** @type {HTMLDialogElement} */ ($("keys"));
const help = () => dialog.showModal();
$("overlays").addEventListener("click", toggleOverlays);
$("theme").addEventListener("click", toggleTheme);
$("help").addEventListener("click", help);
$("snapshot").addEventListener("click", snapshot);
$("fullscreen").addEventListener("click", fullscreen);
// An iPhone has no whole screen for anything but a video.
$("fullscreen").hidden = !document.documentElement.requestFullscreen;

listen({
  tiles: () => state.tiles.map((/** @type {any} */ t) => tiles.get(t.id)?.root).filter(Boolean),
  opened: () => Boolean(opened),
  open: openAt,
  step,
  back: () => { location.hash = ""; },
  overlays: toggleOverlays,
  theme: toggleTheme,
  help,
  snapshot,
  fullscreen,
  freeze: () => {
    if (!opened) return;
    opened.frozen = !opened.frozen;
    refresh();
  },
});
