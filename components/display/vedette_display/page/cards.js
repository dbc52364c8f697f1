// The pieces that panels and pages are made of, and how they are brought up to date without losing focus or selection.

import { element, icon } from "./words.js";

/** @param {string} title @param {string} kind @param {...any} children */
export function card(title, kind, ...children) {
  const label = { application: "Application", camera: "Camera", model: "Model" }[kind];
  return element("section", { class: `card card-${kind}` },
    element("h2", {}, label ? element("span", { class: "kind" }, label) : null, title), ...children.filter(Boolean));
}

/** @param {[any, any][]} rows */
export function facts(rows) {
  const kept = rows.filter(([, value]) => value !== "" && value != null);
  return kept.length ? element("dl", { class: "facts-list" }, ...kept.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value instanceof Node ? value : String(value))])) : null;
}

/** @param {string} value @param {string} unit */
export function number(value, unit) {
  return element("div", { class: "number" }, element("strong", {}, value), element("span", {}, unit));
}

/** @param {{severity: string}} part @param {string} sentence */
export function condition(part, sentence) {
  return element("p", { class: "state", "data-severity": part.severity }, icon(part.severity), element("span", {}, sentence));
}

/** @param {string} name @param {string} words @param {(event: MouseEvent) => void} click @param {Record<string, any>} [more] */
export function action(name, words, click, more = {}) {
  return element("button", { type: "button", class: "action", click, ...more }, icon(name), words);
}

/**
 * Brings the children of `root` up to date: what is the same stays, what holds the focus waits.
 * @param {Element} root @param {[string, Element|null|undefined|false][]} content by key, in order
 */
export function keep(root, content) {
  const wanted = /** @type {[string, Element][]} */ (content.filter(([, node]) => node));
  const keys = new Set(wanted.map(([key]) => key));
  for (const child of [...root.children]) if (!keys.has(/** @type {HTMLElement} */ (child).dataset.key ?? "")) child.remove();
  wanted.forEach(([key, node], index) => {
    /** @type {HTMLElement} */ (node).dataset.key = key;
    const at = root.children[index] ?? null;
    const old = [...root.children].find((child) => /** @type {HTMLElement} */ (child).dataset.key === key);
    if (old === node || (old && old.isEqualNode(node))) {
      if (old !== at) root.insertBefore(old, at);
    } else if (!old) {
      root.insertBefore(node, at);
    } else if (!old.contains(document.activeElement)) {
      old.replaceWith(node);
    } else {
      swap(old, node);
    }
  });
}

/** Replaces a part that holds the focus; a field that is typed in waits. @param {Element} old @param {Element} node */
function swap(old, node) {
  const focused = /** @type {HTMLElement} */ (document.activeElement);
  if (!focused.matches("a, button")) return;
  const at = [...old.querySelectorAll("a, button")].indexOf(focused);
  old.replaceWith(node);
  const next = /** @type {HTMLElement|undefined} */ ([...node.querySelectorAll("a, button")][at]);
  next?.focus({ preventScroll: true });
}
