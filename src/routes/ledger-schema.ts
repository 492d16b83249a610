/** Schema of the ledger, as steps: each entry brings the file from version i to i + 1, all in one transaction. */
import type { DatabaseSync } from 'node:sqlite'
import { TrunklineError } from '../errors.ts'

const STEPS: readonly string[] = [
  `
  CREATE TABLE routes (
    name TEXT PRIMARY KEY, position INTEGER NOT NULL, above TEXT NOT NULL, sink_position TEXT,
    started_seq INTEGER NOT NULL, counts TEXT NOT NULL
  ) STRICT;
  CREATE TABLE pending (
    route TEXT NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL,
    due_at_ms INTEGER NOT NULL, reason TEXT NOT NULL, entity TEXT, PRIMARY KEY (route, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE history (
    id INTEGER PRIMARY KEY, route TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, what TEXT NOT NULL,
    attempt INTEGER NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT, origin TEXT NOT NULL
  ) STRICT;
  CREATE INDEX history_by_event ON history (seq, route);
  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY, route TEXT NOT NULL, seq INTEGER NOT NULL, event_id TEXT NOT NULL, topic TEXT NOT NULL,
    conversation_id TEXT, queue_id TEXT, user_id TEXT, reason TEXT NOT NULL, stage TEXT NOT NULL, detail TEXT,
    attempts INTEGER NOT NULL, received_at_ms INTEGER NOT NULL, died_at_ms INTEGER NOT NULL, state TEXT NOT NULL,
    frame BLOB NOT NULL, UNIQUE (route, seq)
  ) STRICT;
  CREATE INDEX dead_letters_by_state ON dead_letters (state, route, died_at_ms);
  CREATE TABLE revisions (
    id INTEGER PRIMARY KEY, route TEXT NOT NULL, from_seq INTEGER NOT NULL, revision TEXT NOT NULL,
    definition TEXT NOT NULL, at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE expired (
    id INTEGER PRIMARY KEY, route TEXT NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, reason TEXT NOT NULL
  ) STRICT;
  CREATE TABLE redrives (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, requested_by TEXT NOT NULL, filter TEXT NOT NULL,
    per_second REAL, events INTEGER NOT NULL
  ) STRICT;
  `,
  `ALTER TABLE revisions ADD COLUMN settled_above TEXT NOT NULL DEFAULT '[]';`,
  // What runs beside the routes remembers itself here: flags, what drifted, names, gaps in the notifications.
  `
  CREATE TABLE flags (key TEXT PRIMARY KEY, name TEXT NOT NULL, value TEXT NOT NULL, by TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE flag_changes (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, from_value TEXT NOT NULL, to_value TEXT NOT NULL, by TEXT NOT NULL, at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE gaps (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, gap TEXT NOT NULL
  ) STRICT;
  `,
  // What stages hold, what entities released last, counters one by one: a commit writes what changed.
  `
  CREATE TABLE held (
    route TEXT NOT NULL, seq INTEGER NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL, key TEXT, due_at_ms INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, tie INTEGER NOT NULL, slot TEXT, stored INTEGER NOT NULL, PRIMARY KEY (route, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX held_by_time ON held (route, due_at_ms, seq) WHERE stage <> 'order';
  CREATE INDEX held_by_line ON held (route, key, at_ms, tie, seq) WHERE stored = 1;
  CREATE INDEX held_by_slot ON held (route, slot) WHERE slot IS NOT NULL;
  INSERT INTO held SELECT route, seq, 'order', reason, entity, due_at_ms, seq, 0, NULL, 0 FROM pending WHERE state = 'held';
  DELETE FROM pending WHERE state = 'held';
  ALTER TABLE pending ADD COLUMN mark TEXT;
  CREATE TABLE released (
    route TEXT NOT NULL, seq INTEGER NOT NULL, entity TEXT NOT NULL, at_ms INTEGER NOT NULL, tie INTEGER NOT NULL, PRIMARY KEY (route, seq)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE routes ADD COLUMN order_at_ms INTEGER;
  CREATE TABLE counters (route TEXT NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (route, name)) STRICT, WITHOUT ROWID;
  INSERT INTO counters SELECT r.name, c.key, c.value FROM routes r, json_each(r.counts) c;
  ALTER TABLE routes DROP COLUMN counts;
  `,
  `ALTER TABLE flags ADD COLUMN until_ms INTEGER; ALTER TABLE flag_changes ADD COLUMN until_ms INTEGER;`,
  // What waits in order has no row at first: how far a route has read; what entities released last is a log of its own.
  `
  ALTER TABLE routes ADD COLUMN read_to INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE routes ADD COLUMN order_seen_ms INTEGER;
  UPDATE routes SET read_to = max(position, coalesce((SELECT max(json_extract(value, '$[1]')) + 1 FROM json_each(above)), 0));
  CREATE TABLE lasts (id INTEGER PRIMARY KEY, route TEXT NOT NULL, lasts TEXT NOT NULL) STRICT;
  INSERT INTO lasts (route, lasts) SELECT route, json_group_array(json_array(entity, seq, at_ms, tie) ORDER BY seq) FROM released GROUP BY route;
  DROP TABLE released;
  ALTER TABLE lasts RENAME TO released;
  CREATE INDEX released_by_route ON released (route);
  `,
]

/** Brings the schema up to date; refuses a file written by a newer version. */
export function migrate(db: DatabaseSync): void {
  const version = Number((db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version)
  if (version > STEPS.length)
    throw new TrunklineError(
      'log.newer_format',
      `the ledger has schema version ${version}; this version knows up to ${STEPS.length}`,
      'Start it with the version of trunkline that wrote it, or a newer one.',
    )
  for (let i = version; i < STEPS.length; i++) {
    db.exec('BEGIN IMMEDIATE')
    db.exec(STEPS[i]!)
    db.exec(`PRAGMA user_version = ${i + 1}`)
    db.exec('COMMIT')
  }
}
