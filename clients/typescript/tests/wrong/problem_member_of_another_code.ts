// TS2339: 'conflicts' does not exist
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
const { problem } = await booking.POST("/v1/sessions/{session_id}/start", { params: { path: { session_id: "x" } } });
export const conflicts = problem?.code === "wrong_status" ? problem.conflicts : [];
