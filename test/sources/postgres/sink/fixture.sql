CREATE SCHEMA app;
COMMENT ON SCHEMA app IS 'what; "the app" has';
CREATE TYPE app.mood AS ENUM ('sad', 'so;so', 'glad');
CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
CREATE TABLE app.users (
  id serial PRIMARY KEY, name text NOT NULL UNIQUE, mood app.mood DEFAULT 'sad', age app.positive,
  shout text GENERATED ALWAYS AS (upper(name)) STORED, tags text[], doc jsonb, raw bytea, seen timestamptz, ratio float8
);
CREATE TABLE app.orders (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id int REFERENCES app.users ON DELETE CASCADE,
  day date NOT NULL, amount numeric CHECK (amount >= 0), parent int REFERENCES app.orders,
  EXCLUDE USING gist (int4range(id, id, '[]') WITH &&)
);
CREATE INDEX ON app.orders (user_id);
CREATE INDEX orders_day ON app.orders (day DESC) WHERE amount > 0;
CREATE STATISTICS app.orders_stats ON user_id, day FROM app.orders;
CREATE VIEW app.totals AS SELECT u.id, u.name, sum(o.amount) FROM app.users u JOIN app.orders o ON o.user_id = u.id GROUP BY u.id;
CREATE MATERIALIZED VIEW app.totals_kept AS SELECT * FROM app.totals;
CREATE UNIQUE INDEX ON app.totals_kept (id);
CREATE TABLE app.events (at date NOT NULL, kind text NOT NULL, n int, PRIMARY KEY (at, kind)) PARTITION BY RANGE (at);
CREATE TABLE app.events_1 PARTITION OF app.events FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE app.events_2 PARTITION OF app.events FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE TABLE app.note (id int PRIMARY KEY, event_at date, event_kind text, FOREIGN KEY (event_at, event_kind) REFERENCES app.events);
CREATE TABLE app.base (a int); CREATE TABLE app.derived (b int) INHERITS (app.base);
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.amount := NEW.amount + 1000; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.orders DISABLE TRIGGER touch;
CREATE FUNCTION app.two() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;
CREATE RULE no_root AS ON INSERT TO app.users WHERE NEW.name = 'root' DO INSTEAD (SELECT 1; SELECT 2);
CREATE POLICY own ON app.users USING (name = current_user);
ALTER TABLE app.users ENABLE ROW LEVEL SECURITY;
CREATE TABLE "Wéird ""x;y" ("a;b" int, "Ü" text); CREATE TABLE public.nothing ();
CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no DDL here'; END $$;
CREATE SEQUENCE public.lonely START 7;
COMMENT ON COLUMN app.users.name IS 'it''s; a \ name'; COMMENT ON CONSTRAINT users_pkey ON app.users IS 'key';
GRANT SELECT ON app.users TO PUBLIC; GRANT SELECT (id) ON app.orders TO PUBLIC; GRANT USAGE ON SCHEMA app TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC;
CREATE PUBLICATION orders_out FOR TABLE app.orders;
INSERT INTO app.users (name, mood, age, tags, doc, raw, seen, ratio)
  SELECT 'user ' || i || E'\t\\\n', 'glad', i, ARRAY['a', NULL, 'ü'], jsonb_build_object('i', i), decode(md5(i::text), 'hex'), '2026-01-01'::timestamptz + i * interval '1 s', i / 7.0
  FROM generate_series(1, 3000) i;
INSERT INTO app.orders (user_id, day, amount, parent) SELECT 1 + i % 3000, '2026-01-01'::date + i % 365, i, nullif(i % 50, 0) FROM generate_series(1, 5000) i;
INSERT INTO app.events SELECT '2026-01-01'::date + i, 'k' || i % 3, i FROM generate_series(0, 360) i;
INSERT INTO app.note SELECT i, '2026-01-01'::date + i, 'k' || i % 3 FROM generate_series(0, 100) i;
INSERT INTO app.base VALUES (1); INSERT INTO app.derived VALUES (2, 3);
INSERT INTO "Wéird ""x;y" VALUES (1, 'ß'); INSERT INTO public.nothing DEFAULT VALUES;
SELECT nextval('public.lonely'), nextval('public.lonely');
SELECT lo_from_bytea(0, decode(repeat('00ff5c', 9000), 'hex')), lo_from_bytea(0, '');
REFRESH MATERIALIZED VIEW app.totals_kept;
CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION public.watch();
