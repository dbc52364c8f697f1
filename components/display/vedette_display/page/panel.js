// The facts beside an opened picture, and the cards that the pages of applications and cameras are made of too.

import { card, condition, facts, keep, number } from "./cards.js";
import { Parameters } from "./parameters.js";
import { address } from "./route.js";
import { age, commandLine, element, figure, icon, plural } from "./words.js";

export class Panel {
  /** @param {HTMLElement} root @param {import("./actions.js").Actions} actions */
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.cards = new Cards(actions);
    this.parameters = new Parameters(actions);
    this.content = element("div", {});
    root.append(this.content);
  }

  /** @param {import("./tile.js").TileData} tile @param {any} state */
  show(tile, state) {
    const { health } = state;
    const shown = tile.number == null ? null : state.shown[tile.number];
    const application = health.applications.find((/** @type {any} */ a) => a.instance === tile.instance);
    const camera = health.cameras.find((/** @type {any} */ c) => c.camera_id === tile.camera_id);
    const output = health.outputs.find((/** @type {any} */ o) => o.output_id === tile.output_id);
    keep(this.content, [
      ["application", application && this.cards.application(application, { link: true })],
      ["parameters", application?.parameters?.length && this.parameters.show(application)],
      ["performance", this.cards.performance(shown, output, application, state.link)],
      ["camera", camera && this.cards.camera(camera, application ? [application] : [], { link: true })],
      ...modelsOf(application, health).map(({ node, model }) => /** @type {[string, Element]} */ ([`model ${node}`, this.cards.model(node, model)])),
      ["main", camera?.main && this.cards.mainStream(camera)],
      ["save", output ? this.cards.save(output, state.streams?.[output.output_id]) : tile.view && this.cards.saveView(tile, state.streams?.[tile.output_id ?? ""])],
    ]);
  }
}

/** @param {any} application @param {any} health @returns {{node: string, model: any}[]} */
export function modelsOf(application, health) {
  return Object.entries(application?.models ?? {})
    .map(([node, id]) => ({ node, model: health.models.find((/** @type {any} */ m) => m.model_id === id) }))
    .filter(({ model }) => model);
}

/** Where a stream can be played. @param {string} words @param {...(string|undefined)} addresses @returns {Element[]} */
function played(words, ...addresses) {
  const served = /** @type {string[]} */ (addresses.filter(Boolean));
  return served.length ? [element("p", { class: "note" }, words), ...served.map((each) => commandLine(each))] : [];
}

export class Cards {
  /** @param {import("./actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
  }

  /** @param {any} part */
  trouble(part) {
    if (part.severity === "ok" || part.severity === "info") return null;
    return element("div", { class: "trouble" },
      element("p", { class: "trouble-title" }, part.title),
      part.detail ? element("p", {}, part.detail) : null,
      part.hint && part.severity !== "busy" ? commandLine(part.hint) : null);
  }

  /** @param {any} a @param {{link?: boolean}} [more] */
  application(a, more = {}) {
    const restarts = plural(a.restarts, "restart");
    return card(more.link ? element("a", { class: "subject", href: address("application", a.instance) }, a.instance, icon("next")) : a.instance, "application",
      condition(a, a.state === "running" ? `running ${age(a.state_age_s)}, ${restarts}` : `${a.words} for ${age(a.state_age_s)}, ${restarts}`),
      this.trouble(a),
      facts([
        ["Application", a.application !== a.instance ? a.application : ""],
        ["Sandbox", a.sandbox],
        ["Python", a.environment],
        ["Last exit code", a.exit_code],
        ["Errors", a.errors || ""],
        ["Health", a.nodes?.length ? a.health : ""],
        ["Nodes", a.nodes?.length ? element("span", {}, ...a.nodes.flatMap((/** @type {any} */ n, /** @type {number} */ i) => [i ? ", " : "", `${n.name} `, element("b", {}, n.health)])) : ""],
        ["Ports", (a.ports ?? []).map((/** @type {any} */ p) => `${p.host_port} → ${p.container_port}${p.detail ? ` (${p.detail})` : ""}`).join(", ")],
      ]),
      element("p", { class: "actions" }, this.actions.restart(a),
        more.link ? element("a", { class: "action", href: `${address("application", a.instance)}` }, icon("log"), "Charts and log") : null));
  }

