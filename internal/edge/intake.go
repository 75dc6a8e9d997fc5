package edge

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"

	"github.com/dropstack/dropstack/internal/engine"
)

// sniffed is how much of a file its type is told by.
const sniffed = 3 << 10

// intake takes one request's files in, one after the other.
type intake struct {
	server *Server
	ctx    context.Context
	to     Upload
	body   *source
	// announced is the Content-Length, which no file in the body can exceed; -1
	// when there is none.
	announced int64
	got       uploaded
	keys      []string // stored, or perhaps stored
	text      int64    // bytes of text fields
	fields    int
}

// source is the request's body up to its limit. It remembers why it ended.
type source struct {
	r     io.Reader
	limit int64 // 0: none
	read  int64
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	// One byte more than allowed tells a body that ends at the limit from one
	// that goes on.
	if s.limit > 0 && int64(len(p)) > s.limit-s.read+1 {
		p = p[:s.limit-s.read+1]
	}
	n, err := s.r.Read(p)
	s.read += int64(n)
	if s.limit > 0 && s.read > s.limit {
		err = &refusal{http.StatusRequestEntityTooLarge, "Too large", overLimit(s.limit)}
		n--
	}
	s.err = err
	return n, err
}

// form takes a multipart/form-data body in.
func (in *intake) form(boundary string) error {
	if boundary == "" {
		return badForm("the Content-Type names no boundary")
	}
	parts := multipart.NewReader(in.body, boundary)
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return in.end()
		}
		if err != nil {
			return badForm("it does not end with its boundary, or a part's headers are broken")
		}
		if err := in.part(part); err != nil {
			return err
		}
	}
}

// end reads what may follow the last boundary: a client that left before its last
// byte has not finished the upload.
func (in *intake) end() error {
	_, _ = io.CopyN(io.Discard, in.body, 64<<10)
	if err := in.body.err; err != nil && err != io.EOF {
		return err
	}
	return nil
}

func badForm(what string) error {
	return &refusal{http.StatusBadRequest, "Malformed form", "The multipart body could not be read: " + what + "."}
}

// part stores a part that has a file name, and collects any other.
func (in *intake) part(part *multipart.Part) error {
	disposition, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil || disposition != "form-data" {
		return badForm("a part has no usable Content-Disposition")
	}
	name, isFile := params["filename"]
	if !isFile {
		return in.field(params["name"], part)
	}
	content := bufio.NewReaderSize(part, 64<<10)
	if name == "" {
		// A file input that was left empty.
		if _, err := content.Peek(1); err == io.EOF {
			return nil
		}
	}
	return in.file(params["name"], fileName(name), content)
}

// field reads a text field within its limits.
func (in *intake) field(name string, part io.Reader) error {
	if in.fields++; in.fields > maxFields {
		return &refusal{http.StatusRequestEntityTooLarge, "Too many fields", fmt.Sprintf("A form may have %d text fields.", maxFields)}
	}
	text, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return badForm("it ends inside a field")
	}
	in.text += int64(len(text) + len(name))
	switch {
	case len(text) > maxField:
		return &refusal{http.StatusRequestEntityTooLarge, "Field too large", fmt.Sprintf("A text field may have %d bytes; send more as a file.", maxField)}
	case in.text > maxFieldBytes:
		return &refusal{http.StatusRequestEntityTooLarge, "Fields too large", fmt.Sprintf("All text fields together may have %d bytes.", maxFieldBytes)}
	}
	in.got.Fields[name] = append(in.got.Fields[name], string(text))
	return nil
}

// raw takes the whole body as one file.
func (in *intake) raw(r *http.Request) error {
	if err := in.file("", rawName(r), bufio.NewReaderSize(in.body, 64<<10)); err != nil {
		return err
	}
	return in.end()
}

// rawName finds a raw body's file name: ?filename=, Content-Disposition, or what
// the path of a PUT ends with.
func rawName(r *http.Request) string {
	if name := fileName(r.URL.Query().Get("filename")); name != "" {
		return name
	}
	if _, params, err := mime.ParseMediaType(r.Header.Get("Content-Disposition")); err == nil && params["filename"] != "" {
		return fileName(params["filename"])
	}
	if r.Method == http.MethodPut && !strings.HasSuffix(r.URL.Path, "/") {
		_, last, _ := strings.Cut(r.URL.EscapedPath(), "/")
		last, err := url.PathUnescape(path.Base(last))
		if err == nil {
			return fileName(last)
		}
	}
	return ""
}

// file streams content into the bucket; size, hash and type are told on the way.
func (in *intake) file(field, name string, content *bufio.Reader) error {
	if len(in.got.Files) >= maxFiles {
		return &refusal{http.StatusRequestEntityTooLarge, "Too many files", fmt.Sprintf("One upload may have %d files.", maxFiles)}
	}
	head, _ := content.Peek(sniffed) // an error comes again when it is read
	f := file{
		Field: field, Bucket: in.to.Bucket, Key: in.to.Prefix + randomKey(),
		Type: mimetype.Detect(head).String(), Name: name,
	}
	m := &meter{r: content, sum: sha256.New()}
	in.keys = append(in.keys, f.Key)
	stored, err := in.server.Objects.Put(in.ctx, f.Bucket, f.Key, m, -1, engine.PutOptions{ContentType: f.Type, AtMost: in.announced})
	if m.err != nil {
		return badForm("it ends inside a file")
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if !m.done || stored.Size != m.size {
		return fmt.Errorf("store: %d bytes of %d stored", stored.Size, m.size)
	}
	f.Size, f.SHA256 = m.size, hex.EncodeToString(m.sum.Sum(nil))
	in.got.Files = append(in.got.Files, f)
	return nil
}

// meter measures what passes.
type meter struct {
	r    io.Reader
	sum  hash.Hash
	size int64
	done bool  // the end was seen
	err  error // other than the end
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.size += int64(n)
	m.sum.Write(p[:n])
	if err == io.EOF {
		m.done = true
	} else if err != nil {
		m.err = err
	}
	return n, err
}

// fileName makes a client's file name harmless to show and to store under: its
// last part, without control and text-direction characters, at most 255 bytes
// with the extension kept. It is "" when nothing remains.
func fileName(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, name)
	name = strings.TrimSpace(name)
	if name == "." || name == ".." {
		return ""
	}
	if len(name) <= 255 {
		return name
	}
	ext := path.Ext(name)
	if len(ext) > 32 {
		ext = ""
	}
	stem := name[:255-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return stem + ext
}
