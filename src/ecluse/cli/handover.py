"""What a database administrator is handed: two SQL files in ``keys/`` (0600, they hold passwords), and the words that go with them.

``install.sql`` makes our roles in the ledger's database; the schema itself is then created by ``ecluse migrate`` as ``ecluse_owner``.
``register.sql`` makes the one role that reads the register, with a right to the mapped columns and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ecluse.db import HERE, LOGIN_ROLES
from ecluse.install import REGISTER_ROLE, write_secret
from ecluse.register import RegisterMap
from ecluse.register.statement import mapped_columns

if TYPE_CHECKING:
    from ecluse.settings import Installation

_INSTALL: Final = """\
-- For a database administrator: run once in the database meant for Écluse, as a role that may create roles.
-- It holds passwords: keep it with the keys, or delete it afterwards.
{roles}
{passwords}
grant create on schema public to ecluse_owner;  -- for the list of migrations; once `ecluse migrate` has run: revoke create on schema public from ecluse_owner;
"""
_REGISTER: Final = """\
-- For the administrator of the register: run once in its database. It holds a password: keep it with the keys, or delete it afterwards.
do $$ begin
  if not exists (select from pg_roles where rolname = '{role}') then create role {role} login nosuperuser nocreatedb nocreaterole noinherit; end if;
end $$;
alter role {role} password '{password}';
alter role {role} set default_transaction_read_only = on;
alter role {role} set statement_timeout = '5s';
{grants}"""


def write_install_sql(installation: Installation) -> Path:
    """Write ``keys/install.sql`` and return its path."""
    # NOTE(why): the passwords are our own hexadecimal digits and the names constants: nothing in these texts needs quoting.
    secrets = {role: installation.secret(f"db-{role.removeprefix('ecluse_')}.password") for role in LOGIN_ROLES}
    passwords = [f"alter role {role} password '{secret}';" for role, secret in secrets.items()]
    roles = (HERE / "sql" / "roles.sql").read_text(encoding="utf-8")
    path = installation.keys / "install.sql"
    write_secret(path, _INSTALL.format(roles=roles, passwords="\n".join(passwords)))
    return path


def write_register_sql(installation: Installation, register: RegisterMap) -> Path:
    """Write ``keys/register.sql`` for the present map and return its path; an older one is replaced."""
    path = installation.keys / "register.sql"
    path.unlink(missing_ok=True)
    text = _REGISTER.format(
        role=REGISTER_ROLE, password=installation.secret("db-register.password"), grants=register_grants(register)
    )
    write_secret(path, text)
    return path


def register_grants(register: RegisterMap) -> str:
    """Write the rights that reading the mapped columns takes; all names in a map are plain lower-case identifiers."""
    columns: dict[str, list[str]] = {}
    for table, column in mapped_columns(register):
        columns.setdefault(table, []).append(column)
    schemas = sorted({table.split(".")[0] for table in columns})
    lines = [f"grant usage on schema {schema} to {REGISTER_ROLE};" for schema in schemas]
    lines += [f"grant select ({', '.join(names)}) on {table} to {REGISTER_ROLE};" for table, names in columns.items()]
    return "\n".join(lines) + "\n"
