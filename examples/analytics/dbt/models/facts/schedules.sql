-- Each schedule that a session ever had: set, moved, or given up by a change of practitioner.
select session_id, ce_sequence, happened_at, practitioner_id, schedule_version, starts_at, ends_at, timezone
from {{ ref('stg_session_scheduled') }}
union all
select session_id, ce_sequence, happened_at, practitioner_id, schedule_version, starts_at, ends_at, timezone
from {{ ref('stg_session_rescheduled') }}
union all
select session_id, ce_sequence, happened_at, practitioner_id, schedule_version, null, null, null
from {{ ref('stg_practitioner_changed') }}
