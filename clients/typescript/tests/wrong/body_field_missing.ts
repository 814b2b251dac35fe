// TS2741: 'practitioner_id' is missing
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
await booking.POST("/v1/transactions", { body: { product_id: "a" } });
