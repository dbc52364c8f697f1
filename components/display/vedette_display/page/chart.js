// A chart of the last ten minutes: lines on an SVG, values under the pointer or by arrow keys, a sentence for screen readers.

import { element, say } from "./words.js";

const WIDTH = 600;
const HEIGHT = 130;
const LEAST = 60;
const SVG = "http://www.w3.org/2000/svg";

/** @typedef {{key: string, label: string}} Line */

export class Chart {
  /** @param {string} title @param {string} unit @param {Line[]} lines @param {number} digits @param {number} least height of the axis at least */
  constructor(title, unit, lines, digits, least) {
    this.title = title;
    this.unit = unit;
    this.lines = lines;
    this.digits = digits;
    this.least = least;
    /** @type {Record<string, (number|null)[]>} */
    this.values = {};
    /** Seconds ago that the mark stands at; null: none. @type {number|null} */
    this.mark = null;
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("class", "plot");
    this.svg.setAttribute("role", "img");
    this.svg.setAttribute("tabindex", "0");
    this.grid = [0, 0.5, 1].map((at) => this.shape("line", { x1: 0, x2: WIDTH, y1: this.y(at, 1), y2: this.y(at, 1), class: "rule" }));
    this.paths = lines.map((_, index) => this.shape("path", { class: `line line-${index}` }));
    this.marker = this.shape("line", { class: "mark", y1: 0, y2: HEIGHT });
    this.top = element("span", { class: "axis axis-top" });
    this.middle = element("span", { class: "axis axis-middle" });
    this.from = element("span", {});
    this.at = element("span", { class: "at" });
    this.readouts = lines.map((line, index) => {
      const value = element("b", {});
      return { value, root: element("span", { class: `legend legend-${index}` }, `${line.label} `, value) };
    });
    this.root = element("figure", { class: "chart" },
      element("figcaption", {}, element("b", {}, title), ...this.readouts.map(({ root }) => root), this.at),
      element("div", { class: "area" }, this.svg, this.top, this.middle),
      element("div", { class: "times", "aria-hidden": "true" }, this.from, element("span", {}, "now")));
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      this.put(Math.round((1 - (event.clientX - box.left) / Math.max(1, box.width)) * (this.span() - 1)));
    });
    this.svg.addEventListener("pointerleave", () => this.put(null));
    this.svg.addEventListener("blur", () => this.put(null));
    this.svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: 5, ArrowRight: -5, Home: this.span(), End: -this.span() }[event.key];
      if (by == null) return;
      event.preventDefault();
      event.stopPropagation();
      this.put((this.mark ?? 0) + by);
      const index = this.span() - 1 - (this.mark ?? 0);
      this.svg.setAttribute("aria-label", `${this.mark} s ago: ${this.lines.map((line) => `${line.label} ${this.word(this.values[line.key]?.[index])}`).join(", ")}`);
    });
  }

  /** @param {string} name @param {Record<string, any>} attributes */
  shape(name, attributes) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
    this.svg.append(node);
    return node;
  }

  span() {
    return Math.max(LEAST, ...this.lines.map(({ key }) => this.values[key]?.length ?? 0));
  }

  /** @param {number} value @param {number} top */
  y(value, top) {
    return 4 + (HEIGHT - 8) * (1 - value / top);
  }

  /** @param {number|null|undefined} value */
  word(value) {
    return value == null ? "none" : `${value.toFixed(this.digits)} ${this.unit}`.trim();
  }

  /** @param {number|null} secondsAgo */
  put(secondsAgo) {
    this.mark = secondsAgo == null ? null : Math.max(0, Math.min(this.span() - 1, secondsAgo));
    this.tell();
  }

  /** @param {Record<string, (number|null)[]>} values by key, one a second, newest last */
  draw(values) {
    const span0 = Math.max(LEAST, ...this.lines.map(({ key }) => values[key]?.length ?? 0));
    this.values = {};
    for (const { key } of this.lines) {
      const given = values[key] ?? [];
      this.values[key] = [...Array(span0 - given.length).fill(null), ...given];
    }
    const all = Object.values(this.values).flat().filter((value) => value != null);
    // Room above: a line along the upper edge looks cut off.
    const top = nice(Math.max(this.least, ...all.map((value) => value * 1.08)));
    this.lines.forEach(({ key }, index) => {
      let path = "";
      let pen = false;
      this.values[key].forEach((value, i, list) => {
        if (value == null) pen = false;
        else {
          path += `${pen ? "L" : "M"}${((i / (list.length - 1)) * WIDTH).toFixed(1)} ${this.y(value, top).toFixed(1)}`;
          pen = true;
        }
      });
      this.paths[index].setAttribute("d", path);
    });
    say(this.top, `${round(top)}`);
    say(this.middle, `${round(top / 2)}`);
    const minutes = span0 / 60;
    say(this.from, minutes <= 1 ? `${span0} s ago` : `${Math.round(minutes)} min ago`);
    this.tell();
    const told = this.lines.map(({ key, label }) => {
      const seen = this.values[key].filter((value) => value != null);
      if (!seen.length) return `${label}: none`;
      return `${label}: now ${this.word(this.values[key].at(-1))}, from ${this.word(Math.min(...seen))} to ${this.word(Math.max(...seen))}`;
    });
    if (document.activeElement !== this.svg) this.svg.setAttribute("aria-label", `${this.title}, the last ${Math.round(minutes)} minutes. ${told.join(". ")}. Arrow keys read values.`);
  }

  tell() {
    const index = this.span() - 1 - (this.mark ?? 0);
    const marked = this.mark != null;
    this.marker.setAttribute("visibility", marked ? "visible" : "hidden");
    if (marked) {
      const x = (index / (this.span() - 1)) * WIDTH;
      this.marker.setAttribute("x1", String(x));
      this.marker.setAttribute("x2", String(x));
    }
    say(this.at, marked ? `${this.mark} s ago` : "");
    this.lines.forEach(({ key }, i) => {
      const values = this.values[key] ?? [];
      const value = marked ? values[index] : values.at(-1) ?? values.at(-2);
      say(this.readouts[i].value, value == null ? "–" : this.word(value));
    });
  }
}

/** @param {number} value */
function nice(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * unit >= value * 0.999) ?? 10) * unit;
}

/** @param {number} value */
function round(value) {
  return value >= 10 ? Math.round(value) : Math.round(value * 100) / 100;
}
