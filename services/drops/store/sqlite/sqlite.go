// Package sqlite stores drops in one SQLite file that any number of processes
// share (WAL). Stored: DIR/drops.db with its -wal and -shm files, DIR/drops.lock
// (held while a process opens and migrates the file).
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/store"
	msqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Store implements store.Store.
type Store struct {
	durable *sql.DB // commits are synced; one connection, so that writers of this process queue here
	relaxed *sql.DB // commits survive a crash of the process, not of the machine: reads and uncapped counts

	mu       sync.Mutex
	prepared map[prepareKey]*sql.Stmt
}

type prepareKey struct {
	db    *sql.DB
	query string
}

var _ store.Store = (*Store)(nil)

// Open opens or creates the database in dir, which must exist.
func Open(ctx context.Context, dir string) (_ *Store, err error) {
	unlock, err := lock(filepath.Join(dir, "drops.lock"))
	if err != nil {
		return nil, fmt.Errorf("lock the drops database: %w", err)
	}
	defer unlock()
	file := filepath.Join(dir, "drops.db")
	s := &Store{durable: open(file, "FULL"), relaxed: open(file, "NORMAL"), prepared: map[prepareKey]*sql.Stmt{}}
	s.durable.SetMaxOpenConns(1)
	s.relaxed.SetMaxOpenConns(4)
	s.relaxed.SetMaxIdleConns(4)
	if err := migrate(ctx, s.durable); err != nil {
		return nil, errors.Join(fmt.Errorf("open the drops database %s: %w", file, err), s.Close())
	}
	return s, nil
}

func open(file, synchronous string) *sql.DB {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(" + synchronous + ")", "wal_autocheckpoint(4000)",
	}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		panic(err) // only for an unregistered driver
	}
	return db
}

// lock waits for an exclusive lock of the file.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// Close closes the connections.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.prepared {
		errs = append(errs, stmt.Close())
	}
	clear(s.prepared)
	return errors.Join(append(errs, s.relaxed.Close(), s.durable.Close())...)
}

// stmt prepares a query once.
func (s *Store) stmt(ctx context.Context, db *sql.DB, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := prepareKey{db, query}
	if st, ok := s.prepared[k]; ok {
		return st, nil
	}
	st, err := db.PrepareContext(ctx, query)
	if err == nil {
		s.prepared[k] = st
	}
	return st, err
}

func (s *Store) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := s.stmt(ctx, s.relaxed, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// tx runs f in one synced write transaction.
func (s *Store) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.durable.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

const columns = `code, version, type, variant, title, name, media, size, sha256, bucket, key, target,
	obscure, password, delete_key, created_at, updated_at, expires_at, deleted_at, viewed_at, views, max_views,
	width, height, duration, thumb_key, html_key`

var placeholders = strings.TrimSuffix(strings.Repeat("?,", strings.Count(columns, ",")+1), ",")

func values(d *drop.Drop) []any {
	return []any{
		d.Code, d.Version, d.Type, d.Variant, d.Title, d.Name, d.Media, d.Size, d.SHA256, d.Bucket, d.Key, d.Target,
		d.Obscure, d.PasswordHash, d.DeleteKeyHash, ms(d.CreatedAt), ms(d.UpdatedAt), ms(d.ExpiresAt), ms(d.DeletedAt), ms(d.ViewedAt), d.Views, d.MaxViews,
		d.Width, d.Height, d.Duration.Milliseconds(), d.ThumbKey, d.HTMLKey,
	}
}

type scanner interface{ Scan(...any) error }

func scan(row scanner) (d drop.Drop, err error) {
	var created, updated, expires, deleted, viewed, duration int64
	err = row.Scan(
		&d.Code, &d.Version, &d.Type, &d.Variant, &d.Title, &d.Name, &d.Media, &d.Size, &d.SHA256, &d.Bucket, &d.Key, &d.Target,
		&d.Obscure, &d.PasswordHash, &d.DeleteKeyHash, &created, &updated, &expires, &deleted, &viewed, &d.Views, &d.MaxViews,
		&d.Width, &d.Height, &duration, &d.ThumbKey, &d.HTMLKey,
	)
	d.CreatedAt, d.UpdatedAt, d.ExpiresAt, d.DeletedAt, d.ViewedAt = at(created), at(updated), at(expires), at(deleted), at(viewed)
	d.Duration = time.Duration(duration) * time.Millisecond
	return d, err
}

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// taken tells which uniqueness an insert broke.
func taken(err error) error {
	var e *msqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return store.ErrCodeTaken
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return store.ErrKeyTaken
	}
	return err
}
