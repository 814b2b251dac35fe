-- Written by staging.py from the contract: not by hand.
select
    ce_id,
    ce_sequence,
    happened_at,
    recorded_at,
    actor,
    correlation_id,
    causation_id,
    (data->>'session_id')::uuid as session_id,
    (data->>'transaction_id')::uuid as transaction_id,
    (data->>'user_id')::uuid as user_id,
    (data->>'practitioner_id')::uuid as practitioner_id,
    (data->>'status')::varchar as status,
    (data->>'started_at')::timestamptz as started_at
from {{ source('landed', 'event') }}
where topic = 'booking.consultation.sessions.v1' and type = 'SessionStarted' and data is not null
