// What is looked up now and then: payments, entries that the centre did not take, figures of the last day, what was refused.

import { ask } from "/page/shared.js";
import { html, nothing, repeat } from "/pages/paper.js";
import { plot } from "/pages/plot.js";
import { clockOf } from "/pages/ages.js";
import { hasWord, languageInUse, price, say, span, time, word } from "/pages/words.js";

const UNSENDABLE = "damaged";

function table(heads, rows, none) {
  if (rows.length === 0) {
    return html`<p class="calm card">${none}</p>`;
  }
  const row = ({ cells, kind }) => html`<tr class=${kind ?? nothing}>${cells.map((cell) => html`<td>${cell ?? "—"}</td>`)}</tr>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${heads.join(", ")}><table class="table">
    <thead><tr>${heads.map((head) => html`<th>${head}</th>`)}</tr></thead>
    <tbody>${rows.map(row)}</tbody>
  </table></div>`;
}

function itemsOf(sale, catalogue) {
  const name = (id) => {
    const service = catalogue?.services.find((known) => known.id === id);
    return service ? (languageInUse() === "en" ? service.name_en : service.name_zh) : id;
  };
  return sale.items.map((item) => `${name(item.service)} × ${item.quantity}`).join("; ");
}

/** Payments: those in doubt with what will settle them, then those of today. */
export function salesView(known) {
  const { sales, catalogue, status } = known.data;
  if (!sales || !status) {
    return html`<p>${say("staff.loading")}</p>`;
  }
  const now = clockOf(status.now, known.heard.status);
  const doubtful = sales.filter((sale) => sale.state === "unknown");
  const card = (sale) => html`<li class="card trouble warn" data-sale=${sale.id}>
    <div class="spread"><h3>${price(sale.amount, sale.tender)} · ${word("tender", sale.tender)}</h3>
      <span class="figures">${say("staff.unknown_since", { age: span((now() - Date.parse(sale.started_at)) / 1000), time: time(sale.started_at) })}</span></div>
    <p>${itemsOf(sale, catalogue)} · ${say("staff.reader", { name: sale.reader })}</p>
    ${sale.doubt ? html`<p class="quiet">${word("doubt", sale.doubt)}</p>` : nothing}
    <p><strong>${word("settled_by", sale.settled_by ?? "card")}</strong></p>
  </li>`;
  const row = (sale) => ({
    kind: sale.state === "unknown" ? "warn" : "",
    cells: [time(sale.started_at), itemsOf(sale, catalogue), price(sale.amount, sale.tender), word("tender", sale.tender), word("sale_state", sale.state), sale.reason ? word("refusal", sale.reason) : null, sale.reader],
  });
  const heads = [say("staff.time"), say("staff.items"), say("staff.amount"), say("staff.tender"), say("staff.state"), say("staff.reason"), say("staff.reader_name")];
  const paid = sales.filter((sale) => sale.state === "paid");
  const sum = (tender) => paid.filter((sale) => sale.tender === tender).reduce((total, sale) => total + sale.amount, 0);
  return html`${doubtful.length > 0
      ? html`<section class="stack"><h2>${say("staff.sales_unknown")} (${doubtful.length})</h2><ul class="stack">${repeat(doubtful, ({ id }) => id, card)}</ul></section>`
      : nothing}
    <section class="stack">
      <h2>${say("staff.sales")}</h2>
      <p class="figures">${say("staff.paid_today", { n: paid.length, points: price(sum("account"), "account"), yuan: price(sum("purse"), "purse") })}</p>
      ${table(heads, sales.map(row), say("staff.no_sales"))}
    </section>`;
}

/** Entries that the centre did not take. */
export class Quarantine {
  #known;
  #changed;
  #note;
  #sending = new Set();
  #sent = new Set();

  constructor(known, changed, note) {
    this.#known = known;
    this.#changed = changed;
    this.#note = note;
  }

