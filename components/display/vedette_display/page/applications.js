// The pages of all applications and of one: state, pictures, charts, parameters, cameras, log.

import { card, condition, keep, number } from "./cards.js";
import { Chart } from "./chart.js";
import { Figures } from "./figures.js";
import { Log } from "./log.js";
import { Cards, modelsOf } from "./panel.js";
import { Parameters } from "./parameters.js";
import { address } from "./route.js";
import { Recordings } from "./recordings.js";
import { age, element, icon, plural } from "./words.js";

export class Applications {
  /** @param {import("./actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.title = "Applications";
    this.list = element("ul", { class: "subjects" });
    this.root = element("div", {}, element("h1", {}, "Applications"), this.list);
  }

  /** @param {any} state */
  show(state) {
    const { health } = state;
    keep(this.list, health.applications.map((/** @type {any} */ a) => [a.instance, this.row(a, health)]));
    if (!health.applications.length) keep(this.list, [["none", element("li", { class: "note" }, "No application runs here. Start one: ", element("code", {}, "vedette run my-app"))]]);
  }

  /** @param {any} a @param {any} health */
  row(a, health) {
    const outputs = health.outputs.filter((/** @type {any} */ o) => o.instance === a.instance);
    const cameras = Object.values(a.cameras ?? {}).flat();
    return element("li", { class: "subject-row", "data-severity": a.severity },
      element("a", { class: "subject", href: address("application", a.instance) }, a.instance, icon("next")),
      condition(a, a.state === "running" ? `running ${age(a.state_age_s)}` : a.words),
      element("span", { class: "note" }, [a.fps == null ? "" : `${a.fps.toFixed(1)} fps`, plural(cameras.length, "camera"), plural(outputs.length, "output"), plural(a.restarts, "restart")].filter(Boolean).join(" · ")),
      a.severity === "ok" || a.severity === "info" ? null : element("span", { class: "subject-detail" }, a.detail || a.title),
      element("span", { class: "actions" }, this.actions.restart(a)));
  }
}

export class ApplicationPage {
  /** @param {string} instance @param {import("./actions.js").Actions} actions */
  constructor(instance, actions) {
    this.instance = instance;
    this.title = instance;
    this.actions = actions;
    this.cards = new Cards(actions);
    this.parameters = new Parameters(actions);
    this.tiles = element("section", { class: "grid", "aria-label": "Its pictures" });
    this.charts = element("section", { class: "card charts", "aria-label": "Charts" });
    this.rate = new Chart("Frames a second", "fps", [{ key: "fps", label: "put by the application" }], 1, 5);
    this.model = new Chart("Model call", "ms", [{ key: "model_ms", label: "median of the application's calls" }], 1, 10);
    this.errors = new Chart("Errors", "", [{ key: "errors", label: "in a second" }], 0, 1);
    this.figures = new Figures("application", instance);
    /** @type {Map<string, {figures: Figures, chart: Chart}>} */
    this.outputs = new Map();
    this.log = new Log({ instance }, actions);
    this.recordings = new Recordings(instance);
    this.main = element("div", { class: "page-main" }, this.tiles, this.charts);
    this.side = element("aside", { class: "panel", "aria-label": "Facts" });
    this.sideContent = element("div", {});
    this.side.append(this.sideContent);
    this.root = element("div", { class: "page" },
      element("nav", { class: "crumbs", "aria-label": "Where" }, element("a", { class: "back", href: address("applications") }, icon("back"), "Applications"), element("h1", {}, instance)),
      this.main, this.side);
  }

  /** @param {any} tile */
  holds(tile) {
    return tile.instance === this.instance;
  }

  /** @param {any} state */
  show(state) {
    const { health } = state;
    const application = health.applications.find((/** @type {any} */ a) => a.instance === this.instance);
    if (!application) {
      keep(this.sideContent, [["gone", card(this.instance, "application", element("p", {}, "This application is not here any more."))]]);
      return;
    }
    const cameras = Object.values(application.cameras ?? {}).flat()
      .map((id) => health.cameras.find((/** @type {any} */ c) => c.camera_id === id)).filter(Boolean);
    keep(this.sideContent, [
      ["application", this.cards.application(application)],
      ["parameters", application.parameters?.length && this.parameters.show(application)],
      ...cameras.map((camera) => /** @type {[string, Element]} */ ([`camera ${camera.camera_id}`, this.camera(camera, application)])),
      ...modelsOf(application, health).map(({ node, model }) => /** @type {[string, Element]} */ ([`model ${node}`, this.cards.model(node, model)])),
    ]);
    for (const output of health.outputs.filter((/** @type {any} */ o) => o.instance === this.instance)) {
      if (!this.outputs.has(output.output_id)) {
        this.outputs.set(output.output_id, {
          figures: new Figures("output", output.output_id),
          chart: new Chart(`Delay, ${output.stream}`, "ms", [{ key: "latency_ms", label: "camera to screen, p95 of 10 s" }], 0, 50),
        });
      }
    }
    const models = Object.keys(application.models ?? {}).length > 0;
    keep(this.charts, [
      ["rate", this.rate.root],
      ...[...this.outputs].map(([id, { chart }]) => /** @type {[string, Element]} */ ([id, chart.root])),
      ["model", models && this.model.root],
      ["errors", this.errors.root],
    ]);
    keep(this.main, [["tiles", this.tiles], ["charts", this.charts], ["recordings", this.recordings.kept && this.recordings.root], ["log", this.actions.allowed ? this.log.root : element("p", { class: "card note" }, "To read the log here, open the address that vedette status prints.")]]);
  }

  /** @param {any} camera @param {any} application */
  camera(camera, application) {
    return card(element("a", { class: "subject", href: address("camera", camera.camera_id) }, camera.name, icon("next")), "camera",
      condition(camera, application.paused?.includes(camera.camera_id) ? "paused for this application" : camera.state === "live" ? `live, ${camera.fps?.toFixed(1) ?? "–"} fps` : camera.words),
      this.cards.trouble(camera),
      element("p", { class: "actions" }, this.actions.pauseOrResume(application, camera)));
  }

  /** Brings charts and log up to date; once a second while the page is seen. */
  async tick() {
    const all = [this.figures, ...[...this.outputs.values()].map(({ figures }) => figures)];
    await Promise.all([...all.map((figures) => figures.fetch()), this.actions.allowed ? this.log.fetch() : null, this.recordings.fetch()]);
    this.rate.draw(this.figures.series);
    this.model.draw(this.figures.series);
    this.errors.draw(this.figures.series);
    for (const { figures, chart } of this.outputs.values()) chart.draw(figures.series);
  }
}
