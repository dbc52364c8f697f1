// One tile: the picture, what is told of it, and whether it is live. LIVE is a fact of pictures that move, never a clock.

import { address } from "./route.js";
import { age, commandLine, element, icon, say } from "./words.js";

// With nothing new for so long a picture is not live any more; slow outputs get three of their own intervals.
const LIVE_MS = 2500;
// Pictures that move but were captured so long ago are delayed, not live.
const LATE_MS = 5000;
const JOINING_MS = 1500;

/**
 * @typedef {{id: string, number?: number, output_id?: string, name: string, instance: string, camera_id?: string, kind: string, view?: boolean,
 *   severity: string, words: string, title: string, detail: string, action: string, hint: string, picture_age_s?: number}} TileData
 */
export class Tile {
  /** @param {TileData} data */
  constructor(data) {
    this.data = data;
    this.visible = false;
    this.frozen = false;
    /** Unix ms of the newest picture drawn; 0 = none. */
    this.capturedMs = 0;
    this.progressAt = -Infinity;
    this.intervalMs = 0;
    this.look();
    /** @type {any} */
    this.shown = null;
    this.mode = "";
    /** @type {import("./link.js").Picture|null} */
    this.waiting = null;
    this.decoding = false;

    this.canvas = element("canvas", { role: "img", width: 16, height: 9 });
    this.context = /** @type {HTMLCanvasElement} */ (this.canvas).getContext("2d", { alpha: false });
    this.veilIcon = element("div", { class: "veil-icon" });
    this.veilTitle = element("p", { class: "veil-title" });
    this.veilDetail = element("p", { class: "veil-detail" });
    this.veilHint = element("p", { class: "veil-hint" });
    this.veilAge = element("p", { class: "veil-age" });
    this.veil = element("div", { class: "veil" },
      element("div", { class: "veil-words" }, this.veilIcon, this.veilTitle, this.veilDetail, this.veilHint), this.veilAge);
    this.name = element("a", { class: "name", href: address("tile", data.id) });
    this.source = element("span", { class: "source" });
    this.chip = element("span", { class: "chip" });
    this.figures = element("span", { class: "figures" });
    this.picture = element("div", { class: "picture" }, this.canvas, this.veil);
    this.root = element("article", { class: "tile" }, this.picture,
      element("footer", { class: "caption" },
        element("span", { class: "who" }, this.name, this.source),
        element("span", { class: "how" }, this.chip, this.figures)));
    this.update(data, null);
  }

  /** @param {TileData} data @param {any} shown */
  update(data, shown) {
    const before = this.data;
    this.data = data;
    this.shown = shown;
    say(this.name, data.name);
    say(this.source, data.instance && data.instance !== data.name ? data.instance : "");
    if (before.hint !== data.hint || !this.veilHint.hasChildNodes()) {
      this.veilHint.replaceChildren(...(data.hint ? [commandLine(data.hint)] : []));
    }
    this.root.dataset.severity = data.severity;
  }

  /** Pictures come faster than a busy browser draws: the newest wins, every one is confirmed.
   * @param {import("./link.js").Picture} picture @param {(picture: any) => void} confirm @param {() => number} serverNow */
  async receive(picture, confirm, serverNow) {
    if (this.waiting) confirm(this.waiting);
    this.waiting = picture;
    if (this.decoding) return;
    this.decoding = true;
    while (this.waiting) {
      const current = this.waiting;
      this.waiting = null;
      try {
        const bitmap = await createImageBitmap(new Blob([/** @type {any} */ (current.jpeg)], { type: "image/jpeg" }));
        await new Promise((done) => requestAnimationFrame(done));
        if (!this.frozen) this.draw(bitmap, current, serverNow());
        bitmap.close();
      } catch (error) {
        console.warn("a picture could not be drawn", error);
      }
      confirm(current);
    }
    this.decoding = false;
  }

