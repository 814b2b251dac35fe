-- Messages by the month of their newest step, channel and template: how they ended, and by how many minutes the ones that left were late.
select
    {{ month('step_at') }} as month,
    coalesce(channel, 'unknown') as channel,
    coalesce(template, 'unknown') as template,
    count(*) as messages,
    count(*) filter (where step = 'requested') as waiting,
    count(*) filter (where step = 'sent') as sent,
    count(*) filter (where step = 'delivered') as delivered,
    count(*) filter (where step = 'failed') as failed,
    count(*) filter (where step = 'ambiguous') as ambiguous,
    count(*) filter (where step = 'skipped') as skipped,
    {{ share("count(*) filter (where step in ('sent', 'delivered'))", "count(*) filter (where step not in ('requested', 'skipped'))") }} as left_share,
    count(*) filter (where left_at is not null and due_at is not null) as timed,
    {{ quantile(0.5, hours('due_at', 'left_at') ~ ' * 60') }} as median_minutes_late,
    {{ quantile(0.95, hours('due_at', 'left_at') ~ ' * 60') }} as p95_minutes_late
from {{ ref('messages') }}
group by {{ month('step_at') }}, coalesce(channel, 'unknown'), coalesce(template, 'unknown')
