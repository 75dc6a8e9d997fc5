package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/lock"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
)

// Read handles GET /drops and GET /drops/{code}.
func (a *API) Read(ctx context.Context, r Request) (Response, error) {
	if r.PathParameters["code"] == "" {
		return a.serve(ctx, &r, a.list)
	}
	return a.serve(ctx, &r, a.get)
}

func (a *API) list(ctx context.Context, r *Request) (Response, error) {
	if !a.privileged(r) {
		return Response{}, errUnauthenticated()
	}
	q := wire.ListRequest{Type: r.QueryStringParameters["type"], Query: r.QueryStringParameters["q"]}
	for name, to := range map[string]*int{"offset": &q.Offset, "amount": &q.Amount} {
		s, ok := r.QueryStringParameters[name]
		if !ok {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return Response{}, drop.Invalid(name, "%q is not a whole number", s)
		}
		*to = n
	}
	base := a.base(r)
	reply, err := a.page(ctx, q, base, a.content(base))
	if err != nil {
		return Response{}, err
	}
	out := jsonResponse(http.StatusOK, reply.Drops)
	out.Headers["X-Results-Count"] = strconv.Itoa(reply.Total)
	out.Headers["X-Has-More"] = strconv.FormatBool(q.Offset+len(reply.Drops) < reply.Total)
	return out, nil
}

// get shows a drop without counting a view; what views are counted for is then
// left out.
func (a *API) get(ctx context.Context, r *Request) (Response, error) {
	base := a.base(r)
	reply, err := a.view(ctx, wire.ViewRequest{
		Code: r.PathParameters["code"], Password: password(r), Owner: a.privileged(r), Peek: true,
		SourceIP: r.RequestContext.HTTP.SourceIP,
	}, base, a.content(base))
	if err != nil {
		return Response{}, err
	}
	if err := stateError(reply); err != nil {
		return Response{}, err
	}
	return jsonResponse(http.StatusOK, reply.Drop), nil
}

// stateError is the HTTP answer to a state other than OK.
func stateError(v reply) error {
	switch v.State {
	case wire.StateOK:
		return nil
	case wire.StateNotFound:
		return errNoSuchDrop()
	case wire.StateGone:
		return errGone()
	case wire.StateNeedsPassword:
		return drop.Errorf(http.StatusUnauthorized, "ReadDrop.PasswordRequired", "this drop has a password; send it in the header x-drop-password, or open the drop's page")
	case wire.StateWrongPassword:
		return drop.Errorf(http.StatusUnauthorized, "ReadDrop.WrongPassword", "the password is wrong")
	case wire.StateTooMany:
		e := drop.Errorf(http.StatusTooManyRequests, "ReadDrop.TooManyAttempts", "too many wrong passwords; try again in %v", v.wait.Round(time.Second))
		e.RetryAfter = int(v.wait/time.Second) + 1
		return e
	}
	return errors.New("unknown state " + v.State)
}

// password takes x-drop-password or the password of Basic authentication.
func password(r *Request) string {
	if p := r.Headers["x-drop-password"]; p != "" {
		return p
	}
	h := http.Request{Header: http.Header{"Authorization": {r.Headers["authorization"]}}}
	_, p, _ := h.BasicAuth()
	return p
}

// mayChange lets the owner, the token and the drop's delete key through.
func (a *API) mayChange(ctx context.Context, r *Request, code string) error {
	if a.privileged(r) {
		return nil
	}
	key := r.Headers["x-delete-key"]
	if key == "" {
		key = r.QueryStringParameters["key"]
	}
	if key == "" {
		return errUnauthenticated()
	}
	d, err := a.Store.Get(ctx, code)
	if err != nil {
		return known(err)
	}
	if !lock.Same(lock.Hash(key), d.DeleteKeyHash) {
		return drop.Errorf(http.StatusForbidden, "Authorization.NoPrivileges", "the delete key is not this drop's")
	}
	return nil
}

// Delete handles DELETE /drops/{code}.
func (a *API) Delete(ctx context.Context, r Request) (Response, error) {
	return a.serve(ctx, &r, func(ctx context.Context, r *Request) (Response, error) {
		code := r.PathParameters["code"]
		if !drop.ValidCode(code) {
			return Response{}, errNoSuchDrop()
		}
		if err := a.mayChange(ctx, r, code); err != nil {
			return Response{}, err
		}
		now := time.Now()
		err := a.Sweeper.Remove(ctx, code, now)
		if errors.Is(err, store.ErrGone) {
			return Response{}, drop.Errorf(http.StatusGone, "DeleteDrop.AlreadyDeleted", "this drop was deleted before")
		}
		if err != nil {
			return Response{}, known(err)
		}
		if _, err := a.Sweeper.Collect(ctx, now); err != nil { // the sweep tries again
			a.Log.ErrorContext(ctx, "objects of a deleted drop remain for the sweep", "code", code, "err", err)
		}
		return Response{StatusCode: http.StatusNoContent}, nil
	})
}

