-- Of the assessments that were completed in a month: how many were named in a request for a session, and how many of these sessions were held.
-- The later word on one counts: by the broker's time, and within a batch, which has one, by the time that it was said at.
with used as (
    select assessment_id, min(requested_at) as requested_at, min(completed_at) as held_at
    from {{ ref('sessions') }} where assessment_id is not null group by assessment_id
),
assessments as (
    select distinct on (assessment_id) assessment_id, completed_at from {{ ref('stg_assessment_completed') }}
    order by assessment_id, recorded_at desc, happened_at desc
)
select
    {{ month('assessments.completed_at') }} as month,
    count(*) as assessments,
    count(used.requested_at) as requested,
    count(used.held_at) as held,
    {{ share('count(used.requested_at)', 'count(*)') }} as requested_share,
    {{ quantile(0.5, hours('assessments.completed_at', 'used.requested_at')) }} as median_hours_to_request
from assessments
left join used using (assessment_id)
group by {{ month('assessments.completed_at') }}
