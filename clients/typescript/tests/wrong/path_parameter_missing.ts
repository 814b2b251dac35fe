// TS2345: 'params' is missing
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
await booking.GET("/v1/sessions/{session_id}", {});
