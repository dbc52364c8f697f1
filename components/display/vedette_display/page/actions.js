// What a person can change: sends the command, says what became of it, and keeps a button from being pressed twice.

import { action } from "./cards.js";
import { element, icon } from "./words.js";

const SHOWN_MS = 6000;
export const KEY_NEEDED = "To change things here, open the address that vedette status prints";

export class Actions {
  /** @param {import("./link.js").Link} link @param {HTMLElement} toasts @param {(words: string) => void} announce */
  constructor(link, toasts, announce) {
    this.link = link;
    this.toasts = toasts;
    this.announce = announce;
    /** Whether this page brought the key. */
    this.allowed = false;
    /** @type {Set<string>} */
    this.busy = new Set();
  }

  /** @param {Record<string, any>} command */
  async carryOut(command) {
    const key = JSON.stringify(command);
    if (this.busy.has(key)) return { done: false, words: "" };
    this.busy.add(key);
    const answer = await this.link.command(command);
    this.busy.delete(key);
    this.say(answer.words, answer.done);
    return answer;
  }

  /** @param {string} words @param {boolean} [good] */
  say(words, good = true) {
    const toast = element("p", { class: "toast", "data-severity": good ? "ok" : "error" }, icon(good ? "ok" : "error"), element("span", {}, words));
    this.toasts.append(toast);
    this.announce(words);
    setTimeout(() => toast.remove(), good ? SHOWN_MS : 2 * SHOWN_MS);
  }

  /** @param {any} application */
  restart(application) {
    return this.button("restart", "Restart", { action: "restart", instance: application.instance },
      `Restart ${application.instance}? It is away for a few seconds.`);
  }

  /** @param {any} application @param {any} camera */
  pauseOrResume(application, camera) {
    const paused = application.paused?.includes(camera.camera_id);
    const command = { action: paused ? "resume" : "pause", instance: application.instance, camera_id: camera.camera_id };
    const words = paused ? "Resume" : "Pause";
    return this.button(paused ? "play" : "pause", words, command, "", `${words} ${camera.name} for ${application.instance}`);
  }

  /** @param {string} name @param {string} words @param {Record<string, any>} command @param {string} [question] @param {string} [label] */
  button(name, words, command, question = "", label = "") {
    const key = JSON.stringify(command);
    // Known by what it does, so that it can be told apart when the page is brought up to date.
    return action(name, this.busy.has(key) ? `${words}…` : words, () => {
      if (!question || confirm(question)) this.carryOut(command);
    }, { disabled: !this.allowed || this.busy.has(key), title: this.allowed ? "" : KEY_NEEDED, "aria-label": label || null, "data-command": key });
  }
}
