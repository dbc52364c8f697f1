// All logs in one place: those of applications, and of the components that everything runs on.

import { keep } from "./cards.js";
import { Log } from "./log.js";
import { address } from "./route.js";
import { element } from "./words.js";

/** Components that log, as last heard: kept when another log is opened. @type {string[]} */
let components = [];

export class Logs {
  /** @param {string} id of whose log is open: `app.<instance>` or a component's name @param {import("./actions.js").Actions} actions */
  constructor(id, actions) {
    this.title = "Logs";
    this.actions = actions;
    this.id = id;
    /** @type {any} */
    this.state = null;
    this.asked = false;
    this.applications = element("optgroup", { label: "Applications" });
    this.platform = element("optgroup", { label: "Components" });
    this.whose = /** @type {HTMLSelectElement} */ (element("select", { id: "whose", change: () => { location.hash = address("logs", this.whose.value); } }, this.applications, this.platform));
    this.content = element("div", {});
    this.root = element("div", { class: "page-logs" }, element("h1", {}, "Logs"),
      element("p", { class: "whose" }, element("label", { for: "whose" }, "Of"), this.whose), this.content);
    /** @type {Log|null} */
    this.log = null;
  }

  /** @param {any} state */
  show(state) {
    this.state = state;
    const { health } = state;
    const instances = health.applications.map((/** @type {any} */ a) => a.instance);
    fill(this.applications, instances.map((/** @type {string} */ name) => [`app.${name}`, name]));
    fill(this.platform, components.map((name) => [name, name]));
    this.whose.disabled = !this.whose.options.length;
    if (!this.log) {
      const first = this.id || this.whose.options[0]?.value;
      if (first) this.log = new Log(first.startsWith("app.") ? { instance: first.slice(4) } : { component: first }, this.actions);
      if (first) this.id = first;
    }
    if (this.whose.value !== this.id && [...this.whose.options].some((option) => option.value === this.id)) this.whose.value = this.id;
    keep(this.content, [["log", !this.actions.allowed
      ? element("p", { class: "card note" }, "To read logs here, open the address that vedette status prints.")
      : this.log ? this.log.root : element("p", { class: "card note" }, "Nothing logs here yet. In the terminal: ", element("code", {}, "vedette logs"))]]);
  }

  /** Brings the log up to date; once a second while the page is seen. */
  async tick() {
    if (!this.actions.allowed) return;
    if (!this.asked) {
      this.asked = true;
      try {
        const answer = await fetch("api/logs");
        if (answer.ok) ({ components } = await answer.json());
        if (this.state) this.show(this.state);
      } catch {
        this.asked = false;
      }
    }
    await this.log?.fetch();
  }
}

/** @param {Element} group @param {[string, string][]} options value and words */
function fill(group, options) {
  const before = [...group.children].map((option) => /** @type {HTMLOptionElement} */ (option).value);
  if (before.join("\n") !== options.map(([value]) => value).join("\n")) {
    group.replaceChildren(...options.map(([value, words]) => element("option", { value }, words)));
  }
}
