package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
)

// StepDone implements store.Store.
func (s *Store) StepDone(ctx context.Context, code string, version int, step string) (done bool, err error) {
	st, err := s.stmt(ctx, s.relaxed, "SELECT EXISTS (SELECT 1 FROM steps WHERE code = ? AND version = ? AND step = ?)")
	if err != nil {
		return false, err
	}
	return done, st.QueryRowContext(ctx, code, version, step).Scan(&done)
}

// FinishStep implements store.Store.
func (s *Store) FinishStep(ctx context.Context, step store.Step, keep time.Duration, change func(*drop.Drop)) (out store.Finish, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, "INSERT INTO steps (code, version, step, detail, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			step.Code, step.Version, step.Name, step.Detail, step.At.UnixMilli())
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			out = store.Repeated
			return err
		}
		old, err := scan(tx.QueryRowContext(ctx, "SELECT "+columns+" FROM drops WHERE code = ?", step.Code))
		if err == sql.ErrNoRows || err == nil && (!old.DeletedAt.IsZero() || step.Exact && old.Version != step.Version) {
			out = store.Gone
			return nil
		}
		if err != nil {
			return err
		}
		d := old
		change(&d)
		if err := write(ctx, tx, &d); err != nil {
			return err
		}
		return replaced(ctx, tx, &old, &d, step.At.Add(keep))
	})
	return out, err
}

// Outbox implements store.Store.
func (s *Store) Outbox(ctx context.Context, before time.Time, limit int) ([]store.Message, error) {
	rows, err := s.query(ctx, "SELECT id, topic, event FROM outbox WHERE at <= ? ORDER BY id LIMIT ?", before.UnixMilli(), limit)
	return collect(rows, err, func(r *sql.Rows) (m store.Message, err error) {
		var body string
		if err := r.Scan(&m.ID, &m.Topic, &body); err != nil {
			return m, err
		}
		return m, json.Unmarshal([]byte(body), &m.Event)
	})
}

// Sent implements store.Store. It is not synced: a message that comes back after
// a power cut is published twice, which consumers bear.
func (s *Store) Sent(ctx context.Context, messages ...store.Message) error {
	st, err := s.stmt(ctx, s.relaxed, "DELETE FROM outbox WHERE id = ?")
	if err != nil {
		return err
	}
	for _, m := range messages {
		if _, err := st.ExecContext(ctx, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// Garbage implements store.Store.
func (s *Store) Garbage(ctx context.Context, now time.Time, limit int) ([]store.Object, error) {
	rows, err := s.query(ctx, "SELECT id, bucket, key FROM garbage WHERE due <= ? ORDER BY id LIMIT ?", now.UnixMilli(), limit)
	return collect(rows, err, func(r *sql.Rows) (o store.Object, err error) { return o, r.Scan(&o.ID, &o.Bucket, &o.Key) })
}

// Collected implements store.Store.
func (s *Store) Collected(ctx context.Context, objects ...store.Object) error {
	st, err := s.stmt(ctx, s.relaxed, "DELETE FROM garbage WHERE id = ?")
	if err != nil {
		return err
	}
	for _, o := range objects {
		if _, err := st.ExecContext(ctx, o.ID); err != nil {
			return err
		}
	}
	return nil
}

// AddActivity implements store.Store.
func (s *Store) AddActivity(ctx context.Context, a wire.Activity, version int) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO activity (code, version, what, title, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			a.Code, version, a.What, a.Title, a.At)
		return err
	})
}

// Activity implements store.Store.
func (s *Store) Activity(ctx context.Context, limit int) ([]wire.Activity, error) {
	rows, err := s.query(ctx, "SELECT code, title, what, at FROM activity ORDER BY id DESC LIMIT ?", limit)
	return collect(rows, err, func(r *sql.Rows) (a wire.Activity, err error) {
		return a, r.Scan(&a.Code, &a.Title, &a.What, &a.At)
	})
}

// Attempt implements store.Store: it counts before the password is looked at,
// so that tries at the same time cannot slip past the limit.
func (s *Store) Attempt(ctx context.Context, code, ip string, now time.Time) (time.Duration, error) {
	st, err := s.stmt(ctx, s.relaxed, `INSERT INTO attempts (code, ip, since, n) VALUES (?1, ?2, ?3, 1)
		ON CONFLICT (code, ip) DO UPDATE SET
			n = CASE WHEN since <= ?4 THEN 1 ELSE n + 1 END,
			since = CASE WHEN since <= ?4 THEN ?3 ELSE since END
		RETURNING n, since`)
	if err != nil {
		return 0, err
	}
	var n, since int64
	if err := st.QueryRowContext(ctx, code, ip, now.UnixMilli(), now.Add(-store.AttemptWindow).UnixMilli()).Scan(&n, &since); err != nil {
		return 0, err
	}
	if n <= store.MaxAttempts {
		return 0, nil
	}
	return at(since).Add(store.AttemptWindow).Sub(now), nil
}

// Forgive implements store.Store.
func (s *Store) Forgive(ctx context.Context, code, ip string) error {
	st, err := s.stmt(ctx, s.relaxed, "DELETE FROM attempts WHERE code = ? AND ip = ?")
	if err != nil {
		return err
	}
	_, err = st.ExecContext(ctx, code, ip)
	return err
}

// Prune implements store.Store.
func (s *Store) Prune(ctx context.Context, now time.Time) error {
	old := now.Add(-store.Tombstones).UnixMilli()
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, p := range []struct {
			query string
			arg   int64
		}{
			{"DELETE FROM steps WHERE code IN (SELECT code FROM drops WHERE deleted_at > 0 AND deleted_at < ?)", old},
			{"DELETE FROM drops WHERE deleted_at > 0 AND deleted_at < ?", old},
			{"DELETE FROM attempts WHERE since < ?", now.Add(-store.AttemptWindow).UnixMilli()},
			{"DELETE FROM activity WHERE id <= (SELECT max(id) FROM activity) - ?", store.MaxActivity},
		} {
			if _, err := tx.ExecContext(ctx, p.query, p.arg); err != nil {
				return err
			}
		}
		return nil
	})
}
