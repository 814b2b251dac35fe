// TS2345: '"/v1/sessions/summary"' is not assignable to parameter of type
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
await booking.POST("/v1/sessions/summary", {});
