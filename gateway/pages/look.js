// Before anything is drawn: the language, the light, the contrast and the size that were chosen at this screen.
// A classic script in the head, so that no page is drawn first in another look.
{
  const chosen = (name, known) => {
    try {
      const value = localStorage.getItem(name);
      return known.includes(value) ? value : known[0];
    } catch {
      return known[0];
    }
  };
  const root = document.documentElement;
  root.lang = chosen("language", ["zh", "en"]) === "en" ? "en" : "zh-CN";
  root.dataset.theme = chosen("theme", ["auto", "light", "dark"]);
  root.dataset.contrast = chosen("contrast", ["normal", "high"]);
  root.dataset.size = chosen("size", ["normal", "large", "extra"]);
}
