// The card with the facts of the device itself: its ports and clock, its software, and what it sends to AWS.

import { card, facts } from "./cards.js";
import { age, element } from "./words.js";

/** @param {any} state @returns {Element} */
export function deviceCard({ device, health }) {
  const { network, deployment } = health;
  return card(device.name, "device", facts([
    ["Vedette", device.version],
    ["Update", deployment ? `${deployment.title}${deployment.detail ? `: ${deployment.detail}` : ""}` : ""],
    ...(network?.interfaces ?? []).map((/** @type {any} */ port) => /** @type {[any, any]} */ ([`Port ${port.name}`, portWords(port, network)])),
    ["Clock", network?.time ? (network.time.state === "CONNECTED" ? `set${network.time.server ? ` by ${network.time.server}` : ""}` : "not set by any time service") : ""],
    ...(health.uploads ?? []).map((/** @type {any} */ upload) => /** @type {[any, any]} */ ([`Sends ${upload.what}`, uploadWords(upload)])),
  ]));
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

/** @param {any} upload */
function uploadWords(upload) {
  const last = upload.last_success_age_s == null ? "nothing sent yet" : `sent ${age(upload.last_success_age_s)} ago`;
  return `to ${upload.where}: ${last}${upload.detail ? `; waits on this device: ${upload.detail}` : ""}`;
}
