// Accounts and sales, each with what proves it.

import { html, nothing } from "/pages/paper.js";
import { amount, hasWord, price, say, time, word } from "/pages/words.js";
import { askNewest, messageOf } from "./desk.js";
import { dotted, loading, name, names, refusal, table } from "./page.js";

const state = { sales: null, onlyOpen: false, sale: null, people: null, more: false, account: null, note: null };

async function load(draw, act) {
  state.note = null;
  try {
    await act();
  } catch (failure) {
    state.note = messageOf(failure);
  }
  draw();
}

export const openMoney = (draw) =>
  load(draw, async () => {
    state.sales = (await askNewest("sales", `/api/v1/sales${state.onlyOpen ? "?open=1" : ""}`)).sales;
  });

async function showSale(draw, origin) {
  await load(draw, async () => (state.sale = await askNewest("sale", `/api/v1/sales/${encodeURIComponent(origin)}`)));
  // Once it is drawn: it stands above the list, which may be long.
  requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById("proofs")?.scrollIntoView({ block: "center" })));
}

const seekPeople = (draw, q) =>
  load(draw, async () => {
    const { people, more } = await askNewest("account", `/api/v1/people?q=${encodeURIComponent(q)}`);
    Object.assign(state, { people, more, account: null });
  });

const showAccount = (draw, person, before = null) =>
  load(draw, async () => {
    const page = await askNewest("account", `/api/v1/accounts/${encodeURIComponent(person.ref)}?limit=50${before ? `&before=${before}` : ""}`);
    const movements = before ? [...state.account.movements, ...page.movements] : page.movements;
    state.account = { ...page, movements, name: person.name };
  });

const kindOf = (kind) => (hasWord("movement", kind) ? word("movement", kind) : kind);
const points = (fen) => (fen === null ? null : html`<span class="figures">${amount(fen)}</span>`);

function saleRow(draw) {
  return (sale) => ({
    kind: sale.verdict === "invalid" || sale.outcome === "unknown" ? "bad" : sale.verdict === "pending" ? "warn" : "",
    cells: [
      html`<button type="button" class="button plain" data-key="sale ${sale.origin}" @click=${() => showSale(draw, sale.origin)}>${time(sale.intended_at ?? sale.received_at)}</button>`,
      sale.gateway, (sale.items ?? []).map((item) => `${item.service} × ${item.quantity}`).join("; ") || null, points(sale.amount),
      sale.tender ? word("tender", sale.tender) : null, word("outcome", sale.outcome ?? "open"),
      dotted(sale.verdict ? word("verdict", sale.verdict) : null, sale.hold ? word("hold", sale.hold) : null, sale.reason ? word("refusal", sale.reason) : null) || null,
      sale.person,
    ],
  });
}

const pair = (label, value) => (value === null || value === undefined || value === "" ? nothing : html`<div><dt>${label}</dt><dd>${name(String(value))}</dd></div>`);

function saleProofs(draw) {
  const { sale } = state;
  const entry = (one) => ({ cells: [word("entry_kind", one.kind), one.gateway, one.journal, one.n === null ? null : String(one.n), html`<code>${one.hash ?? "—"}</code>`, say(one.linked ? "board.verified" : "board.not_verified"), time(one.received_at)] });
  const posting = (one) => one.postings.map((each) => ({ cells: [String(one.id), kindOf(one.kind), each.account, points(each.amount), one.by, time(one.at)] }));
  const heads = (...keys) => keys.map((key) => say(`board.${key}`));
  return html`<section id="proofs" class="card stack" aria-label=${say("board.proofs")}>
    <div class="spread"><h2>${say("board.proofs")}: ${sale.amount === null ? sale.sale : price(sale.amount, sale.tender ?? "account")} · ${word("outcome", sale.outcome ?? "open")}</h2>
      <button type="button" class="button" data-key="sale close" @click=${() => { state.sale = null; draw(); }}>${say("board.back")}</button></div>
    ${sale.doubts.map((doubt) => html`<p class="banner bad">${word("doubt", doubt)}</p>`)}
    <dl class="pairs">${pair(say("board.origin"), sale.origin)} ${pair(say("board.terminal"), sale.purse?.terminal)} ${pair(say("board.psam"), sale.purse?.psam)}
      ${pair(say("board.transaction_number"), sale.purse?.terminal_seq)} ${pair(say("board.card_counter"), sale.purse?.counter)} ${pair("TAC", sale.proof?.tac)}
      ${pair(say("board.issuer_says"), sale.verdict ? word("verdict", sale.verdict) : null)} ${pair(say("board.hold"), sale.held ? `${word("hold", sale.held.state)} · ${amount(sale.held.amount)} · ${time(sale.held.at)}` : null)}
      ${pair(say("board.card"), sale.card)} ${pair(say("board.person_ref"), sale.person)}</dl>
    <h3>${say("board.journal_entries")}</h3>${table(heads("kind", "gateway", "journal", "number", "hash", "chain", "time"), sale.entries.map(entry), say("board.none"))}
    <h3>${say("board.ledger")}</h3>${table(heads("number", "kind", "account", "amount", "by", "time"), sale.transactions.flatMap(posting), say("board.none"))}
    ${sale.refunds.length ? html`<h3>${say("board.refunds")}</h3>${table(heads("time", "amount", "by"), sale.refunds.map((one) => ({ cells: [time(one.at), points(one.amount), one.by] })), "")}` : nothing}
    ${sale.said.length ? html`<h3>${say("board.said")}</h3>${table(heads("time", "state", "by"), sale.said.map((one) => ({ cells: [time(one.at), word("outcome", one.outcome), one.by] })), "")}` : nothing}
  </section>`;
}

