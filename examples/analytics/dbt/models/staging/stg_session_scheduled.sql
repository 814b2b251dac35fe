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
    (data->>'schedule_version')::bigint as schedule_version,
    (data->>'scheduled_date')::date as scheduled_date,
    (data->>'time_start')::varchar as time_start,
    (data->>'time_end')::varchar as time_end,
    (data->>'timezone')::varchar as timezone,
    (data->>'ends_next_day')::boolean as ends_next_day,
    (data->>'fold')::bigint as fold,
    (data->>'fold_end')::bigint as fold_end,
    (data->>'starts_at')::timestamptz as starts_at,
    (data->>'ends_at')::timestamptz as ends_at
from {{ source('landed', 'event') }}
where topic = 'booking.consultation.sessions.v1' and type = 'SessionScheduled' and data is not null
