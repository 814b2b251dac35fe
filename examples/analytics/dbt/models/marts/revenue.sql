-- Money by month and currency, in the currency's smallest unit here; currencies are never added up. `net` is what paid purchases, without what was
-- given back or taken back of it. `in_review` came in and paid nothing: it is in no sum.
select
    {{ month('moved_at') }} as month,
    currency,
    coalesce(sum(amount) filter (where pile = 'paid'), 0)::bigint as paid,
    coalesce(-sum(amount) filter (where pile = 'refunded'), 0)::bigint as refunded,
    coalesce(-sum(amount) filter (where pile = 'withdrawn'), 0)::bigint as withdrawn,
    coalesce(sum(amount) filter (where pile <> 'reviewed'), 0)::bigint as net,
    coalesce(sum(amount) filter (where pile = 'reviewed'), 0)::bigint as in_review,
    count(*) filter (where pile = 'paid') as payments,
    count(*) filter (where pile = 'refunded') as refunds
from {{ ref('money') }}
group by {{ month('moved_at') }}, currency
