package api

import (
	"context"
	"errors"
	"html"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/lock"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
)

// Create handles POST /, PUT /{name}, POST /files, /notes and /links.
func (a *API) Create(ctx context.Context, r Request) (Response, error) {
	return a.serve(ctx, &r, a.create)
}

// maxDrops bounds the drops that one request makes.
const maxDrops = 100

// made is a new drop with the only copy of its delete key.
type made struct {
	drop      drop.Drop
	deleteKey string
}

func (a *API) create(ctx context.Context, r *Request) (Response, error) {
	if !a.privileged(r) {
		return Response{}, errUnauthenticated()
	}
	now := time.Now().Truncate(time.Millisecond)
	values := drop.Values{Query: r.QueryStringParameters, Headers: r.Headers}
	if r.Headers[headerPreflight] == "1" {
		if _, err := drop.ParseOptions(values, now); err != nil {
			return Response{}, err
		}
		return Response{StatusCode: http.StatusNoContent}, nil
	}
	in, err := a.read(ctx, r)
	if err != nil {
		return Response{}, err
	}
	values.Fields = in.Fields
	opts, bad := drop.ParseOptions(values, now)
	if bad != nil {
		return Response{}, bad
	}
	drops, err := a.build(ctx, r, in, opts, now)
	if err != nil {
		return Response{}, err
	}
	messages, err := a.insert(ctx, drops)
	if err != nil {
		return Response{}, err
	}
	a.Sweeper.Announce(ctx, messages...)
	return a.answer(r, drops), nil
}

// build makes the drops of a request, not yet stored.
func (a *API) build(ctx context.Context, r *Request, in upload, opts drop.Options, now time.Time) ([]made, error) {
	plain := drop.Drop{
		Version: 1, Bucket: a.Bucket, CreatedAt: now, UpdatedAt: now,
		ExpiresAt: opts.ExpiresAt, MaxViews: opts.MaxViews, Obscure: opts.Obscure,
	}
	if opts.Password != "" {
		hash, err := lock.HashPassword(ctx, opts.Password)
		if err != nil {
			return nil, err
		}
		plain.PasswordHash = hash
	}
	var drops []made
	add := func(d drop.Drop) {
		switch {
		case opts.Title != "":
			d.Title = opts.Title
		case d.Guarded() && d.Name == "" && d.Type == wire.TypeNote: // titles are seen without a view
			d.Title = "Note"
		case d.Guarded() && d.Type == wire.TypeLink:
			d.Title = "Link"
		}
		key := drop.Random(24)
		d.DeleteKeyHash = lock.Hash(key)
		drops = append(drops, made{d, key})
	}
	for _, f := range in.Files {
		if f.Name == "" && f.Size == 0 && f.Field != "" {
			continue // a form's file field that was left empty
		}
		d, err := a.fromFile(ctx, plain, f, opts)
		if err != nil {
			return nil, err
		}
		add(d)
	}
	for _, target := range in.Fields["url"] {
		d, err := a.fromLink(plain, target, r)
		if err != nil {
			return nil, err
		}
		add(d)
	}
	for _, name := range []string{"text", "note"} {
		for _, text := range in.Fields[name] {
			if text == "" {
				continue
			}
			d, err := a.fromText(ctx, plain, name, text, opts)
			if err != nil {
				return nil, err
			}
			add(d)
		}
	}
	switch {
	case len(drops) == 0:
		return nil, drop.Errorf(http.StatusBadRequest, "CreateDrop.NoContent", "nothing to share: send file=@NAME, url=URL or text=TEXT as a form, or a file as the body")
	case len(drops) > maxDrops:
		return nil, drop.Errorf(http.StatusBadRequest, "CreateDrop.TooManyUploads", "%d drops in one request; at most %d are allowed", len(drops), maxDrops)
	}
	return drops, nil
}

func (a *API) fromLink(d drop.Drop, target string, r *Request) (drop.Drop, error) {
	target, bad := drop.CheckLink(target, a.base(r), a.ContentOrigin)
	if bad != nil {
		return d, bad
	}
	d.Type, d.Target, d.Bucket, d.Size = wire.TypeLink, target, "", int64(len(target))
	_, d.Title, _ = strings.Cut(target, "://")
	if len(d.Title) > 200 {
		d.Title = strings.ToValidUTF8(d.Title[:200], "") + "…"
	}
	return d, nil
}

func (a *API) fromText(ctx context.Context, d drop.Drop, field, text string, opts drop.Options) (drop.Drop, error) {
	if len(text) > drop.MaxNote {
		return d, drop.Errorf(http.StatusRequestEntityTooLarge, "CreateDrop.MaxSizeExceeded", "%s: a note of %d bytes; at most %d are allowed, send it as a file", field, len(text), drop.MaxNote)
	}
	if !utf8.ValidString(text) {
		return d, drop.Invalid(field, "is not UTF-8 text; send it as a file")
	}
	f, err := a.stash(ctx, []byte(text))
	if err != nil {
		return d, err
	}
	d.Type, d.Media, d.Key, d.Size, d.SHA256 = wire.TypeNote, "text/plain", f.Key, f.Size, f.SHA256
	d.Name, d.Title = opts.Name, drop.NoteTitle(text)
	d.Variant = variant(opts, opts.Name)
	return d, nil
}

