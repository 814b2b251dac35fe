// Generated of the schemas in shared/contracts by `make generate`.

/**
 * A member finished an assessment. Consultation lets that member name it in a request (R1). Its owner never changes.
 */
export interface AssessmentCompleted {
  /**
   * The assessment that the member finished; another system's id.
   */
  assessment_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * When the member finished the assessment.
   */
  completed_at: string;
}
/**
 * A product as it is now, after an admin made or changed it (P1). Analytics reads it: names and prices, also of what nobody has bought; what was sold says its own price.
 */
export interface CatalogueProduct {
  /**
   * The product.
   */
  id: string;
  /**
   * What the product is called now.
   */
  name: string;
  /**
   * What was bought.
   */
  kind: "verification" | "counseling";
  /**
   * The class of product and practitioner. Open: expect names that are not known yet.
   */
  tier: string;
  price: Money;
  /**
   * How long a session of the product lasts.
   */
  duration_minutes: number;
  /**
   * How long a purchase waits for its payment.
   */
  payment_ttl_minutes: number;
  /**
   * How long the practitioner has to answer a request.
   */
  request_limit_minutes: number;
  /**
   * Whether the session starts by itself at its start time.
   */
  auto_start: boolean;
  /**
   * Whether it is sold now.
   */
  active: boolean;
}
/**
 * What it costs now.
 */
