// Texts in two languages and small pieces of page.

const LANGUAGES = { zh: "zh-CN", en: "en" };
let language = localStorage.getItem("language") === "en" ? "en" : "zh";
let texts = {};

/** The language in use as `Accept-Language` wants it. */
export function languageInUse() {
  return LANGUAGES[language];
}

/** The text for a dotted key; `{name}` in it stands for a value. */
export function say(key, values = {}) {
  const text = key.split(".").reduce((part, name) => part?.[name], texts) ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The text for a word of the centre, such as a state; the word itself where there is none. */
export function word(group, name) {
  return texts[group]?.[name] ?? String(name);
}

/** Loads the texts, wires the language button, and calls `changed` after each change of language. */
export async function startLanguage(changed) {
  const button = document.getElementById("language");
  const show = async () => {
    const response = await fetch(`/board/text/${language}.json`);
    texts = await response.json();
    document.documentElement.lang = LANGUAGES[language];
    for (const named of document.querySelectorAll("[data-text]")) {
      named.textContent = say(named.dataset.text);
    }
    button.textContent = say("board.other_language");
    changed();
  };
  button.addEventListener("click", () => {
    language = language === "zh" ? "en" : "zh";
    localStorage.setItem("language", language);
    show();
  });
  await show();
}

/** An element; `class`, `for` and names with a dash are attributes, the rest properties; children are nodes or text. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class" || name === "for" || name.includes("-")) {
      made.setAttribute(name, value);
    } else {
      made[name] = value;
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A button. */
export function pressed(text, kind, action) {
  return element("button", { type: "button", class: kind, onclick: action }, text);
}

/** Shows `nodes` in `target`, unless it shows the same already: a press that has begun keeps its button. */
export function showIn(target, nodes) {
  const fresh = target.cloneNode(false);
  fresh.append(...nodes.filter(Boolean));
  if (!fresh.isEqualNode(target)) {
    target.replaceChildren(...fresh.childNodes);
  }
}

/** Fen as a number with two decimals. */
export function amount(fen) {
  return `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
}
