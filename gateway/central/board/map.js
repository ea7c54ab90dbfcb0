// A plain map: homes and gateways by their coordinates, north above; nothing but their places is drawn.
//
// Longitude is shortened by the cosine of the latitude, which is enough for a district.

import { html, nothing, svg } from "/pages/paper.js";
import { say, span, time, word } from "/pages/words.js";
import { ask, look, messageOf } from "./desk.js";
import { loading, name, refusal, urgencyChip } from "./page.js";

const SIZE = 1000;
const EDGE = 40;
const ZOOMS = [1, 2, 4, 8, 16];
const M_PER_DEGREE = 111_320;
const state = { map: null, note: null, zoom: 0, centre: { x: SIZE / 2, y: SIZE / 2 }, chosen: null };

export async function openMap(draw) {
  try {
    Object.assign(state, { map: await ask("GET", "/api/v1/map"), note: null });
  } catch (failure) {
    state.note = messageOf(failure);
  }
  draw();
}

/** Where a point of the map is drawn. */
function projection(points) {
  const [lats, lons] = [points.map(({ lat }) => lat), points.map(({ lon }) => lon)];
  const middle = (Math.min(...lats) + Math.max(...lats)) / 2;
  const shorter = Math.cos((middle * Math.PI) / 180);
  const [width, height] = [(Math.max(...lons) - Math.min(...lons)) * shorter, Math.max(...lats) - Math.min(...lats)];
  const degrees = Math.max(width, height, 0.001);
  const scale = (SIZE - 2 * EDGE) / degrees;
  const [west, north] = [Math.min(...lons), Math.max(...lats)];
  const [left, above] = [(SIZE - width * scale) / 2, (SIZE - height * scale) / 2];
  return {
    place: ({ lat, lon }) => ({ x: left + (lon - west) * shorter * scale, y: above + (north - lat) * scale }),
    metres: (units) => (units / scale) * M_PER_DEGREE,
  };
}

const project = ({ homes, gateways }) => projection([...homes, ...gateways]);

/** What somebody who goes nearer wants to see: the home that was chosen, else one with an alarm, else any. */
function subjectPlace(map) {
  const subject = state.chosen ?? map.homes.find((home) => home.open) ?? map.homes[0] ?? map.gateways[0];
  return project(map).place(subject);
}

const toneOf = (home) => ({ emergency: "bad", urgent: "warn", request: "info", technical: "quiet" }[home.urgency] ?? (home.silent ? "silent" : "well"));

function homeMark(home, { x, y }, size, draw) {
  const text = `${home.name} · ${home.address}${home.urgency ? ` · ${word("urgency", home.urgency)}` : ""}${home.silent ? ` · ${say("board.silent_devices", { n: home.silent })}` : ""}`;
  const choose = () => {
    state.chosen = home;
    draw();
  };
  return svg`<circle class="home ${toneOf(home)}" cx=${x} cy=${y} r=${home.open ? size * 1.7 : size} @click=${choose}><title>${text}</title></circle>`;
}

const gatewayMark = (gateway, { x, y }, size) => svg`<rect class="gateway ${gateway.silent ? "bad" : ""}" x=${x - size * 1.4} y=${y - size * 1.4} width=${size * 2.8} height=${size * 2.8}>
  <title>${`${gateway.gateway} · ${gateway.seen_s === null ? say("board.never_seen") : say("board.seen_ago", { span: span(gateway.seen_s) })}`}</title></rect>`;

function scaleBar(metres, side, left, below) {
  const wanted = metres(side / 4);
  const round = 10 ** Math.floor(Math.log10(wanted));
  const length = [5, 2, 1].map((times) => times * round).find((one) => one <= wanted) ?? round;
  const units = (length / wanted) * (side / 4);
  const text = length >= 1000 ? `${length / 1000} km` : `${length} m`;
  return svg`<g class="scale"><line x1=${left} x2=${left + units} y1=${below} y2=${below} stroke-width=${side / 300} /><text x=${left} y=${below - side / 100} font-size=${side / 42}>${text}</text></g>`;
}

