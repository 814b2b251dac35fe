// TS2345: 'body' is missing
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
await booking.POST("/v1/sessions", {});
