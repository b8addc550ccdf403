-- The synthetic register of an immigration office (names in French, as an agency writes them) and the statements that fill it.
-- Not trusted for anything, may be lost: it is drawn again from its seed. Écluse reads it through register.toml and never writes it.

-- name: create_register#
-- The register's tables, without the keys that are cheaper to build once the rows are there.
create schema registre;
comment on schema registre is 'Registre de démonstration : toutes les personnes sont inventées.';

create table registre.personne (
    numero bigint not null,
    nom text not null,
    prenom text,
    nom_latin text,
    prenom_latin text,
    naissance date not null,
    sexe text not null,
    nationalite text not null,
    langue text,
    entree date not null,
    motif text not null,
    niveau_francais text,
    cir_signe_le date,
    observations text,
    constraint personne_numero_ck check (numero > 0),
    constraint personne_sexe_ck check (sexe in ('M', 'F', 'X')),
    constraint personne_nationalite_ck check (length(nationalite) = 2)
);
comment on column registre.personne.nom is 'État civil : nom de famille, écriture d''origine ou latine';
comment on column registre.personne.prenom is 'État civil : prénoms ; NULL, vide ou SP quand la personne n''en a pas';
comment on column registre.personne.nom_latin is 'État civil : translittération, si nom n''est pas en lettres latines';
comment on column registre.personne.prenom_latin is 'État civil : translittération, si prenom n''est pas en lettres latines';
comment on column registre.personne.naissance is 'État civil : 1er janvier quand seule l''année est connue';
comment on column registre.personne.motif is 'Séjour : asylum, family, work, study, temporary-protection, humanitarian ou visitor';
comment on column registre.personne.niveau_francais is 'Programme : niveau du CECRL au test initial';
comment on column registre.personne.observations is 'Texte libre des agents : jamais communiqué à un tiers';

create table registre.coordonnees (
    numero bigint not null,
    valable_du date not null,
    actuelle boolean not null,
    courriel text,
    telephone text,
    adresse text,
    commune text,
    code_postal text
);
comment on table registre.coordonnees is 'Coordonnées, avec leurs anciennes valeurs ; une seule ligne actuelle par personne';
comment on column registre.coordonnees.courriel is 'Contact : parfois partagé par un couple';
comment on column registre.coordonnees.telephone is 'Contact : plusieurs écritures, numéros réservés aux fictions';

-- name: create_tables_to_draw_from#
-- The lookup tables and the one drawing function of this session; they end with it.
create temporary table tirage_nom (id integer primary key, script text, latin text, plain text, caps text, mail text);
create temporary table tirage_rang (
    rang integer primary key, nationalite text, scripted boolean, langue text, motif text,
    age_min float8, age_span float8, january float8, mononym float8, double_share float8, second_share float8, joint text,
    men_at integer, women_at integer, family_count integer,
    given_men_at integer, given_men_count integer, given_women_at integer, given_women_count integer
);
create temporary table tirage_lieu (id integer primary key, voie text, code_postal text, commune text);
create temporary table tirage_indicatif (id integer primary key, debut text, premiere_fin integer);
create temporary table tirage_fin (id integer primary key, fin text);
insert into tirage_fin (id, fin)
select
    s.premiere_fin + d,
    lpad((d / 100)::text, 2, '0') || s.separateur || lpad((d % 100)::text, 2, '0')
from (values (0, ''), (10000, ' '), (20000, '.')) as s (premiere_fin, separateur)
cross join generate_series(0, 9999) as d;

-- A number in [0, 1) that depends on nothing but its arguments, in steps of 2^-20.
create function pg_temp.u(of_what bigint, draw bigint) returns float8 language sql immutable parallel safe
    return (hashint8extended(of_what, draw) & 1048575) * 9.5367431640625e-07::float8;

