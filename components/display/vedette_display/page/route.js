// Which page is shown, as the part of the address behind "#": it can be kept as a bookmark and passed on.

/** @typedef {{place: "live"|"tile"|"applications"|"application"|"cameras"|"camera"|"logs"|"device", id: string}} Route */

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const [, place, id] = /^#\/(\w*)\/?(.*)$/.exec(hash) ?? [];
  let name = "";
  try {
    name = decodeURIComponent(id ?? "");
  } catch {
    return { place: "live", id: "" };
  }
  if (place === "applications" || place === "cameras" || place === "device") return { place, id: "" };
  if (place === "logs") return { place, id: name };
  if ((place === "tile" || place === "application" || place === "camera") && name) return { place, id: name };
  return { place: "live", id: "" };
}

/** @param {string} place @param {string} [id] */
export function address(place, id = "") {
  return place === "live" ? "#/" : `#/${place}${id ? `/${encodeURIComponent(id)}` : ""}`;
}
