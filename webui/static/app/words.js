// The page's sentences, translated by the server, and the few ways in which scripts fill them in.
export const words = JSON.parse(document.getElementById("words").textContent);

export const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";

export function icon(name) {
  return `${words.icons}#${name}`;
}

export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (_whole, key) => values[key]);
}

// "03:12", and "1:03:12" from an hour on.
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const minutes = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${minutes}` : minutes;
}

export function age(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return fill(words.seconds, { n: s });
  if (s < 7200) return fill(words.minutes, { n: Math.round(s / 60) });
  return fill(words.hours, { n: Math.round(s / 3600) });
}
