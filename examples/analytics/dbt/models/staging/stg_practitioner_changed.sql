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
    (data->>'previous_practitioner_id')::uuid as previous_practitioner_id,
    (data->>'previous_status')::varchar as previous_status,
    (data->'previous'->>'starts_at')::timestamptz as previous_starts_at,
    (data->'previous'->>'ends_at')::timestamptz as previous_ends_at,
    (data->>'respond_by')::timestamptz as respond_by,
    (data->>'schedule_version')::bigint as schedule_version
from {{ source('landed', 'event') }}
where topic = 'booking.consultation.sessions.v1' and type = 'PractitionerChanged' and data is not null
