-- Every movement of money, one row each: when, how much, of which currency, and which pile it belongs to.
--   paid      what paid a purchase, on the day when the provider had it (`settled_at`)
--   refunded  what was given back of it
--   withdrawn what the provider took back of it without being asked
--   reviewed  what came in and did not simply pay, and what was given back of that: in nobody's revenue until people have settled it
select ce_id::varchar as movement_id, transaction_id, 'paid' as pile, settled_at as moved_at, amount, currency from {{ ref('stg_transaction_paid') }}
union all
select refund.ce_id::varchar, refund.transaction_id,
    case when refund.review_id is null then 'refunded' else 'reviewed' end, refund.happened_at, -refund.amount, refund.currency
from {{ ref('stg_transaction_refunded') }} as refund
union all
select review_id::varchar || ':received', transaction_id, 'reviewed', opened_at, received_amount, currency
from {{ ref('reviews') }} where direction = 'in'
union all
select review_id::varchar || ':returned', transaction_id,
    case direction when 'in' then 'reviewed' else 'withdrawn' end, opened_at, -returned_amount, currency
from {{ ref('reviews') }} where returned_amount > 0
