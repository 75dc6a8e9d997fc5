package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
)

// Insert implements store.Store.
func (s *Store) Insert(ctx context.Context, drops ...drop.Drop) (messages []store.Message, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		for i := range drops {
			d := &drops[i]
			if _, err := tx.ExecContext(ctx, "INSERT INTO drops ("+columns+") VALUES ("+placeholders+")", values(d)...); err != nil {
				return taken(err)
			}
			m, err := announce(ctx, tx, wire.TopicDropCreated, d, d.CreatedAt)
			if err != nil {
				return err
			}
			messages = append(messages, m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return messages, nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, code string) (drop.Drop, error) {
	st, err := s.stmt(ctx, s.relaxed, "SELECT "+columns+" FROM drops WHERE code = ?")
	if err != nil {
		return drop.Drop{}, err
	}
	return found(scan(st.QueryRowContext(ctx, code)))
}

func found(d drop.Drop, err error) (drop.Drop, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return drop.Drop{}, store.ErrNotFound
	}
	return d, err
}

const view = `UPDATE drops SET views = views + 1, viewed_at = ?1
	WHERE code = ?2 AND deleted_at = 0 AND (expires_at = 0 OR expires_at > ?1) AND (max_views = 0 OR views < max_views)
	RETURNING ` + columns

// View implements store.Store: one statement decides and counts.
func (s *Store) View(ctx context.Context, d drop.Drop, now time.Time) (drop.Drop, error) {
	db := s.relaxed
	if d.MaxViews > 0 {
		db = s.durable
	}
	st, err := s.stmt(ctx, db, view)
	if err != nil {
		return drop.Drop{}, err
	}
	got, err := scan(st.QueryRowContext(ctx, now.UnixMilli(), d.Code))
	if errors.Is(err, sql.ErrNoRows) {
		return drop.Drop{}, store.ErrGone
	}
	return got, err
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, code string, now time.Time, change func(*drop.Drop) error) (d drop.Drop, m store.Message, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		old, err := found(scan(tx.QueryRowContext(ctx, "SELECT "+columns+" FROM drops WHERE code = ?", code)))
		if err != nil {
			return err
		}
		if old.Expired(now) {
			return store.ErrGone
		}
		d = old
		if err := change(&d); err != nil {
			return err
		}
		d.Version, d.UpdatedAt = old.Version+1, now
		if err := write(ctx, tx, &d); err != nil {
			return err
		}
		if err := replaced(ctx, tx, &old, &d, now); err != nil {
			return err
		}
		m, err = announce(ctx, tx, wire.TopicDropUpdated, &d, now)
		return err
	})
	return d, m, err
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, code string, now time.Time) (d drop.Drop, m store.Message, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		d, err = found(scan(tx.QueryRowContext(ctx, "SELECT "+columns+" FROM drops WHERE code = ?", code)))
		if err != nil {
			return err
		}
		if !d.DeletedAt.IsZero() {
			return store.ErrGone
		}
		old := d
		if m, err = announce(ctx, tx, wire.TopicDropDeleted, &d, now); err != nil {
			return err
		}
		// what made the drop worth keeping private goes at once
		d.DeletedAt, d.UpdatedAt = now, now
		d.Key, d.ThumbKey, d.HTMLKey, d.Target, d.PasswordHash, d.Title, d.Name = "", "", "", "", "", "", ""
		if err := write(ctx, tx, &d); err != nil {
			return err
		}
		return replaced(ctx, tx, &old, &d, now)
	})
	return d, m, err
}

func write(ctx context.Context, tx *sql.Tx, d *drop.Drop) error {
	_, err := tx.ExecContext(ctx, "UPDATE drops SET ("+columns+") = ("+placeholders+") WHERE code = ?", append(values(d), d.Code)...)
	return taken(err)
}

// replaced makes garbage of the objects that old has and d no longer has.
func replaced(ctx context.Context, tx *sql.Tx, old, d *drop.Drop, due time.Time) error {
	for _, p := range [][2]string{{old.Key, d.Key}, {old.ThumbKey, d.ThumbKey}, {old.HTMLKey, d.HTMLKey}} {
		if p[0] == "" || p[0] == p[1] {
			continue
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO garbage (bucket, key, due) VALUES (?, ?, ?)", old.Bucket, p[0], due.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

func announce(ctx context.Context, tx *sql.Tx, topic string, d *drop.Drop, now time.Time) (store.Message, error) {
	m := store.Message{Topic: topic, Event: d.Event(now)}
	body, err := json.Marshal(m.Event)
	if err != nil {
		return m, err
	}
	r, err := tx.ExecContext(ctx, "INSERT INTO outbox (topic, event, at) VALUES (?, ?, ?)", topic, string(body), now.UnixMilli())
	if err != nil {
		return m, err
	}
	m.ID, err = r.LastInsertId()
	return m, err
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, q store.Query) ([]drop.Drop, int, error) {
	where := []string{"deleted_at = 0", "(expires_at = 0 OR expires_at > ?)", "(max_views = 0 OR views < max_views)"}
	args := []any{q.Now.UnixMilli()}
	if q.Type != "" {
		where, args = append(where, "type = ?"), append(args, q.Type)
	}
	for _, word := range strings.Fields(q.Words) {
		where, args = append(where, `title LIKE ? ESCAPE '\'`), append(args, "%"+like.Replace(word)+"%")
	}
	from := " FROM drops WHERE " + strings.Join(where, " AND ")
	var total int
	if err := s.relaxed.QueryRowContext(ctx, "SELECT count(*)"+from, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	rows, err := s.relaxed.QueryContext(ctx, "SELECT "+columns+from+" ORDER BY created_at DESC, code LIMIT ? OFFSET ?", append(args, q.Amount, q.Offset)...)
	drops, err := collect(rows, err, func(r *sql.Rows) (drop.Drop, error) { return scan(r) })
	return drops, total, err
}

var like = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, err error, read func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		v, err := read(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	rows, err := s.query(ctx, `SELECT code FROM drops WHERE deleted_at = 0 AND expires_at > 0 AND expires_at <= ?1
		UNION SELECT code FROM drops WHERE deleted_at = 0 AND max_views > 0 AND viewed_at <= ?2 AND views >= max_views
		LIMIT ?3`, now.UnixMilli(), now.Add(-drop.ViewGrace).UnixMilli(), limit)
	return collect(rows, err, func(r *sql.Rows) (code string, err error) { return code, r.Scan(&code) })
}

// Owns implements store.Store.
func (s *Store) Owns(ctx context.Context, bucket, key string) (owned bool, err error) {
	st, err := s.stmt(ctx, s.relaxed, `SELECT EXISTS (SELECT 1 FROM drops WHERE bucket = ?1 AND key = ?2 AND key <> '')
		OR EXISTS (SELECT 1 FROM drops WHERE thumb_key = ?2 AND thumb_key <> '')
		OR EXISTS (SELECT 1 FROM drops WHERE html_key = ?2 AND html_key <> '')
		OR EXISTS (SELECT 1 FROM garbage WHERE bucket = ?1 AND key = ?2)`)
	if err != nil {
		return false, err
	}
	return owned, st.QueryRowContext(ctx, bucket, key).Scan(&owned)
}
