// TS2741: 'header' is missing
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
const schedule = { scheduled_date: "2026-12-01", time_start: "09:00", time_end: "10:00", meeting_link: "https://meet.google.com/a" };
await booking.PUT("/v1/sessions/{session_id}/schedule", { params: { path: { session_id: "x" } }, body: schedule });