export interface Money {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * A crash or cut between the provider's acceptance and our record: it may or may not have left (N3). Tried again at most once; admins see it.
 */
export interface NotificationAmbiguous {
  /**
   * The message: one recipient, one channel, one template, one cause.
   */
  notification_id: string;
  /**
   * The person, or `admins`.
   */
  recipient_id?: string;
  /**
   * How the message goes.
   */
  channel?: "email" | "whatsapp";
  /**
   * Which text was to be sent. Open: expect names that are not known yet.
   */
  template?: string;
  /**
   * The session that it is about; absent if none.
   */
  session_id?: string;
  /**
   * The purchase that it is about; absent if none.
   */
  transaction_id?: string;
  /**
   * Which try it was, from 1; 0 before the first.
   */
  attempt: number;
  /**
   * Why it failed, a name made for machines. Open: expect names that are not known yet.
   */
  code: string;
}
/**
 * The provider reported that the message arrived (N3). Analytics reads it.
 */
export interface NotificationDelivered {
  /**
   * The message: one recipient, one channel, one template, one cause.
   */
  notification_id: string;
  /**
   * The person, or `admins`.
   */
  recipient_id?: string;
  /**
   * How the message goes.
   */
  channel?: "email" | "whatsapp";
  /**
   * Which text was to be sent. Open: expect names that are not known yet.
   */
  template?: string;
  /**
   * The session that it is about; absent if none.
   */
  session_id?: string;
  /**
   * The purchase that it is about; absent if none.
   */
  transaction_id?: string;
  /**
   * Which try it was, from 1; 0 before the first.
   */
  attempt: number;
  /**
   * When the provider says that it arrived.
   */
  at: string;
}
/**
 * The message was refused for good, or there was no address (N5). Admins see it.
 */
export interface NotificationFailed {
  /**
   * The message: one recipient, one channel, one template, one cause.
   */
  notification_id: string;
  /**
   * The person, or `admins`.
   */
  recipient_id?: string;
  /**
   * How the message goes.
   */
  channel?: "email" | "whatsapp";
  /**
   * Which text was to be sent. Open: expect names that are not known yet.
   */
  template?: string;
  /**
   * The session that it is about; absent if none.
   */
  session_id?: string;
  /**
   * The purchase that it is about; absent if none.
   */
  transaction_id?: string;
  /**
   * Which try it was, from 1; 0 before the first.
   */
  attempt: number;
  /**
   * Why it failed, a name made for machines. Open: expect names that are not known yet.
   */
  code: string;
}
/**
 * An event, or a timer that an event set, asks for one message to one recipient by one channel (N3). Analytics reads it; notifier sends it when due.
 */
export interface NotificationRequested {
  /**
   * The message: one recipient, one channel, one template, one cause.
   */
  notification_id: string;
  /**
   * `ce_id` of the event that asked for the message.
   */
  cause_event_id: string;
  /**
   * The person, or `admins`.
   */
  recipient_id: string;
  /**
   * How the message goes.
   */
  channel: "email" | "whatsapp";
  /**
   * Which text was to be sent. Open: expect names that are not known yet.
   */
  template: string;
  /**
   * The language of the person's messages and pages, BCP 47. Open: expect names that are not known yet.
   */
  locale: string;
  /**
   * The session that it is about; absent if none.
   */
  session_id?: string;
  /**
   * The purchase that it is about; absent if none.
   */
  transaction_id?: string;
  /**
   * When the message should leave.
   */
  due_at: string;
}
/**
 * The provider accepted the message (N3). Analytics reads it.
 */
export interface NotificationSent {
  /**
   * The message: one recipient, one channel, one template, one cause.
   */
  notification_id: string;
  /**
   * The person, or `admins`.
   */
  recipient_id?: string;
  /**
   * How the message goes.
   */
  channel?: "email" | "whatsapp";
  /**
   * Which text was to be sent. Open: expect names that are not known yet.
   */
  template?: string;
  /**
   * The session that it is about; absent if none.
   */
  session_id?: string;
  /**
   * The purchase that it is about; absent if none.
   */
  transaction_id?: string;
  /**
   * Which try it was, from 1; 0 before the first.
   */
  attempt: number;
  /**
   * The message at its provider; absent where it gives none.
   */
  provider_message_id?: string;
}
/**
 * The message was no longer useful: canceled, moved, too late, or older than this notifier (N3, N4). Admins see it.
 */
export interface NotificationSkipped {
  /**
   * The message: one recipient, one channel, one template, one cause.
   */
  notification_id: string;
  /**
   * The person, or `admins`.
   */
  recipient_id?: string;
  /**
   * How the message goes.
   */
  channel?: "email" | "whatsapp";
  /**
   * Which text was to be sent. Open: expect names that are not known yet.
   */
  template?: string;
  /**
   * The session that it is about; absent if none.
   */
  session_id?: string;
  /**
   * The purchase that it is about; absent if none.
   */
  transaction_id?: string;
  /**
   * Which try it was, from 1; 0 before the first.
   */
  attempt: number;
  /**
   * Why the message was not sent, a name made for machines. Open: expect names that are not known yet.
   */
  reason: string;
}
/**
 * The provider said that a payment was refused before any money of it came (P4); told once for each payment. Nothing changes: the member may try again until `expires_at`. Analytics reads it.
 */
export interface PaymentDeclined {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The payment provider. Open: expect names that are not known yet.
   */
  provider: string;
  /**
   * The payment at its provider.
   */
  provider_payment_id: string;
  amount?: Money1;
  /**
   * Why it failed, a name made for machines. Open: expect names that are not known yet.
   */
  code: string;
}
/**
 * How much, a whole number of the currency's smallest unit here (`x-decimals`).
 */
export interface Money1 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * Money arrived that does not simply pay: too late, of a wrong amount or currency, or a second time (`direction` in or null); or a part of a payment left, or the provider contradicts itself (out) (P4). `received` is what came in by this payment, `returned` what is known to have gone back of it, null for nothing. `refundable` false: how much is left is unknown, or the payment counts for another Transaction, so settling it may give nothing back. The same `review_id` again tells what is known by then. Notifier tells the admins, one of whom settles it.
 */
export interface PaymentNeedsReview {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The payment review; absent if the money belongs to none.
   */
  review_id: string;
  /**
   * The payment provider. Open: expect names that are not known yet.
   */
  provider: string;
  /**
   * The payment at its provider.
   */
  provider_payment_id: string;
  received: Money2;
  expected: Money3;
  /**
   * Why the money does not simply pay.
   */
  cause: "after_expiry" | "after_cancel" | "wrong_amount" | "wrong_currency" | "second_payment";
  /**
   * Whether money came in or went out; absent for in.
   */
  direction?: "in" | "out";
  returned?: Money4;
  /**
   * Whether settling the review may give something back; absent if unknown.
   */
  refundable?: boolean;
}
/**
 * What came in by this payment.
 */
export interface Money2 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * What should have come in.
 */
export interface Money3 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * What is known to have gone back of it; absent for nothing.
 */
export interface Money4 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * An admin settled a payment review by refund or dismissal (P4). No other service reacts: a refund tells itself.
 */
export interface PaymentReviewSettled {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The payment review; absent if the money belongs to none.
   */
  review_id: string;
  /**
   * How an admin settled the review.
   */
  outcome: "refund" | "dismiss";
  /**
   * Where the reason's words are kept, apart and erasable; absent if there are none.
   */
  reason_id: string;
}
/**
 * A person's contact data as they are now, from the token's claims at first and later from the person (E4). Notifier reaches people by it, consultation shows names and makes the WhatsApp link, the calendar's words are in its locale and its events show the name; a tombstone erases it.
 */
export interface PersonContact {
  /**
   * The person.
   */
  person_id: string;
  /**
   * What the person is called.
   */
  name?: string;
  /**
   * The address.
   */
  email?: string;
  /**
   * The number, E.164.
   */
  phone?: string;
  /**
   * The language of the person's messages and pages, BCP 47. Open: expect names that are not known yet.
   */
  locale: string;
  /**
   * The person's IANA zone.
   */
  timezone: string;
}
/**
 * An admin erased a person (E4). Every service deletes what E4 names. Of before the contract's 2.2.0 the person is the record's key alone.
 */
export interface PersonErased {
  /**
   * The person.
   */
  person_id?: string;
}
/**
 * By which channels a person wants to be told, chosen at the notifier (N2). Analytics reads it; whoever never chose has no record, and a tombstone says that the person was erased (E4).
 */
export interface PersonPreferences {
  /**
   * The person.
   */
  person_id: string;
  /**
   * Whether the person wants mails.
   */
  email: boolean;
  /**
   * Whether the person wants WhatsApp messages.
   */
  whatsapp: boolean;
}
/**
 * The member's chosen practitioner was locked into the Transaction (P2). Consultation notes the pair.
 */
export interface PractitionerAssigned {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The product.
   */
  product_id: string;
  /**
   * What was bought.
   */
  kind: "verification" | "counseling";
  /**
   * The class of product and practitioner. Open: expect names that are not known yet.
   */
  tier: string;
}
/**
 * The Transaction was reassigned while the session was open: it waits for the new practitioner's answer (P2). Notifier tells all three, the calendar takes the session out of ranges and feeds (C1).
 */
export interface PractitionerChanged {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status after this.
   */
  status: "pending_negotiation";
  /**
   * The practitioner before.
   */
  previous_practitioner_id: string;
  /**
   * The session's status before.
   */
  previous_status: "pending_negotiation" | "scheduled";
  previous?: PreviousTime;
  /**
   * Until when the practitioner must answer.
   */
  respond_by: string;
  /**
   * 0 before the first schedule, then one more by every change of it.
   */
  schedule_version: number;
}
/**
 * What was given up.
 */
export interface PreviousTime {
  /**
   * When the session begins, as scheduled.
   */
  starts_at: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at: string;
}
/**
 * A practitioner's public profile as it is now, after the practitioner or an admin changed it (L1). Consultation shows the name and takes the zone as the default of schedules.
 */
export interface PractitionerProfile {
  /**
   * The practitioner, key of the topic.
   */
  id: string;
  /**
   * What the practitioner is called.
   */
  name: string;
  /**
   * The practitioner's picture.
   */
  photo_url?: string;
  /**
   * The practitioner's own words about themselves.
   */
  bio?: string;
  /**
   * What the practitioner is by profession.
   */
  profession?: string;
  /**
   * The classes that the practitioner serves. Open: expect names that are not known yet.
   */
  tiers: string[];
  /**
   * An IANA zone.
   */
  timezone: string;
  /**
   * Whether members may choose the practitioner.
   */
  active: boolean;
}
/**
 * An admin gave the Transaction to another practitioner, or the system gave it back because the session had already begun (P2). Consultation moves an open session to the new practitioner.
 */
export interface PractitionerReassigned {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The practitioner before.
   */
  previous_practitioner_id: string;
  /**
   * Why.
   */
  reason_code: "by_admin" | "session_already_started";
  /**
   * Where the reason's words are kept, apart and erasable; absent if there are none.
   */
  reason_id?: string;
}
/**
 * The provider's final no to a refund (P5). Without `review_id` the right to request a session returns; notifier tells the admins, who may try again.
 */
export interface RefundFailed {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The refund.
   */
  refund_id: string;
  /**
   * The payment review; absent if the money belongs to none.
   */
  review_id?: string;
  /**
   * Why it failed, a name made for machines. Open: expect names that are not known yet.
   */
  code: string;
}
/**
 * Money is to be given back: an admin asked, or the provider began it (P5). Without `review_id` the right to request a session ends, and consultation fails the open one.
 */
export interface RefundRequested {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The refund.
   */
  refund_id: string;
  /**
   * The payment review; absent if the money belongs to none.
   */
  review_id?: string;
  amount: Money5;
  /**
   * Where the reason's words are kept, apart and erasable; absent if there are none.
   */
  reason_id: string;
}
/**
 * How much, a whole number of the currency's smallest unit here (`x-decimals`).
 */
export interface Money5 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * An operator publishes a topic again, all of it or a part: from now on records come that were there before. Who drops copies by `ce_id` need do nothing. `RepublishEnded` follows; without it the work was broken off, or still goes on. A data team reads it.
 */
export interface RepublishBegan {
  /**
   * One operator's deed on one topic.
   */
  notice_id: string;
  /**
   * The topic's name, without a deployment's prefix.
   */
  topic: string;
  /**
   * Kafka's id of the topic as it was created then; another one after it was made anew.
   */
  topic_id: string;
  /**
   * Whether all of the topic is sent again; else one stream, or a time range.
   */
  whole: boolean;
}
/**
 * All that was asked for is in the topic again (`RepublishBegan`). Of an event topic `stretches` say where the copies lie, now and then with others between them; a state topic's rows follow within moments, by the relay. A data team reads it.
 */
export interface RepublishEnded {
  /**
   * One operator's deed on one topic.
   */
  notice_id: string;
  /**
   * The topic's name, without a deployment's prefix.
   */
  topic: string;
  /**
   * Kafka's id of the topic as it was created then; another one after it was made anew.
   */
  topic_id: string;
  /**
   * How many were sent, or of a state topic how many rows are to be.
   */
  records: number;
  /**
   * Which records, by partition and offset.
   */
  stretches: Stretch[];
}
/**
 * Records of one partition that follow each other, both ends among them.
 */
export interface Stretch {
  /**
   * The topic's partition.
   */
  partition: number;
  /**
   * The offset of its first record.
   */
  first: number;
  /**
   * The offset of its last record.
   */
  last: number;
}
/**
 * The topic's store was restored from before its topic, and an operator accepted that. Records up to the ends of `stretches` may be of a history that the store no longer knows: the same key may have the same `ce_sequence` again, with another `ce_id` and other data. What the store says is what counts from here on. A data team reads it.
 */
export interface RestoreAccepted {
  /**
   * One operator's deed on one topic.
   */
  notice_id: string;
  /**
   * The topic's name, without a deployment's prefix.
   */
  topic: string;
  /**
   * Kafka's id of the topic as it was created then; another one after it was made anew.
   */
  topic_id: string;
  /**
   * Which records, by partition and offset.
   */
  stretches: Stretch[];
}
/**
 * The practitioner replaced the result of a completed session; the earlier one stays in the history. It counts as activity (L2), never again as productivity. `ended_at` is what is known by then (S8): as it was before, unless this says another.
 */
export interface ResultReplaced {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status after this.
   */
  status: "completed";
  /**
   * The result.
   */
  result_id: string;
  /**
   * Whether the result has a link. The link itself is read from consultation.
   */
  has_link: boolean;
  /**
   * Whether the result has notes. They are read from consultation.
   */
  has_notes: boolean;
  /**
   * The result that was replaced.
   */
  previous_result_id: string;
  /**
   * When the meeting was over, as the practitioner said; absent where nobody did. Not the time of the result.
   */
  ended_at?: string;
}
/**
 * The practitioner uploaded a recording or notes, which completes the session. Notifier tells the member, checkout counts the practitioner's productivity (L2). Link and notes themselves are read from consultation (E4). `ended_at` is there if the practitioner said when they parted (S8).
 */
export interface ResultUploaded {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status after this.
   */
  status: "completed";
  /**
   * The result.
   */
  result_id: string;
  /**
   * Whether the result has a link. The link itself is read from consultation.
   */
  has_link: boolean;
  /**
   * Whether the result has notes. They are read from consultation.
   */
  has_notes: boolean;
  /**
   * When the meeting was over, as the practitioner said; absent where nobody did. Not the time of the result.
   */
  ended_at?: string;
}
/**
 * A member with a paid Transaction asked for a session (R1, R2). Notifier tells the practitioner (R3), who must answer by `respond_by` (R4).
 */
export interface ScheduleRequested {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status after this.
   */
  status: "pending_negotiation";
  /**
   * The assessment that the member finished; another system's id.
   */
  assessment_id?: string;
  /**
   * What was bought.
   */
  kind: "verification" | "counseling";
  /**
   * Until when the practitioner must answer.
   */
  respond_by: string;
  /**
   * Whether the session starts by itself at its start time.
   */
  auto_start: boolean;
}
/**
 * The member or the practitioner canceled with a reason (S5). Notifier tells the other side, the calendar marks the session as canceled (C1), the member may request again (R2).
 */
export interface SessionCanceled {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status after this.
   */
  status: "canceled";
  /**
   * Why.
   */
  reason_code: "canceled_by_member" | "canceled_by_practitioner" | "other";
  /**
   * Where the reason's words are kept, apart and erasable; absent if there are none.
   */
  reason_id?: string;
  /**
   * The session's status before.
   */
  previous_status: "pending_negotiation" | "scheduled";
  /**
   * When the session begins, as scheduled.
   */
  starts_at?: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at?: string;
  /**
   * 0 before the first schedule, then one more by every change of it.
   */
  schedule_version: number;
}
/**
 * An admin failed the session, or the system did: no answer in time (R4), or the payment was reversed (P5). Notifier tells both, the calendar marks the session as failed (C1), the member may request again (R2).
 */
export interface SessionFailed {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status after this.
   */
  status: "failed";
  /**
   * Why.
   */
  reason_code:
    "technical" | "no_show_member" | "no_show_practitioner" | "other" | "practitioner_timeout" | "payment_reversed";
  /**
   * Where the reason's words are kept, apart and erasable; absent if there are none.
   */
  reason_id?: string;
  /**
   * The session's status before.
   */
  previous_status: "pending_negotiation" | "scheduled" | "on_progress";
  /**
   * When the session begins, as scheduled.
   */
  starts_at?: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at?: string;
  /**
   * 0 before the first schedule, then one more by every change of it.
   */
  schedule_version: number;
}
/**
 * The practitioner moved the session or changed its link (S5, S7). Notifier sends the new invitation and drops the old reminders (N4), the calendar moves the session.
 */
export interface SessionRescheduled {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status after this.
   */
  status: "scheduled";
  /**
   * 0 before the first schedule, then one more by every change of it.
   */
  schedule_version: number;
  /**
   * The day of the start, in `timezone`.
   */
  scheduled_date: string;
  /**
   * When it begins, as the practitioner gave it.
   */
  time_start: string;
  /**
   * When it ends, as the practitioner gave it.
   */
  time_end: string;
  /**
   * An IANA zone.
   */
  timezone: string;
  /**
   * Whether `time_end` is on the day after `scheduled_date`.
   */
  ends_next_day: boolean;
  /**
   * Which of two equal wall clocks the start is, where clocks went back (0 first, 1 second).
   */
  fold?: 0 | 1;
  /**
   * The same of the end.
   */
  fold_end?: 0 | 1;
  /**
   * When the session begins, as scheduled.
   */
  starts_at: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at: string;
  /**
   * Where the session takes place.
   */
  meeting_link: string;
  previous: PreviousSchedule;
}
/**
 * What was given up.
 */
export interface PreviousSchedule {
  /**
   * When the session begins, as scheduled.
   */
  starts_at: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at: string;
  /**
   * Where the session takes place.
   */
  meeting_link: string;
}
/**
 * The practitioner set date, time and meeting link (S1 to S4). Notifier invites the member and sets the reminders, the calendar shows the session.
 */
export interface SessionScheduled {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status after this.
   */
  status: "scheduled";
  /**
   * 0 before the first schedule, then one more by every change of it.
   */
  schedule_version: number;
  /**
   * The day of the start, in `timezone`.
   */
  scheduled_date: string;
  /**
   * When it begins, as the practitioner gave it.
   */
  time_start: string;
  /**
   * When it ends, as the practitioner gave it.
   */
  time_end: string;
  /**
   * An IANA zone.
   */
  timezone: string;
  /**
   * Whether `time_end` is on the day after `scheduled_date`.
   */
  ends_next_day: boolean;
  /**
   * Which of two equal wall clocks the start is, where clocks went back (0 first, 1 second).
   */
  fold?: 0 | 1;
  /**
   * The same of the end.
   */
  fold_end?: 0 | 1;
  /**
   * When the session begins, as scheduled.
   */
  starts_at: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at: string;
  /**
   * Where the session takes place.
   */
  meeting_link: string;
}
/**
 * The practitioner flagged the session as running, or the system did at its start time where the product says so. Checkout refuses reassignment from now on (P2).
 */
export interface SessionStarted {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status after this.
   */
  status: "on_progress";
  /**
   * When the session was started.
   */
  started_at: string;
}
/**
 * A session as it is now, the fold of its events up to version `ce_sequence`: where a new reader starts, without the history. `ce_metadata` says who caused the last event, and by `causation_id` which one it was. Analytics reads it; words and links stay out, of the meeting's link only the host is told.
 */
export interface SessionState {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The session's status now.
   */
  status: "pending_negotiation" | "scheduled" | "on_progress" | "completed" | "canceled" | "failed";
  /**
   * The assessment that the member finished; another system's id.
   */
  assessment_id?: string;
  /**
   * What was bought.
   */
  kind: "verification" | "counseling";
  /**
   * Whether the session starts by itself at its start time.
   */
  auto_start: boolean;
  /**
   * When the member asked for the session.
   */
  requested_at: string;
  /**
   * Until when the practitioner must answer, or had to.
   */
  respond_by: string;
  /**
   * 0 before the first schedule, then one more by every change of it.
   */
  schedule_version: number;
  /**
   * The day of the start, in `timezone`.
   */
  scheduled_date?: string;
  /**
   * When it begins, as the practitioner gave it.
   */
  time_start?: string;
  /**
   * When it ends, as the practitioner gave it.
   */
  time_end?: string;
  /**
   * An IANA zone.
   */
  timezone?: string;
  /**
   * Whether `time_end` is on the day after `scheduled_date`.
   */
  ends_next_day?: boolean;
  /**
   * Which of two equal wall clocks the start is, where clocks went back (0 first, 1 second).
   */
  fold?: 0 | 1;
  /**
   * The same of the end.
   */
  fold_end?: 0 | 1;
  /**
   * When the session begins, as scheduled.
   */
  starts_at?: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at?: string;
  /**
   * The host of the meeting's link, a name of DNS: by what they meet. The link stays out.
   */
  meeting_host?: string;
  /**
   * When the session was started.
   */
  started_at?: string;
  /**
   * When the meeting was over, as the practitioner said; absent where nobody did. Not the time of the result.
   */
  ended_at?: string;
  /**
   * When it was completed, canceled or failed; absent before.
   */
  closed_at?: string;
  /**
   * The present result; absent before there is one.
   */
  result_id?: string;
  /**
   * Whether the present result has a link.
   */
  has_link: boolean;
  /**
   * Whether the present result has notes.
   */
  has_notes: boolean;
  /**
   * Why it was canceled or failed.
   */
  reason_code?:
    | "canceled_by_member"
    | "canceled_by_practitioner"
    | "other"
    | "technical"
    | "no_show_member"
    | "no_show_practitioner"
    | "practitioner_timeout"
    | "payment_reversed";
}
/**
 * The member or an admin canceled before payment (P3). No service reacts; a later payment becomes a review.
 */
export interface TransactionCanceled {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * Where the reason's words are kept, apart and erasable; absent if there are none.
   */
  reason_id?: string;
}
/**
 * A member chose a product; price and limits are copied into the sale (P1). Consultation learns of the Transaction; no practitioner is set yet, `PractitionerAssigned` follows at once.
 */
export interface TransactionCreated {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id?: string;
  product: Product;
  price: Money6;
  /**
   * The payment provider. Open: expect names that are not known yet.
   */
  provider: string;
  /**
   * The order at the payment provider.
   */
  reference: string;
  /**
   * Until when it can be paid.
   */
  expires_at: string;
  /**
   * How long the practitioner has to answer a request.
   */
  request_limit_minutes: number;
  /**
   * Whether the session starts by itself at its start time.
   */
  auto_start: boolean;
}
/**
 * What was sold, as it was then.
 */
export interface Product {
  /**
   * The product.
   */
  id: string;
  /**
   * What the product was called then.
   */
  name: string;
  /**
   * What was bought.
   */
  kind: "verification" | "counseling";
  /**
   * The class of product and practitioner. Open: expect names that are not known yet.
   */
  tier: string;
  /**
   * How long a session of the product lasts.
   */
  duration_minutes: number;
}
/**
 * What it costs, as sold.
 */
export interface Money6 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * Nobody paid in time, and the provider confirmed that (P3). Notifier tells the member.
 */
export interface TransactionExpired {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * Until when it can be paid.
   */
  expires_at: string;
}
/**
 * The provider's verified notification for the exact amount and currency arrived (P4). Consultation lets the member request a session; notifier tells the member.
 */
export interface TransactionPaidV1 {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  amount: Money7;
  /**
   * The payment provider. Open: expect names that are not known yet.
   */
  provider: string;
  /**
   * The payment at its provider.
   */
  provider_payment_id: string;
  /**
   * When checkout took the provider's notification, not when the money moved.
   */
  paid_at: string;
  /**
   * What was bought.
   */
  kind: "verification" | "counseling";
  /**
   * How long the practitioner has to answer a request.
   */
  request_limit_minutes: number;
  /**
   * Whether the session starts by itself at its start time.
   */
  auto_start: boolean;
}
/**
 * How much, a whole number of the currency's smallest unit here (`x-decimals`).
 */
export interface Money7 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * The provider's verified notification for the exact amount and currency arrived (P4). Consultation lets the member request a session; notifier tells the member. Revenue belongs to the day of `settled_at`. Version 1 had none: read as `paid_at`, the best that is known of it.
 */
export interface TransactionPaid {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  amount: Money8;
  /**
   * The payment provider. Open: expect names that are not known yet.
   */
  provider: string;
  /**
   * The payment at its provider.
   */
  provider_payment_id: string;
  /**
   * When checkout took the provider's notification, not when the money moved.
   */
  paid_at: string;
  /**
   * When the money came, by the provider's clock; not before the sale, nor after `paid_at`.
   */
  settled_at: string;
  /**
   * What was bought.
   */
  kind: "verification" | "counseling";
  /**
   * How long the practitioner has to answer a request.
   */
  request_limit_minutes: number;
  /**
   * Whether the session starts by itself at its start time.
   */
  auto_start: boolean;
}
/**
 * How much, a whole number of the currency's smallest unit here (`x-decimals`).
 */
export interface Money8 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * The provider gave the money back (P5). Notifier tells the member.
 */
export interface TransactionRefunded {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The refund.
   */
  refund_id: string;
  /**
   * The payment review; absent if the money belongs to none.
   */
  review_id?: string;
  amount: Money9;
  /**
   * The refund at its provider; absent where it gives none.
   */
  provider_refund_id?: string;
}
/**
 * How much, a whole number of the currency's smallest unit here (`x-decimals`).
 */
export interface Money9 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * A Transaction as it is now, the fold of its events up to version `ce_sequence`: where a new reader starts, without the history. `ce_metadata` says who caused the last event, and by `causation_id` which one it was. Analytics reads it.
 */
export interface TransactionState {
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The practitioner now.
   */
  practitioner_id: string;
  /**
   * The Transaction's status now; money that is reviewed has none.
   */
  status: "awaiting_payment" | "paid" | "refunded" | "expired" | "canceled";
  product: Product1;
  price: Money10;
  /**
   * The payment provider. Open: expect names that are not known yet.
   */
  provider: string;
  /**
   * The order at the payment provider.
   */
  reference: string;
  /**
   * How long the practitioner has to answer a request.
   */
  request_limit_minutes: number;
  /**
   * Whether the session starts by itself at its start time.
   */
  auto_start: boolean;
  /**
   * When it was sold.
   */
  created_at: string;
  /**
   * Until when it can be paid.
   */
  expires_at: string;
  /**
   * When checkout took the provider's notification, not when the money moved.
   */
  paid_at?: string;
  /**
   * When the money came, by the provider's clock; not before the sale, nor after `paid_at`.
   */
  settled_at?: string;
  /**
   * The payment at its provider.
   */
  provider_payment_id?: string;
  /**
   * When it expired or was canceled, unpaid; absent otherwise.
   */
  closed_at?: string;
  refund?: Refund;
}
/**
 * What was sold, as it was then.
 */
export interface Product1 {
  /**
   * The product.
   */
  id: string;
  /**
   * What the product was called then.
   */
  name: string;
  /**
   * What was bought.
   */
  kind: "verification" | "counseling";
  /**
   * The class of product and practitioner. Open: expect names that are not known yet.
   */
  tier: string;
  /**
   * How long a session of the product lasts.
   */
  duration_minutes: number;
}
/**
 * What it costs, as sold.
 */
export interface Money10 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * The latest refund of the sale; absent if there was none.
 */
export interface Refund {
  /**
   * The refund.
   */
  refund_id: string;
  /**
   * `requested` until the provider has answered.
   */
  status: "requested" | "succeeded" | "failed";
  amount: Money11;
  /**
   * When it was asked for.
   */
  requested_at: string;
  /**
   * When the provider's answer to it was known; absent before.
   */
  settled_at?: string;
}
/**
 * How much, a whole number of the currency's smallest unit here (`x-decimals`).
 */
export interface Money11 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * A row of `user_schedule` changed because its session did (C1). Analytics reads it; the meeting link stays out.
 */
export interface UserScheduleRow {
  /**
   * The session.
   */
  session_id: string;
  /**
   * The purchase.
   */
  transaction_id: string;
  /**
   * The practitioner.
   */
  practitioner_id: string;
  /**
   * The member.
   */
  user_id: string;
  /**
   * The session's status after this.
   */
  status: "pending_negotiation" | "scheduled" | "on_progress" | "completed" | "canceled" | "failed";
  /**
   * The day of the start, in `timezone`.
   */
  scheduled_date?: string;
  /**
   * When it begins, as the practitioner gave it.
   */
  time_start?: string;
  /**
   * When it ends, as the practitioner gave it.
   */
  time_end?: string;
  /**
   * An IANA zone.
   */
  timezone?: string;
  /**
   * When the session begins, as scheduled.
   */
  starts_at?: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at?: string;
  /**
   * 0 before the first schedule, then one more by every change of it.
   */
  schedule_version: number;
}
/**
 * An amount of one currency; 250000 IDR is Rp250.000, 1999 USD is $19.99.
 */
export interface Money12 {
  /**
   * How much, a whole number of the currency's smallest unit here (`x-decimals`).
   */
  amount: number;
  /**
   * ISO 4217. How many decimals an amount has is said here, not by ISO: IDR has none.
   */
  currency: string;
}
/**
 * The time that was given up.
 */
export interface PreviousTime1 {
  /**
   * When the session begins, as scheduled.
   */
  starts_at: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at: string;
}
/**
 * The time and link that were given up.
 */
export interface PreviousSchedule1 {
  /**
   * When the session begins, as scheduled.
   */
  starts_at: string;
  /**
   * When the session ends, as scheduled.
   */
  ends_at: string;
  /**
   * Where the session takes place.
   */
  meeting_link: string;
}
/**
 * The product as it was when it was sold: a later change of the catalogue never changes a sale (P1).
 */
export interface Product2 {
  /**
   * The product.
   */
  id: string;
  /**
   * What the product was called then.
   */
  name: string;
  /**
   * What was bought.
   */
  kind: "verification" | "counseling";
  /**
   * The class of product and practitioner. Open: expect names that are not known yet.
   */
  tier: string;
  /**
   * How long a session of the product lasts.
   */
  duration_minutes: number;
}
/**
 * The latest refund of the sale as it is now; money that was reviewed goes back by refunds of its own.
 */
export interface Refund1 {
  /**
   * The refund.
   */
  refund_id: string;
  /**
   * `requested` until the provider has answered.
   */
  status: "requested" | "succeeded" | "failed";
  amount: Money11;
  /**
   * When it was asked for.
   */
  requested_at: string;
  /**
   * When the provider's answer to it was known; absent before.
   */
  settled_at?: string;
}

/** The data of each type of event. */
export interface Data {
  "com.booking.assessments.AssessmentCompleted.v1": AssessmentCompleted;
  "com.booking.calendar.UserScheduleRow.v1": UserScheduleRow;
  "com.booking.checkout.CatalogueProduct.v1": CatalogueProduct;
  "com.booking.checkout.PaymentDeclined.v1": PaymentDeclined;
  "com.booking.checkout.PaymentNeedsReview.v1": PaymentNeedsReview;
  "com.booking.checkout.PaymentReviewSettled.v1": PaymentReviewSettled;
  "com.booking.checkout.PractitionerAssigned.v1": PractitionerAssigned;
  "com.booking.checkout.PractitionerReassigned.v1": PractitionerReassigned;
  "com.booking.checkout.RefundFailed.v1": RefundFailed;
  "com.booking.checkout.RefundRequested.v1": RefundRequested;
  "com.booking.checkout.TransactionCanceled.v1": TransactionCanceled;
  "com.booking.checkout.TransactionCreated.v1": TransactionCreated;
  "com.booking.checkout.TransactionExpired.v1": TransactionExpired;
  "com.booking.checkout.TransactionPaid.v1": TransactionPaidV1;
  "com.booking.checkout.TransactionPaid.v2": TransactionPaid;
  "com.booking.checkout.TransactionRefunded.v1": TransactionRefunded;
  "com.booking.checkout.TransactionState.v1": TransactionState;
  "com.booking.consultation.PractitionerChanged.v1": PractitionerChanged;
  "com.booking.consultation.ResultReplaced.v1": ResultReplaced;
  "com.booking.consultation.ResultUploaded.v1": ResultUploaded;
  "com.booking.consultation.ScheduleRequested.v1": ScheduleRequested;
  "com.booking.consultation.SessionCanceled.v1": SessionCanceled;
  "com.booking.consultation.SessionFailed.v1": SessionFailed;
  "com.booking.consultation.SessionRescheduled.v1": SessionRescheduled;
  "com.booking.consultation.SessionScheduled.v1": SessionScheduled;
  "com.booking.consultation.SessionStarted.v1": SessionStarted;
  "com.booking.consultation.SessionState.v1": SessionState;
  "com.booking.directory.PersonContact.v1": PersonContact;
  "com.booking.directory.PersonErased.v1": PersonErased;
  "com.booking.directory.PractitionerProfile.v1": PractitionerProfile;
  "com.booking.notifier.NotificationAmbiguous.v1": NotificationAmbiguous;
  "com.booking.notifier.NotificationDelivered.v1": NotificationDelivered;
  "com.booking.notifier.NotificationFailed.v1": NotificationFailed;
  "com.booking.notifier.NotificationRequested.v1": NotificationRequested;
  "com.booking.notifier.NotificationSent.v1": NotificationSent;
  "com.booking.notifier.NotificationSkipped.v1": NotificationSkipped;
  "com.booking.notifier.PersonPreferences.v1": PersonPreferences;
  "com.booking.operations.RepublishBegan.v1": RepublishBegan;
  "com.booking.operations.RepublishEnded.v1": RepublishEnded;
  "com.booking.operations.RestoreAccepted.v1": RestoreAccepted;
}

/** Every type that this version knows. */
export const TYPES: readonly (keyof Data)[] = [
  "com.booking.assessments.AssessmentCompleted.v1",
  "com.booking.calendar.UserScheduleRow.v1",
  "com.booking.checkout.CatalogueProduct.v1",
  "com.booking.checkout.PaymentDeclined.v1",
  "com.booking.checkout.PaymentNeedsReview.v1",
  "com.booking.checkout.PaymentReviewSettled.v1",
  "com.booking.checkout.PractitionerAssigned.v1",
  "com.booking.checkout.PractitionerReassigned.v1",
  "com.booking.checkout.RefundFailed.v1",
  "com.booking.checkout.RefundRequested.v1",
  "com.booking.checkout.TransactionCanceled.v1",
  "com.booking.checkout.TransactionCreated.v1",
  "com.booking.checkout.TransactionExpired.v1",
  "com.booking.checkout.TransactionPaid.v1",
  "com.booking.checkout.TransactionPaid.v2",
  "com.booking.checkout.TransactionRefunded.v1",
  "com.booking.checkout.TransactionState.v1",
  "com.booking.consultation.PractitionerChanged.v1",
  "com.booking.consultation.ResultReplaced.v1",
  "com.booking.consultation.ResultUploaded.v1",
  "com.booking.consultation.ScheduleRequested.v1",
  "com.booking.consultation.SessionCanceled.v1",
  "com.booking.consultation.SessionFailed.v1",
  "com.booking.consultation.SessionRescheduled.v1",
  "com.booking.consultation.SessionScheduled.v1",
  "com.booking.consultation.SessionStarted.v1",
  "com.booking.consultation.SessionState.v1",
  "com.booking.directory.PersonContact.v1",
  "com.booking.directory.PersonErased.v1",
  "com.booking.directory.PractitionerProfile.v1",
  "com.booking.notifier.NotificationAmbiguous.v1",
  "com.booking.notifier.NotificationDelivered.v1",
  "com.booking.notifier.NotificationFailed.v1",
  "com.booking.notifier.NotificationRequested.v1",
  "com.booking.notifier.NotificationSent.v1",
  "com.booking.notifier.NotificationSkipped.v1",
  "com.booking.notifier.PersonPreferences.v1",
  "com.booking.operations.RepublishBegan.v1",
  "com.booking.operations.RepublishEnded.v1",
  "com.booking.operations.RestoreAccepted.v1",
];
