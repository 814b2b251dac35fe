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
    (data->>'practitioner_id')::uuid as practitioner_id,
    (data->>'user_id')::uuid as user_id,
    (data->>'status')::varchar as status,
    (data->>'scheduled_date')::date as scheduled_date,
    (data->>'time_start')::varchar as time_start,
    (data->>'time_end')::varchar as time_end,
    (data->>'timezone')::varchar as timezone,
    (data->>'starts_at')::timestamptz as starts_at,
    (data->>'ends_at')::timestamptz as ends_at,
    (data->>'schedule_version')::bigint as schedule_version
from {{ source('landed', 'event') }}
where topic = 'booking.calendar.user-schedule.v1' and type = 'UserScheduleRow' and data is not null
