// Small pieces of page.

import { amount, languageTag, loadWords, otherLanguage, say, word } from "/pages/words.js";

export { amount, say, word, languageTag as languageInUse };

/** Loads the texts, wires the language button, and calls `changed` after each change of language. */
export async function startLanguage(changed) {
  const button = document.getElementById("language");
  const show = () => {
    button.textContent = say("look.other_language");
    changed();
  };
  button.addEventListener("click", async () => {
    await otherLanguage();
    show();
  });
  await loadWords();
  show();
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
