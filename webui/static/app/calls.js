// Keeps the rows that are on the page true while calls go on; new calls wait behind a button, so no row moves under the reader.
import { stream } from "./stream.js";
import { fill } from "./words.js";

const WAIT_MS = 250; // one call changes several times at once: ask for its row once
const BUSY_MS = 3000; // a row in use is renewed when it no longer is

class CallList extends HTMLElement {
  #due = new Map();
  #stop = new AbortController();

  connectedCallback() {
    const on = (kind, act) => stream.addEventListener(kind, (event) => act(event.detail), { signal: this.#stop.signal });
    on("call", ({ call }) => this.#changed(call.id));
    on("recording", ({ recording }) => this.#changed(recording.call_id));
    // A stream that was lost, or a tab nobody looked at, missed what happened: calls that were going on are asked for again.
    on("state", () => {
      for (const row of this.querySelectorAll("[data-call].is-live")) this.#changed(row.dataset.call);
    });
    this.addEventListener("change", (event) => this.#picked(event.target));
    this.addEventListener("submit", (event) => this.#submitted(event));
    // Enter in a sheet means that sheet's own button, not the first one of the form around it.
    this.addEventListener("keydown", (event) => {
      const sheet = event.key === "Enter" && event.target.matches("input") && event.target.closest("dialog");
      if (!sheet) return;
      event.preventDefault();
      sheet.querySelector("[formaction]").click();
    });
    // What is typed is searched for as it is typed. The field's own "change" comes when somebody leaves it, which is when
    // she presses Play in the list: it must not fetch the list once more under her hand.
    this.querySelector("#q").addEventListener("change", (event) => event.stopPropagation());
    this.addEventListener("htmx:afterSwap", () => this.#filterMoved());
    this.#picked(this);
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  #changed(id) {
    this.#later(id, WAIT_MS);
  }

  #later(id, wait = BUSY_MS) {
    clearTimeout(this.#due.get(id));
    this.#due.set(id, setTimeout(() => this.#refresh(id), wait));
  }

  async #refresh(id) {
    this.#due.delete(id);
    const row = this.querySelector(`[data-call="${CSS.escape(id)}"]`);
    if (!row) {
      const button = this.querySelector("[data-new]");
      if (button && this.querySelector("#results").dataset.first === "yes") button.hidden = false;
      return;
    }
    if (inUse(row)) return this.#later(id);
    const answer = await fetch(this.dataset.rowAddress.replace("CALL", encodeURIComponent(id))).catch(() => null);
    if (!answer || answer.status >= 500) return this.#later(id); // the box is away or busy
    if (!answer.ok) return;
    const text = await answer.text(); // from our own templates, which escape everything
    if (inUse(row)) return this.#later(id); // meanwhile somebody began to listen
    const made = document.createElement("template");
    made.innerHTML = text;
    const fresh = made.content.querySelector("li");
    fresh.querySelector("[data-pick]").checked = row.querySelector("[data-pick]").checked;
    row.replaceWith(fresh);
  }

  #picked(target) {
    const bar = this.querySelector("[data-bulk]");
    if (!bar) return;
    const picks = [...this.querySelectorAll("[data-pick]")];
    const all = bar.querySelector("[data-all-here]");
    if (target === all) for (const pick of picks) pick.checked = all.checked;
    const count = picks.filter((pick) => pick.checked).length;
    all.checked = count === picks.length && count > 0;
    all.indeterminate = count > 0 && count < picks.length;
    bar.hidden = count === 0;
    const place = bar.querySelector("[data-count]");
    place.textContent = fill(place.dataset.words, { n: count });
  }

  // One form for all that is done to the chosen calls: a reason that belongs to another sheet must not be sent along.
  #submitted(event) {
    const form = event.target;
    if (form.id !== "bulk") return;
    const sheet = event.submitter?.closest("dialog");
    for (const input of form.querySelectorAll("[data-reason]")) input.disabled = !sheet?.contains(input);
    const reason = sheet?.querySelector("[data-reason]");
    if (reason && !reason.value.trim()) {
      event.preventDefault();
      event.stopPropagation();
      reason.focus();
      reason.setAttribute("aria-invalid", "true");
    }
    if (event.submitter?.dataset.again !== undefined) setTimeout(() => delete form.dataset.sent, 0);
  }

  // The address has the new filters: what else on the page carries them follows.
  #filterMoved() {
    const form = document.querySelector("[data-view-form] [name=filter]");
    if (form) form.value = location.search.slice(1);
    this.#picked(this);
  }
}

// Somebody listens to it, or is on it with the keyboard.
function inUse(row) {
  return row.contains(document.activeElement) || [...row.querySelectorAll("audio")].some((audio) => !audio.paused);
}
customElements.define("call-list", CallList);
