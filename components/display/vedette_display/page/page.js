// Puts the page together: state in, tiles and panel out; tells the display what is in view.

import { Actions } from "./actions.js";
import { ApplicationPage, Applications } from "./applications.js";
import { CameraPage, Cameras } from "./cameras.js";
import { Device } from "./device.js";
import { listen } from "./keys.js";
import { Link } from "./link.js";
import { Logs } from "./logs.js";
import { Panel } from "./panel.js";
import { address, parse } from "./route.js";
import { Tile } from "./tile.js";
import { age, element, gigabytes, icon, plural, say } from "./words.js";

const PROBLEMS_SHOWN = 3;
const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const grid = $("grid");
const openedPicture = $("opened-picture");
const link = new Link();
/** @type {string[]} */
let announcements = [];
const actions = new Actions(link, $("toasts"), (words) => announcements.push(words));
const panel = new Panel($("panel"), actions);
/** The page shown in place of the tiles, if any. @type {any} */
let page = null;
let pageAddress = "";
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
  // The cameras' own pictures are shown on their pages only; there the whole of one is worth its main stream.
  state.shownTiles = [...state.tiles, ...(state.views ?? []).map((/** @type {any} */ view) => ({ ...view, view: true }))];
  clockOffsetMs = state.now_ms - Date.now();
  actions.allowed = state.controls;
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
  const ids = new Set(state.shownTiles.map((/** @type {any} */ t) => t.id));
  for (const [id, tile] of tiles) {
    if (!ids.has(id)) {
      sight.unobserve(tile.root);
      tile.root.remove();
      tiles.delete(id);
      if (opened === tile) opened = null;
    }
  }
  byNumber.clear();
  state.shownTiles.forEach((/** @type {any} */ data, /** @type {number} */ index) => {
    let tile = tiles.get(data.id);
    if (!tile) {
      tile = new Tile(data);
      tiles.set(data.id, tile);
      sight.observe(tile.root);
    }
    tile.update(data, data.number == null ? null : state.shown[data.number]);
    if (data.number != null) byNumber.set(data.number, tile);
    tile.root.style.order = String(index);
  });
  place();
}

/** Puts every tile where the shown page wants it, in reading order for keyboard and screen readers too. */
function place() {
  if (!state) return;
  /** @type {Map<Element, Element[]>} */
  const homes = new Map([[grid, []]]);
  if (page?.tiles) homes.set(page.tiles, []);
  if (page?.own) homes.set(page.own, []);
  for (const { id } of state.shownTiles) {
    const tile = tiles.get(id);
    if (!tile || tile === opened) continue;
    const held = page?.tiles && page.holds(tile.data);
    if (tile.data.view && !(held && page.own)) {
      tile.root.remove();
      continue;
    }
    const home = held ? (tile.data.view ? page.own : page.tiles) : grid;
    homes.get(home)?.push(tile.root);
  }
  for (const [home, order] of homes) {
    // Moved only when it differs: a node that moves loses the focus.
    if (order.length !== home.children.length || order.some((node, i) => home.children[i] !== node)) {
      const focused = /** @type {HTMLElement|null} */ (home.contains(document.activeElement) ? document.activeElement : null);
      home.append(...order);
      focused?.focus({ preventScroll: true });
    }
    /** @type {HTMLElement} */ (home).dataset.count = String(order.length);
  }
  $("empty").hidden = state.tiles.length > 0 || Boolean(page) || Boolean(opened);
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
  const where = page?.title ?? opened?.data.name;
  document.title = `${count ? `(${count}) ` : ""}${where ? `${where} – ` : ""}${device.name} – Vedette`;
}

function updateProblems() {
  const { problems, summary, deployment } = state.health;
  const root = $("health");
  const next = element("section");
  if (deployment?.severity === "busy" && problems.length) {
    next.append(element("p", { class: "summary", "data-severity": "busy" }, icon("busy"), element("span", {}, `${deployment.title}: ${deployment.detail}`)));
  }
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
    ? element("a", { href: address("tile", tile.id), "data-subject": p.subject_id }, ...words, icon("next"))
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
  for (const tile of tiles.values()) tile.look();
  look();
});
addEventListener("resize", () => setTimeout(look, 200));

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

