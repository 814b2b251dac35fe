"""The catalogue: what is sold, at which price, with which limits; its rows and `/v1/products`."""

from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from psycopg import sql
from psycopg.rows import class_row
from pydantic import BaseModel, Field, StrictBool

from booking_contracts.topics import PRODUCTS
from booking_outbox import StateTopic
from booking_process.database import Database, Filtered
from booking_store import Cause, Connection
from booking_web.auth import AdminCaller, Caller
from booking_web.consistency import stamp
from booking_web.idempotency import Written
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import not_found, problem_responses
from booking_web.writes import WriteCall
from checkout.contexts import ERASED, cause_of
from checkout.fields import Body, Minutes, MoneyView, PersonName, Price, Tier
from checkout.tables import product

Kind = Literal["verification", "counseling"]


@dataclass(frozen=True, slots=True)
class Product:
    """A row of the catalogue; `payment_ttl_minutes` is the time to pay (P3)."""

    id: UUID
    name: str
    kind: Kind
    tier: str
    amount: int
    currency: str
    duration_minutes: int
    payment_ttl_minutes: int
    request_limit_minutes: int
    auto_start: bool
    active: bool
    version: int


_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, Product.__slots__))
_FIND = sql.SQL("SELECT {} FROM product WHERE id = %s").format(_COLUMNS)
_NEWEST = Filtered(
    sa.select(*(product.c[name] for name in Product.__slots__)).order_by(product.c.id.desc()),
    kind=product.c.kind,
    tier=product.c.tier,
    active=product.c.active,
    below=product.c.id < sa.bindparam("below"),
)
_WRITTEN = (*Product.__slots__, *(field.name for field in fields(Cause)))
_SAVE = sql.SQL("""
WITH saved AS (
    INSERT INTO product ({columns}) VALUES ({values})
    ON CONFLICT (id) DO UPDATE SET ({columns}, updated_at) = ({excluded}, statement_timestamp())
    RETURNING id
)
INSERT INTO outbox (topic, key) SELECT %(topic)s, id::text FROM saved
""").format(
    columns=sql.SQL(", ").join(map(sql.Identifier, _WRITTEN)),
    values=sql.SQL(", ").join(map(sql.Placeholder, _WRITTEN)),
    excluded=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in _WRITTEN),
)

PUBLISHED = StateTopic(
    PRODUCTS,
    """
SELECT id::text AS key, version::bigint AS version, updated_at AS occurred_at, actor, correlation_id, causation_id,
    traceparent, json_build_object('id', id, 'name', name, 'kind', kind, 'tier', tier,
        'price', json_build_object('amount', amount, 'currency', currency), 'duration_minutes', duration_minutes,
        'payment_ttl_minutes', payment_ttl_minutes, 'request_limit_minutes', request_limit_minutes,
        'auto_start', auto_start, 'active', active)::text AS value
FROM product WHERE id = ANY(%(keys)s::text[]::uuid[])
""",
    all_keys="SELECT id::text AS key FROM product",
)


async def find(conn: Connection, product_id: UUID, *, lock: bool = False) -> Product | None:
    """Return a product; `lock`: nobody else writes it until the transaction ends."""
    cursor = conn.cursor(row_factory=class_row(Product))
    if lock:  # of the id: a row that is not there yet can't be locked, and two first writes would both become version 1
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"product:{product_id}"])
    await cursor.execute(_FIND, [product_id])
    return await cursor.fetchone()


async def newest(
    conn: Connection,
    *,
    limit: int,
    below: UUID | None = None,
    kind: str | None = None,
    tier: str | None = None,
    active: bool | None = None,
) -> list[Product]:
    """Return a page of the catalogue, highest id (newest) first."""
    cursor = conn.cursor(row_factory=class_row(Product))
    return await _NEWEST.fetch(cursor, limit=limit, kind=kind, tier=tier, active=active, below=below)


async def save(conn: Connection, changed: Product, cause: Cause) -> None:
    """Write a product and mark it for the relay. `version` is the new one."""
    await conn.execute(_SAVE, {**asdict(changed), **asdict(cause), "topic": PRODUCTS.name})


