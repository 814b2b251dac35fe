// TS2367: have no overlap
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
const { problem } = await booking.POST("/v1/transactions", { body: { product_id: "a", practitioner_id: "b" } });
export const taken = problem?.code === "overlap";
