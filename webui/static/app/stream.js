// One event stream for the whole page, closed while nobody looks: a browser has six connections to a box over HTTP/1.1.
const KINDS = ["state", "line", "levels", "call", "recording", "alarm", "today", "link"];
const POLL_EVERY_MS = 10000;

// One number per tab, whatever page it shows: the box ends the stream of the page before.
function tab() {
  const known = sessionStorage.getItem("tab");
  if (known) return known;
  const made = Math.random().toString(36).slice(2);
  sessionStorage.setItem("tab", made);
  return made;
}

class Stream extends EventTarget {
  #source = null;
  #poll = null;
  latest = null; // the last full state: a part of the page that comes after it starts from there
  constructor() {
    super();
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    window.addEventListener("pagehide", () => this.#close());
    window.addEventListener("pageshow", () => this.#open());
    if (!document.hidden) queueMicrotask(() => this.#open());
  }

  #open() {
    if (this.#source) return;
    clearTimeout(this.#poll);
    this.#source = new EventSource(`/live/events?tab=${tab()}${document.querySelector("live-board, line-levels") ? "&levels=1" : ""}`);
    for (const kind of KINDS) {
      this.#source.addEventListener(kind, (message) => this.#tell(kind, JSON.parse(message.data)));
    }
    this.#source.onerror = () => {
      this.#tell("lost", {});
      // A refusal (too many pages, session ended) closes the source for good: ask slowly instead.
      if (this.#source && this.#source.readyState === EventSource.CLOSED) {
        this.#close();
        this.#poll = setTimeout(() => this.#ask(), 1000);
      }
    };
  }

  #close() {
    clearTimeout(this.#poll);
    if (this.#source) this.#source.close();
    this.#source = null;
  }

  async #ask() {
    try {
      const answer = await fetch("/live/state", { headers: { Accept: "application/json" } });
      if (answer.status === 401) {
        location.reload();
        return;
      }
      if (answer.ok) this.#tell("state", await answer.json());
    } catch {
      this.#tell("lost", {});
    }
    if (!document.hidden) this.#poll = setTimeout(() => this.#open(), POLL_EVERY_MS);
  }

  #tell(kind, detail) {
    if (kind === "state") this.latest = detail;
    if (kind !== "lost" && kind !== "link") this.dispatchEvent(new Event("heard"));
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

export const stream = new Stream();
