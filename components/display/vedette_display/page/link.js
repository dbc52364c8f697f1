// The one WebSocket of the page: connects, connects again, reads and writes messages. The layout is in wire.py.

const HEAD_BYTES = 20;
const KEPT = 1;
// The display says something every second; so long a silence means that it is cut off.
const SILENCE_MS = 4000;
// Quick at first: a display that is started again is back within a second or two.
// The display waits 3 s for an application to say what became of a change.
const ANSWER_MS = 15000;
const RETRIES_MS = [300, 500, 800, 1000, 1000, 1500, 2000, 4000, 8000, 15000];

/**
 * @typedef {{tile: number, number: number, kept: boolean, capturedMs: number, width: number, height: number, jpeg: Uint8Array}} Picture
 */
export class Link extends EventTarget {
  constructor() {
    super();
    this.open = false;
    /** When the display was last heard, performance.now(). */
    this.heardAt = performance.now();
    this.nextTryAt = 0;
    this.tries = 0;
    /** @type {WebSocket|null} */
    this.socket = null;
    this.lastLook = "";
    this.commands = 0;
    /** @type {Map<number, (answer: {done: boolean, words: string}) => void>} */
    this.asked = new Map();
    this.connect();
    setInterval(() => this.watch(), 500);
    addEventListener("online", () => this.tryNow());
  }

  connect() {
    this.nextTryAt = 0;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  lost() {
    this.socket = null;
    const wait = RETRIES_MS[Math.min(this.tries, RETRIES_MS.length - 1)] * (0.9 + 0.2 * Math.random());
    this.tries += 1;
    this.nextTryAt = performance.now() + wait;
    this.retry = setTimeout(() => this.connect(), wait);
    if (this.open) {
      this.open = false;
      this.dispatchEvent(new Event("lost"));
    }
  }

  tryNow() {
    if (this.socket) return;
    clearTimeout(this.retry);
    this.connect();
  }

  watch() {
    if (this.open && performance.now() - this.heardAt > SILENCE_MS && !document.hidden) {
      const socket = this.socket;
      this.lost();
      socket?.close();
    }
  }

  /** @param {string|ArrayBuffer} data */
  receive(data) {
    this.heardAt = performance.now();
    if (!this.open) {
      this.open = true;
      this.tries = 0;
      this.lastLook = "";
      this.dispatchEvent(new Event("open"));
    }
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.type === "answer") this.asked.get(message.id)?.(message);
      if (message.type === "state") this.dispatchEvent(new CustomEvent("state", { detail: message }));
      return;
    }
    const view = new DataView(data);
    if (view.getUint8(0) !== 1) return;
    /** @type {Picture} */
    const picture = {
      kept: (view.getUint8(1) & KEPT) !== 0,
      tile: view.getUint16(2, true),
      number: view.getUint32(4, true),
      capturedMs: view.getFloat64(8, true),
      width: view.getUint16(16, true),
      height: view.getUint16(18, true),
      jpeg: new Uint8Array(data, HEAD_BYTES),
    };
    this.dispatchEvent(new CustomEvent("picture", { detail: picture }));
  }

  /** Confirms a picture that was drawn, or that never will be. @param {Picture} picture */
  drawn(picture) {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint8(0, 2);
    view.setUint16(2, picture.tile, true);
    view.setUint32(4, picture.number, true);
    this.send(view.buffer);
  }

  /** Says what is in view; only when it changed. @param {{tile: number, width: number}[]} tiles @param {boolean} overlays */
  look(tiles, overlays) {
    const text = JSON.stringify({ type: "look", overlays, tiles });
    if (this.open && text !== this.lastLook) {
      this.lastLook = text;
      this.send(text);
    }
  }

  /** Asks for a change; always answers, at the latest after a while. @param {Record<string, any>} command @returns {Promise<{done: boolean, words: string}>} */
  command(command) {
    const id = (this.commands += 1);
    return new Promise((done) => {
      const answer = (/** @type {{done: boolean, words: string}} */ given) => {
        clearTimeout(patience);
        this.asked.delete(id);
        done(given);
      };
      const patience = setTimeout(() => answer({ done: false, words: "The display did not answer; look whether the change was made" }), ANSWER_MS);
      if (!this.open) return answer({ done: false, words: "The display is not heard; nothing was changed" });
      this.asked.set(id, answer);
      this.send(JSON.stringify({ type: "command", id, ...command }));
    });
  }

  /** @param {string|ArrayBuffer} data */
  send(data) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(data);
  }
}
