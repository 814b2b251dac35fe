-- One row for each session: its request, its first and its last schedule, and its end.
with told as (
    select session_id, ce_sequence, happened_at, status, practitioner_id from {{ ref('stg_schedule_requested') }}
    {% for type in ['session_scheduled', 'session_rescheduled', 'practitioner_changed', 'session_started', 'result_uploaded', 'result_replaced',
                    'session_canceled', 'session_failed'] %}
    union all select session_id, ce_sequence, happened_at, status, practitioner_id from {{ ref('stg_' ~ type) }}
    {% endfor %}
),
latest as (select distinct on (session_id) session_id, status, practitioner_id, ce_sequence as version from told order by session_id, ce_sequence desc),
first_schedule as (
    select session_id, min(happened_at) as scheduled_at, count(*) as schedules from {{ ref('schedules') }} where starts_at is not null group by session_id
),
last_schedule as (
    select distinct on (session_id) session_id, starts_at, ends_at, timezone from {{ ref('schedules') }} order by session_id, ce_sequence desc
)
select
    requested.session_id,
    requested.transaction_id,
    requested.user_id,
    latest.practitioner_id,
    requested.kind,
    requested.assessment_id,
    latest.status,
    latest.version,
    requested.happened_at as requested_at,
    {{ month('requested.happened_at') }} as requested_month,
    requested.respond_by,
    first_schedule.scheduled_at,
    coalesce(first_schedule.schedules - 1, 0) as moves,
    last_schedule.starts_at,
    last_schedule.ends_at,
    last_schedule.timezone,
    started.started_at,
    uploaded.happened_at as completed_at,
    canceled.happened_at as canceled_at,
    failed.happened_at as failed_at,
    coalesce(canceled.reason_code, failed.reason_code) as reason_code,
    coalesce(canceled.previous_status, failed.previous_status) as ended_from
from {{ ref('stg_schedule_requested') }} as requested
join latest on latest.session_id = requested.session_id
left join first_schedule on first_schedule.session_id = requested.session_id
left join last_schedule on last_schedule.session_id = requested.session_id
left join {{ ref('stg_session_started') }} as started on started.session_id = requested.session_id
left join {{ ref('stg_result_uploaded') }} as uploaded on uploaded.session_id = requested.session_id
left join {{ ref('stg_session_canceled') }} as canceled on canceled.session_id = requested.session_id
left join {{ ref('stg_session_failed') }} as failed on failed.session_id = requested.session_id
