// The page of the device: what it is, what it is being updated to, its screen, its recordings, its components, what it
// sends to AWS.

import { card, condition, facts, keep } from "./cards.js";
import { Cards } from "./panel.js";
import { Recordings } from "./recordings.js";
import { address } from "./route.js";
import { age, commandLine, element, gigabytes, icon, plural } from "./words.js";

export class Device {
  /** @param {import("./actions.js").Actions} actions */
  constructor(actions) {
    this.title = "Device";
    this.cards = new Cards(actions);
    this.recordings = new Recordings();
    this.list = element("div", { class: "device-facts" });
    this.root = element("div", {}, element("h1", {}, "Device"), this.list);
  }

  /** @param {any} state */
  show({ device, health, viewers }) {
    keep(this.list, [
      ["device", card(device.name, "device",
        condition(health.summary, health.summary.words),
        facts([
          ["Vedette", device.version],
          ["CPU", device.cpu_percent == null ? "" : `${Math.round(device.cpu_percent)} %`],
          ["Memory", device.memory_total ? `${gigabytes(device.memory_used)} of ${gigabytes(device.memory_total)} GB` : ""],
          ["Disk", device.disk_total ? `${gigabytes(device.disk_free)} of ${gigabytes(device.disk_total)} GB free` : ""],
          ["Applications", health.applications.length],
          ["Cameras", health.cameras.length],
          ["Models", health.models.length],
          ...(health.network?.interfaces ?? []).map((/** @type {any} */ port) => /** @type {[any, any]} */ ([`Port ${port.name}`, portWords(port, health.network)])),
          ["Clock", clockWords(health.network?.time)],
          ["Video encoder", health.display?.encoder],
          ["This page", plural(viewers, "viewer")],
        ]))],
      ["update", this.update(health.deployment)],
      ["screen", screen(health.display?.screen)],
      ...(health.uploads ?? []).map((/** @type {any} */ upload) => /** @type {[string, Element]} */ ([`upload ${upload.what}`, this.upload(upload)])),
      ["recordings", this.recordings.kept && this.recordings.root],
      ["components", components(health.components ?? [])],
    ]);
  }

  /** Looks for new recordings; once a second while the page is seen. */
  async tick() {
    await this.recordings.fetch();
  }

  /** @param {any} deployment */
  update(deployment) {
    if (!deployment) return card("Update", "update", element("p", { class: "note" }, "No deployment since this device's components started."));
    return card("Update", "update", condition(deployment, deployment.title), deployment.severity === "busy" ? null : this.cards.trouble(deployment),
      facts([["Deployment", deployment.name || deployment.deployment_id], [deployment.severity === "busy" ? "For" : "Ago", age(deployment.state_age_s)]]));
  }

  /** @param {any} upload */
  upload(upload) {
    const last = upload.last_success_age_s;
    return card(`${upload.what} to AWS`, "upload", condition(upload, upload.words), this.cards.trouble(upload),
      facts([["To", upload.where], ["Last sent", last == null ? "not yet" : `${age(last)} ago`], ["Waiting", upload.waiting || ""], ["Fragments in AWS", upload.acknowledged ?? ""], ["Lost", upload.lost || ""]]));
  }
}

/** @param {any} port @param {any} network */
function portWords(port, network) {
  return [
    port.state === "CONNECTED" ? "connected" : "not connected",
    port.mbps ? `${port.mbps} Mbit/s` : "",
    port.name === network.uplink ? "the way out" : "",
    (port.addresses ?? []).join(" "),
  ].filter(Boolean).join(", ");
}

/** @param {any} time */
function clockWords(time) {
  if (!time) return "";
  return time.state === "CONNECTED" ? `set${time.server ? ` by ${time.server}` : ""}` : "not set by any time service";
}

/** @param {any} shown */
function screen(shown) {
  if (!shown) return card("Screen", "screen", element("p", { class: "note" }, "The device's own screen is not used. Set ", element("code", {}, "screen"), " of vedette.Display to ", element("code", {}, "on"), ", or on a developer's machine:"), commandLine("vedette run my-app --screen on"));
  const state = { severity: shown.state === "showing" ? "ok" : "info" };
  return card("Screen", "screen", condition(state, shown.state === "showing" ? "shows pictures" : "nothing to draw on"),
    facts([
      ["Belongs to", shown.owner ? element("a", { class: "subject", href: address("application", shown.owner) }, shown.owner, icon("next")) : "nobody"],
      ["Size", shown.width ? `${shown.width} × ${shown.height}` : ""],
      ["Detail", shown.detail],
    ]));
}

/** @param {{name: string, state: string, version?: string, detail?: string}[]} list */
function components(list) {
  if (!list.length) return null;
  const rows = list.map((each) => element("tr", {}, element("th", { scope: "row" }, each.name.replace(/^vedette\./, "")),
    element("td", {}, each.version ?? ""), element("td", {}, each.detail ? `${each.state}: ${each.detail}` : each.state)));
  return card("Components", "components", element("table", { class: "components" },
    element("thead", {}, element("tr", {}, ...["Name", "Version", "State"].map((name) => element("th", { scope: "col" }, name)))), element("tbody", {}, ...rows)));
}
