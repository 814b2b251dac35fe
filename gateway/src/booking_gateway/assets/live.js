// Follows changes. Where a page has parts with `data-live`, this hears GET /live; each change is the event `booking:changed`
// of the body, with the detail {type, session_id, transaction_id, seen}. Parts that it is about are shown again, by htmx.
"use strict";
{
  const told = document.getElementById("not-live");
  const SILENCE = 45_000, GRACE = 3_000, LONGEST = 60_000, KEPT = 60_000, BEHIND = 1_000, AWAY = 10_000;
  let source = null, place = told?.dataset.since, pause = 2_000, again, silence, grace;
  let seen = []; // [service:token, when], the newest first: what is shown again is not from before
  const late = new Set(); // ids of parts that are not shown again yet, for somebody types there, or no answer came

  const parts = () => [...document.querySelectorAll("[data-live]")];

  function changed(field) {
    if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
    if (!field.matches("select")) return field.value !== field.defaultValue;
    const first = Math.max(0, [...field.options].findIndex((one) => one.defaultSelected));
    return field.selectedIndex !== first;
  }

  function typedIn(part) {
    const fields = [...part.querySelectorAll("input, textarea, select")];
    return fields.some((one) => one === document.activeElement || changed(one)) || part.querySelector("details[open]");
  }

  function refresh(part) {
    late.add(part.id);
    if (!typedIn(part)) part.dispatchEvent(new CustomEvent("booking:refresh"));
  }

  function retry(part, pause) {
    late.add(part.id);
    setTimeout(() => late.has(part.id) && source && refresh(part), pause);
  }

  function hear(item) {
    if (item.type === "live" || item.type === "not_live") return said(item.type === "live");
    if (item.seen) seen = [[item.seen, Date.now()], ...seen].slice(0, 6);
    document.body.dispatchEvent(new CustomEvent("booking:changed", { detail: { session_id: null, transaction_id: null, ...item } }));
  }

  function said(live) {
    clearTimeout(grace);
    grace = undefined;
    told.hidden = live;
    pause = 2_000;
  }

  function open() {
    close();
    source = new EventSource(`/live?since=${place}`);
    source.onmessage = ({ data, lastEventId }) => {
      place = lastEventId;
      listen();
      hear(JSON.parse(data));
    };
    source.onerror = () => {
      grace ??= setTimeout(() => said(false), GRACE);
      if (source?.readyState !== EventSource.CLOSED) return; // it tries again by itself
      again = setTimeout(open, pause);
      pause = Math.min(2 * pause, LONGEST);
    };
    listen();
  }

  function listen() {
    clearTimeout(silence);
    silence = setTimeout(open, SILENCE);
  }

  function close() {
    [again, silence].forEach(clearTimeout);
    source?.close();
    source = null;
  }

  document.body.addEventListener("booking:changed", ({ detail }) => {
    const ids = [detail.session_id, detail.transaction_id];
    parts().filter((part) => !part.dataset.live || detail.type === "refresh" || ids.includes(part.dataset.live)).forEach(refresh);
  });
  document.body.addEventListener("focusout", () => setTimeout(() => parts().filter((part) => late.has(part.id)).forEach(refresh)));
  document.body.addEventListener("submit", () => close()); // what was sent is not changed under it, nor its key

  document.body.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    seen = seen.filter(([, when]) => Date.now() - when < KEPT);
    if (seen.length) ctx.request.headers["Booking-Seen"] = seen.map(([token]) => token).join(",");
  });
  document.body.addEventListener("htmx:before:swap", (event) => {
    const part = event.target;
    if (part.dataset.live !== undefined && (typedIn(part) || !source)) event.preventDefault();
  });
  document.body.addEventListener("htmx:finally:request", ({ target, detail: { ctx } }) => {
    if (target.dataset.live === undefined || typedIn(target)) return;
    const { status = 0, headers } = ctx.response ?? {};
    if (status === 403 || status === 404) return parts().some(typedIn) || location.reload(); // it is theirs no more
    if (status !== 200) return retry(target, AWAY);
    if (headers.get("Booking-Behind")) return retry(target, BEHIND);
    late.delete(target.id);
    document.getElementById("behind")?.remove();
  });

  if (told && parts().length && window.htmx) {
    if (told.dataset.off !== undefined) told.hidden = false;
    else {
      // Browsers open few connections to one place: who isn't looked at gives theirs back.
      const look = () => (document.hidden ? close() : open());
      document.addEventListener("visibilitychange", look);
      window.addEventListener("pagehide", close);
      window.addEventListener("pageshow", ({ persisted }) => persisted && look());
      look();
      if (document.getElementById("behind")) setTimeout(() => hear({ type: "refresh" }), BEHIND);
    }
  }
}
