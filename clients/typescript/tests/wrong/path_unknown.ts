// TS2345: '"/v1/bookings"' is not assignable to parameter of type
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
await booking.GET("/v1/bookings", {});
