// The last ten minutes of one camera, application, model or output, kept up to date while its page is open.

const MOST = 600;

export class Figures {
  /** @param {string} kind @param {string} name */
  constructor(kind, name) {
    this.kind = kind;
    this.name = name;
    this.next = 0;
    /** @type {Record<string, (number|null)[]>} */
    this.series = {};
    this.asking = false;
  }

  /** Fetches what is new. */
  async fetch() {
    if (this.asking) return;
    this.asking = true;
    try {
      const query = new URLSearchParams({ kind: this.kind, name: this.name, since: String(this.next) });
      const answer = await fetch(`api/history?${query}`);
      if (answer.ok) this.take(await answer.json());
    } catch {
      // The display is away: its own banner says so.
    } finally {
      this.asking = false;
    }
  }

  /** @param {{first: number, next: number, series: Record<string, (number|null)[]>}} news */
  take(news) {
    // A display that was started again counts from nothing.
    if (news.next < this.next || news.first > this.next) this.series = {};
    const length = Math.max(0, ...Object.values(this.series).map((values) => values.length));
    for (const [key, values] of Object.entries(news.series)) {
      const before = this.series[key] ?? Array(length).fill(null);
      this.series[key] = [...before, ...values].slice(-MOST);
    }
    this.next = news.next;
  }
}
