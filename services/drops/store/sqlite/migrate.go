package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations brings a file from PRAGMA user_version n to n+1. Only append.
var migrations = []string{`
CREATE TABLE drops (
	code TEXT PRIMARY KEY, version INTEGER NOT NULL,
	type TEXT NOT NULL, variant TEXT NOT NULL, title TEXT NOT NULL, name TEXT NOT NULL, media TEXT NOT NULL,
	size INTEGER NOT NULL, sha256 TEXT NOT NULL,
	bucket TEXT NOT NULL, key TEXT NOT NULL, target TEXT NOT NULL,
	obscure INTEGER NOT NULL, password TEXT NOT NULL, delete_key TEXT NOT NULL,
	created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
	deleted_at INTEGER NOT NULL, viewed_at INTEGER NOT NULL,
	views INTEGER NOT NULL, max_views INTEGER NOT NULL,
	width INTEGER NOT NULL, height INTEGER NOT NULL, duration INTEGER NOT NULL,
	thumb_key TEXT NOT NULL, html_key TEXT NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX drops_living ON drops (created_at) WHERE deleted_at = 0;
CREATE INDEX drops_expiring ON drops (expires_at) WHERE deleted_at = 0 AND expires_at > 0;
CREATE INDEX drops_counted ON drops (viewed_at) WHERE deleted_at = 0 AND max_views > 0;
CREATE INDEX drops_tombstones ON drops (deleted_at) WHERE deleted_at > 0;
CREATE UNIQUE INDEX drops_key ON drops (bucket, key) WHERE key <> '';
CREATE INDEX drops_thumb ON drops (thumb_key) WHERE thumb_key <> '';
CREATE INDEX drops_html ON drops (html_key) WHERE html_key <> '';
CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, event TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE TABLE garbage (id INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, key TEXT NOT NULL, due INTEGER NOT NULL) STRICT;
CREATE INDEX garbage_key ON garbage (bucket, key);
CREATE TABLE steps (
	code TEXT NOT NULL, version INTEGER NOT NULL, step TEXT NOT NULL, detail TEXT NOT NULL, at INTEGER NOT NULL,
	PRIMARY KEY (code, version, step)
) WITHOUT ROWID, STRICT;
CREATE TABLE activity (
	id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, version INTEGER NOT NULL, what TEXT NOT NULL,
	title TEXT NOT NULL, at INTEGER NOT NULL, UNIQUE (code, version, what)
) STRICT;
CREATE TABLE attempts (
	code TEXT NOT NULL, ip TEXT NOT NULL, since INTEGER NOT NULL, n INTEGER NOT NULL,
	PRIMARY KEY (code, ip)
) WITHOUT ROWID, STRICT;
`}

// migrate runs under the directory's lock, so that one process does it.
func migrate(ctx context.Context, db *sql.DB) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("the database has version %d and this program knows %d: it was written by a newer release, deploy that one", version, len(migrations))
	}
	for ; version < len(migrations); version++ {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, migrations[version]+fmt.Sprintf("PRAGMA user_version = %d;", version+1))
		if err != nil {
			_ = tx.Rollback()
			return fmt.Errorf("migrate to version %d: %w", version+1, err)
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("migrate to version %d: %w", version+1, err)
		}
	}
	return nil
}
