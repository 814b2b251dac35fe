/** Right calls, and what is known of their answers: it compiles, and is never run. */
import { Booking, type components, Refused, Seen, type UndeclaredProblem } from "../src/index.ts";

const booking = new Booking("https://booking.example", { token: async () => "a token", seen: new Seen() });
const schedule = { scheduled_date: "2026-12-01", time_start: "09:00", time_end: "10:00", meeting_link: "https://meet.google.com/a" };

/** Leaves out what has a default. */
export async function product(): Promise<string | undefined> {
  const price = { amount: 250000, currency: "IDR" };
  const { data } = await booking.PUT("/v1/products/{product_id}", {
    params: { path: { product_id: "x" }, header: { "If-None-Match": "*" } },
    body: { name: "Konseling", kind: "counseling", tier: "gold", price },
  });
  return data?.kind;
}

/** A problem's code tells its members; each way out has a type of its own. */
export async function move(id: string, etag: string): Promise<components["schemas"]["Session"] | string> {
  const { data, problem } = await booking.PUT("/v1/sessions/{session_id}/schedule", {
    params: { path: { session_id: id }, header: { "If-Match": etag }, query: { wait: 5 } },
    body: schedule,
  });
  if (!problem) return data;
  switch (problem.code) {
    case "overlap":
      return problem.conflicts.map((one) => one.starts_at).join(problem.party === "both" ? "!" : ",");
    case "wrong_status":
      return problem.allowed_commands.join(problem.current_status === "canceled" ? "" : ",");
    case "stale_version":
      return String(problem.current_version ?? "unknown");
    default:
      return problem.detail;
  }
}

/** What was read can be changed without another look at its tag. */
export async function decide(): Promise<number | undefined> {
  const path = { session_id: "x" };
  const read = await booking.GET("/v1/sessions/{session_id}", { params: { path } });
  if (read.problem) return read.problem.status;
  const header = { "If-Match": read.etag };
  const moved = await booking.PUT("/v1/sessions/{session_id}/schedule", { params: { path, header }, body: schedule });
  return moved.data?.version;
}

/** A code that is newer than the client has the common members. */
export function known(problem: { code: "overlap"; status: 409 } | UndeclaredProblem): "overlap" | number {
  return problem.code === "overlap" ? problem.code : problem.status;
}

/** Lists go on by themselves; what was read may be unchanged; nothing comes back of what is gone. */
export async function rest(): Promise<unknown> {
  try {
    for await (const one of booking.items("/v1/sessions", { params: { query: { status: ["scheduled", "pending"] } } }))
      if (one.status === "on_progress") return one.whatsapp_url;
    for await (const page of booking.pages("/v1/products")) if (page.items[0]?.tier === "gold") return page.next_cursor;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  const again = await booking.readUnlessChanged('"3"', "/v1/me");
  if ("unchanged" in again) return again.etag;
  const gone = await booking.DELETE("/v1/calendar/feeds/{feed_id}", { params: { path: { feed_id: "x" } } });
  return gone.data satisfies undefined;
}
