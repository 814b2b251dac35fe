// TS2322: Type 'string | undefined' is not assignable to type 'string'
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
const schedule = { scheduled_date: "2026-12-01", time_start: "09:00", time_end: "10:00", meeting_link: "https://meet.google.com/a" };
const path = { session_id: "x" };
const { etag } = await booking.GET("/v1/sessions/{session_id}", { params: { path } }); // was it refused?
await booking.PUT("/v1/sessions/{session_id}/schedule", { params: { path, header: { "If-Match": etag } }, body: schedule });
