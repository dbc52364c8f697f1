// The facts beside an opened picture.

import { age, commandLine, element, figure, icon, plural } from "./words.js";

const HISTORY = 120;

export class Panel {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.tileId = "";
    /** @type {number[]} */
    this.latencies = [];
  }

  /** @param {import("./tile.js").TileData} tile @param {any} state */
  show(tile, state) {
    const { health } = state;
    if (this.tileId !== tile.id) {
      this.tileId = tile.id;
      this.latencies = [];
    }
    const shown = tile.number == null ? null : state.shown[tile.number];
    if (shown?.latency_p95 != null) this.latencies = [...this.latencies, shown.latency_p95].slice(-HISTORY);
    const application = health.applications.find((/** @type {any} */ a) => a.instance === tile.instance);
    const camera = health.cameras.find((/** @type {any} */ c) => c.camera_id === tile.camera_id);
    const output = health.outputs.find((/** @type {any} */ o) => o.output_id === tile.output_id);
    const models = Object.entries(application?.models ?? {})
      .map(([node, id]) => ({ node, model: health.models.find((/** @type {any} */ m) => m.model_id === id) }))
      .filter(({ model }) => model);
    // Kept apart from focus and selection: the panel is only built anew when something in it differs.
    const content = [
      application && this.application(application),
      application?.parameters?.length ? this.parameters(application) : null,
      this.performance(shown, output, application, state.link),
      camera && this.camera(camera),
      ...models.map(({ node, model }) => this.model(node, model)),
    ].filter(Boolean);
    const next = element("div", {}, ...content);
    if (this.root.firstElementChild?.isEqualNode(next)) return;
    if (!this.root.contains(document.activeElement)) this.root.replaceChildren(next);
  }

  /** @param {any} part @param {string} sentence */
  state(part, sentence) {
    return element("p", { class: "state", "data-severity": part.severity }, icon(part.severity), element("span", {}, sentence));
  }

  /** @param {any} part */
  trouble(part) {
    if (part.severity === "ok" || part.severity === "info") return null;
    return element("div", { class: "trouble" },
      element("p", { class: "trouble-title" }, part.title),
      part.detail ? element("p", {}, part.detail) : null,
      part.hint && part.severity !== "busy" ? commandLine(part.hint) : null);
  }

  /** @param {any} a */
  application(a) {
    const restarts = plural(a.restarts, "restart");
    return card(a.instance, "application",
      this.state(a, a.state === "running" ? `running ${age(a.state_age_s)}, ${restarts}` : `${a.words} for ${age(a.state_age_s)}, ${restarts}`),
      this.trouble(a),
      facts([
        ["Application", a.application !== a.instance ? a.application : ""],
        ["Sandbox", a.sandbox],
        ["Python", a.environment],
        ["Last exit code", a.exit_code],
        ["Errors", a.errors || ""],
      ]));
  }

  /** @param {any} a */
  parameters(a) {
    const rows = a.parameters.map((/** @type {any} */ p) => element("li", { class: "parameter" },
      element("span", { class: "parameter-name" }, p.name), element("code", {}, String(p.value)),
      element("span", { class: "parameter-facts" },
        [p.node && p.node !== p.name ? p.node : "", `from ${p.origin}`].filter(Boolean).join(" · "),
        " · ", element("span", { class: p.reads ? "" : "unread" }, p.reads ? `read ${p.reads}×` : "not read by the application yet"))));
    return card("Parameters", "parameters", element("ul", { class: "parameters" }, ...rows));
  }

  /** @param {any} shown @param {any} output @param {any} application @param {any} link */
  performance(shown, output, application, link) {
    const split = shown?.latency_p50 == null ? null : [
      ["Camera to application", shown.ready, "ready"],
      ["Annotate and encode", shown.encode, "encode"],
      ["To the screen", shown.delivery, "delivery"],
    ];
    const total = split ? split.reduce((sum, [, ms]) => sum + (ms ?? 0), 0) : 0;
    return card("Performance", "performance",
      element("div", { class: "numbers" },
        number(shown?.fps == null ? "–" : shown.fps.toFixed(1), "fps on screen"),
        number(output?.fps == null ? "–" : output.fps.toFixed(1), "fps by application"),
        number(shown?.latency_p95 == null ? "–" : String(Math.round(shown.latency_p95)), "ms delay")),
      link?.reduced ? element("p", { class: "note" }, "Reduced: slow connection") : null,
      split ? element("div", { class: "split", role: "img", "aria-label": split.map(([name, ms]) => `${name} ${figure(ms, 0, "ms")}`).join(", ") },
        ...split.map(([, ms, kind]) => sliver(String(kind), total ? (100 * Number(ms ?? 0)) / total : 0))) : null,
      split ? facts([
        ...split.flatMap(([name, ms, kind]) => /** @type {[any, any][]} */ ([
          [element("span", { class: `legend legend-${kind}` }, name), figure(Number(ms), 1, "ms")],
          ["of that, a model call", kind === "ready" && application?.model_ms != null ? figure(application.model_ms, 1, "ms") : ""],
        ])),
      ]) : null,
      this.latencies.length > 2 ? sparkline(this.latencies) : null,
      element("p", { class: "note" }, "Delay: from the camera's packet to the annotated picture on this screen, 95 of 100 below, last 10 s."));
  }

  /** @param {any} c */
  camera(c) {
    const size = c.width ? `${c.width} × ${c.height}` : "";
    const source = c.source_width && c.source_width !== c.width ? ` (camera sends ${c.source_width} × ${c.source_height})` : "";
    return card(c.name, "camera",
      this.state(c, c.state === "live" ? `live ${age(c.state_age_s)}` : `${c.words} for ${age(c.state_age_s)}`),
      this.trouble(c),
      facts([
        ["Address", c.url],
        ["Video", [c.codec, size + source].filter(Boolean).join(", ")],
        ["Frame rate", c.fps == null ? "" : figure(c.fps, 1, "fps")],
        ["Last picture", c.last_frame_age_s == null ? "" : c.last_frame_age_s < 2 ? "now" : `${age(c.last_frame_age_s)} ago`],
        ["Reconnects", c.reconnects],
        ["Decode errors", c.decode_errors],
        ["Used by", c.users?.join(", ")],
      ]));
  }

  /** @param {string} node @param {any} m */
  model(node, m) {
    return card(m.name, "model",
      this.state(m, m.state === "ready" ? `ready on ${m.provider ?? "CPU"}` : `${m.words} for ${age(m.state_age_s)}`),
      this.trouble(m),
      facts([
        ["Node", node],
        ["Time of a call", m.latency_ms == null ? "" : figure(m.latency_ms, 1, "ms")],
        ["Calls", m.calls_per_s == null ? "" : figure(m.calls_per_s, 1, "a second")],
        ["Loaded in", m.load_s == null ? "" : figure(m.load_s, 1, "s")],
        ["Errors", m.errors || ""],
      ]));
  }
}

