-- The usual ways to give a contractor access, as agencies build them, in the register's own database. Written for the replay; Écluse uses none of it.

-- name: prepare#
-- Row-level security by schedule: whoever signs in as the contractor sees the persons whose window is open there, by the clock of the replay. Who reads the
-- register otherwise (the gate, the read account, the token API) goes on seeing all of it.
create schema prestation;
create table prestation.planning (
    prestataire text not null,
    numero bigint not null,
    ouvre timestamptz not null,
    ferme timestamptz not null
);
create index planning_ouvre_idx on prestation.planning (prestataire, ouvre, ferme, numero);
create index planning_numero_idx on prestation.planning (numero, prestataire, ouvre, ferme); -- each row that is read is looked up here

alter table prestation.planning enable row level security;
alter table registre.personne enable row level security;
alter table registre.coordonnees enable row level security;
create role tiers_planning nologin;
create role tiers_lecture nologin;
create role tiers_api nologin;
create policy planning_ouvert on prestation.planning for select to tiers_planning
    using (prestataire = 'lyon-formation' and (select h.at from public.replay_clock h) >= ouvre and (select h.at from public.replay_clock h) < ferme);
create policy personne_attendue on registre.personne for select to tiers_planning
    using (exists (select from prestation.planning p where p.numero = personne.numero));
create policy coordonnees_attendues on registre.coordonnees for select to tiers_planning
    using (exists (select from prestation.planning p where p.numero = coordonnees.numero));
create policy personne_entiere on registre.personne for select to register_reader, tiers_lecture, tiers_api using (true);
create policy coordonnees_entieres on registre.coordonnees for select to register_reader, tiers_lecture, tiers_api using (true);

-- What a contract names, in full: rights to columns know no weaker form. The number is what rows are joined by.
grant usage on schema registre, prestation to tiers_planning;
grant select on prestation.planning to tiers_planning;
grant select (numero, nom, prenom, naissance, langue) on registre.personne to tiers_planning;
grant select (numero, actuelle, courriel, telephone) on registre.coordonnees to tiers_planning;

-- The same columns for the service that answers by number; for a read account what the register's map names.
grant usage on schema registre to tiers_lecture, tiers_api;
grant select (numero, nom, prenom, naissance, langue) on registre.personne to tiers_api;
grant select (numero, actuelle, courriel, telephone) on registre.coordonnees to tiers_api;
grant select (numero, nom, prenom, nom_latin, prenom_latin, naissance, nationalite, langue, entree, motif) on registre.personne to tiers_lecture;
grant select (numero, actuelle, courriel, telephone, commune) on registre.coordonnees to tiers_lecture;

-- name: due()
-- Everybody whose window is open for the contractor now: the thief's one statement.
select p.numero, r.nom, r.prenom, r.naissance, r.langue, c.courriel, c.telephone
from prestation.planning p
join registre.personne r on r.numero = p.numero
left join registre.coordonnees c on c.numero = p.numero and c.actuelle;

-- name: schedule_everybody(prestataire, opens, closes)!
-- What a stolen scheduler's key does where nothing bounds a schedule.
insert into prestation.planning (prestataire, numero, ouvre, ferme)
select :prestataire::text, r.numero, :opens::timestamptz, :closes::timestamptz from registre.personne r;

-- name: clear_schedule#
-- Nobody is due.
truncate prestation.planning;

-- name: whole()
-- Everything that the register's map names.
select r.numero, r.nom, r.prenom, r.nom_latin, r.prenom_latin, r.naissance, r.nationalite, r.langue, r.entree, r.motif, c.courriel, c.telephone, c.commune
from registre.personne r
left join registre.coordonnees c on c.numero = r.numero and c.actuelle;

-- name: one(numero)^
-- What a contract names, in full, of one person by their number.
select r.nom, r.prenom, r.naissance, r.langue, c.courriel, c.telephone
from registre.personne r
left join registre.coordonnees c on c.numero = r.numero and c.actuelle
where r.numero = :numero::bigint;
