"use strict";
// Shows the open alarms, and again after each event about an alarm.
const list = document.getElementById("alarms");
const state = document.getElementById("state");

async function show() {
  const response = await fetch("/api/v1/alarms?open=1");
  if (!response.ok) {
    state.textContent = "无法读取 · cannot be read (" + response.status + ")";
    return;
  }
  const { alarms } = await response.json();
  state.textContent = alarms.length === 0 ? "没有未结报警 · none" : "";
  list.replaceChildren(...alarms.map((alarm) => {
    const item = document.createElement("li");
    item.className = alarm.urgency;
    item.textContent = [alarm.received_at, alarm.kind, alarm.device ?? alarm.gateway, alarm.state].join(" · ");
    return item;
  }));
}

const events = new EventSource("/api/v1/events");
for (const name of ["alarm.raised", "alarm.repeated", "alarm.cancelled", "alarm.step"]) {
  events.addEventListener(name, show);
}
events.addEventListener("open", show);
show();
