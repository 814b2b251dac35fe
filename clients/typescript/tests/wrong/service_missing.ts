// TS2345: missing the following properties
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
export const other = new Booking({ checkout: "https://checkout.example" });
