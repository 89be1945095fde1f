// A short word at the corner, for what has just been done. Never the only place where something is said.
import { drawing, element } from "./dom.js";
import { words } from "./words.js";

const STAYS_MS = 6000;

export function toast(text, symbol = "ok") {
  const note = element("div", "toast-note");
  const close = element("button");
  close.type = "button";
  close.setAttribute("aria-label", words.close);
  close.append(drawing("close"));
  close.addEventListener("click", () => note.remove());
  note.append(drawing(symbol), element("p", "", text), close);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), STAYS_MS);
}
