-- Payments that were refused before money came, by month, provider and code, and how many of those purchases were paid all the same.
select
    {{ month('declined.happened_at') }} as month,
    declined.provider,
    declined.code,
    count(*) as declined,
    count(distinct declined.transaction_id) as purchases,
    count(distinct declined.transaction_id) filter (where purchases.paid_at is not null) as paid_later
from {{ ref('stg_payment_declined') }} as declined
join {{ ref('purchases') }} using (transaction_id)
group by {{ month('declined.happened_at') }}, declined.provider, declined.code
