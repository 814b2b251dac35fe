import { strict as assert } from "node:assert";
import { test } from "node:test";

import { Booking, Refused, Seen, Unanswered, Unexpected } from "../../src/index.ts";
import { ok, problem, script } from "./script.ts";

const CUT = new TypeError("fetch failed");
const body = { product_id: "a", practitioner_id: "b" };
const path = { session_id: "x" };

for (const [name, broken] of Object.entries({
  "no answer": CUT,
  "half an answer": () => new Response('{"id"', { status: 201, headers: { "Content-Type": "application/json" } }),
  "503": problem(503, "unavailable"),
  "429": problem(429, "rate_limited"),
  "a proxy's 502": () => new Response("<h1>Bad gateway</h1>", { status: 502 }),
}))
  test(`a command that met ${name} is sent again with the same key`, async () => {
    const { booking, sent } = script(broken, broken, ok({ id: "x" }, {}, 201));
    const { data } = await booking().POST("/v1/transactions", { body });
    assert.equal(data?.id, "x");
    const [first, ...others] = sent("Idempotency-Key");
    assert.ok(first);
    assert.deepEqual(others, [first, first]);
  });

test("commands have keys of their own, or the given one; reads have none", async () => {
  const { booking, sent } = script(ok({}));
  await booking().POST("/v1/transactions", { body });
  await booking().POST("/v1/transactions", { body });
  await booking().POST("/v1/transactions", { body, params: { header: { "Idempotency-Key": "mine" } } });
  await booking().GET("/v1/me");
  const [one, other, ...rest] = sent("Idempotency-Key");
  assert.notEqual(one, other);
  assert.deepEqual(rest, ["mine", null]);
});

for (const [status, code] of [[409, "overlap"], [412, "stale_version"], [500, "internal_error"], [401, "unauthorized"]] as const)
  test(`${code} would not pass: it is told at once`, async () => {
    const { booking, asked } = script(problem(status, code));
    const { problem: told, response } = await booking().POST("/v1/sessions/{session_id}/start", { params: { path } });
    assert.deepEqual([told?.code, response.status, asked.length], [code, status, 1]);
  });

test("Retry-After is waited for, but not beyond the deadline", async () => {
  const patience = { deadline: 5_000, firstPause: 1, longestPause: 1 };
  const began = performance.now();
  await script(problem(503, "not_yet_visible", {}, { "Retry-After": "1" }), ok({})).booking({ patience }).GET("/v1/me");
  assert.ok(performance.now() - began >= 1_000);
  const limited = await script(problem(429, "rate_limited", {}, { "Retry-After": "60" })).booking({ patience }).GET("/v1/me");
  assert.equal(limited.problem?.code, "rate_limited");
  assert.ok(performance.now() - began < 4_000);
});

test("no answer until the deadline is told with the key to go on with", async () => {
  const { booking, sent } = script(CUT);
  const patience = { deadline: -1_950, firstPause: 10, longestPause: 10 }; // and two seconds that a service may wait
  await assert.rejects(booking({ patience }).POST("/v1/calendar/feeds"), (error) => {
    assert.ok(error instanceof Unanswered);
    assert.deepEqual(new Set(sent("Idempotency-Key")), new Set([error.idempotencyKey]));
    return true;
  });
  assert.ok(sent("Idempotency-Key").length > 1);
});

test("a signal ends a call at once, also between two tries", async () => {
  const leaving = new AbortController();
  const { booking, asked } = script(problem(503, "unavailable", {}, { "Retry-After": "1" }));
  const call = booking({ patience: { deadline: 60_000 } }).GET("/v1/me", { signal: leaving.signal });
  setTimeout(() => leaving.abort(new Error("left")), 20);
  await assert.rejects(call, /left/);
  assert.equal(asked.length, 1);
});

test("a signal ends a call that waits for its answer, too", async () => {
  const hanging = (request: Request) =>
    new Promise<Response>((_, reject) => request.signal.addEventListener("abort", () => reject(request.signal.reason as Error)));
  const { booking, asked } = script(hanging);
  await assert.rejects(booking().GET("/v1/me", { signal: AbortSignal.timeout(20) }), { name: "TimeoutError" });
  assert.equal(asked.length, 1);
});

test("an answer of a proxy is told as such", async () => {
  const { booking } = script(() => new Response("<h1>Not here</h1>", { status: 404 }));
  await assert.rejects(booking().GET("/v1/me"), Unexpected);
});

test("an address that is none is told when it is given", () => {
  assert.throws(() => new Booking("booking.example"), TypeError);
});

