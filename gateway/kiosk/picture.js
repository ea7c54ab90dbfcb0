// Pictures beside words; never instead of them, so they are silent for a screen reader.

import { html } from "/pages/paper.js";

const FILE = "/page/pictures.svg";

/** Puts the pictures into the page, so that each is there as soon as it is used. */
export async function loadPictures() {
  const answer = await fetch(FILE);
  const drawn = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
  drawn.setAttribute("aria-hidden", "true");
  drawn.style.display = "none";
  document.body.append(document.importNode(drawn, true));
}

const SERVICES = ["meal", "bath", "clean", "rehab", "walk", "laundry", "haircut", "doctor", "repair", "shop"];

/** A picture of this name; `kind` is `big`, `small` or nothing. */
export function picture(name, kind = "") {
  return html`<svg class="picture ${kind}" aria-hidden="true"><use href="#pic-${name}"></use></svg>`;
}

/** The picture of a service; a plain one where it has none that is known. */
export function pictureOf(service) {
  return picture(SERVICES.includes(service.picture) ? service.picture : "other");
}
