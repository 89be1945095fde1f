// A small player around the browser's own: one button, one slider that seeks, and the time. One plays at a time.
import { clock, icon } from "./words.js";

class CallPlayer extends HTMLElement {
  connectedCallback() {
    if (this.audio) return;
    this.audio = this.querySelector("audio");
    if (!this.audio.querySelector("source")) return;
    this.audio.controls = false;
    const box = document.createElement("div");
    box.className = "player";
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.innerHTML = '<svg class="icon" aria-hidden="true"><use></use></svg>';
    this.slider = document.createElement("input");
    Object.assign(this.slider, { type: "range", min: 0, max: this.#length(), step: 0.1, value: 0 });
    this.slider.setAttribute("aria-label", this.dataset.seek);
    this.time = document.createElement("output");
    box.append(this.button, this.slider, this.time);
    this.audio.after(box);

    this.button.addEventListener("click", () => (this.audio.paused ? this.audio.play().catch(() => {}) : this.audio.pause()));
    this.slider.addEventListener("input", () => this.#seek(Number(this.slider.value)));
    for (const kind of ["play", "pause", "ended", "timeupdate", "durationchange", "seeked"]) {
      this.audio.addEventListener(kind, () => this.#draw());
    }
    this.audio.addEventListener("play", () => {
      for (const other of document.querySelectorAll("call-player audio")) if (other !== this.audio) other.pause();
    });
    // "error" does not bubble; the last source's error means that none could be played.
    this.audio.querySelector("source:last-of-type").addEventListener("error", () => this.#failed());
    this.audio.addEventListener("error", () => this.#failed());
    this.#draw();
  }

  #length() {
    const known = this.audio.duration;
    return Number.isFinite(known) && known > 0 ? known : Number(this.dataset.durationMs) / 1000;
  }

  #seek(seconds) {
    if (this.audio.readyState === 0) {
      // Nothing is fetched before somebody wants to hear it; then go to where the slider stands.
      this.audio.addEventListener("loadedmetadata", () => (this.audio.currentTime = Number(this.slider.value)), { once: true });
      this.audio.preload = "metadata";
      this.audio.load();
      this.#drawTime(seconds);
      return;
    }
    this.audio.currentTime = seconds;
  }

  #draw() {
    const playing = !this.audio.paused && !this.audio.ended;
    this.button.querySelector("use").setAttribute("href", icon(playing ? "pause" : "play"));
    this.button.setAttribute("aria-label", playing ? this.dataset.pause : this.dataset.play);
    this.slider.max = this.#length();
    if (this.audio.readyState > 0 && !this.audio.seeking) this.slider.value = this.audio.currentTime;
    this.#drawTime(Number(this.slider.value));
  }

  #drawTime(seconds) {
    const text = `${clock(seconds)} / ${clock(this.#length())}`;
    this.time.textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
  }

  #failed() {
    if (this.querySelector(".player-fault")) return;
    const fault = document.createElement("p");
    fault.className = "player-fault";
    fault.setAttribute("role", "alert");
    fault.textContent = this.dataset.failed;
    this.append(fault);
  }
}
customElements.define("call-player", CallPlayer);