test("a call goes to its service, with its token, asked for at each try, and the caller's headers", async () => {
  const tokens = ["old", "new", "newer"];
  const { booking, asked, sent } = script(CUT, ok({ items: [] }));
  const caller = booking({ token: () => tokens.shift() ?? "", headers: { "X-Request-Id": "r" } });
  await caller.GET("/v1/sessions", { params: { query: { status: ["scheduled", "failed"], limit: 5 } } });
  await caller.GET("/v1/calendar/events", { params: { query: { start: "2026-12-01T07:00:00+07:00", end: "2026-12-02" } } });
  assert.deepEqual(sent("Authorization"), ["Bearer old", "Bearer new", "Bearer newer"]);
  assert.deepEqual(sent("X-Request-Id"), ["r", "r", "r"]);
  assert.equal(asked[1]?.url, "https://consultation.example/v1/sessions?status=scheduled&status=failed&limit=5");
  assert.equal(asked[2]?.url, "https://calendar.example/v1/calendar/events?start=2026-12-01T07%3A00%3A00%2B07%3A00&end=2026-12-02");
});

test("an id that would lead elsewhere is refused here", async () => {
  const { booking, asked } = script(ok({}));
  for (const session_id of ["", ".", ".."])
    await assert.rejects(booking().GET("/v1/sessions/{session_id}", { params: { path: { session_id } } }), RangeError);
  await booking().GET("/v1/sessions/{session_id}", { params: { path: { session_id: "a/../b" } } });
  assert.deepEqual(asked.map((request) => request.url), ["https://consultation.example/v1/sessions/a%2F..%2Fb"]);
});

test("what was read is changed by its tag, or is still so", async () => {
  const { booking, sent } = script(ok({}, { ETag: '"2"' }), ok({}), () => new Response(null, { status: 304, headers: { ETag: '"3"' } }));
  const read = await booking().GET("/v1/sessions/{session_id}", { params: { path } });
  const schedule = { scheduled_date: "2026-12-01", time_start: "09:00", time_end: "10:00", meeting_link: "https://x" };
  assert.ok(read.data);
  const params = { path, header: { "If-Match": read.etag } };
  await booking().PUT("/v1/sessions/{session_id}/schedule", { params, body: schedule });
  const again = await booking().readUnlessChanged('"3"', "/v1/sessions/{session_id}", { params: { path } });
  assert.ok("unchanged" in again);
  assert.equal(again.etag, '"3"');
  assert.deepEqual(sent("If-Match"), [null, '"2"', null]);
  assert.deepEqual(sent("If-None-Match"), [null, null, '"3"']);
});

test("a token of one service goes to the others alone", async () => {
  const { booking, sent } = script(ok({}, { "Consistency-Token": "sale" }, 201), ok({}, { "Consistency-Token": "session" }), ok({}));
  const caller = booking();
  await caller.POST("/v1/transactions", { body });
  await caller.GET("/v1/sessions/{session_id}", { params: { path } });
  await caller.GET("/v1/sessions");
  await caller.GET("/v1/transactions");
  await caller.GET("/v1/calendar/feeds");
  assert.deepEqual(sent("Consistency-Token"), [null, "sale", "sale", "session", "session,sale"]);
});

test("Seen keeps the newest eight of each service and can be put away", () => {
  const seen = new Seen();
  for (let number = 0; number < 10; number++) seen.take("checkout", `c${number}`);
  seen.take("consultation", "s");
  seen.take("checkout", "c5");
  seen.take("checkout", null);
  const kept = new Seen(JSON.parse(JSON.stringify(seen.dump())) as [string, string][]);
  assert.equal(kept.header("consultation"), "c5,c9,c8,c7,c6,c4,c3,c2");
  assert.equal(kept.header("checkout"), "s");
  assert.equal(kept.header("calendar"), "c5,s,c9,c8,c7,c6,c4,c3");
  assert.equal(new Seen().header("checkout"), undefined);
});

test("a list is read to its end, page by page, or is refused", async () => {
  const page = (request: Request): Response => {
    const cursor = new URL(request.url).searchParams.get("cursor") ?? "one";
    const { items, next_cursor } = { one: { items: ["a", "b"], next_cursor: "two" }, two: { items: [], next_cursor: "three" }, three: { items: ["c"], next_cursor: null } }[cursor] ?? {};
    return Response.json({ items, next_cursor });
  };
  const list = script(page).booking();
  assert.deepEqual(await Array.fromAsync(list.items("/v1/products")), ["a", "b", "c"]);
  const later = list.pages("/v1/products", { params: { query: { cursor: "two" } } });
  assert.deepEqual((await Array.fromAsync(later)).map((one) => one.items), [[], ["c"]]);
  const refused = script(problem(422, "invalid_cursor")).booking().items("/v1/products");
  await assert.rejects(refused.next(), (error) => error instanceof Refused && error.message === "422 invalid_cursor: No.");
});

test("what is gone leaves no data", async () => {
  const { booking } = script(() => new Response(null, { status: 204 }));
  const gone = await booking().DELETE("/v1/calendar/feeds/{feed_id}", { params: { path: { feed_id: "x" } } });
  assert.deepEqual([gone.data, gone.problem, gone.response.status], [undefined, undefined, 204]);
});
