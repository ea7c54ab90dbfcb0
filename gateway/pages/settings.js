// The buttons for language, size, contrast and light, the same on every page. On each is what a press gives; for ears, also what is.

import { choose, chosen, nextChoice } from "./choices.js";
import { html } from "./paper.js";
import { otherLanguage, say, word } from "./words.js";

function cycle(name, changed) {
  const press = () => {
    choose(name, nextChoice(name));
    changed();
  };
  const label = `${say(`look.${name}`)}: ${word(`look_${name}`, chosen(name))}`;
  return html`<button type="button" class="button plain" data-look=${name} title=${label} @click=${press}>
    <span>${word(`look_${name}_mark`, chosen(name))}</span><span class="for-ears">${label}</span>
  </button>`;
}

/** The buttons; `changed` is called after each press, when the page has to be drawn anew. `only` leaves out others. */
export function lookButtons(changed, only = ["language", "size", "contrast", "theme"]) {
  const language = async () => {
    await otherLanguage();
    changed();
  };
  const other = html`<button type="button" class="button plain" data-look="language" lang=${say("look.other_tag")} @click=${language}>
    ${say("look.other_language")}
  </button>`;
  return html`<div class="look" role="group" aria-label=${say("look.title")}>
    ${only.map((name) => (name === "language" ? other : cycle(name, changed)))}
  </div>`;
}