-- name: draw_people(draw, first_day, last_day, count, from_n, to_n, modulus, notes, domains)!
-- Draw the people from_n..to_n with their contact rows; every value is a function of (seed, n) and the lookup tables.
-- foyer is the first of the couple that n belongs to, or n itself, and what a couple shares is drawn from it.
with rang as (
    select
        n,
        case when pg_temp.u((n + 1) / 2, :draw::bigint + 1) < 0.066 then n - (n + 1) % 2 else n end as foyer,
        (:first_day::date) + (((:last_day::date) - (:first_day::date) - 40) * sqrt(n::float8 / :count::float8)
            + 30 * pg_temp.u(n, :draw + 2))::integer as entree
    from generate_series(:from_n::bigint, :to_n::bigint) as n
    offset 0
),
sort as (
    select
        r.n,
        r.foyer,
        r.entree,
        t.*,
        case when r.foyer <> r.n and pg_temp.u(r.n, :draw + 40) < 0.85
            then pg_temp.u(r.foyer, :draw + 4) >= 0.52 else pg_temp.u(r.n, :draw + 4) < 0.52 end as homme,
        pg_temp.u(r.n, :draw + 5) as ecriture,
        pg_temp.u(r.n, :draw + 6) as casse,
        pg_temp.u(r.n, :draw + 7) as compose,
        pg_temp.u(r.n, :draw + 8) as second,
        pg_temp.u(r.n, :draw + 9) < t.mononym as seul_nom,
        pg_temp.u(r.n, :draw + 10) as rare,
        pg_temp.u(r.foyer, :draw + 11) as tire_nom,
        pg_temp.u(r.n, :draw + 12) as tire_prenom,
        pg_temp.u(r.n, :draw + 13) as tire_second,
        pg_temp.u(r.foyer, :draw + 14) as tire_alliance,
        pg_temp.u(r.n, :draw + 15) as age
    from rang as r
    join tirage_rang as t on t.rang = hashint8extended(r.foyer, :draw + 3) & 16383
    offset 0
),
choix as (
    select
        s.*,
        case when s.homme then s.men_at else s.women_at end + floor(s.family_count * s.tire_nom * sqrt(s.tire_nom))::integer as nom_id,
        case when s.compose < s.double_share or (not s.homme and s.compose > 0.985)
            then case when s.homme then s.men_at else s.women_at end + floor(s.family_count * s.tire_alliance)::integer end as alliance_id,
        case when s.homme
            then s.given_men_at + floor(s.given_men_count * s.tire_prenom * sqrt(s.tire_prenom))::integer
            else s.given_women_at + floor(s.given_women_count * s.tire_prenom * sqrt(s.tire_prenom))::integer
        end as prenom_id,
        case when s.second >= s.second_share then null
            when s.homme then s.given_men_at + floor(s.given_men_count * s.tire_second)::integer
            else s.given_women_at + floor(s.given_women_count * s.tire_second)::integer
        end as second_id,
        case when s.foyer = s.n then null
            when pg_temp.u(s.foyer, :draw + 4) < 0.52
            then s.given_men_at + floor(s.given_men_count * pg_temp.u(s.foyer, :draw + 12) * sqrt(pg_temp.u(s.foyer, :draw + 12)))::integer
            else s.given_women_at + floor(s.given_women_count * pg_temp.u(s.foyer, :draw + 12) * sqrt(pg_temp.u(s.foyer, :draw + 12)))::integer
        end as prenom_foyer_id,
        s.entree - ((s.age_min + s.age_span * s.age * sqrt(s.age)) * 365.25)::integer as naissance
    from sort as s
    offset 0
),
-- The name as its clerk typed it; half of the register holds Latin letters only, a third of those in capitals.
saisie as materialized (
    select
        c.n,
        20000000000 + c.n * 37 + (hashint8extended(c.n, :draw + 16) & 31) as numero,
        c.foyer,
        c.entree,
        c.nationalite,
        c.langue,
        c.motif,
        case when c.ecriture < 0.5 then f.script when c.casse < 0.45 then f.caps when c.scripted then f.latin else f.plain end
            || case when a.id is null or a.id = f.id then ''
                when c.compose > 0.985 and c.ecriture >= 0.5 then ' ep. ' || a.caps
                when c.ecriture < 0.5 then c.joint || a.script
                when c.casse < 0.45 then c.joint || a.caps
                else c.joint || a.latin end
            || case when pg_temp.u(c.n, :draw + 17) < 0.03 then ' ' else '' end as nom,
        case when c.seul_nom then case when c.rare < 0.5 then null when c.rare < 0.75 then '' else 'SP' end
            else case when c.ecriture < 0.5 then g.script when c.scripted then g.latin else g.plain end
                || case when h.id is null or h.id = g.id then '' when c.ecriture < 0.5 then ' ' || h.script else ' ' || h.latin end
                || case when pg_temp.u(c.n, :draw + 18) < 0.01 then ' ' else '' end
        end as prenom,
        case when c.scripted and c.ecriture < 0.5
            then case when c.casse < 0.45 then f.caps else f.latin end
                || case when a.id is null or a.id = f.id then '' else c.joint || case when c.casse < 0.45 then a.caps else a.latin end end
        end as nom_latin,
        case when c.scripted and c.ecriture < 0.5 and not c.seul_nom
            then g.latin || case when h.id is null or h.id = g.id then '' else ' ' || h.latin end
        end as prenom_latin,
        case when pg_temp.u(c.n, :draw + 19) < c.january then date_trunc('year', c.naissance)::date else c.naissance end as naissance,
        case when pg_temp.u(c.n, :draw + 20) < 0.001 then 'X' when c.homme then 'M' else 'F' end as sexe,
        f.mail as nom_courriel,
        coalesce(p.mail, g.mail) as prenom_courriel,
        case when pg_temp.u(c.foyer, :draw + 21) < 0.12 then case when pg_temp.u(c.foyer, :draw + 22) < 0.25 then 2 else 1 end else 0 end as anciennes
    from choix as c
    join tirage_nom as f on f.id = c.nom_id
    join tirage_nom as g on g.id = c.prenom_id
    left join tirage_nom as p on p.id = c.prenom_foyer_id
    left join tirage_nom as a on a.id = c.alliance_id
    left join tirage_nom as h on h.id = c.second_id
),
personnes as (
    insert into registre.personne
        (numero, nom, prenom, nom_latin, prenom_latin, naissance, sexe, nationalite, langue, entree, motif, niveau_francais, cir_signe_le, observations)
    select
        s.numero,
        s.nom,
        s.prenom,
        s.nom_latin,
        s.prenom_latin,
        s.naissance,
        s.sexe,
        s.nationalite,
        case when pg_temp.u(s.n, :draw + 23) >= 0.04 then s.langue end,
        s.entree,
        case when s.motif = 'temporary-protection' and s.entree < date '2022-03-04' then 'family' else s.motif end,
        (array['< A1', 'A1', 'A1', 'A2', 'A2', 'B1', 'B2', null])[1 + floor(8 * pg_temp.u(s.n, :draw + 24))::integer],
        case when pg_temp.u(s.n, :draw + 25) < 0.93 then least(s.entree + 20 + (300 * pg_temp.u(s.n, :draw + 26))::integer, (:last_day::date)) end,
        case when pg_temp.u(s.n, :draw + 27) < 0.03
            then (:notes::text[])[1 + floor(cardinality(:notes::text[]) * pg_temp.u(s.n, :draw + 28))::integer] end
    from saisie as s
),
-- One row a stay at an address, version 0 being the current one; a couple moves together.
versions as (
    select
        s.*,
        v,
        s.foyer * 4 + v as adresse_de,
        s.n * 4 + v as telephone_de,
        s.entree + 3 + ((:last_day::date) - s.entree - 3) * (s.anciennes - v) / (s.anciennes + 1) as valable_du,
        floor(1000 * pg_temp.u(s.n * 4 + v, :draw + 30))::integer as indicatif_id,
        floor(10000 * pg_temp.u(s.n * 4 + v, :draw + 31))::integer as chiffres
    from saisie as s
    cross join generate_series(0, 2) as v
    where v <= s.anciennes
    offset 0
)
insert into registre.coordonnees (numero, valable_du, actuelle, courriel, telephone, adresse, commune, code_postal)
select
    w.numero,
    w.valable_du,
    w.v = 0,
    case when pg_temp.u(w.foyer, :draw + 33) >= 0.09 and (w.v = 0 or pg_temp.u(w.adresse_de, :draw + 34) < 0.7)
        then case floor(8 * pg_temp.u(w.foyer * 4 + w.v / 2, :draw + 35))::integer
                when 0 then w.nom_courriel || '.' || w.prenom_courriel
                when 1 then w.prenom_courriel || w.nom_courriel
                when 2 then left(w.prenom_courriel, 1) || '.' || w.nom_courriel
                when 3 then w.prenom_courriel || '_' || w.nom_courriel
                when 4 then upper(w.prenom_courriel || w.nom_courriel)
                else w.prenom_courriel || '.' || w.nom_courriel end
            || ((w.foyer * 48271 + :draw) % :modulus::bigint)::text || '@'
            || (:domains::text[])[1 + floor(cardinality(:domains::text[]) * pg_temp.u(w.foyer * 4 + w.v / 2, :draw + 36))::integer]
    end,
    case when pg_temp.u(w.telephone_de, :draw + 32) >= 0.18 then i.debut || e.fin end,
    (1 + floor(148 * pg_temp.u(w.adresse_de, :draw + 38))::integer)::text || l.voie,
    l.commune,
    l.code_postal
