-- What each product cost from when to when. From the products' topic, which is compacted: a price that changed twice before it was first landed is
-- told by what was sold for it, else by nobody.
with told as (
    select id as product_id, happened_at as since, name, kind, tier, price_amount, price_currency as currency, active, 'catalogue' as source
    from {{ ref('stg_catalogue_product') }}
),
begun as (select product_id, min(since) as since from told group by product_id),
sold as (
    select product_id, happened_at as since, product_name as name, product_kind as kind, product_tier as tier,
        price_amount, price_currency as currency, true as active, 'sale' as source
    from {{ ref('stg_transaction_created') }} as sale
    where not exists (select 1 from begun where begun.product_id = sale.product_id and begun.since <= sale.happened_at)
),
everything as (select * from told union all select * from sold),
changes as (
    select *, lag(price_amount) over by_time as price_before, lag(currency) over by_time as currency_before, lag(active) over by_time as active_before
    from everything window by_time as (partition by product_id order by since)
)
select
    product_id, name, kind, tier, price_amount, currency, active, source,
    since as valid_from,
    lead(since) over (partition by product_id order by since) as valid_to
from changes
where price_before is null or price_amount <> price_before or currency <> currency_before or active <> active_before
