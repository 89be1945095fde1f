// On every page: the dot in the header, and red banners when calls are not being recorded or nobody knows whether they are.
import { drawing, element } from "./dom.js";
import { stream } from "./stream.js";
import { age, fill, words } from "./words.js";

const GRACE_MS = 2500; // a recording opens a moment after the call: no red banner for that

class LiveHealth extends HTMLElement {
  connectedCallback() {
    const text = this.querySelector("[data-text]");
    const show = (link) => {
      if (this.dataset.link === link) return;
      this.dataset.link = link;
      text.textContent = link === "up" ? words.healthy : words.unhealthy;
    };
    stream.addEventListener("state", (event) => show(event.detail.link));
    stream.addEventListener("link", (event) => show(event.detail.link));
    stream.addEventListener("lost", () => show("down"));
  }
}
customElements.define("live-health", LiveHealth);

class LiveBanners extends HTMLElement {
  #link = "wait";
  #heardAt = null; // on this machine's own clock, in ms
  #unsafe = new Map(); // line id -> {label, since}
  #shown = null;

  connectedCallback() {
    const on = (kind, act) => stream.addEventListener(kind, (event) => (act(event.detail), this.#draw()));
    on("state", (state) => {
      const here = new Set(state.lines.map((line) => line.id));
      for (const id of this.#unsafe.keys()) if (!here.has(id)) this.#unsafe.delete(id);
      for (const line of state.lines) this.#judge(line);
      this.#takeLink(state);
    });
    on("line", ({ line }) => this.#judge(line));
    on("link", (link) => this.#takeLink(link));
    on("lost", () => (this.#link = "lost"));
    stream.addEventListener("heard", () => (this.#heardAt = performance.now()));
    this.ticking = setInterval(() => this.#draw(), 500);
  }

  disconnectedCallback() {
    clearInterval(this.ticking);
  }

  #takeLink(link) {
    this.#link = link.link;
    if (link.age_s !== undefined) this.#heardAt = link.age_s === null ? null : performance.now() - link.age_s * 1000;
  }

  #judge(line) {
    const unsafe = line.present && line.phase === "talking" && !line.recording;
    if (!unsafe) this.#unsafe.delete(line.id);
    else if (!this.#unsafe.has(line.id)) this.#unsafe.set(line.id, { label: line.label, since: performance.now() });
  }

  #draw() {
    const lost = { down: words.recorderDown, stalled: words.recorderStalled, lost: words.streamLost }[this.#link];
    const wanted = lost ? [[this.#link === "lost" ? "alert-warning" : "alert-danger", lost, null]] : [];
    if (!lost) {
      for (const { label, since } of this.#unsafe.values()) {
        if (performance.now() - since > GRACE_MS) {
          wanted.push(["alert-danger", fill(words.notRecordingOn, { line: label }), words.notRecordingTodo]);
        }
      }
    }
    const shown = JSON.stringify(wanted);
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.replaceChildren(...wanted.map(([style, what, todo]) => banner(style, what, todo)));
    }
    const place = this.querySelector("[data-age]");
    if (!place) return;
    const old = this.#heardAt === null ? null : (performance.now() - this.#heardAt) / 1000;
    place.textContent = old === null ? words.noData : fill(words.dataAge, { age: age(old) });
  }
}
customElements.define("live-banners", LiveBanners);

function banner(style, what, todo) {
  const note = element("div", `alert ${style}`);
  const body = element("div");
  const more = element("p", "alert-description", todo ?? "");
  if (todo === null) {
    more.dataset.age = "";
    more.setAttribute("aria-live", "off"); // it counts; only the banner itself is announced
  }
  body.append(element("p", "alert-title", what), more);
  note.append(drawing("warning"), body);
  return note;
}
