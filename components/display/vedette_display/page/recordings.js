// The recordings that an application has asked for, where the device keeps some.

import { keep } from "./cards.js";
import { element, icon } from "./words.js";

const EVERY_MS = 5000;

export class Recordings {
  /** @param {string} instance */
  constructor(instance) {
    this.instance = instance;
    /** Whether the device keeps recordings at all. */
    this.kept = false;
    this.askedAt = -Infinity;
    this.list = element("ul", { class: "recordings" });
    this.root = element("section", { class: "card card-recordings" }, element("h2", {}, "Recordings"), this.list);
  }

  /** Looks for new ones, every few seconds. */
  async fetch() {
    if (performance.now() - this.askedAt < EVERY_MS) return;
    this.askedAt = performance.now();
    try {
      const answer = await fetch(`api/recordings?${new URLSearchParams({ instance: this.instance })}`);
      if (answer.ok) this.show(await answer.json());
    } catch {
      // The display is away: its own banner says so.
    }
  }

  /** @param {{recording: boolean, recordings: {name: string, stream: string, reason: string, at: number, seconds: number, size: number, uploaded: string, interrupted: boolean}[]}} found */
  show({ recording, recordings }) {
    this.kept = recording;
    keep(this.list, recordings.length
      ? recordings.map((each) => [each.name, row(each)])
      : [["none", element("li", { class: "note" }, "None yet. The application asks for one with frame.record(\"reason\").")]]);
  }
}

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1e5 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {{name: string, stream: string, reason: string, at: number, seconds: number, size: number, uploaded: string, interrupted: boolean}} each */
function row(each) {
  const when = new Date(each.at * 1000);
  return element("li", { class: "recording" },
    element("span", {}, element("b", {}, each.reason || "recording"), element("span", { class: "note" }, ` ${each.stream}`)),
    element("time", { class: "note", datetime: when.toISOString() }, when.toLocaleString()),
    element("span", { class: "note" }, `${Math.round(each.seconds)} s${each.interrupted ? ", cut off" : ""}, ${size(each.size)}${each.uploaded ? ", in S3" : ""}`),
    element("a", { class: "action", href: `recordings/${encodeURIComponent(each.name)}.mp4`, target: "_blank", rel: "noopener", "aria-label": `Play ${each.reason || "recording"} of ${when.toLocaleString()}` }, icon("play"), "Play"),
    element("a", { class: "action", href: `recordings/${encodeURIComponent(each.name)}.mp4`, download: "", "aria-label": `Download ${each.reason || "recording"} of ${when.toLocaleString()}` }, icon("snapshot"), "MP4"));
}
