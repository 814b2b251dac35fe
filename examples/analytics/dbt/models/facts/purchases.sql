-- One row for each purchase: what was sold, to whom, and when each thing happened to it. A later event wins by its version, not by its time.
with assigned as (
    select distinct on (transaction_id) transaction_id, practitioner_id from (
        select transaction_id, practitioner_id, ce_sequence from {{ ref('stg_practitioner_assigned') }}
        union all
        select transaction_id, practitioner_id, ce_sequence from {{ ref('stg_practitioner_reassigned') }}
    ) everyone order by transaction_id, ce_sequence desc
),
reassigned as (select transaction_id, count(*) as reassignments from {{ ref('stg_practitioner_reassigned') }} group by transaction_id),
declined as (select transaction_id, count(*) as declined_payments from {{ ref('stg_payment_declined') }} group by transaction_id),
-- A refund of reviewed money changes no purchase.
refunded as (
    select transaction_id, max(happened_at) as refunded_at from {{ ref('stg_transaction_refunded') }} where review_id is null group by transaction_id
)
select
    created.transaction_id,
    created.user_id,
    assigned.practitioner_id,
    created.product_id,
    created.product_kind as kind,
    created.product_tier as tier,
    created.price_amount,
    created.price_currency as currency,
    created.provider,
    created.happened_at as created_at,
    {{ month('created.happened_at') }} as created_month,
    paid.settled_at,
    paid.paid_at,
    expired.happened_at as expired_at,
    canceled.happened_at as canceled_at,
    refunded.refunded_at,
    coalesce(reassigned.reassignments, 0) as reassignments,
    coalesce(declined.declined_payments, 0) as declined_payments,
    case
        when refunded.refunded_at is not null then 'refunded'
        when paid.paid_at is not null then 'paid'
        when canceled.happened_at is not null then 'canceled'
        when expired.happened_at is not null then 'expired'
        else 'awaiting_payment'
    end as status
from {{ ref('stg_transaction_created') }} as created
left join assigned on assigned.transaction_id = created.transaction_id
left join {{ ref('stg_transaction_paid') }} as paid on paid.transaction_id = created.transaction_id
left join {{ ref('stg_transaction_expired') }} as expired on expired.transaction_id = created.transaction_id
left join {{ ref('stg_transaction_canceled') }} as canceled on canceled.transaction_id = created.transaction_id
left join refunded on refunded.transaction_id = created.transaction_id
left join reassigned on reassigned.transaction_id = created.transaction_id
left join declined on declined.transaction_id = created.transaction_id
