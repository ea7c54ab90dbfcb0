// What pages are made with: templates of lit-html. Values come into a page as text or as properties, never as markup.

export { html, nothing, render, svg } from "./vendor/lit-html/lit-html.js";
export { guard } from "./vendor/lit-html/directives/guard.js";
export { repeat } from "./vendor/lit-html/directives/repeat.js";
