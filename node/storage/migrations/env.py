"""Runs the migrations over the connection its caller hands in; there is no ini file."""

from alembic import context

from node.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
