// The level of each side of a line, as bars.
import { words } from "./words.js";

const FLOOR_DBFS = -60;
const HOT_DBFS = -3;

export function drawMeters(box, level) {
  const roles = level.rms_dbfs.length > 1 ? ["remote", "local"] : ["mixed"];
  while (box.children.length < level.rms_dbfs.length) {
    const row = document.createElement("div");
    row.className = "meter-row";
    const name = document.createElement("span");
    name.textContent = words.channels[roles[box.children.length]] ?? "";
    const bar = document.createElement("div");
    bar.className = "level";
    bar.setAttribute("aria-hidden", "true"); // five times a second is no news for a screen reader
    bar.append(document.createElement("i"));
    row.append(name, bar);
    box.append(row);
  }
  level.rms_dbfs.forEach((dbfs, channel) => {
    const bar = box.children[channel].querySelector(".level");
    const share = dbfs === null ? 0 : Math.min(1, Math.max(0, 1 - dbfs / FLOOR_DBFS));
    bar.firstElementChild.style.transform = `scaleX(${share.toFixed(3)})`;
    bar.classList.toggle("hot", (level.peak_dbfs?.[channel] ?? FLOOR_DBFS) > HOT_DBFS);
  });
}