  /** What can be kept of an output, and where else it can be watched. @param {any} output @param {Record<string, string>|undefined} stream */
  save(output, stream) {
    const path = `outputs/${encodeURIComponent(output.output_id)}`;
    return card("Save and watch elsewhere", "save",
      element("p", { class: "actions" },
        element("a", { class: "action", href: `${path}.zip`, download: "" }, icon("snapshot"), "Snapshot (ZIP)"),
        ...[10, 30].map((seconds) => element("a", { class: "action", href: `${path}.mp4?seconds=${seconds}`, download: "" }, icon("clip"), `Clip, next ${seconds} s`))),
      element("p", { class: "note" }, "Snapshot: the annotated picture, the raw frame and the facts as JSON. Clip: MP4, ready when it has been recorded."),
      ...played("In ffmpeg, GStreamer or a recorder that knows TLS, with overlays and without:", stream?.secure, stream?.secure_plain),
      ...played("In VLC, ffmpeg or a recorder, with overlays and without:", stream?.annotated, stream?.plain));
  }

  /** What can be kept of a camera's own picture. @param {any} view @param {{annotated: string}|undefined} stream */
  saveView(view, stream) {
    const path = `cameras/${encodeURIComponent(view.camera_id)}`;
    return card("Save and watch elsewhere", "save",
      element("p", { class: "actions" },
        element("a", { class: "action", href: `${path}.zip`, download: "" }, icon("snapshot"), "Snapshot (ZIP)"),
        ...[10, 30].map((seconds) => element("a", { class: "action", href: `${path}.mp4?seconds=${seconds}`, download: "" }, icon("clip"), `Clip, next ${seconds} s`))),
      element("p", { class: "note" }, "The camera's own picture, without what applications draw, as large as it can be had."),
      stream ? element("p", { class: "note" }, "In VLC, ffmpeg or a recorder:") : null,
      stream ? commandLine(stream.annotated) : null);
  }

  /** Which stream of a camera is open, and why. @param {any} c */
  mainStream(c) {
    const { main } = c;
    if (c.stream === "main") {
      return card("Streams", "streams", element("div", { class: "trouble" },
        element("p", { class: "trouble-title" }, "Applications get the main stream"), element("p", {}, c.warning)));
    }
    const size = main.width ? `${main.width} × ${main.height}` : "";
    const open = main.state !== "paused";
    return card("Main stream", "streams",
      condition(main, main.state === "live" ? `live ${age(main.state_age_s)}` : main.words),
      this.trouble(main),
      facts([
        ["Address", main.url],
        ["Video", [main.codec, size].filter(Boolean).join(", ")],
        ["Frame rate", main.fps == null ? "" : figure(main.fps, 1, "fps")],
        ["Open for", open ? main.wanted_for?.join(", ") || "nobody any more" : ""],
        ["Opened", main.opened ? plural(main.opened, "time") : ""],
      ]),
      element("p", { class: "note" }, open ? "Applications get the small stream all the while." : "Applications get the small stream. This one is opened while somebody looks."));
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
      element("p", { class: "note" }, "Delay: from the camera's packet to the annotated picture on this screen, 95 of 100 below, last 10 s."));
  }

  /** @param {any} c @param {any[]} applications that use it @param {{link?: boolean}} [more] */
  camera(c, applications, more = {}) {
    const size = c.width ? `${c.width} × ${c.height}` : "";
    const source = c.source_width && c.source_width !== c.width ? ` (camera sends ${c.source_width} × ${c.source_height})` : "";
    return card(more.link ? element("a", { class: "subject", href: address("camera", c.camera_id) }, c.name, icon("next")) : c.name, "camera",
      condition(c, c.state === "live" ? `live ${age(c.state_age_s)}` : `${c.words} for ${age(c.state_age_s)}`),
      this.trouble(c),
      facts([
        ["Address", c.url],
        ["Video", [c.codec, size + source].filter(Boolean).join(", ")],
        ["Frame rate", c.fps == null ? "" : figure(c.fps, 1, "fps")],
        ["Last picture", c.last_frame_age_s == null ? "" : c.last_frame_age_s < 2 ? "now" : `${age(c.last_frame_age_s)} ago`],
        ["Reconnects", c.reconnects],
        ["Dropped frames", c.dropped],
        ["Decode errors", c.decode_errors],
        ["Used by", more.link ? c.users?.join(", ") : ""],
      ]),
      element("ul", { class: "uses" }, ...applications.map((a) => element("li", {},
        more.link ? null : element("a", { class: "subject", href: address("application", a.instance) }, a.instance, icon("next")),
        a.paused?.includes(c.camera_id) ? element("span", { class: "note" }, "paused") : null,
        this.actions.pauseOrResume(a, c)))));
  }

  /** @param {string} node @param {any} m */
  model(node, m) {
    return card(m.name, "model",
      condition(m, m.state === "ready" ? `ready on ${m.provider ?? "CPU"}` : `${m.words} for ${age(m.state_age_s)}`),
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

/** @param {string} kind @param {number} percent */
function sliver(kind, percent) {
  const part = element("span", { class: `sliver sliver-${kind}` });
  part.style.flexGrow = String(Math.max(1, Math.round(percent)));
  return part;
}
