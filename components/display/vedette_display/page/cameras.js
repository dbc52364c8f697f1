// The pages of all cameras and of one: state, pictures it is in, charts, who uses it.

import { card, condition, keep } from "./cards.js";
import { Chart } from "./chart.js";
import { Figures } from "./figures.js";
import { Cards } from "./panel.js";
import { address } from "./route.js";
import { age, element, icon } from "./words.js";

export class Cameras {
  constructor() {
    this.title = "Cameras";
    this.list = element("ul", { class: "subjects" });
    this.root = element("div", {}, element("h1", {}, "Cameras"), this.list);
  }

  /** @param {any} state */
  show({ health }) {
    keep(this.list, health.cameras.map((/** @type {any} */ c) => [c.camera_id, this.row(c)]));
    if (!health.cameras.length) keep(this.list, [["none", element("li", { class: "note" }, "No application wants a camera now. Find cameras: ", element("code", {}, "vedette camera discover"))]]);
  }

  /** @param {any} c */
  row(c) {
    const size = c.width ? `${c.width} × ${c.height}` : "";
    return element("li", { class: "subject-row", "data-severity": c.severity },
      element("a", { class: "subject", href: address("camera", c.camera_id) }, c.name, icon("next")),
      condition(c, c.state === "live" ? `live ${age(c.state_age_s)}` : c.words),
      element("span", { class: "note" }, [c.fps == null ? "" : `${c.fps.toFixed(1)} fps`, c.codec, size, c.users?.length ? `used by ${c.users.join(", ")}` : ""].filter(Boolean).join(" · ")),
      c.severity === "ok" || c.severity === "info" ? null : element("span", { class: "subject-detail" }, c.detail || c.title));
  }
}

export class CameraPage {
  /** @param {string} cameraId @param {import("./actions.js").Actions} actions */
  constructor(cameraId, actions) {
    this.cameraId = cameraId;
    this.title = cameraId;
    this.cards = new Cards(actions);
    this.own = element("section", { class: "grid own", "aria-label": "Its own picture" });
    this.tiles = element("section", { class: "grid", "aria-label": "Pictures it is in" });
    this.figures = new Figures("camera", cameraId);
    this.rate = new Chart("Frames a second", "fps", [{ key: "fps", label: "decoded" }], 1, 5);
    this.age = new Chart("Age of the newest frame", "s", [{ key: "age_s", label: "at that moment" }], 1, 1);
    this.lost = new Chart("Lost", "", [{ key: "dropped", label: "dropped frames a second" }, { key: "decode_errors", label: "decode errors" }, { key: "reconnects", label: "reconnects" }], 0, 1);
    this.sideContent = element("div", {});
    this.heading = element("h1", {}, cameraId);
    this.root = element("div", { class: "page" },
      element("nav", { class: "crumbs", "aria-label": "Where" }, element("a", { class: "back", href: address("cameras") }, icon("back"), "Cameras"), this.heading),
      element("div", { class: "page-main" }, this.own, this.tiles,
        element("section", { class: "card charts", "aria-label": "Charts" }, this.rate.root, this.age.root, this.lost.root)),
      element("aside", { class: "panel", "aria-label": "Facts" }, this.sideContent));
  }

  /** @param {any} tile */
  holds(tile) {
    return tile.camera_id === this.cameraId;
  }

  /** @param {any} state */
  show(state) {
    const { health } = state;
    const camera = health.cameras.find((/** @type {any} */ c) => c.camera_id === this.cameraId);
    if (!camera) {
      keep(this.sideContent, [["gone", card(this.cameraId, "camera", element("p", {}, "No application wants this camera any more."))]]);
      return;
    }
    this.title = camera.name;
    this.heading.textContent = camera.name;
    const users = health.applications.filter((/** @type {any} */ a) => Object.values(a.cameras ?? {}).flat().includes(this.cameraId));
    const view = (state.views ?? []).find((/** @type {any} */ v) => v.camera_id === this.cameraId);
    keep(this.sideContent, [
      ["camera", this.cards.camera(camera, users)],
      ["main", camera.main && this.cards.mainStream(camera)],
      ["save", view && this.cards.saveView(view, state.streams?.[view.output_id])],
    ]);
  }

  /** Brings the charts up to date; once a second while the page is seen. */
  async tick() {
    await this.figures.fetch();
    for (const chart of [this.rate, this.age, this.lost]) chart.draw(this.figures.series);
  }
}
