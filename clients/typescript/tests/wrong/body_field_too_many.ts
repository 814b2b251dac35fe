// TS2353: 'discount' does not exist
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
await booking.POST("/v1/transactions", { body: { product_id: "a", practitioner_id: "b", discount: 10 } });
