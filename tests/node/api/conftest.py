"""A small chain with an API in front, and a client that talks to it without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from node.api.app import create_app
from tests.node.api.small_node import SmallNode


@pytest.fixture
def node() -> SmallNode:
    return SmallNode()


@pytest.fixture
async def app(node: SmallNode) -> AsyncIterator[FastAPI]:
    app = create_app(node, now_ms=lambda: node.now)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
        yield client
