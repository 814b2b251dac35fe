-- How far the purchases of a month and tier came. A column holds the purchases that reached the step, whatever became of them then.
with reached as (
    select
        transaction_id,
        min(requested_at) as requested_at,
        min(scheduled_at) as scheduled_at,
        min(completed_at) as completed_at
    from {{ ref('sessions') }} group by transaction_id
)
select
    created_month as month,
    tier,
    count(*) as bought,
    count(paid_at) as paid,
    count(reached.requested_at) as requested,
    count(reached.scheduled_at) as scheduled,
    count(reached.completed_at) as completed,
    count(*) filter (where status = 'expired') as expired,
    count(*) filter (where status = 'canceled') as canceled,
    count(*) filter (where status = 'refunded') as refunded,
    {{ share('count(paid_at)', 'count(*)') }} as paid_share,
    {{ share('count(reached.completed_at)', 'count(paid_at)') }} as completed_share
from {{ ref('purchases') }}
left join reached using (transaction_id)
group by created_month, tier
