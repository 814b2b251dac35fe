-- Every movement of money, one row each: when, how much, of which currency, and which pile it belongs to.
--   paid      what paid a purchase, on the day when the provider had it (`settled_at`)
--   refunded  what was given back of it
--   withdrawn what the provider took back of it without being asked
--   reviewed  what came in and did not simply pay, and what went back of that: in nobody's revenue until people have settled it
-- A review tells of one payment what came and what has gone of it in all, again and again; a movement is what a telling adds to what was known by then.
-- Its `direction` says which way the money went last, and not whose it is: that says whether this payment is the one that paid.
with paid as (select *, provider || ' ' || provider_payment_id || ' ' || currency as payment from {{ ref('stg_transaction_paid') }}),
told as (
    select *, provider || ' ' || provider_payment_id || ' ' || received_currency as payment from {{ ref('stg_payment_needs_review') }}
),
-- A refund without a review is of the payment that paid.
refunded as (
    select refund.*, coalesce(told.payment, paid.payment) as payment
    from {{ ref('stg_transaction_refunded') }} as refund
    left join paid on paid.transaction_id = refund.transaction_id and refund.review_id is null
    left join (select distinct review_id, payment from told) as told on told.review_id = refund.review_id
),
known as (
    select
        told.ce_id, told.ce_sequence, told.transaction_id, told.payment, told.received_currency as currency, told.happened_at,
        paid.payment is not null as pays,
        coalesce(paid.amount, 0) as paid_amount,
        told.received_amount,
        coalesce(told.returned_amount, 0) - coalesce((
            select sum(refunded.amount) from refunded
            where refunded.transaction_id = told.transaction_id and refunded.payment = told.payment and refunded.ce_sequence < told.ce_sequence
        ), 0) as taken_back
    from told
    left join paid on paid.transaction_id = told.transaction_id and paid.payment = told.payment
),
moved as (
    select
        *,
        greatest(received_amount, paid_amount) - greatest(coalesce(max(received_amount) over earlier, 0), paid_amount) as came,
        greatest(taken_back, 0) - greatest(coalesce(max(taken_back) over earlier, 0), 0) as went
    from known
    window earlier as (partition by transaction_id, payment order by ce_sequence rows between unbounded preceding and 1 preceding)
)
select ce_id::varchar as movement_id, transaction_id, 'paid' as pile, settled_at as moved_at, amount, currency from {{ ref('stg_transaction_paid') }}
union all
select refund.ce_id::varchar, refund.transaction_id,
    case when refund.review_id is null then 'refunded' else 'reviewed' end, refund.happened_at, -refund.amount, refund.currency
from {{ ref('stg_transaction_refunded') }} as refund
union all
select ce_id::varchar || ':received', transaction_id, 'reviewed', happened_at, came, currency from moved where came > 0
union all
select ce_id::varchar || ':returned', transaction_id, case when pays then 'withdrawn' else 'reviewed' end, happened_at, -went, currency
from moved where went > 0
