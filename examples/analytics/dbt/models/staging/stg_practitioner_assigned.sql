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
    (data->>'product_id')::uuid as product_id,
    (data->>'kind')::varchar as kind,
    (data->>'tier')::varchar as tier
from {{ source('landed', 'event') }}
where topic = 'booking.checkout.transactions.v1' and type = 'PractitionerAssigned' and data is not null
