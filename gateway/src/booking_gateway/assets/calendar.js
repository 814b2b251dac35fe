// The calendar in the browser: what EventCalendar does with the page's events, and schedules checked as they are typed.
// Times in it are the viewer's wall clock, whatever zone the browser is in. Without this file the pages work all the same.
"use strict";

const FIELDS = ["scheduled_date", "time_start", "time_end", "timezone", "meeting_link"];
const form = (values) => ({ method: "POST", body: new URLSearchParams(values) });
const two = (number) => String(number).padStart(2, "0");
const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;
const span = (start, end) => `${clock(start)}–${clock(end)}`;
const page = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

// Schedules checked as one types -------------------------------------------------------------------------------------

let typing, asked;

document.addEventListener("input", ({ target }) => {
  const typed = target.closest("form[data-check]");
  if (!typed) return;
  clearTimeout(typing);
  typing = setTimeout(() => check(typed), 300);
});

async function check(typed) {
  asked?.abort();
  asked = new AbortController();
  const answer = await fetch(typed.dataset.check, { ...form(new FormData(typed)), signal: asked.signal }).catch(() => null);
  if (!answer?.ok) return;
  const { wrong, taken } = await answer.json();
  for (const name of FIELDS) mark(typed.elements[name], wrong[name]);
  typed.querySelector(".taken").replaceChildren(...taken.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function mark(field, text) {
  const id = `${field.name}-wrong`;
  let told = document.getElementById(id);
  if (!text) {
    told?.remove();
    field.removeAttribute("aria-invalid");
    if (document.getElementById(`${field.name}-hint`)) field.setAttribute("aria-describedby", `${field.name}-hint`);
    return;
  }
  if (!told) {
    told = Object.assign(document.createElement("small"), { id, className: "wrong" });
    told.setAttribute("aria-live", "polite");
    field.closest("label").after(told);
  }
  if (told.textContent !== text) told.textContent = text;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
}

// The calendar -------------------------------------------------------------------------------------------------------

const place = document.getElementById("calendar");
if (place && !window.EventCalendar) place.closest(".drawn")?.classList.remove("drawn");
if (place && window.EventCalendar) draw(place);

function draw(place) {
  const words = JSON.parse(place.dataset.said);
  const said = document.getElementById("said");
  const refused = document.getElementById("refused");
  const asking = document.getElementById("asking");
  let given = place.dataset.month; // the page brought this month's events with it
  let dragged = false; // the click that ends a drag opens nothing
  let waiting = null; // who is dragged in
  let busy = false; // while something is dragged or saved the events stay as they are
  let missed = false;
  let heard;
  let seen = []; // what the latest changes are to be read with, and when each came

  const tell = (text, wrong = "") => {
    if (said.textContent !== text) said.textContent = text;
    if (refused.textContent !== wrong) refused.textContent = wrong;
  };
  const calendar = EventCalendar.create(place, {
    view: innerWidth < 600 ? "listMonth" : "dayGridMonth",
    date: given === words.today.slice(0, 7) ? words.today : `${given}-01`,
    timeZone: words.offset, locale: words.locale, firstDay: 1, height: "100%",
    headerToolbar: { start: "prev,next today", center: "title", end: "dayGridMonth,timeGridWeek,listMonth" },
    buttonText: words.buttons, noEventsContent: words.none,
    moreLinkContent: ({ num }) => words.more.replace("{count}", num),
    allDaySlot: false, nowIndicator: true, scrollTime: "07:00", slotDuration: "00:30", slotHeight: 32, dayMaxEvents: innerWidth >= 600,
    columnWidth: innerWidth < 600 ? "6rem" : undefined,
    slotLabelFormat: clock, dayHeaderFormat: { weekday: "short" },
    views: { dayGridMonth: { eventDurationEditable: false }, timeGridWeek: { dayHeaderFormat: { weekday: "short", day: "numeric" } } },
    eventContent: ({ event, view }) => ({ domNodes: [link(event, view.type === "dayGridMonth" ? clock(event.start) : span(event.start, event.end))] }),
    eventSources: [{ events: read }],
    eventDragStart: hold, eventResizeStart: hold,
    dragConstraint: foresee, resizeConstraint: foresee,
    eventDrop: move, eventResize: move,
    eventAllUpdated: tidy, viewDidMount: tidy, datesSet: () => setTimeout(tidy),
  });

  // The events of a month, which the page has beside those who wait.
  async function read({ start, end }) {
    const month = day(new Date((start.getTime() + end.getTime()) / 2)).slice(0, 7);
    if (month === given) {
      given = null;
      return JSON.parse(place.dataset.events);
    }
    seen = seen.filter(([, when]) => Date.now() - when < 60_000).slice(0, 6);
    const answer = await fetch(`/calendar?month=${month}`, { headers: seen.length ? { "Booking-Seen": seen.map(([token]) => token).join(",") } : {} });
    if (answer.headers.get("Booking-Behind")) setTimeout(again, 1_000);
    const anew = await page(answer);
    const list = anew.getElementById("waiting");
    if (list) document.getElementById("waiting").replaceChildren(...list.children);
    ready();
    return JSON.parse(anew.getElementById("calendar").dataset.events);
  }

  function again() {
    if (busy) missed = true;
    else calendar.refetchEvents();
  }

  function hold() {
    dragged = busy = true;
  }

  function release() {
    busy = false;
    if (missed) again();
    missed = false;
  }

  // What is in the way of a time is said before it is tried.
  function taken(start, end, id) {
    const there = calendar.getEvents().filter((one) => one.id !== id && one.extendedProps.holds && one.start < end && start < one.end);
    return there.map((one) => words.taken.replace("{name}", one.extendedProps.who).replace("{times}", span(one.start, one.end))).join(". ");
  }

  function foresee({ event }) {
    tell(taken(event.start, event.end, event.id) || `${day(event.start)} ${span(event.start, event.end)}`);
    return true;
  }

  async function move({ event, revert }) {
    const { version, timezone, meeting_link } = event.extendedProps;
    const values = { key: crypto.randomUUID(), version, timezone, meeting_link, start: `${day(event.start)}T${clock(event.start)}`, end: `${day(event.end)}T${clock(event.end)}` };
    calendar.setOption("editable", false);
    calendar.setOption("eventStartEditable", false);
    const answer = await fetch(`/sessions/${event.id}/move`, form(values)).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (!answer?.ok) revert();
    if (told?.event) calendar.updateEvent(told.event);
    missed ||= !told;
    calendar.setOption("eventStartEditable", true);
    release();
    if (answer?.ok && told) tell(told.said);
    else tell("", told ? [told.said, ...told.taken.map((one) => `${one}.`), told.event ? "" : words.moved].filter(Boolean).join(" ") : words.unknown);
  }

  // Who waits is put into the calendar by dragging, or by the form alone.
  function ready() {
    for (const one of document.querySelectorAll("#waiting [data-session]")) one.draggable = true;
  }

  document.addEventListener("dragstart", ({ target, dataTransfer }) => {
    waiting = target.closest?.("#waiting [data-session]");
    if (waiting) dataTransfer.setData("text/plain", waiting.dataset.session);
    busy = Boolean(waiting);
  });
  document.addEventListener("dragend", () => {
    waiting = null;
    release();
  });
  place.addEventListener("dragover", (over) => {
    const there = waiting && calendar.dateFromPoint(over.clientX, over.clientY);
    if (!there) return;
    over.preventDefault();
    tell(there.allDay ? day(there.date) : taken(there.date, lasting(there.date), "") || `${day(there.date)} ${span(there.date, lasting(there.date))}`);
  });
  place.addEventListener("drop", (drop) => {
    const there = waiting && calendar.dateFromPoint(drop.clientX, drop.clientY);
    if (!there) return;
    drop.preventDefault();
    const times = there.allDay ? {} : { time_start: clock(there.date), time_end: clock(lasting(there.date)) };
    ask(waiting, { scheduled_date: day(there.date), ...times, timezone: place.dataset.zone });
  });
  const lasting = (start) => new Date(start.getTime() + waiting.dataset.minutes * 60_000);

  document.addEventListener("click", (click) => {
    const one = click.target.closest("#waiting a[href]")?.closest("[data-session]");
    if (!one || click.ctrlKey || click.metaKey || click.shiftKey) return;
    click.preventDefault();
    ask(one, {});
  });

  async function ask(one, values) {
    asking.querySelector("strong").textContent = one.querySelector("strong").textContent;
    await fill(await fetch(`/sessions/${one.dataset.session}?${new URLSearchParams(values)}`));
    if (!asking.open) asking.showModal();
    const typed = asking.querySelector("form");
    [...(typed?.elements ?? [])].find((field) => field.required && !field.value)?.focus();
    if (typed && values.time_start) check(typed);
  }

  async function fill(answer) {
    const anew = await page(answer);
    asking.querySelector("article > div").replaceChildren(...anew.querySelectorAll("main [role=alert], #conflicts, #schedule"));
  }

  asking.querySelector("header button").addEventListener("click", () => asking.close());
  asking.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    submit.stopPropagation(); // this page stays, and goes on following changes
    const answer = await fetch(submit.target.action, form(new FormData(submit.target))).catch(() => null);
    if (!answer) return tell("", words.unknown);
    if (!answer.redirected || !answer.ok) {
      await fill(answer);
      return (asking.querySelector("[aria-invalid]") ?? asking.querySelector("input:not([type=hidden])"))?.focus();
    }
    asking.close();
    tell(words.set);
    again();
  });

  // Roles of a table whose cells hold nothing are none, and what can be scrolled can be scrolled by keys.
  function tidy() {
    const root = place.querySelector(".ec");
    if (!root) return;
    root.removeAttribute("role");
    for (const one of root.querySelectorAll("[role=row], [role=rowgroup], [role=cell], [role=columnheader], [role=listitem]")) {
      one.removeAttribute("role");
      one.removeAttribute("aria-colindex");
    }
    for (const one of root.querySelectorAll("h4")) one.setAttribute("aria-level", "3");
    root.querySelector(".ec-main")?.setAttribute("tabindex", "0");
    for (const one of root.querySelectorAll(".ec-toolbar .ec-button-group .ec-button")) one.setAttribute("aria-pressed", String(one.classList.contains("ec-active")));
  }

  place.addEventListener("pointerdown", () => (dragged = false), true);
  place.addEventListener("click", (click) => dragged && click.preventDefault(), true);
  document.body.addEventListener("booking:changed", ({ detail }) => {
    if (detail?.seen) seen.unshift([detail.seen, Date.now()]);
    clearTimeout(heard);
    heard = setTimeout(again, 200); // several that come at once are read once
  });
  ready();
}

function link(event, time) {
  const made = Object.assign(document.createElement("a"), { href: `/sessions/${event.id}`, draggable: false });
  for (const [name, className, text] of [["time", "ec-event-time", time], ["span", "ec-event-title", event.title]]) {
    made.append(Object.assign(document.createElement(name), { className, textContent: text }), " ");
  }
  return made;
}