from versions as w
join tirage_indicatif as i on i.id = w.indicatif_id
join tirage_fin as e on e.id = i.premiere_fin + w.chiffres
join tirage_lieu as l on l.id = hashint8extended(w.adresse_de, :draw + 39) & 8191;

-- name: key_people#
-- The people's key.
alter table registre.personne add constraint personne_pk primary key (numero);

-- name: key_contacts#
-- The contact rows' keys. The partial index holds the rule that a person has at most one current row.
alter table registre.coordonnees add constraint coordonnees_pk primary key (numero, valable_du);
create unique index coordonnees_actuelle_uq on registre.coordonnees (numero) where actuelle;
alter table registre.coordonnees
    add constraint coordonnees_personne_fk foreign key (numero) references registre.personne (numero);

-- name: drop_tables_to_draw_from#
-- What only the drawing needed.
drop function pg_temp.u (bigint, bigint);
drop table pg_temp.tirage_nom, pg_temp.tirage_rang, pg_temp.tirage_lieu, pg_temp.tirage_indicatif, pg_temp.tirage_fin;

-- name: settle#
-- Statistics and visibility, so that the first reader pays for neither.
vacuum (analyze) registre.personne, registre.coordonnees;

-- name: marked_values(limit)
-- Contact rows and names of people spread evenly over the register, for a search of logs for their texts.
with bounds as (select min(numero) as low, max(numero) as high from registre.personne)
select
    trim(p.nom) as nom,
    trim(p.nom_latin) as nom_latin,
    k.courriel,
    k.telephone
from bounds as b
cross join generate_series(0, :limit::bigint - 1) as step
cross join lateral (
    select
        q.numero,
        q.nom,
        q.nom_latin
    from registre.personne as q
    where q.numero >= b.low + (b.high - b.low) * step / :limit::bigint
    order by q.numero
    limit 1
) as p
join registre.coordonnees as k on k.numero = p.numero
order by p.numero, k.valable_du;