  async #again(n) {
    this.#sending.add(n);
    this.#changed();
    try {
      await ask("POST", `/api/v1/quarantine/${n}/send_again`);
      this.#sent.add(n);
      this.#note(null);
    } catch (refused) {
      this.#note(refused);
    }
    this.#sending.delete(n);
    await this.#known.load();
  }

  #card(entry) {
    const busy = this.#sending.has(entry.n);
    const why = entry.reason ? (hasWord("entry_refusal", entry.reason) ? word("entry_refusal", entry.reason) : entry.reason) : say("staff.no_reason");
    return html`<li class="card trouble warn" data-entry=${entry.n}>
      <div class="spread">
        <h3>${word("entry_kind", entry.kind)} · ${say("staff.entry", { n: entry.n })}</h3>
        <span class="figures">${time(entry.recorded_at)}</span>
      </div>
      <p><strong>${word("set_aside", entry.outcome)}</strong>: <bdi>${why}</bdi></p>
      <p class="quiet small"><bdi>${entry.origin}</bdi></p>
      ${entry.reason === UNSENDABLE
        ? html`<p>${say("staff.unsendable")}</p>`
        : html`<div class="row"><button type="button" class="button primary" ?disabled=${busy} @click=${() => this.#again(entry.n)}>${say("staff.send_again")}<span class="for-ears"> ${entry.n}</span></button>
            ${this.#sent.has(entry.n) ? html`<span class="chip warn">${say("staff.refused_again")}</span>` : nothing}</div>`}
    </li>`;
  }

  /** The list. */
  view() {
    const { quarantine } = this.#known.data;
    if (!quarantine) {
      return html`<p>${say("staff.loading")}</p>`;
    }
    const here = new Set(quarantine.map(({ n }) => n));
    const gone = [...this.#sent].filter((n) => !here.has(n));
    return html`<section class="stack" aria-label=${say("staff.quarantine")}>
      <h2>${say("staff.quarantine")}</h2>
      <p class="quiet">${say("staff.quarantine_is")}</p>
      ${gone.length > 0 ? html`<p class="note good" role="status">${say("staff.on_its_way", { n: gone.join(", ") })}</p>` : nothing}
      ${quarantine.length === 0
        ? html`<p class="calm card">${say("staff.no_quarantine")}</p>`
        : html`<ul class="stack">${repeat(quarantine, ({ n }) => n, (entry) => this.#card(entry))}</ul>`}
    </section>`;
  }
}

/** The last 24 hours as plots. */
export function figuresView(known) {
  const { figures } = known.data;
  if (!figures) {
    return html`<p>${say("staff.loading")}</p>`;
  }
  const bars = (values) => figures.map(({ from, figures: hour }) => ({ label: from.slice(11, 13), values: values(hour) }));
  const of = (hour, ...urgencies) => (hour ? urgencies.reduce((sum, urgency) => sum + (hour.alarms[urgency] ?? 0), 0) : null);
  const ms = (value) => say("staff.milliseconds", { n: Math.round(value) });
  const worst = (name) => {
    const slowest = figures.map(({ figures: hour }) => hour?.[name].max ?? null).filter((value) => value !== null);
    return slowest.length > 0 ? say("staff.slowest", { ms: Math.max(...slowest) }) : say("staff.nobody_pressed");
  };
  const latency = (name, title) => html`<div class="card">
    ${plot({ title, series: [say("staff.p99")], bars: bars((hour) => [hour ? hour[name].p99 : null]), shown: ms })}
    <p class="figures small quiet">${worst(name)}</p>
  </div>`;
  return html`<section class="stack" aria-label=${say("staff.figures")}>
    <h2>${say("staff.figures")}</h2>
    <p class="quiet">${say("staff.grey_is_unknown")}</p>
    <div class="grid plots">
      <div class="card">
        ${plot({
          title: say("staff.plot_alarms"),
          series: [say("staff.technical_ones"), say("staff.wishes"), say("staff.for_people")],
          bars: bars((hour) => [of(hour, "technical", "test"), of(hour, "request"), of(hour, "emergency", "urgent")]),
        })}
        <p class="row small legend"><span class="third">■ ${say("staff.for_people")}</span> <span class="second">■ ${say("staff.wishes")}</span> <span class="first">■ ${say("staff.technical_ones")}</span></p>
      </div>
      <div class="card">${plot({ title: say("staff.plot_silent"), series: [say("staff.plot_silent")], bars: bars((hour) => [hour ? hour.silent : null]) })}</div>
      ${latency("durable_ms", say("staff.plot_durable"))} ${latency("accepted_ms", say("staff.plot_accepted"))}
    </div>
  </section>`;
}

/** What was refused lately, by this interface and by the device link. */
export function refusalsView(known) {
  const { refusals } = known.data;
  if (!refusals) {
    return html`<p>${say("staff.loading")}</p>`;
  }
  const reason = (code) => (hasWord("page_fault", code) ? word("page_fault", code) : word("refusal", code));
  const row = (one) => {
    const when = one.at.slice(5, 19).replace("T", " ");
    const cells =
      one.from === "device"
        ? [when, one.device ?? say("staff.unknown_device"), one.sample, word("report_refusal", one.code)]
        : [when, say("staff.this_page"), `${one.method} ${one.route}`, reason(one.code)];
    return { cells };
  };
  const heads = [say("staff.time_utc"), say("staff.origin"), say("staff.what"), say("staff.reason")];
  return html`<section class="stack" aria-label=${say("staff.refusals")}>
    <h2>${say("staff.refusals")}</h2>
    ${table(heads, refusals.map(row), say("staff.no_refusals"))}
  </section>`;
}
