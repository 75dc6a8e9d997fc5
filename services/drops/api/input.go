package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/services/drops/drop"
)

// upload is the body that the edge makes of an upload.
type upload struct {
	Files  []file              `json:"files"`
	Fields map[string][]string `json:"fields"`
}

// file is an object in the bucket.
type file struct {
	Field  string `json:"field"`
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Type   string `json:"type"`
	Name   string `json:"name"`
}

// read turns any accepted body into files and fields.
func (a *API) read(ctx context.Context, r *Request) (upload, error) {
	kind, params, _ := mime.ParseMediaType(r.Headers["content-type"])
	b, err := body(r)
	if err != nil {
		return upload{}, err
	}
	route := r.RequestContext.HTTP.Path
	if r.RawPath != "" {
		route = r.RawPath
	}
	switch {
	case kind == uploadType:
		var u upload
		if err := json.Unmarshal(b, &u); err != nil {
			return u, badBody("the upload's references are not understood: %v", err)
		}
		return u, a.checkFiles(u.Files)
	case kind == "application/json":
		return jsonFields(b)
	case kind == "application/x-www-form-urlencoded" && !strings.HasSuffix(route, "/files"):
		form, err := url.ParseQuery(string(b))
		if err != nil {
			return upload{}, badBody("the form is not understood: %v", err)
		}
		return upload{Fields: form}, nil
	case kind == "multipart/form-data":
		return a.parts(ctx, b, params["boundary"])
	case strings.HasSuffix(route, "/notes"):
		return upload{Fields: map[string][]string{"text": {string(b)}}}, nil
	case strings.HasSuffix(route, "/links"):
		return upload{Fields: map[string][]string{"url": {string(b)}}}, nil
	case len(b) == 0:
		return upload{}, nil
	}
	f, err := a.stash(ctx, b)
	f.Name = r.PathParameters["name"]
	return upload{Files: []file{f}}, err
}

func badBody(format string, args ...any) error {
	return drop.Errorf(http.StatusBadRequest, "CreateDrop.BadBody", format, args...)
}

// checkFiles refuses references that the edge would not make.
func (a *API) checkFiles(files []file) error {
	for _, f := range files {
		if f.Bucket != a.Bucket || !strings.HasPrefix(f.Key, "uploads/") || strings.Contains(f.Key, "..") || f.Size < 0 {
			return badBody("the upload refers to an object outside of the upload area")
		}
	}
	return nil
}

// jsonFields reads {"url": "…", "max_views": 3}.
func jsonFields(b []byte) (upload, error) {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return upload{}, badBody("the body is not a JSON object: %v", err)
	}
	fields := map[string][]string{}
	for name, v := range object {
		switch v := v.(type) {
		case nil:
			fields[name] = []string{""}
		case string, json.Number, bool:
			fields[name] = []string{fmt.Sprint(v)}
		default:
			return upload{}, drop.Invalid(name, "has to be a string, a number, true, false or null")
		}
	}
	return upload{Fields: fields}, nil
}

// parts reads a multipart body that came in the event, as happens behind a
// gateway without the edge's upload behaviour; gateways bound its size.
func (a *API) parts(ctx context.Context, b []byte, boundary string) (upload, error) {
	u := upload{Fields: map[string][]string{}}
	parts := multipart.NewReader(bytes.NewReader(b), boundary)
	for {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return u, nil
		}
		if err != nil {
			return u, badBody("the multipart body is not understood: %v", err)
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return u, badBody("the multipart body ends early: %v", err)
		}
		if p.FileName() == "" {
			u.Fields[p.FormName()] = append(u.Fields[p.FormName()], string(data))
			continue
		}
		f, err := a.stash(ctx, data)
		if err != nil {
			return u, err
		}
		f.Field, f.Name = p.FormName(), p.FileName()
		u.Files = append(u.Files, f)
	}
}

// stash stores bytes that came in the event. If no drop comes of it, the sweep
// removes the object.
func (a *API) stash(ctx context.Context, b []byte) (file, error) {
	sum := sha256.Sum256(b)
	f := file{
		Bucket: a.Bucket, Key: "uploads/" + drop.Random(24), Size: int64(len(b)),
		SHA256: hex.EncodeToString(sum[:]), Type: drop.Sniff(b),
	}
	return f, a.Blobs.Put(ctx, f.Bucket, f.Key, f.Type, f.Size, bytes.NewReader(b))
}