// Update handles PUT /drops/{code}: options, and content of a note (text) or of
// a link (url), as JSON or a form.
func (a *API) Update(ctx context.Context, r Request) (Response, error) {
	return a.serve(ctx, &r, a.update)
}

func (a *API) update(ctx context.Context, r *Request) (Response, error) {
	code := r.PathParameters["code"]
	if !drop.ValidCode(code) {
		return Response{}, errNoSuchDrop()
	}
	if err := a.mayChange(ctx, r, code); err != nil {
		return Response{}, err
	}
	in, err := a.read(ctx, r)
	if err != nil {
		return Response{}, err
	}
	if len(in.Files) > 0 {
		return Response{}, badBody("the bytes of a drop do not change; send text or url as fields, or make a new drop")
	}
	now := time.Now().Truncate(time.Millisecond)
	opts, bad := drop.ParseOptions(drop.Values{Fields: in.Fields}, now)
	if bad != nil {
		return Response{}, bad
	}
	change, err := a.change(ctx, r, in, opts)
	if err != nil {
		return Response{}, err
	}
	d, message, err := a.Store.Update(ctx, code, now, change)
	if err != nil {
		return Response{}, known(err)
	}
	a.Sweeper.Announce(ctx, message)
	base := a.base(r)
	return jsonResponse(http.StatusOK, d.Wire(base, a.content(base))), nil
}

// change prepares everything slow, so that the store's transaction is short.
func (a *API) change(ctx context.Context, r *Request, in upload, opts drop.Options) (func(*drop.Drop) error, error) {
	hash := ""
	if opts.Password != "" {
		var err error
		if hash, err = lock.HashPassword(ctx, opts.Password); err != nil {
			return nil, err
		}
	}
	var text *file
	if t := in.Fields["text"]; len(t) > 0 {
		if len(t[0]) > drop.MaxNote || !utf8.ValidString(t[0]) || t[0] == "" {
			return nil, drop.Invalid("text", "has to be UTF-8 text of 1 to %d bytes", drop.MaxNote)
		}
		f, err := a.stash(ctx, []byte(t[0]))
		if err != nil {
			return nil, err
		}
		text = &f
	}
	target := ""
	if u := in.Fields["url"]; len(u) > 0 {
		var bad *drop.Error
		if target, bad = drop.CheckLink(u[0], a.base(r), a.ContentOrigin); bad != nil {
			return nil, bad
		}
	}
	return func(d *drop.Drop) error { return apply(d, opts, hash, text, target) }, nil
}

func apply(d *drop.Drop, opts drop.Options, hash string, text *file, target string) error {
	if opts.Has[drop.OptPrivacy] && opts.Obscure != d.Obscure {
		return drop.Invalid(drop.OptPrivacy, "cannot change, since the code would; make a new drop")
	}
	if (text != nil || opts.Variant != "") && d.Type != wire.TypeNote {
		return drop.Invalid("text", "and variant belong to notes; this drop is a %s", d.Type)
	}
	if target != "" && d.Type != wire.TypeLink {
		return drop.Invalid("url", "belongs to links; this drop is a %s", d.Type)
	}
	if opts.Title != "" {
		d.Title = opts.Title
	}
	if opts.Name != "" {
		d.Name = opts.Name
	}
	if opts.Has[drop.OptPassword] {
		d.PasswordHash = hash
	}
	if opts.Has[drop.OptExpire] {
		d.ExpiresAt = opts.ExpiresAt
	}
	if opts.Has[drop.OptMaxViews] {
		d.MaxViews, d.Views = opts.MaxViews, 0
	}
	if opts.Variant != "" {
		d.Variant, d.HTMLKey = opts.Variant, ""
	}
	if text != nil {
		d.Key, d.Size, d.SHA256, d.HTMLKey = text.Key, text.Size, text.SHA256, ""
	}
	if target != "" {
		d.Target, d.Size = target, int64(len(target))
	}
	return nil
}
