// What an application or a component logs: its last lines, followed until somebody scrolls up.

import { action } from "./cards.js";
import { copy, element, icon, say } from "./words.js";

const MOST_LINES = 2000;
const EVERY_MS = 1000;

export class Log {
  /** @param {{instance: string}|{component: string}} of @param {import("./actions.js").Actions} actions */
  constructor(of, actions) {
    this.of = of;
    this.actions = actions;
    /** Empty: the first there is. */
    this.file = "";
    /** @type {number|null} */
    this.next = null;
    /** @type {string[]} */
    this.lines = [];
    this.follow = true;
    this.asking = false;
    this.askedAt = 0;
    this.text = element("pre", { class: "log-text", tabindex: "0", role: "log", "aria-live": "off", "aria-label": `Log of ${Object.values(of)[0]}` });
    this.files = /** @type {HTMLSelectElement} */ (element("select", { "aria-label": "Log file", hidden: true, change: () => this.open(this.files.value) }));
    this.search = /** @type {HTMLInputElement} */ (element("input", { type: "search", placeholder: "Search", "aria-label": "Search in the log", input: () => this.draw() }));
    this.level = /** @type {HTMLSelectElement} */ (element("select", { "aria-label": "Lines to show", change: () => this.draw() },
      element("option", { value: "" }, "Every line"), element("option", { value: "warn" }, "Warnings and errors"), element("option", { value: "error" }, "Errors")));
    this.down = action("next", "To the end", () => {
      this.follow = true;
      this.draw();
    }, { hidden: true });
    this.save = element("a", { class: "action", download: "" }, icon("snapshot"), "Download");
    this.words = element("p", { class: "note" });
    this.root = element("section", { class: "card card-log", id: "log" }, element("h2", {}, "Log"),
      element("div", { class: "log-tools" }, this.files, this.level, this.search,
        action("copy", "Copy", () => {
          copy(this.shown().join("\n"));
          this.actions.say("The lines shown are copied");
        }), this.save, this.down),
      this.words, this.text);
    this.text.addEventListener("scroll", () => {
      this.follow = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 30;
      this.down.hidden = this.follow;
    });
    this.address();
  }

  address() {
    this.save.setAttribute("href", `api/log.txt?${new URLSearchParams({ ...this.of, ...(this.file ? { file: this.file } : {}) })}`);
  }

  /** @param {string} file */
  open(file) {
    this.file = file;
    this.next = null;
    this.lines = [];
    this.follow = true;
    this.askedAt = 0;
    this.address();
    this.draw();
    this.fetch();
  }

  /** Fetches what is new, once a second at most. */
  async fetch() {
    if (this.asking || performance.now() - this.askedAt < EVERY_MS * 0.9) return;
    this.asking = true;
    this.askedAt = performance.now();
    const file = this.file;
    try {
      const query = new URLSearchParams({ ...this.of, ...(file ? { file } : {}) });
      if (this.next != null) query.set("after", String(this.next));
      const answer = await fetch(`api/log?${query}`);
      if (!answer.ok) {
        say(this.words, (await answer.text()).trim());
      } else if (file === this.file) {
        this.take(await answer.json());
      }
    } catch {
      // The display is away: its own banner says so.
    } finally {
      this.asking = false;
    }
  }

  /** @param {{file: string, files: {name: string, size: number}[], lines: string[], next: number, skipped: number}} part */
  take(part) {
    say(this.words, "");
    if (!this.file) {
      this.file = part.file;
      this.address();
    }
    const names = part.files.map((each) => each.name);
    if (names.join() !== [...this.files.options].map((each) => each.value).join()) {
      this.files.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
      this.files.value = this.file;
      this.files.hidden = !names.length;
    }
    // Shorter than before: the file was begun anew.
    if (this.next != null && part.next < this.next) this.lines = [];
    this.next = part.next;
    if (!part.lines.length && this.text.hasChildNodes()) return;
    this.lines = [...this.lines, ...part.lines].slice(-MOST_LINES);
    this.draw();
  }

  shown() {
    const wanted = this.search.value.toLowerCase();
    const level = { "": null, warn: /\b(warn(ing)?|error|critical|fatal|traceback|exception)\b|\w+(Error|Exception)\b/i, error: /\b(error|critical|fatal|traceback|exception)\b|\w+(Error|Exception)\b/i }[this.level.value];
    return this.lines.filter((line) => (!level || level.test(line)) && (!wanted || line.toLowerCase().includes(wanted)));
  }

  draw() {
    const lines = this.shown();
    const from = this.text.scrollTop;
    this.text.replaceChildren(...lines.map((line) => element("span", { class: severity(line) }, `${line}\n`)));
    if (!lines.length) this.text.textContent = this.lines.length ? "No line fits." : "Nothing yet.";
    this.text.scrollTop = this.follow ? this.text.scrollHeight : from;
    this.down.hidden = this.follow;
  }
}

/** @param {string} line */
function severity(line) {
  if (/\b(ERROR|CRITICAL|FATAL|Traceback)\b|^\w*(Error|Exception)\b/.test(line)) return "log-error";
  return /\bWARN(ING)?\b/.test(line) ? "log-warning" : "";
}
