// The lines as cards, the banners over them and the list of alarms. Text from outside enters through textContent alone.
import { drawing, element, post } from "./dom.js";
import { LineSound } from "./line-sound.js";
import { drawMeters } from "./meters.js";
import { stream } from "./stream.js";
import { toast } from "./toast.js";
import { clock, fill, icon, language, words } from "./words.js";

const GRACE_MS = 2500; // a recording opens a moment after the call: no red banner for that

class LiveBoard extends HTMLElement {
  #lines = new Map();
  #cards = new Map();
  #alarms = new Map();
  #listening = new Map();
  #link = { link: "wait" };
  #clockAhead = 0; // the box's clock minus this machine's, in ms

  connectedCallback() {
    this.template = this.querySelector("template[data-card]");
    const on = (kind, act) => stream.addEventListener(kind, (event) => act(event.detail));
    on("state", (state) => this.#takeState(state));
    on("line", (message) => {
      this.#clockAhead = message.now_utc_ms - Date.now();
      this.#lines.set(message.line.id, message.line);
      this.#drawLine(message.line);
      this.#drawSummary();
    });
    on("levels", (message) => {
      for (const [id, level] of Object.entries(message.levels)) this.#drawLevels(id, level);
    });
    on("alarm", ({ alarm }) => {
      if (alarm.resolved_utc_ms) this.#alarms.delete(alarm.id);
      else this.#alarms.set(alarm.id, alarm);
      this.#drawAlarms();
    });
    on("today", ({ today }) => this.#drawToday(today));
    on("link", (link) => this.#takeLink(link));
    on("lost", () => this.#takeLink({ link: "lost" }));
    this.ticking = setInterval(() => this.#tick(), 500);
    if (stream.latest) this.#takeState(stream.latest);
  }

  disconnectedCallback() {
    clearInterval(this.ticking);
    for (const sound of this.#listening.values()) sound.stop();
  }

  #takeState(state) {
    this.#clockAhead = state.now_utc_ms - Date.now();
    this.#lines = new Map(state.lines.map((line) => [line.id, line]));
    this.#alarms = new Map(state.alarms.map((alarm) => [alarm.id, alarm]));
    for (const [id, card] of this.#cards) {
      if (!this.#lines.has(id)) {
        card.remove();
        this.#cards.delete(id);
      }
    }
    for (const line of state.lines) this.#drawLine(line);
    this.#drawToday(state.today);
    this.#takeLink(state);
    this.#drawAlarms();
    this.#drawSummary();
  }

  #takeLink(link) {
    this.#link = link;
    this.#drawStale();
  }

  #drawToday(today) {
    for (const [key, value] of Object.entries(today)) {
      const place = this.querySelector(`[data-today="${CSS.escape(key)}"]`);
      if (place) place.textContent = value;
    }
  }

  #drawLine(line) {
    let card = this.#cards.get(line.id);
    if (!card) {
      card = this.template.content.firstElementChild.cloneNode(true);
      card.dataset.line = line.id;
      this.#cards.set(line.id, card);
      this.querySelector("[data-cards]").append(card);
    }
    const part = (name) => card.querySelector(`[data-${name}]`);
    const phase = line.present ? line.phase : "absent";
    const inCall = phase === "talking" || phase === "suspended";
    card.dataset.phase = phase;
    part("kind").setAttribute("href", icon(line.kind === "sim" ? "sim" : "line"));
    part("label").textContent = line.label;
    part("symbol").setAttribute("href", icon(phase === "idle" ? "free" : phase));
    part("badge").querySelector("[data-phase]").textContent = words.phases[phase] ?? phase;

    const call = line.call;
    part("call").hidden = !call;
    if (call) {
      const nobody = words.noNumber[call.presentation] ?? words.noNumber.unknown;
      part("party").textContent = call.name || call.number || nobody;
      part("number").textContent = call.name && call.number ? call.number : "";
      part("direction").setAttribute("href", icon(call.direction));
      part("direction-word").textContent = words.directions[call.direction] ?? "";
    }
    if (!inCall) part("meters").replaceChildren();

    const troubles = [line.fault?.[language] ?? line.fault];
    if (inCall && line.sound === "silent") troubles.push(words.silent);
    if (line.sound === "lost") troubles.push(words.lost);
    const fault = troubles.filter(Boolean).join(" · ");
    part("fault").hidden = !fault;
    part("fault").textContent = fault;

    const unsafe = phase === "talking" && !line.recording;
    if (!unsafe) delete card.dataset.unsafeSince;
    else card.dataset.unsafeSince ??= performance.now();
    part("recording").hidden = !(line.recording || unsafe);
    part("recording").classList.toggle("bad", unsafe);
    part("recording-symbol").setAttribute("href", icon(unsafe ? "warning" : "recording"));
    part("recording-word").textContent = unsafe ? words.notRecording : words.recording;
    this.#drawActs(line, card);
    this.#drawTimer(line, card);
  }

  // What a person may do with a call; hanging up only where the box itself holds the line.
  #drawActs(line, card) {
    const acts = card.querySelector("[data-acts]");
    const listen = acts.querySelector("[data-listen]");
    const hangUp = acts.querySelector("[data-hang-up]");
    if (listen) {
      listen.hidden = !line.recording;
      if (!line.recording) this.#listening.get(line.id)?.stop();
      listen.onclick = () => this.#toggleListening(line.id, listen);
    }
    if (hangUp) {
      hangUp.hidden = !line.call || line.kind !== "sim";
      hangUp.onclick = () => this.#hangUp(line.id, hangUp);
    }
    acts.hidden = ![listen, hangUp].some((button) => button && !button.hidden);
  }

  async #hangUp(id, button) {
    button.disabled = true;
    const answer = await post(`/live/lines/${encodeURIComponent(id)}/hang-up`);
    button.disabled = false;
    if (!answer.ok) toast(await answer.text(), "bad");
  }

