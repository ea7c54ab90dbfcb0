// Gateways with their chain, devices, and what people have to look at.

import { html, nothing } from "/pages/paper.js";
import { say, span, time, word } from "/pages/words.js";
import { ask, messageOf } from "./desk.js";
import { loading, name, refusal, table } from "./page.js";

/** Devices that are drawn at first, and with each press more. */
const DEVICES_STEP = 100;
const WELL = ["back", "battery_ok", "fault_over"];

const state = { gateways: null, devices: null, conflicts: null, note: null, approving: null, sought: "", shown: DEVICES_STEP };
const heads = (...keys) => keys.map((key) => say(`board.${key}`));

/** Loads what one of the tabs `gateways`, `devices` and `conflicts` shows. */
export async function openRegistry(tab, draw) {
  try {
    state[tab] = await ask("GET", `/api/v1/${tab}`);
    state.note = null;
  } catch (failure) {
    state.note = messageOf(failure);
  }
  draw();
}

async function approve(gateway, draw) {
  state.approving = null;
  try {
    await ask("POST", `/api/v1/gateways/${encodeURIComponent(gateway.gateway)}/approve`);
    await openRegistry("gateways", draw);
  } catch (failure) {
    state.note = messageOf(failure);
    draw();
  }
}

/** Approving opens sales of a gateway whose journal is not the one the centre knew: asked twice. */
function approval(gateway, draw) {
  if (gateway.sales === "open") {
    return say("board.open");
  }
  const ask = (which) => () => {
    state.approving = which;
    draw();
  };
  return html`<p>${say("board.closed", { reason: word("closed_reason", gateway.closed_reason) })}</p>
    ${state.approving === gateway.gateway
      ? html`<div class="row"><button type="button" class="button danger" data-key="sure ${gateway.gateway}" @click=${() => approve(gateway, draw)}>${say("board.approve_sure")}</button>
          <button type="button" class="button" data-key="unsure ${gateway.gateway}" @click=${ask(null)}>${say("board.back")}</button></div>`
      : html`<button type="button" class="button" data-key="approve ${gateway.gateway}" @click=${ask(gateway.gateway)}>${say("board.approve")}</button>`}`;
}

export function gatewaysView(draw) {
  const row = (gateway) => ({
    kind: gateway.sales === "closed" || gateway.chain === "forked" ? "bad" : gateway.chain === "gap" || !gateway.last_seen ? "warn" : "",
    cells: [
      gateway.gateway, gateway.seen_s === null ? say("board.never_seen") : say("board.seen_ago", { span: span(gateway.seen_s) }), gateway.journal,
      gateway.head ? html`${gateway.head.n} <code title=${gateway.head.hash}>${gateway.head.hash.slice(0, 12)}…</code>` : null, String(gateway.entries), word("chain", gateway.chain), approval(gateway, draw),
    ],
  });
  const columns = heads("gateway", "last_seen", "journal", "head", "entries", "chain", "sales");
  return html`<section class="stack"><h1>${say("board.gateways")}</h1>${refusal(state.note)}
    ${state.gateways ? table(columns, state.gateways.gateways.map(row), say("board.no_gateways")) : loading()}</section>`;
}

export function devicesView(draw) {
  const seek = (event) => {
    Object.assign(state, { sought: event.target.value, shown: DEVICES_STEP });
    draw();
  };
  const more = () => {
    state.shown += DEVICES_STEP;
    draw();
  };
  const row = (device) => ({
    kind: !device.state || WELL.includes(device.state) ? "" : device.state === "silent" ? "bad" : "warn",
    cells: [
      device.device, word("device_kind", device.kind), name(device.place), device.person, device.gateway,
      device.state ? word("trouble", device.state) : say("board.no_trouble"), device.state_since ? time(device.state_since) : null,
    ],
  });
  const sought = state.sought.trim().toLowerCase();
  const all = state.devices?.devices ?? [];
  const found = sought ? all.filter((device) => [device.device, device.place, device.person, device.gateway].some((text) => text?.toLowerCase().includes(sought))) : all;
  return html`<section class="stack"><h1>${say("board.devices")} <span class="figures">${state.devices ? all.length : ""}</span></h1>${refusal(state.note)}
    <label class="stack-tight">${say("board.seek_device")}<input class="field" type="search" data-key="seek device" maxlength="100" .value=${state.sought} @input=${seek} /></label>
    ${state.devices ? table(heads("device", "kind", "place", "person_ref", "gateway", "state", "since_when"), found.slice(0, state.shown).map(row), say("board.no_devices")) : loading()}
    ${found.length > state.shown ? html`<button type="button" class="button" data-key="more devices" @click=${more}>${say("board.more_devices", { n: found.length - state.shown })}</button>` : nothing}</section>`;
}

export function conflictsView() {
  if (!state.conflicts) {
    return html`<section class="stack"><h1>${say("board.conflicts")}</h1>${state.note ? refusal(state.note) : loading()}</section>`;
  }
  const { entries, sales, orders } = state.conflicts;
  const aside = (one) => ({
    kind: "warn",
    cells: [time(one.received_at), one.gateway, String(one.n ?? "—"), one.kind ? word("entry_kind", one.kind) : null, word("set_aside", one.outcome), one.reason ? word("entry_refusal", one.reason) : null, one.origin],
  });
  const doubt = (one) => ({ kind: "bad", cells: [time(one.at), one.gateway, word("doubt", one.what), one.origin] });
  const refused = (one) => ({ kind: "warn", cells: [time(one.received_at), one.gateway, word("order_kind", one.kind), one.reason ? word("order_refusal", one.reason) : null, one.order] });
  return html`<section class="stack"><h1>${say("board.conflicts")}</h1>${refusal(state.note)}
    <h2>${say("board.doubts")}</h2>${table(heads("time", "gateway", "reason", "origin"), sales.map(doubt), say("board.no_doubts"))}
    <h2>${say("board.set_aside")}</h2>${table(heads("time", "gateway", "number", "kind", "state", "reason", "origin"), entries.map(aside), say("board.none_set_aside"))}
    <h2>${say("board.refused_orders")}</h2>${table(heads("time", "gateway", "kind", "reason", "order"), orders.map(refused), say("board.no_refused_orders"))}</section>`;
}

/** Forgets everything: the next operator begins anew. */
export const forgetRegistry = () => Object.assign(state, { gateways: null, devices: null, conflicts: null, note: null, approving: null, sought: "" });
