package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/lock"
	"github.com/dropstack/dropstack/services/drops/process"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
)

// View is viewDrop: one view of a drop for the page that shows it. Links in the
// reply are relative, but for the content origin.
func (a *API) View(ctx context.Context, r wire.ViewRequest) (wire.ViewReply, error) {
	v, err := a.view(ctx, r, "", a.content(""))
	if err != nil {
		return wire.ViewReply{}, fmt.Errorf("view drop: %w", err)
	}
	if v.State != wire.StateOK || r.Peek && v.Drop.MaxViews > 0 && !r.Owner {
		return v.ViewReply, nil
	}
	return v.ViewReply, a.fill(ctx, &v)
}

// reply is a ViewReply with what only we need.
type reply struct {
	wire.ViewReply
	drop drop.Drop
	wait time.Duration
}

// view decides about one view and counts it. Exactly the views of replies with
// StateOK are counted, unless Owner or Peek is set.
func (a *API) view(ctx context.Context, r wire.ViewRequest, base, content string) (v reply, err error) {
	if !drop.ValidCode(r.Code) {
		v.State = wire.StateNotFound
		return v, nil
	}
	d, err := a.Store.Get(ctx, r.Code)
	if errors.Is(err, store.ErrNotFound) {
		v.State = wire.StateNotFound
		return v, nil
	}
	if err != nil {
		return v, err
	}
	now := time.Now()
	if d.Expired(now) || d.UsedUp() && !r.Owner {
		v.State = wire.StateGone
		return v, nil
	}
	if d.PasswordHash != "" && !r.Owner {
		if err := a.unlock(ctx, &v, d, r, now); err != nil || v.State != "" {
			return v, err
		}
	}
	if !r.Owner && !r.Peek {
		counted, err := a.Store.View(ctx, d, now)
		switch {
		case errors.Is(err, store.ErrGone):
			return reply{ViewReply: wire.ViewReply{State: wire.StateGone}}, nil
		case err == nil:
			d = counted
		case d.MaxViews > 0:
			return v, err
		default: // on a full disk, say: better shown and not counted
			a.Log.Warn("view not counted", "code", d.Code, "err", err)
		}
	}
	shown := d.Wire(base, content)
	v.State, v.Drop, v.drop = wire.StateOK, &shown, d
	if r.Peek && !r.Owner && d.MaxViews > 0 {
		shown.Content = "" // that would be the view
		return v, nil
	}
	v.Token = a.Key.Content(d.Code, d.Version, now)
	return v, nil
}

// unlock leaves v.State empty when the viewer knows the password.
func (a *API) unlock(ctx context.Context, v *reply, d drop.Drop, r wire.ViewRequest, now time.Time) error {
	if r.Unlock != "" && a.Key.CheckUnlock(r.Unlock, d.Code, d.PasswordHash, now) {
		return nil
	}
	if r.Password == "" {
		v.State = wire.StateNeedsPassword
		return nil
	}
	ip := source(r.SourceIP)
	wait, err := a.Store.Attempt(ctx, d.Code, ip, now)
	if err != nil {
		return err
	}
	if wait > 0 {
		v.State, v.wait = wire.StateTooMany, wait
		return nil
	}
	ok, err := lock.CheckPassword(ctx, r.Password, d.PasswordHash)
	if err != nil {
		return err
	}
	if !ok {
		v.State = wire.StateWrongPassword
		return nil
	}
	v.Unlock = a.Key.Unlock(d.Code, d.PasswordHash, now)
	return a.Store.Forgive(ctx, d.Code, ip)
}

// maxText is the largest unrendered note that travels in a reply.
const maxText = 256 << 10

// fill adds the rendering of a note, or its text while there is none.
func (a *API) fill(ctx context.Context, v *reply) error {
	d := &v.drop
	if d.Type != wire.TypeNote {
		return nil
	}
	if d.HTMLKey != "" {
		html, _, err := blob.Read(ctx, a.Blobs, d.Bucket, d.HTMLKey, process.MaxHTML)
		if err == nil || !errors.Is(err, blob.ErrNotFound) {
			v.HTML = string(html)
			return err
		}
	}
	if d.Size > maxText {
		return nil
	}
	text, _, err := blob.Read(ctx, a.Blobs, d.Bucket, d.Key, maxText)
	v.Text = string(text)
	return err
}

// List is listDrops: the owner's newest drops.
func (a *API) List(ctx context.Context, r wire.ListRequest) (wire.ListReply, error) {
	reply, err := a.page(ctx, r, "", a.content(""))
	if err != nil {
		return reply, fmt.Errorf("list drops: %w", err)
	}
	reply.Activity, err = a.Store.Activity(ctx, 20)
	return reply, err
}

func (a *API) page(ctx context.Context, r wire.ListRequest, base, content string) (wire.ListReply, error) {
	if r.Amount <= 0 {
		r.Amount = 50
	}
	now := time.Now()
	drops, total, err := a.Store.List(ctx, store.Query{
		Offset: max(0, r.Offset), Amount: min(r.Amount, 100), Type: r.Type, Words: r.Query, Now: now,
	})
	out := wire.ListReply{Drops: make([]wire.Drop, len(drops)), Tokens: make([]string, len(drops)), Total: total}
	for i := range drops {
		out.Drops[i] = drops[i].Wire(base, content)
		out.Tokens[i] = a.Key.Content(drops[i].Code, drops[i].Version, now)
	}
	return out, err
}
