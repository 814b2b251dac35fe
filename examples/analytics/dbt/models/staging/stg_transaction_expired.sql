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
    (data->>'expires_at')::timestamptz as expires_at
from {{ source('landed', 'event') }}
where topic = 'booking.checkout.transactions.v1' and type = 'TransactionExpired' and data is not null
