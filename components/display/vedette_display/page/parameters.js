// The parameters of an application: told, explained, changed in place. A field that is being changed is left alone.

import { KEY_NEEDED } from "./actions.js";
import { element, say } from "./words.js";

// An application that has not read a changed value for so long reads it at its start only.
const UNREAD_MS = 4000;

export class Parameters {
  /** @param {import("./actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.root = element("section", { class: "card card-parameters" }, element("h2", {}, "Parameters"));
    this.note = element("p", { class: "note" });
    this.list = element("ul", { class: "parameters" });
    this.root.append(this.note, this.list);
    this.instance = "";
    /** @type {Map<string, Row>} */
    this.rows = new Map();
  }

  /** @param {any} application */
  show(application) {
    if (this.instance !== application.instance) {
      this.instance = application.instance;
      this.rows.clear();
      this.list.replaceChildren();
    }
    const names = new Set();
    for (const parameter of application.parameters ?? []) {
      names.add(parameter.name);
      let row = this.rows.get(parameter.name);
      if (!row) {
        row = new Row(this.actions, application.instance, parameter);
        this.rows.set(parameter.name, row);
        this.list.append(row.root);
      }
      row.update(parameter, application);
    }
    for (const [name, row] of this.rows) {
      if (!names.has(name)) {
        row.root.remove();
        this.rows.delete(name);
      }
    }
    say(this.note, this.actions.allowed ? "" : `${KEY_NEEDED}.`);
    return application.parameters?.length ? this.root : null;
  }
}

let rows = 0;

class Row {
  /** @param {import("./actions.js").Actions} actions @param {string} instance @param {any} parameter */
  constructor(actions, instance, parameter) {
    this.actions = actions;
    this.instance = instance;
    this.parameter = parameter;
    this.saving = false;
    /** When the present value was set from here, and how often it had been read then. */
    this.setAt = 0;
    this.readsThen = 0;
    const id = `parameter-${(rows += 1)}`;
    this.boolean = parameter.type === "boolean" || typeof parameter.value === "boolean";
    const numeric = parameter.type === "int32" || parameter.type === "float32";
    this.input = /** @type {HTMLInputElement} */ (element("input", this.boolean
      ? { type: "checkbox", id, role: "switch", "aria-describedby": `${id}-facts` }
      : { type: "text", id, inputmode: numeric ? (parameter.type === "int32" ? "numeric" : "decimal") : "text", autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-facts` }));
    this.save = /** @type {HTMLButtonElement} */ (element("button", { type: "submit", class: "primary small" }, "Save"));
    this.undo = element("button", { type: "button", class: "plain", click: () => this.reset() }, "Undo");
    this.drop = element("button", { type: "button", class: "plain", click: () => this.send(null) }, "Back to the deployment's");
    this.facts = element("span", { class: "parameter-facts", id: `${id}-facts` });
    this.unread = element("span", { class: "parameter-facts unread" });
    this.restart = element("button", { type: "button", class: "plain", click: () => this.actions.carryOut({ action: "restart", instance: this.instance }) }, "Restart it now");
    this.problem = element("span", { class: "parameter-problem", role: "alert" });
    this.help = element("span", { class: "parameter-facts" });
    this.buttons = element("span", { class: "parameter-buttons" }, this.save, this.undo);
    this.name = element("label", { class: "parameter-name", for: id });
    const form = element("form", { class: "parameter-form", submit: (/** @type {Event} */ event) => {
      event.preventDefault();
      this.send(this.typed());
    } }, this.name, this.input, this.buttons, this.help, this.facts, this.unread, this.problem);
    this.root = element("li", { class: "parameter" }, form);
    this.input.addEventListener("input", () => this.tell());
    this.reset();
  }

  text() {
    const { value } = this.parameter;
    return typeof value === "number" && this.parameter.type === "float32" && Number.isInteger(value) ? value.toFixed(1) : String(value);
  }

  typed() {
    return this.boolean ? this.input.checked : this.input.value;
  }

  dirty() {
    return this.boolean ? this.input.checked !== this.parameter.value : this.input.value !== this.text();
  }

  reset() {
    if (this.boolean) this.input.checked = this.parameter.value === true;
    else this.input.value = this.text();
    say(this.problem, "");
    this.tell();
  }

  /** @param {any} parameter @param {any} application */
  update(parameter, application) {
    const untouched = !this.dirty() && !this.saving;
    if (parameter.reads < this.readsThen) this.readsThen = 0;
    this.parameter = parameter;
    if (untouched) this.reset();
    this.late = this.setAt > 0 && performance.now() - this.setAt > UNREAD_MS && parameter.reads <= this.readsThen && application.state === "running";
    this.tell();
  }

  tell() {
    const p = this.parameter;
    const editable = Boolean(p.node) && this.actions.allowed;
    say(this.name, p.title || p.name);
    say(this.help, [p.title && p.title !== p.name ? p.name : "", p.help].filter(Boolean).join(" · "));
    say(this.facts, `${p.node ? `from ${p.origin}` : "not connected in the graph"} · ${p.reads ? `read ${p.reads}×` : "not read by the application yet"}`);
    this.facts.classList.toggle("unread", !p.reads);
    this.input.disabled = !editable || this.saving;
    this.buttons.hidden = !editable || !this.dirty();
    this.save.disabled = this.saving;
    if (this.late) {
      if (!this.unread.contains(this.restart)) this.unread.replaceChildren("The application has not read it since; it may read it at its start only. ", this.restart);
    } else if (editable && p.origin === "shadow" && !this.dirty()) {
      if (!this.unread.contains(this.drop)) this.unread.replaceChildren(this.drop);
    } else this.unread.replaceChildren();
  }

  /** @param {any} value */
  async send(value) {
    say(this.problem, "");
    this.saving = true;
    this.tell();
    const reads = this.parameter.reads;
    const answer = await this.actions.carryOut({ action: "set", instance: this.instance, node: this.parameter.node, value });
    this.saving = false;
    if (answer.done) {
      this.setAt = performance.now();
      this.readsThen = reads;
      // Shown at once as typed; the next status brings what the application has.
      if (value != null) this.parameter = { ...this.parameter, value: this.boolean ? value : this.parameter.type === "string" || !Number.isFinite(Number(value)) ? value : Number(value) };
      this.reset();
    } else {
      say(this.problem, answer.words);
    }
    this.tell();
    this.input.focus();
  }
}
