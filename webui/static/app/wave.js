// The player of one call: a waveform from the recorder's own peaks (nothing is decoded for it), a slider for the keyboard,
// speed, one side alone, a stretch that repeats, markers. No byte of sound is fetched before somebody wants to hear it.
import { toast } from "./toast.js";
import { clock, fill, icon } from "./words.js";

const waves = [];

// The page's own colours, as the drawing library wants them: read from the style sheet.
function colour(name) {
  const probe = document.createElement("i");
  probe.className = `colour-${name}`;
  document.body.append(probe);
  const seen = getComputedStyle(probe).color;
  probe.remove();
  return seen;
}

class CallWave extends HTMLElement {
  #loop = { from: null, to: null };
  #gains = null;

  connectedCallback() {
    if (this.audio) return;
    waves.push(this);
    this.audio = this.querySelector("[data-audio]");
    this.seek = this.querySelector("[data-seek]");
    this.length = Number(this.dataset.durationMs) / 1000;
    const click = (part, act) => this.querySelector(`[data-${part}]`)?.addEventListener("click", act);
    click("toggle", () => this.toggle());
    for (const button of this.querySelectorAll("[data-skip]")) {
      button.addEventListener("click", () => this.goto(this.audio.currentTime + Number(button.dataset.skip)));
    }
    this.seek.addEventListener("input", () => this.goto(Number(this.seek.value)));
    this.querySelector("[data-speed]").addEventListener("change", (event) => (this.audio.playbackRate = this.audio.defaultPlaybackRate = Number(event.target.value)));
    this.querySelector("[data-side]")?.addEventListener("change", (event) => this.#hear(event.target.value));
    click("loop-from", () => this.setLoop(this.audio.currentTime, null));
    click("loop-to", () => this.setLoop(this.#loop.from, this.audio.currentTime));
    click("loop-off", () => this.setLoop(null, null));
    click("mark", () => this.mark());
    click("mark-cancel", () => (this.querySelector("[data-mark-form]").hidden = true));
    for (const kind of ["play", "pause", "ended", "timeupdate", "durationchange", "seeked"]) {
      this.audio.addEventListener(kind, () => this.#draw());
    }
    this.audio.addEventListener("play", () => waves.forEach((other) => other !== this && other.audio.pause()));
    this.audio.querySelector("source:last-of-type")?.addEventListener("error", () => this.#failed());
    this.audio.addEventListener("error", () => this.#failed());
    this.#draw();
    this.#drawWave();
  }

  get total() {
    return Number.isFinite(this.audio.duration) && this.audio.duration > 0 ? this.audio.duration : this.length;
  }

  toggle() {
    if (this.audio.paused) this.audio.play().catch(() => {});
    else this.audio.pause();
  }

  goto(seconds, andPlay = false) {
    const at = Math.min(Math.max(0, seconds), this.total);
    if (this.audio.readyState === 0) {
      this.audio.addEventListener("loadedmetadata", () => (this.audio.currentTime = at), { once: true });
      this.audio.preload = "metadata";
      this.audio.load();
      this.#drawTime(at);
    } else this.audio.currentTime = at;
    if (andPlay) this.audio.play().catch(() => {});
  }

  setLoop(from, to) {
    this.#loop = to !== null && to <= from ? { from: to, to: from } : { from, to };
    const part = (name) => this.querySelector(`[data-loop-${name}]`);
    part("to").disabled = from === null;
    part("off").hidden = from === null;
    part("from").setAttribute("aria-pressed", String(from !== null));
    this.loopRegion?.remove();
    this.loopRegion = null;
    if (this.#loop.to !== null) {
      this.loopRegion = this.regions?.addRegion({ id: "loop", start: this.#loop.from, end: this.#loop.to, drag: false, resize: false, color: colour("accent-glass") });
      this.goto(this.#loop.from, !this.audio.paused);
    }
  }

  mark() {
    const form = this.querySelector("[data-mark-form]");
    if (!form) return;
    const { from, to } = this.#loop;
    form.elements.at_ms.value = Math.round((to === null ? this.audio.currentTime : from) * 1000);
    form.elements.until_ms.disabled = to === null;
    if (to !== null) form.elements.until_ms.value = Math.round(to * 1000);
    const label = form.querySelector("label");
    label.textContent = label.textContent.replace(/[\d:]+/, clock(form.elements.at_ms.value / 1000));
    form.hidden = false;
    form.elements.text.focus();
  }

  speed(step) {
    const pick = this.querySelector("[data-speed]");
    pick.selectedIndex = Math.min(Math.max(0, pick.selectedIndex + step), pick.options.length - 1);
    pick.dispatchEvent(new Event("change"));
  }

  async #drawWave() {
    const place = this.querySelector("[data-wave]");
    if (!this.dataset.peaks) return;
    const [{ default: WaveSurfer }, { default: Regions }, answer] = await Promise.all([
      import(this.dataset.wavesurfer), import(this.dataset.regions), fetch(this.dataset.peaks),
    ]);
    if (!answer.ok) return;
    const found = await answer.json();
    const peaks = found.channels.map((text) => Float32Array.from(atob(text), (c) => c.charCodeAt(0) / 255));
    const loudest = Math.max(0.05, ...peaks.map((channel) => channel.reduce((top, each) => Math.max(top, each), 0)));
    this.regions = Regions.create();
    const sides = ["call", "accent"].slice(peaks.length === 1 ? 1 : 0);
    this.surfer = WaveSurfer.create({
      container: place, media: this.audio, peaks: peaks.map((channel) => channel.map((each) => each / loudest)), duration: this.length,
      cspNonce: this.dataset.nonce, height: 120 / peaks.length, barWidth: 2, barGap: 1, barRadius: 2, cursorWidth: 2,
      cursorColor: colour("text"), dragToSeek: true, plugins: [this.regions],
      splitChannels: peaks.map((_, n) => ({ waveColor: colour(`${sides[n]}-quiet`), progressColor: colour(sides[n]), height: 120 / peaks.length })),
    });
    this.surfer.on("interaction", (seconds) => this.goto(seconds));
    this.surfer.once("ready", () => {
      for (const mark of JSON.parse(this.dataset.markers)) {
        this.regions.addRegion({ start: mark.at_ms / 1000, end: mark.until_ms === null ? undefined : mark.until_ms / 1000, content: mark.text.slice(0, 24), drag: false, resize: false, color: colour(mark.until_ms === null ? "warn" : "warn-glass") });
      }
      this.dataset.ready = Math.round(performance.now());
    });
  }

  // One side alone: the browser's own splitter, made when somebody asks for it.
  #hear(side) {
    if (!this.#gains) {
      const context = new AudioContext();
      const splitter = context.createChannelSplitter(2);
      this.#gains = [context.createGain(), context.createGain()];
      context.createMediaElementSource(this.audio).connect(splitter);
      this.#gains.forEach((gain, n) => (splitter.connect(gain, n), gain.connect(context.destination)));
      this.context = context;
    }
    this.context.resume();
    this.#gains.forEach((gain, n) => (gain.gain.value = side === "" || Number(side) === n ? 1 : 0));
  }

  #draw() {
    const playing = !this.audio.paused && !this.audio.ended;
    const button = this.querySelector("[data-toggle]");
    button.querySelector("use").setAttribute("href", icon(playing ? "pause" : "play"));
    button.setAttribute("aria-label", playing ? this.dataset.pause : this.dataset.play);
    const { from, to } = this.#loop;
    if (to !== null && (playing || this.audio.ended) && this.audio.currentTime >= to) this.goto(from, true);
    this.#drawTime(this.audio.currentTime);
  }

  #drawTime(seconds) {
    this.seek.max = this.total;
    this.seek.value = seconds;
    const text = fill(this.dataset.place, { at: clock(seconds), length: clock(this.total) });
    this.seek.setAttribute("aria-valuetext", text);
    this.querySelector("[data-time]").textContent = `${clock(seconds)} / ${clock(this.total)}`;
  }

  #failed() {
    const place = this.querySelector("[data-fault]");
    place.hidden = false;
    place.textContent = this.dataset.failed;
  }
}
customElements.define("call-wave", CallWave);

// Single keys, for whoever listens to many calls; not while typing, and not with a modifier.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !waves.length) return;
  if (event.target.closest("input:not([type=range]), textarea, select, dialog, [contenteditable]")) return;
  if (localStorage.getItem("single-keys") === "off") return;
  const wave = waves.find((each) => !each.audio.paused) ?? waves[0];
  const acts = { k: () => wave.toggle(), j: () => wave.goto(wave.audio.currentTime - 10), l: () => wave.goto(wave.audio.currentTime + 10), m: () => wave.mark(), ",": () => wave.speed(-1), ".": () => wave.speed(1) };
  const act = acts[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-goto]");
  const wave = button && waves.find((each) => each.dataset.recording === button.dataset.in);
  if (!wave) return;
  if (button.dataset.until) wave.setLoop(button.dataset.goto / 1000, button.dataset.until / 1000);
  wave.goto(button.dataset.goto / 1000, true);
});

class CopyLink extends HTMLElement {
  connectedCallback() {
    this.querySelector("button").addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(this.dataset.address);
        toast(this.dataset.copied);
      } catch {
        toast(this.dataset.address, "share"); // without https there is no clipboard: show it to be copied by hand
      }
    });
  }
}
customElements.define("copy-link", CopyLink);
