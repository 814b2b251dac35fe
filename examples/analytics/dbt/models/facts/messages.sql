-- One row for each message: its newest step, and when it was due. Steps may be missing on a state topic, so a message may have no due time.
with steps as (
    select notification_id, ce_sequence, happened_at, 'requested' as step, channel, template, recipient_id, cast(null as varchar) as code
    from {{ ref('stg_notification_requested') }}
    {% for step, code in [('sent', 'null'), ('delivered', 'null'), ('failed', 'code'), ('ambiguous', 'code'), ('skipped', 'reason')] %}
    union all
    select notification_id, ce_sequence, happened_at, '{{ step }}', channel, template, recipient_id, {{ code }}
    from {{ ref('stg_notification_' ~ step) }}
    {% endfor %}
),
latest as (select distinct on (notification_id) * from steps order by notification_id, ce_sequence desc),
due as (
    select distinct on (notification_id) notification_id, due_at from {{ ref('stg_notification_requested') }} order by notification_id, ce_sequence desc
),
-- The first record that says that it left: a message that was delivered before we read it has no `sent` step.
gone as (select notification_id, min(happened_at) as left_at from steps where step in ('sent', 'delivered') group by notification_id)
select
    latest.notification_id,
    latest.channel,
    latest.template,
    latest.step,
    latest.code,
    latest.happened_at as step_at,
    due.due_at,
    gone.left_at
from latest
left join due on due.notification_id = latest.notification_id
left join gone on gone.notification_id = latest.notification_id