function accountCard(draw) {
  const { account } = state;
  const movement = (one) => ({ cells: [time(one.at), kindOf(one.kind), points(one.amount), one.by, subjectOf(one, draw)] });
  return html`<section class="card stack" aria-label=${say("board.account")}><h2>${name(account.name)} · ${account.ref}</h2>
    <dl class="pairs">${pair(say("board.balance"), price(account.balance))} ${pair(say("board.available"), price(account.available))}</dl>
    ${account.holds.length ? html`<h3>${say("board.holds")}</h3>${table(["time", "amount", "gateway", "origin"].map((key) => say(`board.${key}`)), account.holds.map((one) => ({ cells: [time(one.at), points(one.amount), one.gateway, one.origin] })), "")}` : nothing}
    <h3>${say("board.movements")}</h3>${table(["time", "kind", "amount", "by", "origin"].map((key) => say(`board.${key}`)), account.movements.map(movement), say("board.none"))}
    ${account.next ? html`<button type="button" class="button" data-key="older movements" @click=${() => showAccount(draw, { ref: account.ref, name: account.name }, account.next)}>${say("board.older")}</button>` : nothing}
  </section>`;
}

const SALE_KINDS = ["hold", "post", "void", "purse", "proof"];

function subjectOf(movement, draw) {
  return SALE_KINDS.includes(movement.kind)
    ? html`<button type="button" class="button plain" data-key="movement ${movement.txn}" @click=${() => showSale(draw, movement.subject)}>${movement.subject}</button>`
    : movement.subject;
}

export function moneyView(draw) {
  const submit = (event) => {
    event.preventDefault();
    seekPeople(draw, event.target.elements.person.value.trim());
  };
  const only = () => {
    state.onlyOpen = !state.onlyOpen;
    openMoney(draw);
  };
  const person = (one) => html`<li><button type="button" class="button plain" data-key="person ${one.ref}" @click=${() => showAccount(draw, one)}>${name(one.name)}</button> <span class="quiet">${names(one.ref, one.address)}</span></li>`;
  const heads = ["time", "gateway", "items", "amount", "tender", "state", "reason", "person_ref"].map((head) => say(`board.${head}`));
  return html`<section class="stack"><h1>${say("board.money")}</h1>
    <form class="row seek" role="search" @submit=${submit}><label class="stack-tight wide">${say("board.seek_person")}<input class="field" name="person" type="search" required maxlength="100" /></label>
      <button class="button primary">${say("board.find")}</button></form>
    ${refusal(state.note)}
    ${state.people ? (state.people.length ? html`<ul class="row">${state.people.map(person)}</ul>` : html`<p class="quiet">${say("board.nothing_found")}</p>`) : nothing}
    ${state.more ? html`<p class="quiet">${say("board.too_many_people")}</p>` : nothing}
    ${state.account ? accountCard(draw) : nothing} ${state.sale ? saleProofs(draw) : nothing}
    <div class="spread"><h2>${say("board.sales")}</h2><button type="button" class="button" data-key="only open" aria-pressed=${state.onlyOpen} @click=${only}>${say("board.only_unsettled")}</button></div>
    ${state.sales ? table(heads, state.sales.map(saleRow(draw)), say("board.no_sales")) : loading()}
  </section>`;
}

/** Forgets everything: the next operator begins anew. */
export const forgetMoney = () => Object.assign(state, { sales: null, sale: null, people: null, more: false, account: null, note: null });
