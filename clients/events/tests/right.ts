// What a reader may write.
import { told, type BookingEvent, type Message, type SessionScheduled } from "../src/index.ts";

export function startsAt(message: Message): string | undefined {
  const one = told(message);
  if (one.kind !== "event") return undefined;
  switch (one.type) {
    case "com.booking.consultation.SessionScheduled.v1":
      return one.data.starts_at;
    case "com.booking.checkout.TransactionPaid.v2":
      return one.data.paid_at;
    default:
      return one.time.toISOString();
  }
}

export const newest = (rows: SessionScheduled[]): number => Math.max(...rows.map((row) => row.schedule_version));
export const amounts = (events: BookingEvent[]): number[] =>
  events.flatMap((one) => (one.type === "com.booking.checkout.TransactionPaid.v2" ? [one.data.amount.amount] : []));
