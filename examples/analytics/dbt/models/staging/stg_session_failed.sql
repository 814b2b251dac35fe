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
    (data->>'reason_code')::varchar as reason_code,
    (data->>'reason_id')::uuid as reason_id,
    (data->>'previous_status')::varchar as previous_status,
    (data->>'starts_at')::timestamptz as starts_at,
    (data->>'ends_at')::timestamptz as ends_at,
    (data->>'schedule_version')::bigint as schedule_version
from {{ source('landed', 'event') }}
where topic = 'booking.consultation.sessions.v1' and type = 'SessionFailed' and data is not null
