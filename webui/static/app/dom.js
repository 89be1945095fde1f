// Small helpers for scripts that build a piece of page. Text from outside enters through textContent alone.
import { icon } from "./words.js";

export function element(tag, style = "", text = "") {
  const made = document.createElement(tag);
  if (style) made.className = style;
  if (text) made.textContent = text;
  return made;
}

export function drawing(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", icon(name));
  svg.append(use);
  return svg;
}

export function csrf() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

// A POST as the page's own forms send it; the answer is the Response.
export function post(address, fields = {}) {
  return fetch(address, {
    method: "POST",
    headers: { "X-CSRF-Token": csrf(), Accept: "application/json" },
    body: new URLSearchParams(fields),
  });
}
