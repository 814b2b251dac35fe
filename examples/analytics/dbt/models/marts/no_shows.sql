-- Of the sessions that were to begin in a month and were not called off before: who did not come. The kinds of purchase are told apart.
select
    {{ month('starts_at') }} as month,
    kind,
    count(*) as due,
    count(*) filter (where reason_code = 'no_show_member') as member_absent,
    count(*) filter (where reason_code = 'no_show_practitioner') as practitioner_absent,
    {{ share("count(*) filter (where reason_code in ('no_show_member', 'no_show_practitioner'))", 'count(*)') }} as no_show_share
from {{ ref('sessions') }}
where starts_at is not null and status in ('completed', 'failed') and starts_at <= coalesce(completed_at, failed_at)
group by {{ month('starts_at') }}, kind