/** @param {string} title @param {string} kind @param {...any} children */
function card(title, kind, ...children) {
  const label = { application: "Application", camera: "Camera", model: "Model" }[kind];
  return element("section", { class: `card card-${kind}` },
    element("h2", {}, label ? element("span", { class: "kind" }, label) : null, title), ...children.filter(Boolean));
}

/** @param {[any, any][]} rows */
function facts(rows) {
  const kept = rows.filter(([, value]) => value !== "" && value != null);
  return kept.length ? element("dl", { class: "facts-list" }, ...kept.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))])) : null;
}

/** @param {string} value @param {string} unit */
function number(value, unit) {
  return element("div", { class: "number" }, element("strong", {}, value), element("span", {}, unit));
}

/** @param {string} kind @param {number} percent */
function sliver(kind, percent) {
  const part = element("span", { class: `sliver sliver-${kind}` });
  part.style.flexGrow = String(Math.max(1, Math.round(percent)));
  return part;
}

/** @param {number[]} values */
function sparkline(values) {
  const most = Math.max(...values, 1);
  const points = values.map((v, i) => `${((i / (HISTORY - 1)) * 240).toFixed(1)},${(38 - (v / most) * 34).toFixed(1)}`);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 240 40");
  svg.setAttribute("class", "sparkline");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `delay over the last ${values.length} s: at most ${Math.round(most)} ms, now ${Math.round(values[values.length - 1])} ms`);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points.join(" "));
  svg.append(line);
  return svg;
}
