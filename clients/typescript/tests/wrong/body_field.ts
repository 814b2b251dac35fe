// TS2561: 'practitionerId' does not exist in type
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
await booking.POST("/v1/transactions", { body: { product_id: "a", practitionerId: "b" } });
