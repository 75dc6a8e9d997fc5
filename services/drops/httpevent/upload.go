package httpevent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/dropstack/dropstack/services/drops/drop"
)

// reference is one stored file, as the edge describes it.
type reference struct {
	Field  string `json:"field"`
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Type   string `json:"type"`
	Name   string `json:"name"`
}

type uploaded struct {
	Files  []reference         `json:"files"`
	Fields map[string][]string `json:"fields"`
}

// isFile reports whether a body on any route is to be stored.
func isFile(r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "multipart/form-data" || r.URL.Path == "/files"
}

// upload asks whether the upload may begin, stores it and makes the event refer
// to it. It answers by itself when it returns false.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, e *events.APIGatewayV2HTTPRequest, h Handler) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/x-www-form-urlencoded" && r.Method == http.MethodPost || kind == "application/json" && r.URL.Path == "/" {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, fmt.Sprintf("the body is cut or longer than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
			return false
		}
		setBody(e, b)
		return true
	}
	ask := *e
	ask.Headers = maps.Clone(e.Headers)
	ask.Headers["x-dropstack-upload-preflight"] = "1"
	out, err := h(r.Context(), ask)
	if err != nil || out.StatusCode >= 300 {
		s.respond(w, r, out)
		return false
	}
	u := uploaded{Fields: map[string][]string{}}
	if err := s.receive(r, kind, e, &u); err != nil {
		s.remove(u)
		http.Error(w, "the upload is incomplete: "+err.Error(), http.StatusBadRequest)
		return false
	}
	body, err := json.Marshal(u)
	if err != nil {
		panic(err) // strings and numbers
	}
	e.Headers["content-type"], e.Body = "application/vnd.dropstack.upload+json", string(body)
	return true
}

func (s *Server) receive(r *http.Request, kind string, e *events.APIGatewayV2HTTPRequest, u *uploaded) error {
	if kind != "multipart/form-data" {
		f, err := s.store(r.Body)
		f.Name = e.PathParameters["name"]
		u.Files = append(u.Files, f)
		return err
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return err
	}
	for {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !strings.Contains(p.Header.Get("Content-Disposition"), "filename") {
			value, err := io.ReadAll(io.LimitReader(p, 2<<20))
			if err != nil {
				return err
			}
			u.Fields[p.FormName()] = append(u.Fields[p.FormName()], string(value))
			continue
		}
		f, err := s.store(p)
		f.Field, f.Name = p.FormName(), p.FileName()
		u.Files = append(u.Files, f)
		if err != nil {
			return err
		}
	}
}

// store streams one file into the bucket.
func (s *Server) store(r io.Reader) (reference, error) {
	hash, head := sha256.New(), &bytes.Buffer{}
	f := reference{Bucket: s.Bucket, Key: "uploads/" + drop.Random(24)}
	start, err := io.ReadAll(io.LimitReader(r, 3072))
	if err != nil {
		return f, err
	}
	head.Write(start)
	f.Type = drop.Sniff(start)
	f.Size, err = s.Blobs.Write(f.Bucket, f.Key, io.TeeReader(io.MultiReader(head, r), hash))
	f.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return f, err
}

// discard removes what a refused request uploaded.
func (s *Server) discard(e *events.APIGatewayV2HTTPRequest) {
	var u uploaded
	if e.Headers["content-type"] == "application/vnd.dropstack.upload+json" && json.Unmarshal([]byte(e.Body), &u) == nil {
		s.remove(u)
	}
}

func (s *Server) remove(u uploaded) {
	for _, f := range u.Files {
		if err := s.Blobs.Delete(context.Background(), f.Bucket, f.Key); err != nil {
			s.Log.Error("an object of a refused upload remains for the sweep", "key", f.Key, "err", err)
		}
	}
}
