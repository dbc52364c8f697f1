// Numbers, ages and small DOM pieces as people read them.

/** @param {number|null|undefined} seconds */
export function age(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} days`;
}

/** @param {number|null|undefined} value @param {number} digits @param {string} unit */
export function figure(value, digits, unit) {
  return value == null ? "–" : `${value.toFixed(digits)} ${unit}`;
}

/** @param {number|null|undefined} bytes */
export function gigabytes(bytes) {
  return bytes == null ? "–" : (bytes / 2 ** 30).toFixed(1);
}

/** @param {number} count @param {string} one @param {string} [many] */
export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/**
 * Makes an element. `attributes` that are functions become listeners; null children are left out.
 * @param {string} tag @param {Record<string, any>} attributes @param {...(Node|string|null|undefined)} children
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value != null && value !== false) node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child != null) node.append(child);
  return node;
}

/** @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Sets text only when it differs, so that nothing is laid out again for nothing. @param {Node} node @param {string} text */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Copies text; on plain http browsers have no clipboard for pages, but an older way works. @param {string} text */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = /** @type {HTMLTextAreaElement} */ (element("textarea", { readonly: true, class: "hide" }));
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** A command or an address with a button to copy it. @param {string} command */
export function commandLine(command) {
  const button = element("button", { type: "button", class: "copy", title: "Copy", "aria-label": `Copy ${command}` }, icon("copy"));
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    await copy(command);
    button.replaceChildren(icon("ok"));
    setTimeout(() => button.replaceChildren(icon("copy")), 1500);
    button.focus();
  });
  return element("span", { class: "command" }, element("code", {}, command), button);
}
