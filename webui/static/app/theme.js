// Before the first paint: Tabler's dark rules follow an attribute, not the system; with "as the system" this sets it.
{
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const set = () => (root.dataset.bsTheme = dark.matches ? "dark" : "light");
  if (root.dataset.theme === "auto") {
    set();
    dark.addEventListener("change", set);
  }
}
