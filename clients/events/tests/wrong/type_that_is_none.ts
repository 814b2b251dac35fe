import type { BookingEvent } from "../../src/index.ts";

export const wrong = (one: BookingEvent): boolean => one.type === "com.booking.consultation.SessionSheduled.v1";