function picture(map, draw) {
  const { place, metres } = project(map);
  const side = SIZE / ZOOMS[state.zoom];
  const within = (value) => Math.min(SIZE - side / 2, Math.max(side / 2, value));
  const [x, y] = [within(state.centre.x), within(state.centre.y)];
  const size = Math.max(3, 9 - map.homes.length / 300) / Math.sqrt(ZOOMS[state.zoom]);
  const calmFirst = [...map.homes].sort((a, b) => (a.open ? 1 : 0) - (b.open ? 1 : 0));
  const grab = (event) => {
    if (state.zoom > 0 && event.buttons === 1) {
      const units = side / event.currentTarget.clientWidth;
      state.centre = { x: within(x - event.movementX * units), y: within(y - event.movementY * units) };
      draw();
    }
  };
  return html`<svg class="chart" viewBox="${x - side / 2} ${y - side / 2} ${side} ${side}" role="img" aria-label=${say("board.map_of", { homes: map.homes.length, gateways: map.gateways.length })} @pointermove=${grab}>
    ${map.gateways.map((gateway) => gatewayMark(gateway, place(gateway), size))} ${calmFirst.map((home) => homeMark(home, place(home), size, draw))}
    ${scaleBar(metres, side, x - side / 2 + side / 40, y + side / 2 - side / 40)}
  </svg>`;
}

function homeLine(home, draw) {
  const choose = () => {
    Object.assign(state, { chosen: home, centre: project(state.map).place(home), zoom: Math.max(state.zoom, 2) });
    draw();
  };
  return html`<li class="row"><button type="button" class="button plain" data-key="home ${home.person}" @click=${choose}>${name(home.name)}</button>
    ${home.urgency ? urgencyChip(home.urgency) : nothing} ${home.silent ? html`<span class="chip warn">${say("board.silent_devices", { n: home.silent })}</span>` : nothing}
    <span class="quiet">${name(home.address)}</span>
    ${home.alarm ? html`<a href="#alarms/${encodeURIComponent(home.alarm)}" @click=${() => look(home.alarm)}>${say("board.to_alarm")}</a>` : nothing}</li>`;
}

const LEGEND = [["bad", "emergency"], ["warn", "urgent"], ["info", "request"]];

function legend() {
  const mark = (tone, text) => html`<li class="row"><svg class="mark" viewBox="-10 -10 20 20" aria-hidden="true"><circle class="home ${tone}" r="8" /></svg>${text}</li>`;
  return html`<ul class="row">${LEGEND.map(([tone, urgency]) => mark(tone, word("urgency", urgency)))} ${mark("silent", word("trouble", "silent"))} ${mark("well", say("board.well"))}
    <li class="row"><svg class="mark" viewBox="-10 -10 20 20" aria-hidden="true"><rect class="gateway" x="-8" y="-8" width="16" height="16" /></svg>${say("board.gateway")}</li></ul>`;
}

export function mapView(draw) {
  const { map } = state;
  const zoom = (by) => () => {
    if (state.zoom === 0) {
      state.centre = subjectPlace(map);
    }
    state.zoom = Math.min(ZOOMS.length - 1, Math.max(0, state.zoom + by));
    draw();
  };
  if (!map) {
    return html`<section class="stack"><h1>${say("board.map")}</h1>${state.note ? refusal(state.note) : loading()}</section>`;
  }
  const marked = map.homes.filter((home) => home.open || home.silent).sort((a, b) => b.open - a.open);
  const shown = state.chosen && !marked.some((home) => home.person === state.chosen.person) ? [state.chosen, ...marked] : marked;
  return html`<section class="stack"><div class="spread"><h1>${say("board.map")}</h1>
      <div class="row"><span class="quiet">${say("board.as_of", { time: time(map.now) })}</span>
        <button type="button" class="button" data-key="nearer" aria-label=${say("board.nearer")} ?disabled=${state.zoom === ZOOMS.length - 1} @click=${zoom(1)}>+</button>
        <button type="button" class="button" data-key="farther" aria-label=${say("board.farther")} ?disabled=${state.zoom === 0} @click=${zoom(-1)}>−</button></div></div>
    ${refusal(state.note)} ${legend()}
    ${map.homes.length + map.gateways.length === 0
      ? html`<p class="quiet">${say("board.no_places")}</p>`
      : html`<div class="map-and-list">${picture(map, draw)}
          <div class="stack"><h2>${say("board.homes_with_something")}</h2>
            ${shown.length ? html`<ul class="stack">${shown.slice(0, 100).map((home) => homeLine(home, draw))}</ul>` : html`<p class="quiet">${say("board.nothing_there")}</p>`}</div></div>`}
    ${map.left_out ? html`<p class="banner warn">${say("board.left_out", { n: map.left_out })}</p>` : nothing}
    ${map.without_place ? html`<p class="quiet">${say("board.without_place", { n: map.without_place })}</p>` : nothing}
  </section>`;
}
