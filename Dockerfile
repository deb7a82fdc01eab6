# One image for every role: init, validator, demo agents.  Wheels only, no compiler, no root.
FROM python:3.13-slim AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/twinchain
# The lock first: this layer is built again only when it changes.
COPY requirements.lock ./
RUN /opt/twinchain/bin/pip install --only-binary=:all: --require-hashes --no-compile -r requirements.lock
COPY pyproject.toml README.md ./
COPY ledger ledger
COPY auction auction
COPY consensus consensus
COPY node node
# The build back-end is in the lock, so nothing is fetched here.
RUN /opt/twinchain/bin/pip install --no-deps --no-build-isolation --no-compile . \
 && /opt/twinchain/bin/python -m compileall -q -j 0 /opt/twinchain/lib \
 && rm -rf /opt/twinchain/lib/python3*/site-packages/pip /opt/twinchain/lib/python3*/site-packages/pip-*

FROM python:3.13-slim
RUN groupadd --gid 10001 twinchain \
 && useradd --uid 10001 --gid twinchain --no-create-home --home-dir /testnet twinchain \
 && install -d -o twinchain -g twinchain /testnet \
    /testnet/node-0 /testnet/node-1 /testnet/node-2 /testnet/node-3 /testnet/node-4
COPY --from=build /opt/twinchain /opt/twinchain
ENV PATH=/opt/twinchain/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /testnet
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["twinchain", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["twinchain"]
CMD ["--help"]
