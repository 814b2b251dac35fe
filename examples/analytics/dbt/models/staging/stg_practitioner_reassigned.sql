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
    (data->>'previous_practitioner_id')::uuid as previous_practitioner_id,
    (data->>'reason_code')::varchar as reason_code,
    (data->>'reason_id')::uuid as reason_id
from {{ source('landed', 'event') }}
where topic = 'booking.checkout.transactions.v1' and type = 'PractitionerReassigned' and data is not null
