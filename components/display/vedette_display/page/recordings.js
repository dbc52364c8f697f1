// The recordings that applications have asked for, where the device keeps some: one's, or all, those of applications
// that are not here any more among them.

import { keep } from "./cards.js";
import { element, icon, say } from "./words.js";

/** @typedef {{name: string, instance: string, stream: string, reason: string, at: number, seconds: number, size: number, uploaded: string, interrupted: boolean}} Recording */

const EVERY_MS = 5000;

export class Recordings {
  /** @param {string} [instance] whose; all without it */
  constructor(instance) {
    this.instance = instance;
    /** Whether the device keeps recordings at all. */
    this.kept = false;
    this.askedAt = -Infinity;
    this.list = element("ul", { class: "recordings" });
    this.room = element("p", { class: "note", hidden: true });
    this.root = element("section", { class: "card card-recordings" }, element("h2", {}, "Recordings"), this.room, this.list);
  }

  /** Looks for new ones, every few seconds. */
  async fetch() {
    if (performance.now() - this.askedAt < EVERY_MS) return;
    this.askedAt = performance.now();
    try {
      const answer = await fetch(`api/recordings?${new URLSearchParams(this.instance ? { instance: this.instance } : {})}`);
      if (answer.ok) this.show(await answer.json());
    } catch {
      // The display is away: its own banner says so.
    }
  }

  /** @param {{recording: boolean, bytes: number, most_bytes: number, recordings: Recording[]}} found */
  show({ recording, bytes, most_bytes, recordings }) {
    this.kept = recording;
    this.room.hidden = Boolean(this.instance);
    say(this.room, `They take ${size(bytes)} of ${size(most_bytes)}; the oldest make room.`);
    keep(this.list, recordings.length
      ? recordings.map((each) => [each.name, row(each, !this.instance)])
      : [["none", element("li", { class: "note" }, "None yet. The application asks for one with frame.record(\"reason\").")]]);
  }
}

/** @param {number} bytes */
function size(bytes) {
  if (bytes < 1e5) return `${Math.ceil(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** @param {Recording} each @param {boolean} whose */
function row(each, whose) {
  const when = new Date(each.at * 1000);
  return element("li", { class: "recording" },
    element("span", {}, element("b", {}, each.reason || "recording"), element("span", { class: "note" }, ` ${each.stream}${whose && each.instance !== each.stream ? ` › ${each.instance}` : ""}`)),
    element("time", { class: "note", datetime: when.toISOString() }, when.toLocaleString()),
    element("span", { class: "note" }, `${Math.round(each.seconds)} s${each.interrupted ? ", cut off" : ""}, ${size(each.size)}${each.uploaded ? ", in S3" : ""}`),
    element("span", { class: "actions" },
      element("a", { class: "action", href: `recordings/${encodeURIComponent(each.name)}.mp4`, target: "_blank", rel: "noopener", "aria-label": `Play ${each.reason || "recording"} of ${when.toLocaleString()}` }, icon("play"), "Play"),
      element("a", { class: "action", href: `recordings/${encodeURIComponent(each.name)}.mp4`, download: "", "aria-label": `Download ${each.reason || "recording"} of ${when.toLocaleString()}` }, icon("snapshot"), "MP4")));
}
