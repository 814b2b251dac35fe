// TS2561: 'state' does not exist in type
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
await booking.GET("/v1/sessions", { params: { query: { state: "scheduled" } } });
