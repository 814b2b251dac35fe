import type { BookingEvent } from "../../src/index.ts";

export const wrong = (one: BookingEvent): unknown =>
  one.type === "com.booking.consultation.SessionScheduled.v1" ? one.data.paid_at : null;
