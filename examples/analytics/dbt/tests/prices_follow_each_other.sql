-- Of a product one price holds at a time: each begins where the one before ended, and one is open.
select product_id from {{ ref('price_history') }}
group by product_id having count(*) filter (where valid_to is null) <> 1 or count(*) filter (where valid_to < valid_from) > 0
