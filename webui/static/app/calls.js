// Keeps the rows that are on the page true while calls go on; new calls come in at the top only when nobody is disturbed.
import { stream } from "./stream.js";

const WAIT_MS = 250; // one call changes several times at once: ask for its row once

class CallList extends HTMLElement {
  #due = new Map();

  connectedCallback() {
    stream.addEventListener("call", (event) => this.#changed(event.detail.call.id));
    stream.addEventListener("recording", (event) => this.#changed(event.detail.recording.call_id));
  }

  #changed(id) {
    clearTimeout(this.#due.get(id));
    this.#due.set(id, setTimeout(() => this.#refresh(id), WAIT_MS));
  }

  async #refresh(id) {
    this.#due.delete(id);
    const row = this.querySelector(`[data-call="${CSS.escape(id)}"]`);
    if (row && [...row.querySelectorAll("audio")].some((audio) => !audio.paused)) return;
    if (!row && this.dataset.firstPage !== "yes") return;
    const answer = await fetch(this.dataset.rowAddress.replace("CALL", encodeURIComponent(id)));
    if (!answer.ok) return;
    const made = document.createElement("template");
    made.innerHTML = await answer.text(); // from our own templates, which escape everything
    const fresh = made.content.querySelector("li");
    if (row) {
      row.replaceWith(fresh);
    } else if (this.#undisturbed()) {
      this.querySelector(".day").after(fresh);
    } else {
      this.querySelector("[data-new]").hidden = false;
    }
  }

  #undisturbed() {
    const day = this.querySelector(".day");
    return day !== null && window.scrollY < 80 && !this.contains(document.activeElement);
  }
}
customElements.define("call-list", CallList);
