-- Which way the money went, and what settling it by refund gives back; null: nothing, or nobody can know.
ALTER TABLE payment_review
    ADD COLUMN direction         text NOT NULL DEFAULT 'in' CHECK (direction IN ('in', 'out')),
    ADD COLUMN returned_amount   bigint, -- known to have gone back; null: nothing is known to
    ADD COLUMN refundable_amount bigint;
UPDATE payment_review SET refundable_amount = received_amount WHERE state = 'open' AND cause <> 'unreadable';

-- All that was said of a payment, whatever came first (heard.py); amounts in the units of `currency`.
ALTER TABLE payment
    ADD COLUMN currency text,
    ADD COLUMN received bigint,
    ADD COLUMN returned bigint NOT NULL DEFAULT 0,
    ADD COLUMN partly   boolean NOT NULL DEFAULT false,
    ADD COLUMN whole    boolean NOT NULL DEFAULT false,
    ADD COLUMN voided   boolean NOT NULL DEFAULT false,
    ADD COLUMN denied   boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT payment_status_check,
    ADD CONSTRAINT payment_status_check
        CHECK (status IN ('pending', 'failed', 'denied', 'voided', 'paid', 'partly_refunded', 'refunded'));

ALTER TABLE payment_notification
    ADD COLUMN refund_ids text[] NOT NULL DEFAULT '{}', -- our refunds that the provider counts as done
    ADD COLUMN retry      boolean NOT NULL DEFAULT false, -- the payment may succeed yet, whatever was said
    DROP CONSTRAINT payment_notification_status_check,
    ADD CONSTRAINT payment_notification_status_check
        CHECK (status IN ('pending', 'failed', 'denied', 'voided', 'paid', 'partly_refunded', 'refunded'));
