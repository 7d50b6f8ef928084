"""Alembic's environment: it uses the connection and the transaction of lib.store.migrate."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
