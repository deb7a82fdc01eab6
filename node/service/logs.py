"""Logs: one line per event on stderr, JSON unless a person is watching; never bodies, never keys.

The libraries' own loggers go through the same formatter, so one stream has one form.
"""

import logging
import sys

import structlog
from structlog.typing import Processor

from node.service.config import LogSection

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
NOISY = ("alembic", "uvicorn", "uvicorn.error", "uvicorn.access", "websockets", "httpx", "httpcore")


def set_up_logs(settings: LogSection) -> None:
    """Configure structlog and the standard library for this process."""
    console = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    level = LEVELS[settings.level]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in (
        "alembic",
        "uvicorn",
        "uvicorn.error",
        "uvicorn.access",
        "websockets",
        "httpx",
        "httpcore",
    ):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
        logging.getLogger(noisy).propagate = True
        logging.getLogger(noisy).handlers.clear()
