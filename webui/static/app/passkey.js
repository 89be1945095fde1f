// <pass-key>: asks the browser for a passkey (data-make: a new one) and sends its answer to the box.
import { csrf } from "./dom.js";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

customElements.define(
  "pass-key",
  class extends HTMLElement {
    connectedCallback() {
      this.hidden = !window.PublicKeyCredential;
      this.querySelector("button").addEventListener("click", () => this.ask());
    }

    async ask() {
      const told = this.querySelector("[role=status]");
      told.textContent = "";
      try {
        const options = await this.post(this.dataset.options, {});
        options.challenge = bytes(options.challenge);
        if (options.user) options.user.id = bytes(options.user.id);
        for (const each of [...(options.excludeCredentials ?? []), ...(options.allowCredentials ?? [])]) each.id = bytes(each.id);
        const make = this.dataset.make !== undefined;
        const made = await navigator.credentials[make ? "create" : "get"]({ publicKey: options });
        const response = { clientDataJSON: text(made.response.clientDataJSON) };
        for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"])
          if (made.response[name]) response[name] = text(made.response[name]);
        const answer = { id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {} };
        location.assign((await this.post(this.dataset.answer, answer)).next);
      } catch (error) {
        told.textContent = error.told ?? this.dataset.failed;
      }
    }

    async post(address, body) {
      const reply = await fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf() },
        body: JSON.stringify(body),
      });
      const said = await reply.json();
      if (!reply.ok) throw Object.assign(new Error(said.error), { told: said.error });
      return said;
    }
  },
);
