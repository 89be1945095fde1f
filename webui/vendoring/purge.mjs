// Leaves in Tabler's CSS what the page uses and the kit names; the rest is nine tenths of it.
import fs from "node:fs";
import { PurgeCSS } from "purgecss";

const [source, target, kit, ...content] = process.argv.slice(2);
const patterns = fs.readFileSync(kit, "utf8").split("\n").filter((line) => line && !line.startsWith("#"));
const [result] = await new PurgeCSS().purge({
  content,
  css: [source],
  safelist: { standard: [...patterns.map((line) => new RegExp(`^(?:${line})$`)), ":root", "html", "body"], variables: [] },
  blocklist: [/^(btn|badge|bg|text|alert|link)-(facebook|twitter|google|youtube|vimeo|dribbble|github|instagram|pinterest|vk|rss|flickr|bitbucket|tabler|linkedin|x)$/],
  fontFace: true,
  keyframes: true,
  defaultExtractor: (text) => text.match(/[\w-]+/g) ?? [],
});
fs.writeFileSync(target, result.css);