  #toggleListening(id, button) {
    if (this.#listening.has(id)) {
      this.#listening.get(id).stop();
      return;
    }
    const ended = (fault) => {
      this.#listening.delete(id);
      button.setAttribute("aria-pressed", "false");
      if (fault) toast(fault, "bad");
    };
    this.#listening.set(id, new LineSound(`/live/lines/${encodeURIComponent(id)}/sound`, ended));
    button.setAttribute("aria-pressed", "true");
  }

  #stale() {
    return ["down", "stalled", "lost"].includes(this.#link.link);
  }

  #drawTimer(line, card) {
    if (this.#stale() && card.querySelector("[data-timer]").textContent) return; // what nobody sees does not go on
    const call = line.call;
    const since = call && (call.answered_utc_ms ?? call.started_utc_ms);
    card.querySelector("[data-timer]").textContent =
      since ? clock((Date.now() + this.#clockAhead - since) / 1000) : "";
  }

  #drawLevels(id, level) {
    const card = this.#cards.get(id);
    const line = this.#lines.get(id);
    if (!card || !line || !(line.phase === "talking" || line.recording)) return;
    drawMeters(card.querySelector("[data-meters]"), level);
  }

  #drawSummary() {
    const lines = [...this.#lines.values()];
    this.querySelector("[data-busy]").textContent = lines.filter((line) => line.call).length;
    this.querySelector("[data-empty]").hidden = lines.length > 0 || this.#link.link !== "up";
  }

  #drawStale() {
    this.classList.toggle("is-stale", this.#stale());
    for (const card of this.#cards.values()) {
      const since = card.dataset.unsafeSince;
      card.classList.toggle("unsafe", !this.#stale() && since !== undefined && performance.now() - since > GRACE_MS);
    }
  }

  #drawAlarms() {
    const order = { critical: 0, warning: 1, info: 2 };
    const alarms = [...this.#alarms.values()].sort(
      (a, b) => (order[a.severity] ?? 3) - (order[b.severity] ?? 3) || b.last_utc_ms - a.last_utc_ms,
    );
    this.querySelector("[data-alarm-section]").hidden = alarms.length === 0;
    this.querySelector("[data-alarms]").replaceChildren(...alarms.map((alarm) => this.#alarmRow(alarm)));
  }

  #alarmRow(alarm) {
    const row = element("li", "alarm");
    row.dataset.severity = alarm.severity;
    const body = element("div");
    const what = element("p");
    const strong = element("strong");
    strong.textContent = alarm.text[language] ?? alarm.text.en;
    what.append(strong);
    const todo = element("p", "todo");
    todo.textContent = alarm.todo?.[language] ?? alarm.todo?.en ?? "";
    const since = element("p", "since");
    const zone = this.dataset.zone || undefined;
    const shown = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short", timeZone: zone });
    since.textContent = fill(words.since, { time: shown.format(alarm.since_utc_ms) });
    if (alarm.count > 1) since.textContent += ` · ${fill(words.times, { n: alarm.count })}`;
    if (alarm.acknowledged_utc_ms) since.textContent += ` · ${words.acknowledged}`;
    body.append(what, todo, since);
    row.append(drawing(alarm.severity === "info" ? "info" : "warning"), body);
    if (!alarm.acknowledged_utc_ms) {
      const button = element("button", "btn");
      button.type = "button";
      button.textContent = words.acknowledge;
      button.addEventListener("click", () => this.#acknowledge(alarm.id, button, since));
      row.append(button);
    }
    return row;
  }

  async #acknowledge(id, button, place) {
    button.disabled = true;
    const answer = await post(`/live/alarms/${id}/acknowledge`);
    if (answer.ok) button.remove();
    else {
      button.disabled = false;
      place.textContent = await answer.text();
    }
  }

  #tick() {
    for (const [id, card] of this.#cards) this.#drawTimer(this.#lines.get(id), card);
    this.#drawStale();
  }
}

customElements.define("live-board", LiveBoard);
