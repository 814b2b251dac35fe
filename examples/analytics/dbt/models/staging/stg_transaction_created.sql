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
    (data->'product'->>'id')::uuid as product_id,
    (data->'product'->>'name')::varchar as product_name,
    (data->'product'->>'kind')::varchar as product_kind,
    (data->'product'->>'tier')::varchar as product_tier,
    (data->'product'->>'duration_minutes')::bigint as product_duration_minutes,
    (data->'price'->>'amount')::bigint as price_amount,
    (data->'price'->>'currency')::varchar as price_currency,
    (data->>'provider')::varchar as provider,
    (data->>'reference')::varchar as reference,
    (data->>'expires_at')::timestamptz as expires_at,
    (data->>'request_limit_minutes')::bigint as request_limit_minutes,
    (data->>'auto_start')::boolean as auto_start
from {{ source('landed', 'event') }}
where topic = 'booking.checkout.transactions.v1' and type = 'TransactionCreated' and data is not null
