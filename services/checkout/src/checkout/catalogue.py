"""The catalogue: what is sold, at which price, with which limits; its rows and `/v1/products`."""

from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from psycopg import sql
from psycopg.rows import class_row
from pydantic import BaseModel, Field, StrictBool

from booking_process.database import Database
from booking_store import Connection
from booking_web.auth import AdminCaller, Caller
from booking_web.conditions import Preconditions
from booking_web.consistency import stamp
from booking_web.idempotency import Idempotency, Written
from booking_web.pages import Page, PageOf, decode_cursor, encode_cursor, page_of
from booking_web.problems import not_found, problem_responses
from checkout.contexts import ERASED
from checkout.fields import Body, Minutes, MoneyView, PersonName, Price, Tier


@dataclass(frozen=True, slots=True)
class Product:
    """A row of the catalogue; `payment_ttl_minutes` is the time to pay (P3)."""

    id: UUID
    name: str
    kind: Literal["verification", "counseling"]
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
_NEWEST = sql.SQL("""
SELECT {} FROM product WHERE %(below)s::uuid IS NULL OR id < %(below)s::uuid ORDER BY id DESC LIMIT %(limit)s
""").format(_COLUMNS)
_SAVE = sql.SQL("""
INSERT INTO product ({columns}) VALUES ({values})
ON CONFLICT (id) DO UPDATE SET ({columns}, updated_at) = ({excluded}, statement_timestamp())
""").format(
    columns=_COLUMNS,
    values=sql.SQL(", ").join(map(sql.Placeholder, Product.__slots__)),
    excluded=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in Product.__slots__),
)


async def find(conn: Connection, product_id: UUID, *, lock: bool = False) -> Product | None:
    """Return a product; `lock`: nobody else writes it until the transaction ends."""
    cursor = conn.cursor(row_factory=class_row(Product))
    if lock:  # of the id: a row that is not there yet can't be locked, and two first writes would both become version 1
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"product:{product_id}"])
    await cursor.execute(_FIND, [product_id])
    return await cursor.fetchone()


async def newest(conn: Connection, *, below: UUID | None, limit: int) -> list[Product]:
    """Return a page of the catalogue, highest id (newest) first."""
    cursor = conn.cursor(row_factory=class_row(Product))
    await cursor.execute(_NEWEST, {"below": below, "limit": limit})
    return await cursor.fetchall()


async def save(conn: Connection, product: Product) -> None:
    """Write a product; `version` is the new one."""
    await conn.execute(_SAVE, asdict(product))


class ProductBody(Body):
    """A product as an admin sets it; the whole of it."""

    name: PersonName = Field(examples=["Konseling 60 menit"])
    kind: Literal["verification", "counseling"]
    tier: Tier
    price: Price
    duration_minutes: Minutes = 60
    payment_ttl_minutes: Minutes = Field(default=1_440, description="Time to pay (P3).", le=525_600)
    request_limit_minutes: Minutes = Field(default=10_080, description="Time for the practitioner to answer (R4).")
    auto_start: StrictBool = False
    active: StrictBool = True


class ProductView(BaseModel):
    id: UUID
    name: str = Field(examples=["Konseling 60 menit"])
    kind: Literal["verification", "counseling"]
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
    async def list_products(_caller: Caller, page: Page) -> PageOf[ProductView]:
        """The catalogue, newest first."""
        below = decode_cursor(page.cursor, UUID, of="products")[0] if page.cursor else None
        async with database.autocommit() as conn:
            found = await newest(conn, below=below, limit=page.limit + 1)
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
        _caller: AdminCaller,
        idempotency: Idempotency,
        seen: Preconditions,
        response: Response,
    ) -> ProductView:
        """Create (201) or change (200) a product; what was sold before stays as it was sold (P1)."""

        async def change(conn: Connection) -> Written:
            before = await find(conn, product_id, lock=True)
            seen.check(before.version if before else None)
            product = _product(product_id, body, before.version + 1 if before else 1)
            await save(conn, product)
            return Written(200 if before else 201, product_id, product.version, _view(product))

        written, _ = await idempotency.once(database, change)
        answer = written.body(ProductView)
        if answer is None:  # an answer that was not kept
            async with database.autocommit() as conn:
                found = await find(conn, product_id)
            if found is None:
                raise not_found()
            answer = _view(found)
        response.status_code = written.status
        stamp(response, "checkout", "product", answer.id, answer.version)
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


def _view(product: Product) -> ProductView:
    price = MoneyView(amount=product.amount, currency=product.currency)
    return ProductView.model_validate(
        {**{name: getattr(product, name) for name in ProductView.model_fields if name != "price"}, "price": price}
    )
