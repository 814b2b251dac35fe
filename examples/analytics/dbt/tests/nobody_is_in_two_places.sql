-- S4: no practitioner has two sessions at a time, of those that hold their time. Touching ends are no overlap.
select one.session_id, other.session_id as overlaps
from {{ ref('sessions') }} as one
join {{ ref('sessions') }} as other
    on other.practitioner_id = one.practitioner_id and other.session_id > one.session_id
    and other.starts_at < one.ends_at and one.starts_at < other.ends_at
where one.status in ('scheduled', 'on_progress') and other.status in ('scheduled', 'on_progress')
