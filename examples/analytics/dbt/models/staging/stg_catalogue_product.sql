-- Written by staging.py from the contract: not by hand.
select
    ce_id,
    ce_sequence,
    happened_at,
    recorded_at,
    actor,
    correlation_id,
    causation_id,
    (data->>'id')::uuid as id,
    (data->>'name')::varchar as name,
    (data->>'kind')::varchar as kind,
    (data->>'tier')::varchar as tier,
    (data->'price'->>'amount')::bigint as price_amount,
    (data->'price'->>'currency')::varchar as price_currency,
    (data->>'duration_minutes')::bigint as duration_minutes,
    (data->>'payment_ttl_minutes')::bigint as payment_ttl_minutes,
    (data->>'request_limit_minutes')::bigint as request_limit_minutes,
    (data->>'auto_start')::boolean as auto_start,
    (data->>'active')::boolean as active
from {{ source('landed', 'event') }}
where topic = 'booking.checkout.products.v1' and type = 'CatalogueProduct' and data is not null