func variant(opts drop.Options, name string) string {
	if opts.Variant != "" {
		return opts.Variant
	}
	return drop.VariantOf(name)
}

// fromFile verifies that the object is there and whole, and looks at it.
func (a *API) fromFile(ctx context.Context, d drop.Drop, f file, opts drop.Options) (drop.Drop, error) {
	o, err := a.Blobs.Head(ctx, f.Bucket, f.Key)
	if errors.Is(err, blob.ErrNotFound) {
		return d, drop.Errorf(http.StatusConflict, "CreateDrop.UploadIncomplete", "the uploaded object is not in the bucket; upload it again")
	}
	if err != nil {
		return d, err
	}
	if o.Size != f.Size {
		return d, drop.Errorf(http.StatusConflict, "CreateDrop.UploadIncomplete", "the uploaded object has %d bytes and %d were announced; upload it again", o.Size, f.Size)
	}
	d.Name = opts.Name
	if d.Name == "" {
		d.Name = drop.CleanName(f.Name)
	}
	d.Title, d.Key, d.Size, d.SHA256 = d.Name, f.Key, f.Size, f.SHA256
	if d.Media, err = a.sniff(ctx, f); err != nil {
		return d, err
	}
	d.Type = drop.TypeOf(d.Media)
	if d.Type == wire.TypeNote {
		if err := a.note(ctx, &d, opts); err != nil {
			return d, err
		}
	}
	if d.Title == "" {
		d.Title = "Untitled " + d.Type
	}
	return d, nil
}

// sniff reads the first bytes: what the client says about them does not count.
func (a *API) sniff(ctx context.Context, f file) (string, error) {
	if f.Size == 0 {
		return "text/plain", nil
	}
	head, _, err := blob.Read(ctx, a.Blobs, f.Bucket, f.Key, min(f.Size, 3072))
	return drop.Sniff(head), err
}

// note makes a note of short UTF-8 text, and a file of everything else.
func (a *API) note(ctx context.Context, d *drop.Drop, opts drop.Options) error {
	d.Type = wire.TypeFile
	if d.Size > drop.MaxNote || d.Size == 0 {
		return nil
	}
	text, whole, err := blob.Read(ctx, a.Blobs, d.Bucket, d.Key, drop.MaxNote)
	if err != nil || !whole || !utf8.Valid(text) {
		return err
	}
	d.Type, d.Variant = wire.TypeNote, variant(opts, d.Name)
	if d.Title == "" {
		d.Title = drop.NoteTitle(string(text))
	}
	return nil
}

// insert stores the drops under codes that nobody has.
func (a *API) insert(ctx context.Context, drops []made) ([]store.Message, error) {
	rows := make([]drop.Drop, len(drops))
	for range 5 {
		for i := range drops {
			drops[i].drop.Code = drop.NewCode(drops[i].drop.Obscure)
			rows[i] = drops[i].drop
		}
		messages, err := a.Store.Insert(ctx, rows...)
		switch {
		case err == nil:
			return messages, nil
		case errors.Is(err, store.ErrKeyTaken):
			return nil, drop.Errorf(http.StatusConflict, "CreateDrop.UploadUsed", "the uploaded object already belongs to a drop")
		case !errors.Is(err, store.ErrCodeTaken):
			return nil, err
		}
	}
	return nil, errors.New("five random codes in a row were taken")
}

// created is a new drop in JSON: Droplr's fields and those that ShareX reads.
type created struct {
	wire.Drop
	URL         string `json:"url"`
	Thumbnail   string `json:"thumbnailUrl,omitempty"`
	DeleteKey   string `json:"deleteKey"`
	DeletionURL string `json:"deletionUrl"` // wants the method DELETE
}

func (a *API) answer(r *Request, drops []made) Response {
	base := a.base(r)
	list, lines, deletes := make([]created, len(drops)), "", make([]string, len(drops))
	for i, m := range drops {
		list[i] = created{
			Drop: m.drop.Wire(base, a.content(base)), URL: drop.ShortLink(base, m.drop.Code),
			DeleteKey: m.deleteKey, DeletionURL: drop.DeleteLink(base, m.drop.Code, m.deleteKey),
		}
		if m.drop.Type == wire.TypeImage {
			list[i].Thumbnail = drop.ThumbLink(a.content(base), m.drop.Code)
		}
		lines += list[i].URL + "\n"
		deletes[i] = list[i].DeletionURL
	}
	var out Response
	switch {
	case prefers(r, "text/html"): // a form without script
		link := html.EscapeString(list[0].URL)
		out = Response{StatusCode: http.StatusCreated, Headers: map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Refresh": "0; url=" + list[0].URL,
		}, Body: `<!doctype html><title>Shared</title><p>Shared: <a href="` + link + `">` + link + "</a>\n"}
	case strings.Contains(r.Headers["accept"], "json"):
		out = jsonResponse(http.StatusCreated, list[0])
		if len(list) > 1 {
			out = jsonResponse(http.StatusCreated, map[string]any{"drops": list})
		}
	default:
		out = Response{StatusCode: http.StatusCreated, Body: lines, Headers: map[string]string{
			"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store",
		}}
	}
	out.Headers["Location"] = list[0].URL
	out.Headers["X-Url-Delete"] = strings.Join(deletes, ", ")
	return out
}
