-- The calendar's own row of a session, where we have the version that it was made of, says what the session's events say.
with calendar as (
    select distinct on (session_id) session_id, status, starts_at from {{ ref('stg_user_schedule_row') }} order by session_id, ce_sequence desc
)
select s.session_id, s.status, calendar.status as told
from {{ ref('sessions') }} s join calendar on calendar.session_id = s.session_id
-- Two topics are read at two moments: what is still open may have moved between them.
where s.status in ('completed', 'canceled', 'failed') and calendar.status in ('completed', 'canceled', 'failed') and calendar.status <> s.status
