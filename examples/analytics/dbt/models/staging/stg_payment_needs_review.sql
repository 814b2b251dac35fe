-- Written by staging.py from the contract: not by hand.
select
    ce_id,
    ce_sequence,
    happened_at,
    recorded_at,
    actor,
    correlation_id,
    causation_id,
    (data->>'transaction_id')::uuid as transaction_id,
    (data->>'user_id')::uuid as user_id,
    (data->>'practitioner_id')::uuid as practitioner_id,
    (data->>'review_id')::uuid as review_id,
    (data->>'provider')::varchar as provider,
    (data->>'provider_payment_id')::varchar as provider_payment_id,
    (data->'received'->>'amount')::bigint as received_amount,
    (data->'received'->>'currency')::varchar as received_currency,
    (data->'expected'->>'amount')::bigint as expected_amount,
    (data->'expected'->>'currency')::varchar as expected_currency,
    (data->>'cause')::varchar as cause,
    (data->>'direction')::varchar as direction,
    (data->'returned'->>'amount')::bigint as returned_amount,
    (data->'returned'->>'currency')::varchar as returned_currency,
    (data->>'refundable')::boolean as refundable
from {{ source('landed', 'event') }}
where topic = 'booking.checkout.transactions.v1' and type = 'PaymentNeedsReview' and data is not null