class ProductBody(Body, title="ProductDefinition"):
    """A product as an admin sets it; the whole of it."""

    name: PersonName = Field(examples=["Konseling 60 menit"])
    kind: Kind
    tier: Tier
    price: Price
    duration_minutes: Minutes = 60
    payment_ttl_minutes: Minutes = Field(default=1_440, description="Time to pay (P3).", le=525_600)
    request_limit_minutes: Minutes = Field(default=10_080, description="Time for the practitioner to answer (R4).")
    auto_start: StrictBool = False
    active: StrictBool = True


class ProductView(BaseModel, title="Product"):
    id: UUID
    name: str = Field(examples=["Konseling 60 menit"])
    kind: Kind
    tier: str = Field(examples=["gold"])
    price: MoneyView
    duration_minutes: int = Field(examples=[60])
    payment_ttl_minutes: int = Field(examples=[1440])
    request_limit_minutes: int = Field(examples=[10080])
    auto_start: bool
    active: bool
    version: int


CREATED: dict[int | str, dict[str, Any]] = {201: {"model": ProductView, "description": "Created"}}


def products_router(database: Database, known: Any) -> APIRouter:
    """Return the routes."""
    router = APIRouter(
        prefix="/v1/products",
        tags=["products"],
        dependencies=[known],
        responses=problem_responses(401, 403, ERASED, 422, 429, 503),
    )

    @router.get("")
    async def list_products(
        caller: Caller,
        page: Page,
        kind: Annotated[Kind | None, Query(description="Only these.")] = None,
        tier: Annotated[str | None, Query(max_length=100, description="Only this tier's.")] = None,
        active: Annotated[bool | None, Query(description="Only those that are sold now, or are not (admins).")] = None,
    ) -> PageOf[ProductView]:
        """The catalogue, newest first: what is sold now, and for an admin what is not, too."""
        below = decode_cursor(page.cursor, UUID, of="products")[0] if page.cursor else None
        if not caller.has("admin"):
            if active is False:
                return PageOf[ProductView](items=[])
            active = True
        async with database.autocommit() as conn:
            found = await newest(conn, below=below, limit=page.limit + 1, kind=kind, tier=tier, active=active)
        more = encode_cursor(found[page.limit - 1].id, of="products") if len(found) > page.limit else None
        return PageOf[ProductView](**page_of([_view(one) for one in found[: page.limit]], more))

    @router.get("/{product_id}", responses=problem_responses(404))
    async def get_product(product_id: UUID, _caller: Caller, response: Response) -> ProductView:
        """One product."""
        async with database.autocommit() as conn:
            found = await find(conn, product_id)
        if found is None:
            raise not_found()
        stamp(response, "checkout", "product", found.id, found.version)
        return _view(found)

    @router.put("/{product_id}", responses={**CREATED, **problem_responses(400, 412)})
    async def put_product(
        product_id: UUID,
        body: ProductBody,
        caller: AdminCaller,
        call: WriteCall,
    ) -> ProductView:
        """Create (201) or change (200) a product; what was sold before stays as it was sold (P1)."""

        async def change(conn: Connection) -> Written:
            before = await find(conn, product_id, lock=True)
            call.conditions.check(before.version if before else None)
            after = _product(product_id, body, before.version + 1 if before else 1)
            await save(conn, after, cause_of(caller, call.context, "admin"))
            return Written(200 if before else 201, product_id, after.version, _view(after))

        written, _ = await call.idempotency.once(database, change)
        answer = written.body(ProductView)
        if answer is None:  # an answer that was not kept
            async with database.autocommit() as conn:
                found = await find(conn, product_id)
            if found is None:
                raise not_found()
            answer = _view(found)
        call.response.status_code = written.status
        stamp(call.response, "checkout", "product", answer.id, answer.version)
        return answer

    return router


def _product(product_id: UUID, body: ProductBody, version: int) -> Product:
    return Product(
        id=product_id,
        name=body.name,
        kind=body.kind,
        tier=body.tier,
        amount=body.price.amount,
        currency=body.price.currency,
        duration_minutes=body.duration_minutes,
        payment_ttl_minutes=body.payment_ttl_minutes,
        request_limit_minutes=body.request_limit_minutes,
        auto_start=body.auto_start,
        active=body.active,
        version=version,
    )


def _view(one: Product) -> ProductView:
    price = MoneyView(amount=one.amount, currency=one.currency)
    return ProductView.model_validate(
        {**{name: getattr(one, name) for name in ProductView.model_fields if name != "price"}, "price": price}
    )
