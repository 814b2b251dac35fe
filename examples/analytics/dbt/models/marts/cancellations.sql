-- Sessions that were canceled, by month, reason and what they were before; the notice is the time left until the start.
select
    {{ month('canceled.happened_at') }} as month,
    canceled.reason_code,
    canceled.previous_status,
    count(*) as sessions,
    {{ quantile(0.5, hours('canceled.happened_at', 'canceled.starts_at')) }} as median_notice_hours,
    count(*) filter (where canceled.starts_at - canceled.happened_at < interval '24 hours') as within_a_day
from {{ ref('stg_session_canceled') }} as canceled
group by {{ month('canceled.happened_at') }}, canceled.reason_code, canceled.previous_status
