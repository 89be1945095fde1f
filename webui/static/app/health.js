// The dot in the header: whether this page sees the lines as they are now.
import { stream } from "./stream.js";
import { words } from "./words.js";

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
