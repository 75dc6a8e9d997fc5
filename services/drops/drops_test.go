package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/bus"
	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/wire"
)

type site struct {
	*testing.T
	*service
	url    string
	events *bus.Local
	owner  atomic.Bool
	client *http.Client
}

type logs struct{ *testing.T }

func (l logs) Write(p []byte) (int, error) {
	l.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func start(t *testing.T) *site {
	t.Helper()
	env := map[string]string{"UPLOAD_TOKEN": "sesame"}
	s, server, events, err := serving(t.Context(), t.TempDir(), func(k string) string { return env[k] }, slog.New(slog.NewJSONHandler(logs{t}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	at := &site{T: t, service: s, events: events}
	at.owner.Store(true)
	server.Owner = func(*http.Request) bool { return at.owner.Load() }
	h := httptest.NewServer(server.Mux())
	at.url, at.client = h.URL, h.Client()
	at.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() {
		h.Close()
		events.Wait()
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return at
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (s *site) do(method, path, body string, headers ...string) answer {
	s.Helper()
	if !strings.HasPrefix(path, "http") {
		path = s.url + path
	}
	r, err := http.NewRequestWithContext(s.Context(), method, path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	out, err := s.client.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = out.Body.Close() }()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{out.StatusCode, out.Header, string(b)}
}

const form = "application/x-www-form-urlencoded"

func multi(parts ...string) (body, kind string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 3 { // field, file name or "", content
		if parts[i+1] == "" {
			_ = w.WriteField(parts[i], parts[i+2])
			continue
		}
		p, _ := w.CreateFormFile(parts[i], parts[i+1])
		_, _ = io.WriteString(p, parts[i+2])
	}
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

// share uploads one file and returns its code, after all processing.
func (s *site) share(name, content string, fields ...string) string {
	s.Helper()
	parts := []string{"file", name, content}
	for i := 0; i < len(fields); i += 2 {
		parts = append(parts, fields[i], "", fields[i+1])
	}
	body, kind := multi(parts...)
	a := s.do("POST", "/", body, "Content-Type", kind)
	if a.status != http.StatusCreated {
		s.Fatalf("share %s: got %d %s, want 201", name, a.status, a.body)
	}
	s.events.Wait()
	return strings.TrimSpace(a.body[strings.LastIndex(a.body, "/")+1:])
}

func (s *site) stored() []string {
	s.Helper()
	var keys []string
	if err := s.api.Blobs.Each(s.Context(), "drops-local", "", func(o blob.Object) error {
		keys = append(keys, o.Key)
		return nil
	}); err != nil {
		s.Fatal(err)
	}
	return keys
}

func TestEveryWayToShare(t *testing.T) {
	s := start(t)
	two, twoKind := multi("file", "a.txt", "hello", "file", "b.bin", "\x00\x01\x02", "title", "", "Both")
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		lines              int
		kind, variant      string
	}{
		"curl -F two files": {"POST", "/", two, []string{"Content-Type", twoKind}, 2, wire.TypeFile, ""},
		"curl -T":           {"PUT", "/main.go", "package main\n", nil, 1, wire.TypeNote, drop.Code},
		"curl -T markdown":  {"PUT", "/read.me.md", "# hi\n", nil, 1, wire.TypeNote, drop.Markdown},
		"Droplr file":       {"POST", "/files?filename=a.html", "<!doctype html><script>x</script>", []string{"Content-Type", "image/png"}, 1, wire.TypeNote, drop.Code},
		"Droplr note":       {"POST", "/notes?variant=markdown", "*text*", []string{"Content-Type", "text/plain"}, 1, wire.TypeNote, drop.Markdown},
		"Droplr link":       {"POST", "/links", "https://example.org/x", []string{"Content-Type", "text/plain"}, 1, wire.TypeLink, ""},
		"form link":         {"POST", "/", "url=https%3A%2F%2Fexample.org", []string{"Content-Type", form}, 1, wire.TypeLink, ""},
		"form note":         {"POST", "/", "text=hello", []string{"Content-Type", form}, 1, wire.TypeNote, drop.Plain},
		"JSON link":         {"POST", "/", `{"url":"https://example.org","max_views":3}`, []string{"Content-Type", "application/json"}, 1, wire.TypeLink, ""},
		"not UTF-8":         {"PUT", "/latin.txt", "caf\xe9 cr\xe8me", nil, 1, wire.TypeFile, ""},
	} {
		a := s.do(c.method, c.path, c.body, c.headers...)
		lines := strings.Fields(a.body)
		if a.status != 201 || len(lines) != c.lines || !strings.HasPrefix(a.body, s.url+"/") {
			t.Errorf("%s: got %d %q, want 201 and %d links", name, a.status, a.body, c.lines)
			continue
		}
		if a.header.Get("X-Url-Delete") == "" || a.header.Get("Location") != lines[0] {
			t.Errorf("%s: got headers %v, want a delete link and the location", name, a.header)
		}
		last := lines[len(lines)-1]
		var d wire.Drop
		if err := json.Unmarshal([]byte(s.do("GET", "/drops"+last[len(s.url):], "").body), &d); err != nil || d.Type != c.kind || d.Variant != c.variant {
			t.Errorf("%s: got %s/%s, %v, want %s/%s", name, d.Type, d.Variant, err, c.kind, c.variant)
		}
	}
	a := s.do("GET", "/drops?amount=2&type=link", "")
	if a.header.Get("X-Results-Count") != "3" || a.header.Get("X-Has-More") != "true" {
		t.Errorf("list: got %v, want 3 links of which 2 are shown", a.header)
	}
}

func TestRefusals(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct {
		fields string
		status int
		code   string
		word   string
	}{
		"bad expiry":        {"text=x&expire=60", 400, "CreateDrop.InvalidOption", "expire: "},
		"past expiry":       {"text=x&expires=2001-01-01", 400, "CreateDrop.InvalidOption", "past"},
		"bad views":         {"text=x&max_views=many", 400, "CreateDrop.InvalidOption", "max_views: "},
		"two limits":        {"text=x&max_views=2&oneshot=1", 400, "CreateDrop.InvalidOption", "twice"},
		"bad variant":       {"text=x&variant=pdf", 400, "CreateDrop.InvalidOption", "variant: "},
		"private":           {"text=x&privacy=private", 400, "CreateDrop.InvalidOption", "password"},
		"script link":       {"url=javascript%3Aalert(1)", 400, "CreateDrop.InvalidUrl", "http"},
		"link to ourselves": {"url=" + url.QueryEscape(s.url+"/abc"), 400, "CreateDrop.RecursiveLink", "this service"},
		"by another name":   {"url=" + url.QueryEscape(strings.Replace(s.url, "127.0.0.1", "localhost", 1)), 400, "CreateDrop.RecursiveLink", "this service"},
		"long link":         {"url=https%3A%2F%2Fe.org%2F" + strings.Repeat("a", drop.MaxLink), 400, "CreateDrop.InvalidUrl", "8192"},
		"nothing":           {"title=x", 400, "CreateDrop.NoContent", "nothing"},
	} {
		a := s.do("POST", "/", c.fields, "Content-Type", form, "Accept", "application/json")
		var e drop.Error
		if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.status != c.status || e.Code != c.code || e.Status != c.status || !strings.Contains(e.Message, c.word) {
			t.Errorf("%s: got %d %s, want %d %s with %q", name, a.status, a.body, c.status, c.code, c.word)
		}
	}
	body, kind := multi("file", "a.bin", "\x00\x01", "expire", "", "soon")
	if a := s.do("POST", "/", body, "Content-Type", kind); a.status != 400 {
		t.Errorf("upload with a bad field: got %d, want 400", a.status)
	}
	forged := `{"files":[{"bucket":"drops-local","key":"derived/x","size":1}]}`
	if a := s.do("POST", "/notes", forged, "Content-Type", "application/vnd.dropstack.upload+json"); a.status != 400 {
		t.Errorf("forged reference: got %d %s, want 400", a.status, a.body)
	}
	if keys := s.stored(); len(keys) != 0 {
		t.Errorf("got objects %v after refusals only, want none", keys)
	}
}

func TestWhoMay(t *testing.T) {
	s := start(t)
	a := s.do("POST", "/", "text=x", "Content-Type", form, "Accept", "application/json")
	var d struct{ Code, DeleteKey string }
	if err := json.Unmarshal([]byte(a.body), &d); err != nil {
		t.Fatal(err)
	}
	if a := s.do("POST", "/", "text=x", "Content-Type", form, "Sec-Fetch-Site", "cross-site"); a.status != 401 {
		t.Errorf("a foreign page in the owner's browser: got %d, want 401", a.status)
	}
	if a := s.do("POST", "/", "text=x", "Content-Type", form, "Origin", "https://evil.example"); a.status != 401 {
		t.Errorf("a foreign origin in the owner's browser: got %d, want 401", a.status)
	}
	s.owner.Store(false)
	for name, c := range map[string]struct {
		method, path, auth string
		want               int
	}{
		"create":                  {"PUT", "/x.txt", "", 401},
		"create with a bad token": {"PUT", "/x.txt", "Bearer sesam", 401},
		"create with the token":   {"PUT", "/x.txt", "Bearer sesame", 201},
		"list":                    {"GET", "/drops", "", 401},
		"list with the token":     {"GET", "/drops", "Bearer sesame", 200},
		"read":                    {"GET", "/drops/" + d.Code, "", 200},
		"read the unknown":        {"GET", "/drops/zzzzzzz", "", 404},
		"update":                  {"PUT", "/drops/" + d.Code, "", 401},
		"delete":                  {"DELETE", "/drops/" + d.Code, "", 401},
		"delete with a bad key":   {"DELETE", "/drops/" + d.Code + "?key=x", "", 403},
	} {
		if a := s.do(c.method, c.path, "hello", "Authorization", c.auth, "X-Dropstack-Owner", "1"); a.status != c.want {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.body, c.want)
		}
	}
	for i, want := range []int{204, 410} {
		if a := s.do("DELETE", "/drops/"+d.Code+"?key="+d.DeleteKey, ""); a.status != want {
			t.Errorf("delete %d with the key: got %d, want %d", i+1, a.status, want)
		}
	}
	for path, want := range map[string]int{"/raw/" + d.Code: 410, "/drops/" + d.Code: 410, "/thumb/" + d.Code: 410, "/raw/nothere": 404} {
		if a := s.do("GET", path, ""); a.status != want {
			t.Errorf("%s after deletion: got %d, want %d", path, a.status, want)
		}
	}
}

func photo(t *testing.T) string {
	m := image.NewRGBA(image.Rect(0, 0, 1200, 900))
	for y := range 900 {
		for x := range 1200 {
			m.Set(x, y, color.RGBA{byte(x), byte(y), 90, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	tiff := "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00GPS 48.8584"
	exif := "Exif\x00\x00" + tiff
	return b.String()[:2] + "\xff\xe1" + string([]byte{0, byte(len(exif) + 2)}) + exif + b.String()[2:]
}

func TestAPhotoLosesItsPlaceAndGetsAThumbnail(t *testing.T) {
	s := start(t)
	original := photo(t)
	code := s.share("cat ünï.jpg", original)
	v, err := s.api.View(t.Context(), wire.ViewRequest{Code: code})
	if err != nil || v.State != wire.StateOK || v.Drop.Width != 900 || v.Drop.Height != 1200 || !v.Drop.Thumbnail || v.Drop.Views != 1 {
		t.Fatalf("got %+v, %v, want a turned 900x1200 with a thumbnail and one view", v, err)
	}
	a := s.do("GET", v.Drop.Content, "")
	if a.status != 200 || strings.Contains(a.body, "48.8584") || len(a.body) >= len(original) {
		t.Errorf("got %d with %d bytes, want the copy without its place", a.status, len(a.body))
	}
	if got, want := a.header.Get("Content-Disposition"), `inline; filename="cat _n_.jpg"; filename*=UTF-8''cat%20%C3%BCn%C3%AF.jpg`; got != want {
		t.Errorf("got disposition %s, want %s", got, want)
	}
	small := s.do("GET", "/thumb/"+code, "")
	m, _, err := image.Decode(strings.NewReader(small.body))
	if err != nil || m.Bounds().Dx() != 480 || m.Bounds().Dy() != 640 {
		t.Fatalf("thumbnail: got %v, %v, want 480x640", m, err)
	}
	if part := s.do("GET", "/raw/"+code, "", "Range", "bytes=2-5"); part.status != 206 || part.body != a.body[2:6] {
		t.Errorf("range: got %d %q, want 206 with 4 bytes", part.status, part.body)
	}
	if _, err := s.sweeper.Collect(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, key := range s.stored() {
		if strings.HasPrefix(key, "uploads/") {
			t.Errorf("the original %s is still there", key)
		}
	}
}

func TestNobodyIsFasterThanTheStripping(t *testing.T) {
	s := start(t)
	s.events.Consumers = nil // no function runs
	code := s.share("a.jpg", photo(t))
	if a := s.do("GET", "/raw/"+code, ""); a.status != 200 || strings.Contains(a.body, "48.8584") {
		t.Errorf("got %d, place in it: %v", a.status, strings.Contains(a.body, "48.8584"))
	}
}
