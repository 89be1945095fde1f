// <line-levels data-line>: what a line's sound device hears now, whether there is a call or not.
import { drawMeters } from "./meters.js";
import { stream } from "./stream.js";

const SILENT_AFTER_MS = 3000;

class LineLevels extends HTMLElement {
  connectedCallback() {
    stream.addEventListener("levels", ({ detail }) => {
      const level = detail.levels[this.dataset.line];
      if (!level) return;
      if (this.querySelector(":scope > p")) this.replaceChildren();
      drawMeters(this, level);
      clearTimeout(this.silent);
      this.silent = setTimeout(() => this.#nothing(), SILENT_AFTER_MS);
    });
  }

  #nothing() {
    const said = document.createElement("p");
    said.className = "text-secondary";
    said.textContent = this.dataset.none;
    this.replaceChildren(said);
  }
}
customElements.define("line-levels", LineLevels);
