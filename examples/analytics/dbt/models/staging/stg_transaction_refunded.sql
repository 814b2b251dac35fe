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
    (data->>'refund_id')::uuid as refund_id,
    (data->>'review_id')::uuid as review_id,
    (data->'amount'->>'amount')::bigint as amount,
    (data->'amount'->>'currency')::varchar as currency,
    (data->>'provider_refund_id')::varchar as provider_refund_id
from {{ source('landed', 'event') }}
where topic = 'booking.checkout.transactions.v1' and type = 'TransactionRefunded' and data is not null
