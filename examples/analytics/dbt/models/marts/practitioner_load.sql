-- What each practitioner had in a month, by the month in which the session was to begin. The name is null once the practitioner was erased.
with profile as (
    select distinct on (id) id, name, profession from {{ ref('stg_practitioner_profile') }} order by id, ce_sequence desc
)
select
    {{ month('starts_at') }} as month,
    practitioner_id,
    profile.name,
    profile.profession,
    count(*) as sessions,
    count(completed_at) as completed,
    count(canceled_at) as canceled,
    count(failed_at) as failed,
    count(distinct user_id) as members,
    round(coalesce(sum({{ hours('starts_at', 'ends_at') }}) filter (where status not in ('canceled', 'failed')), 0)::numeric, 2) as booked_hours
from {{ ref('sessions') }}
left join profile on profile.id = practitioner_id
where starts_at is not null
group by {{ month('starts_at') }}, practitioner_id, profile.name, profile.profession
