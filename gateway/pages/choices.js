// What was chosen at this screen and stays: kept by the browser, in memory where it keeps nothing.

const KNOWN = {
  language: ["zh", "en"],
  theme: ["auto", "light", "dark"],
  contrast: ["normal", "high"],
  size: ["normal", "large", "extra"],
};
const unkept = new Map();

/** The choice of this name; the first that is known where none was made. */
export function chosen(name) {
  let value = unkept.get(name);
  try {
    value ??= localStorage.getItem(name);
  } catch {
    // A browser that keeps nothing.
  }
  return KNOWN[name].includes(value) ? value : KNOWN[name][0];
}

/** Makes a choice; what is no language shows at once. */
export function choose(name, value) {
  unkept.set(name, value);
  try {
    localStorage.setItem(name, value);
  } catch {
    // It holds until the page is left.
  }
  if (name !== "language") {
    document.documentElement.dataset[name] = value;
  }
}

/** The choice after this one, round and round. */
export function nextChoice(name) {
  const known = KNOWN[name];
  return known[(known.indexOf(chosen(name)) + 1) % known.length];
}
