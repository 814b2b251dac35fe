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
    (data->'amount'->>'amount')::bigint as amount,
    (data->'amount'->>'currency')::varchar as currency,
    (data->>'provider')::varchar as provider,
    (data->>'provider_payment_id')::varchar as provider_payment_id,
    (data->>'paid_at')::timestamptz as paid_at,
    (data->>'settled_at')::timestamptz as settled_at,
    (data->>'kind')::varchar as kind,
    (data->>'request_limit_minutes')::bigint as request_limit_minutes,
    (data->>'auto_start')::boolean as auto_start
from {{ source('landed', 'event') }}
where topic = 'booking.checkout.transactions.v1' and type = 'TransactionPaid' and data is not null
