// TS18048: 'data' is possibly 'undefined'
import { Booking } from "../../src/index.ts";

const booking = new Booking("https://booking.example");
const { data } = await booking.GET("/v1/me");
export const name = data.name;
