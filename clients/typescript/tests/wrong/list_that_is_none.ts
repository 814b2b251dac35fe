// TS2345: '"/v1/me"' is not assignable to parameter of type
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
for await (const item of booking.items("/v1/me", {})) console.log(item);
