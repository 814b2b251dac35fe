-- Hours from a request to its first schedule, by the month of the request and the tier; `unanswered` have none (yet).
select
    requested_month as month,
    purchases.tier,
    count(*) as requests,
    count(scheduled_at) as scheduled,
    count(*) - count(scheduled_at) as unanswered,
    {{ quantile(0.5, hours('requested_at', 'scheduled_at')) }} as median_hours,
    {{ quantile(0.9, hours('requested_at', 'scheduled_at')) }} as p90_hours,
    count(*) filter (where sessions.reason_code = 'practitioner_timeout') as timed_out
from {{ ref('sessions') }}
join {{ ref('purchases') }} using (transaction_id)
group by requested_month, purchases.tier