/** @param {import("./route.js").Route} to */
function pageOf(to) {
  if (to.place === "applications") return new Applications(actions);
  if (to.place === "application") return new ApplicationPage(to.id, actions);
  if (to.place === "cameras") return new Cameras();
  if (to.place === "camera") return new CameraPage(to.id, actions);
  if (to.place === "logs") return new Logs(to.id, actions);
  if (to.place === "device") return new Device(actions);
  return null;
}

function route() {
  const to = parse(location.hash);
  const tile = to.place === "tile" ? tiles.get(to.id) ?? null : null;
  const moved = tile !== opened || address(to.place, to.id) !== pageAddress;
  if (moved) {
    const before = opened;
    if (opened) opened.frozen = false;
    opened = tile;
    if (address(to.place, to.id) !== pageAddress) {
      pageAddress = address(to.place, to.id);
      page = pageOf(to);
      $("view").replaceChildren(...(page ? [page.root] : []));
      if (to.place !== "live" || tile) scrollTo({ top: 0 });
    }
    if (tile) {
      openedPicture.replaceChildren(tile.root);
      if (state) panel.show(tile.data, state);
    }
    place();
    if (before && !tile && to.place === "live") before.name.focus({ preventScroll: false });
    for (const link of $("places").children) {
      const current = /** @type {HTMLElement} */ (link).dataset.place === { application: "applications", camera: "cameras", tile: "live" }[to.place] || /** @type {HTMLElement} */ (link).dataset.place === to.place;
      if (current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }
  if (page && state) page.show(state);
  $("opened").hidden = !opened;
  $("view").hidden = !page;
  grid.hidden = Boolean(opened) || Boolean(page);
  $("live").hidden = grid.hidden;
  if (opened) {
    const { name, instance } = opened.data;
    const of = instance && instance !== name ? ` › ${instance}` : "";
    if ($("opened-name").textContent !== name + of) {
      $("opened-name").replaceChildren(name, element("span", { class: "of" }, of));
    }
  }
  if (moved) page?.tick?.();
}

addEventListener("hashchange", () => {
  route();
  refresh();
  // Nothing is loaded, so a screen reader would say nothing.
  announcements.push(page?.title ?? opened?.data.name ?? "Live pictures");
});
// The part behind "#" is the page: a link to #main would leave it.
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
setInterval(() => {
  if (!document.hidden && link.open) page?.tick?.();
}, 1000);

/** @param {number} index */
function openAt(index) {
  const data = state?.tiles[index];
  if (data) location.hash = address("tile", data.id);
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

/** Goes to the log of what is shown. @param {string} part of it that gets the focus */
function toLog(part) {
  const focus = () => /** @type {HTMLElement|null} */ ($("view").querySelector(`.card-log ${part}`))?.focus();
  if ($("view").querySelector(".card-log")) return focus();
  const tile = opened ?? [...tiles.values()].find(({ root }) => root.contains(document.activeElement));
  const before = location.hash;
  location.hash = address("logs", tile?.data.instance ? `app.${tile.data.instance}` : "");
  // The page of the logs is made when the browser tells of its address.
  if (location.hash !== before) addEventListener("hashchange", focus, { once: true });
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
  back: () => {
    const { place } = parse(location.hash);
    location.hash = address({ application: "applications", camera: "cameras" }[place] ?? "live");
  },
  inside: () => Boolean(page),
  go: (place) => { location.hash = address(place); },
  overlays: toggleOverlays,
  theme: toggleTheme,
  help,
  snapshot,
  fullscreen,
  log: () => toLog(".log-text"),
  search: () => toLog("input[type=search]"),
  freeze: () => {
    if (!opened) return;
    opened.frozen = !opened.frozen;
    refresh();
  },
});
