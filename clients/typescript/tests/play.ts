/**
 * The product once, from the purchase to the result, against a running system; tests/e2e/test_clients.py starts it.
 *
 * Reads its people and places as JSON from the environment's PLAY, prints what it saw as JSON.
 */
import { strict as assert } from "node:assert";

import { Booking, type Result, type Servers } from "../src/index.ts";

interface Play {
  servers: Servers;
  member: string;
  practitioner: string;
  product_id: string;
  practitioner_id: string;
  schedules: [Schedule, Schedule];
}
interface Schedule {
  scheduled_date: string;
  time_start: string;
  time_end: string;
  timezone: string;
  meeting_link: string;
}

const play = JSON.parse(process.env.PLAY ?? "{}") as Play;
const { product_id, practitioner_id } = play;
const [first, second] = play.schedules;
const member = new Booking(play.servers, { token: play.member });
const practitioner = new Booking(play.servers, { token: () => Promise.resolve(play.practitioner) });
const refused: unknown[] = [];

/** The data of a success. */
function good<O>(result: Result<O>): NonNullable<Result<O>["data"]> {
  assert.ok(result.data, JSON.stringify(result.problem));
  return result.data;
}

const sale = await member.POST("/v1/transactions", { body: { product_id, practitioner_id } }); // its first answer is cut off
const transaction_id = good(sale).id;
const bought = await Array.fromAsync(member.items("/v1/transactions"));

const tooEarly = await member.POST("/v1/sessions", { params: { query: { wait: 0 } }, body: { transaction_id } });
refused.push(tooEarly.problem?.code);

const paying = await fetch(good(sale).payment.redirect_url ?? "", {
  method: "POST",
  body: new URLSearchParams({ choice: "settlement" }),
  redirect: "manual",
});
assert.ok(paying.status < 400, String(paying.status));
const params = { path: { transaction_id }, query: { wait_for: "paid" } } as const;
const paid = good(await member.GET("/v1/transactions/{transaction_id}", { params }));

const session = good(await member.POST("/v1/sessions", { params: { query: { wait: 10 } }, body: { transaction_id } }));
const waiting = practitioner.items("/v1/sessions", { params: { query: { status: ["pending_negotiation"], limit: 1 } } });
const asked = (await Array.fromAsync(waiting)).map((one) => one.id);

const path = { session_id: session.id };
const stored = await practitioner.POST("/v1/sessions/{session_id}/schedule", { params: { path }, body: first });
const again = await practitioner.POST("/v1/sessions/{session_id}/schedule", { params: { path }, body: first });
if (again.problem?.code === "wrong_status")
  refused.push([again.problem.current_status, again.problem.allowed_commands]);
assert.ok(stored.etag);
const header = { "If-Match": stored.etag };
const moved = good(await practitioner.PUT("/v1/sessions/{session_id}/schedule", { params: { path, header }, body: second }));
const stale = await practitioner.PUT("/v1/sessions/{session_id}/schedule", { params: { path, header }, body: first });
if (stale.problem?.code === "stale_version") refused.push(["stale_version", stale.problem.current_version]);

const day = { start: first.scheduled_date, end: new Date(Date.parse(first.scheduled_date) + 2 * 86_400_000).toISOString() };
const calendar = practitioner.items("/v1/calendar/events", { params: { query: { ...day, wait: 10 } } });
const seen = (await Array.fromAsync(calendar)).map((one) => [one.id, one.start]);

await practitioner.POST("/v1/sessions/{session_id}/start", { params: { path } });
const result_link = "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz012345/view";
good(await practitioner.POST("/v1/sessions/{session_id}/result", { params: { path }, body: { result_link } }));
const read = await member.GET("/v1/sessions/{session_id}", { params: { path } });
const unchanged = await member.readUnlessChanged(read.etag ?? "", "/v1/sessions/{session_id}", { params: { path } });
const history: unknown[][] = [];
for await (const page of member.pages("/v1/sessions/{session_id}/history", { params: { path, query: { limit: 2 } } }))
  history.push(page.items.map((one) => one.type));

const report = {
  bought: [bought.map((one) => one.id).join() === transaction_id, sale.response.headers.get("Idempotency-Replayed")],
  paid: paid.status,
  asked: asked.includes(session.id),
  calendar: seen.some(([id, start]) => id === session.id && start === moved.starts_at),
  read: [good(read).status, good(read).result_link],
  unchanged: "unchanged" in unchanged,
  history,
  refused,
};
console.log(JSON.stringify(report));