  /** @param {ImageBitmap} bitmap @param {import("./link.js").Picture} picture @param {number} serverNow */
  draw(bitmap, picture, serverNow) {
    const canvas = /** @type {HTMLCanvasElement} */ (this.canvas);
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    this.context?.drawImage(bitmap, 0, 0);
    this.root.classList.add("has-picture");
    const isNew = picture.capturedMs > this.capturedMs;
    if (isNew && !picture.kept) {
      // The first picture since somebody looks may be the last one before everything stopped: only a fresh one proves
      // anything. How long nobody looked is no interval of the pictures.
      if (!this.first || serverNow - picture.capturedMs < LIVE_MS) {
        const now = performance.now();
        const interval = now - this.progressAt;
        if (!this.first && Number.isFinite(interval)) this.intervalMs = this.intervalMs ? 0.8 * this.intervalMs + 0.2 * interval : interval;
        this.progressAt = now;
      }
      this.first = false;
    }
    if (isNew) this.capturedMs = picture.capturedMs;
  }

  /** @param {boolean} visible */
  setVisible(visible) {
    if (visible && !this.visible) this.look();
    this.visible = visible;
  }

  /** Somebody looks from now on: what was known of the pace is forgotten. */
  look() {
    this.lookingSince = performance.now();
    this.intervalMs = 0;
    /** Whether the next picture is the first since. */
    this.first = true;
  }

  moving() {
    const limit = Math.max(LIVE_MS, Math.min(3 * this.intervalMs, 30000));
    return performance.now() - this.progressAt < limit;
  }

  /** Says how things stand. Returns the words to announce when they changed, else "".
   * @param {boolean} connected @param {number} serverNow @param {boolean} reduced */
  tell(connected, serverNow, reduced) {
    const { data } = this;
    const moving = connected && this.moving();
    const pictureAge = this.capturedMs ? (serverNow - this.capturedMs) / 1000 : data.picture_age_s;
    let mode = "waiting";
    let title = data.title;
    let detail = data.detail;
    if (this.frozen) mode = "frozen";
    else if (moving) mode = serverNow - this.capturedMs > LATE_MS ? "late" : "live";
    else if (!connected) mode = "lost";
    else if (data.severity !== "ok") mode = data.severity;
    // Out of view nothing is sent, so nothing can be told from its absence.
    else if (!this.visible || performance.now() - this.lookingSince < JOINING_MS) mode = "joining";
    else if (this.capturedMs) {
      mode = "stopped";
      title = `No new picture for ${age(pictureAge)}`;
      detail = "The cause is not known yet";
    } else {
      title = "Waiting for the first picture";
      detail = "The application puts pictures, none has arrived here yet";
    }
    const veiled = !["live", "late", "joining", "frozen"].includes(mode);
    const changed = mode !== this.mode;
    this.mode = mode;
    const { root } = this;
    if (changed) {
      root.dataset.mode = mode;
      this.veilIcon.replaceChildren(icon({ lost: "warning", stopped: "warning", waiting: "busy" }[mode] ?? mode));
    }
    this.veil.hidden = !veiled;
    if (veiled) {
      say(this.veilTitle, mode === "lost" ? "Cut off" : title);
      say(this.veilDetail, mode === "lost" ? "The display is not heard" : detail);
      this.veilHint.hidden = mode === "lost" || !data.hint || mode === "busy" || mode === "waiting" || mode === "info";
      say(this.veilAge, pictureAge == null ? "" : this.capturedMs ? `picture ${age(pictureAge)} old` : `last picture ${age(pictureAge)} ago`);
    }
    say(this.chip, {
      live: "LIVE", late: `DELAYED ${age(pictureAge)}`, frozen: "FROZEN", joining: "…", lost: "cut off", stopped: "no new picture",
    }[mode] ?? data.words);
    const { shown } = this;
    const figures = [];
    if (moving && shown?.fps != null) figures.push(`${shown.fps.toFixed(1)} fps`);
    if (moving && shown?.latency_p95 != null) figures.push(`${Math.round(shown.latency_p95)} ms`);
    if (moving && reduced) figures.push("reduced: slow connection");
    say(this.figures, figures.join("  "));
    const spoken = mode === "live" ? "live" : title;
    const who = data.instance ? `${data.name}, annotated by ${data.instance}` : data.name;
    const label = `${who}, ${spoken}`;
    if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
    return changed && mode !== "joining" ? `${data.name}: ${spoken}` : "";
  }
}
