// TS2820: Type '"schedule"' is not assignable to type
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
await booking.GET("/v1/sessions", { params: { query: { status: ["schedule"] } } });
