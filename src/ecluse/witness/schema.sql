-- A witness's store: SQLite 3.26 or later (no strict tables, no returning). Instants are seconds since 1970, hashes are 32 bytes. Nothing here is personal.
-- Trusted; may lose nothing: a store that was put back to an older state would let two histories pass.

pragma application_id = 1164146548; -- "Ecwt"
pragma user_version = 1;

-- Who this witness is. The key itself is in witness.key.
create table witness (
    only_one integer not null primary key check (only_one = 1),
    name text not null,
    vkey text not null
);

-- The logs that it watches, each known by its origin.
create table log (
    origin text not null primary key,
    origin_hash text not null unique check (length(origin_hash) = 64)
);

-- Their trusted keys: several while a log changes its key.
create table log_key (
    origin text not null references log,
    vkey text not null,
    primary key (origin, vkey)
);

-- The head cosigned last of each log, as the note that is handed out.
create table seen (
    origin text not null primary key references log,
    size integer not null check (typeof(size) = 'integer' and size >= 0),
    root blob not null check (typeof(root) = 'blob' and length(root) = 32),
    note text not null,
    at integer not null check (typeof(at) = 'integer' and at > 0)
);

-- What was seen never goes back: the checks before say so, and so does the store.
create trigger seen_never_goes_back before update on seen
when new.origin <> old.origin or new.size < old.size or (new.size = old.size and new.root <> old.root) or new.at < old.at
begin
    select raise(abort, 'what was cosigned never goes back');
end;

create trigger seen_is_kept before delete on seen
begin
    select raise(abort, 'what was cosigned is kept');
end;

-- Heads that their log had signed and that were refused, beside what had been cosigned then: with the fault other-root the two prove two histories.
create table refused (
    origin text not null references log,
    fault text not null check (fault in ('other-root', 'proof')),
    size integer not null,
    root blob not null,
    note text not null,
    ours text not null,
    at integer not null,
    primary key (origin, fault, size, root)
);
