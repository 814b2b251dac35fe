"""The gateway put together: the only place that reads settings. No I/O."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from booking_gateway import errors, front, health, profile
from booking_gateway.admin import catalogue as admin_catalogue
from booking_gateway.admin import erasures, held, projections, state
from booking_gateway.admin import messages as admin_messages
from booking_gateway.admin import orders as admin_orders
from booking_gateway.admin import reviews as admin_reviews
from booking_gateway.assets.served import Assets
from booking_gateway.calls.calls import platform
from booking_gateway.calls.seen import SeenMiddleware
from booking_gateway.live import http as live
from booking_gateway.live.hub import Hub
from booking_gateway.live.topics import Topics
from booking_gateway.member import catalogue, orders
from booking_gateway.pages.headers import HeadersMiddleware
from booking_gateway.pages.page import Templates
from booking_gateway.pages.requests import RequestsMiddleware
from booking_gateway.practitioner import practice
from booking_gateway.sessions import calendar, feeds, moves
from booking_gateway.sessions import http as sessions
from booking_gateway.settings import Settings
from booking_gateway.signin import http as signin
from booking_gateway.signin.provider import Provider
from booking_gateway.signin.same_origin import SameOriginMiddleware
from booking_gateway.signin.session import Cookies, SessionMiddleware
from booking_gateway.state.watch import Watch


def build(settings: Settings, hub: Hub) -> ASGIApp:
    """The whole gateway. Who stops it stops the hub first: streams end by nothing else."""
    topics = Topics(settings.brokers, settings.topic_prefix or "", hub)

    watch = Watch(settings.processes, settings.metrics_seconds)

    @asynccontextmanager
    async def connected(app: FastAPI) -> AsyncGenerator[None]:
        async with platform(settings) as app.state.booking, topics.followed(), watch.looking():
            yield

    app = FastAPI(title="Booking", docs_url=None, redoc_url=None, openapi_url=None, lifespan=connected)
    assets, cookies = Assets(settings.assets_folder), Cookies(settings)
    app.state.settings = settings
    app.state.live = hub
    app.state.watch = watch
    app.state.templates = Templates(assets)
    app.state.provider = Provider(settings)
    errors.install(app)
    app.include_router(health.router)
    app.include_router(assets.router())
    app.include_router(front.router)
    app.include_router(live.router)
    for one in (catalogue, orders, sessions, moves, calendar, feeds, practice, profile):
        app.include_router(one.router)
    for one in (admin_orders, admin_reviews, admin_messages, admin_catalogue, state, held, projections, erasures):
        app.include_router(one.router)
    app.include_router(signin.router(settings, app.state.provider, cookies))
    # Around all of it, also around the page of an error: the first is the innermost.
    inner = SeenMiddleware(app, cookies, settings.session_secret.get_secret_value())
    inner = SessionMiddleware(inner, cookies)
    inner = SameOriginMiddleware(inner, settings.public_url)
    inner = HeadersMiddleware(inner, secure=settings.secure)
    return RequestsMiddleware(inner)
