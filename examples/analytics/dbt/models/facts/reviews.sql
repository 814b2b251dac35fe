-- One row for each payment review, as it was last told, and how it was settled. `direction` is the way that money went last: `in` it came and does not
-- simply pay, `out` a part of the payment left, whether it had paid or was itself under review. Of whose money it is `money` keeps count.
with latest as (
    select distinct on (review_id) *, min(happened_at) over (partition by review_id) as opened_at
    from {{ ref('stg_payment_needs_review') }} order by review_id, ce_sequence desc
),
-- Settled again where the refund failed: the last word counts.
settled as (
    select distinct on (review_id) review_id, happened_at, outcome from {{ ref('stg_payment_review_settled') }} order by review_id, ce_sequence desc
)
select
    latest.review_id,
    latest.transaction_id,
    coalesce(latest.direction, 'in') as direction,
    latest.cause,
    latest.opened_at,
    latest.received_amount,
    coalesce(latest.returned_amount, 0) as returned_amount,
    latest.received_currency as currency,
    settled.happened_at as settled_at,
    settled.outcome
from latest
left join settled on settled.review_id = latest.review_id
