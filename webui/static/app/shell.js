// What every page has: the CSRF token on htmx's requests, search on Ctrl+K, menus and dialogs that close, toasts.
import { csrf } from "./dom.js";
import { toast } from "./toast.js";
import { words } from "./words.js";

// The second name is htmx 4's.
for (const name of ["htmx:configRequest", "htmx:config:request"]) {
  document.addEventListener(name, (event) => {
    const headers = event.detail.headers ?? event.detail.ctx?.request?.headers;
    if (headers) headers["X-CSRF-Token"] = csrf();
  });
}
document.addEventListener("htmx:responseError", async (event) => {
  const { xhr } = event.detail;
  if (xhr.status === 401) location.reload();
  else toast(xhr.responseText && xhr.responseText.length < 400 ? xhr.responseText : words.failed, "bad");
});
document.addEventListener("htmx:sendError", () => toast(words.streamLost, "bad"));
// The server says {"HX-Trigger": {"toast": "words"}}.
document.addEventListener("toast", (event) => toast(event.detail.value ?? event.detail));

document.addEventListener("keydown", (event) => {
  const search = document.getElementById("quick-search");
  if (search && (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    search.focus();
    search.select();
  }
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll("details[data-pops][open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  }
});

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details[data-pops][open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
});

// A form with data-once is sent once, however often somebody presses.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.once === undefined) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
