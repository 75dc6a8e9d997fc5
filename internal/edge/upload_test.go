package edge_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge"
)

type upload struct {
	Files  []uploadedFile
	Fields map[string][]string
}

type uploadedFile struct {
	Field, Bucket, Key string
	Size               int64
	SHA256, Type, Name string
}

// taker is an origin that takes uploads.
type taker struct {
	mu     sync.Mutex
	asked  []*http.Request // preflights
	calls  []*http.Request
	bodies [][]byte
	status int // of its answers; 200 unless set
	refuse int // of its preflights; 204 unless set
}

func (o *taker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("X-Dropstack-Upload-Preflight") == "1" {
		o.asked = append(o.asked, r)
		if o.refuse != 0 {
			w.Header().Set("X-Why", "no")
			w.WriteHeader(o.refuse)
			io.WriteString(w, "who are you?")
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	o.calls, o.bodies = append(o.calls, r), append(o.bodies, body)
	if o.status != 0 {
		w.WriteHeader(o.status)
	}
	io.WriteString(w, "taken")
}

func taking(t testing.TB, o *taker, limit int64) (*edge.Server, *store) {
	t.Helper()
	return server(t, origins{"drops": o.ServeHTTP}, edge.Distribution{Stack: "drops", ID: "main", Default: true, Behaviours: []edge.Behaviour{
		{Path: "*", Origin: "drops", Upload: &edge.Upload{Bucket: "drops-files", Prefix: "in/", MaxBytes: limit}},
	}})
}

const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

func form(t testing.TB, build func(*multipart.Writer)) (string, *bytes.Buffer) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	build(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), &body
}

func addFile(t testing.TB, w *multipart.Writer, field, name, content string) {
	t.Helper()
	part, err := w.CreateFormFile(field, name)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(part, content)
}

func hashOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestFormUpload(t *testing.T) {
	o := &taker{}
	s, objects := taking(t, o, 0)
	media, body := form(t, func(w *multipart.Writer) {
		w.WriteField("expire", "1h")
		addFile(t, w, "file", `C:\me\größe.jpg`, png) // says it is a JPEG
		w.WriteField("expire", "2h")
		addFile(t, w, "more", "a.txt", "hello")
		addFile(t, w, "empty", "", "")
	})
	r := httptest.NewRequest("POST", "/up?x=1", body)
	r.Header.Set("Content-Type", media)
	r.Header.Set("X-Dropstack-Upload-Key", "forged")
	r.Header.Set("Authorization", "Bearer t")
	if res := do(s, r); res.Code != 200 || res.Body.String() != "taken" {
		t.Fatalf("got %d %s", res.Code, res.Body)
	}
	if ask := o.asked[0]; len(o.asked) != 1 || ask.Method != "POST" || ask.URL.String() != "/up?x=1" || ask.ContentLength != 0 || ask.Header.Get("Authorization") != "Bearer t" || ask.Header.Get("X-Dropstack-Upload-Key") != "" {
		t.Errorf("preflight: got %+v", ask)
	}
	got := decode[upload](t, o.bodies[0])
	keys := objects.keys()
	want := upload{
		Files: []uploadedFile{
			{"file", "drops-files", got.Files[0].Key, int64(len(png)), hashOf(png), "image/png", "größe.jpg"},
			{"more", "drops-files", got.Files[1].Key, 5, hashOf("hello"), "text/plain; charset=utf-8", "a.txt"},
		},
		Fields: map[string][]string{"expire": {"1h", "2h"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, f := range got.Files {
		if !regexp.MustCompile(`^in/[0-9a-f]{32}$`).MatchString(f.Key) || !slices.Contains(keys, "drops-files/"+f.Key) || len(keys) != 2 {
			t.Errorf("key %q, stored %v", f.Key, keys)
		}
	}
	if objects.content("drops-files/"+got.Files[0].Key) != png {
		t.Error("other content stored")
	}
	h, f := o.calls[0].Header, got.Files[0]
	for name, want := range map[string]string{
		"Content-Type": edge.UploadType, "Content-Length": fmt.Sprint(len(o.bodies[0])),
		"X-Dropstack-Upload-Bucket": "drops-files", "X-Dropstack-Upload-Key": strings.ReplaceAll(f.Key, "/", "%2F"),
		"X-Dropstack-Upload-Size": fmt.Sprint(len(png)), "X-Dropstack-Upload-Sha256": f.SHA256,
		"X-Dropstack-Upload-Type": "image/png", "X-Dropstack-Upload-Name": "gr%C3%B6%C3%9Fe.jpg", "X-Dropstack-Upload-Preflight": "",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, h.Get(name), want)
		}
	}
}

func TestRawUpload(t *testing.T) {
	for name, c := range map[string]struct {
		method, url, media, disposition, body string
		want                                  string // name and type; "" is no file
	}{
		"curl -T":         {"PUT", "/shot%20one.png", "", "", png, "shot one.png image/png"},
		"PUT of a path":   {"PUT", "/dir/", "", "", "x", " text/plain; charset=utf-8"},
		"PUT of nothing":  {"PUT", "/empty.txt", "", "", "", "empty.txt text/plain"},
		"by query":        {"POST", "/?filename=a%2Fb.txt", "text/plain", "", "x", "b.txt text/plain; charset=utf-8"},
		"by disposition":  {"POST", "/x", "image/gif", `attachment; filename="n.gif"`, png, "n.gif image/png"},
		"POST, no name":   {"POST", "/x", "application/octet-stream", "", "\x00\x01", " application/octet-stream"},
		"POST of nothing": {"POST", "/x", "", "", "", ""},
	} {
		o := &taker{}
		s, objects := taking(t, o, 0)
		r := httptest.NewRequest(c.method, c.url, strings.NewReader(c.body))
		for h, v := range map[string]string{"Content-Type": c.media, "Content-Disposition": c.disposition} {
			if v != "" {
				r.Header.Set(h, v)
			}
		}
		if res := do(s, r); res.Code != 200 {
			t.Errorf("%s: got %d %s", name, res.Code, res.Body)
			continue
		}
		got := decode[upload](t, o.bodies[0])
		if c.want == "" {
			if len(got.Files) != 0 || len(objects.keys()) != 0 || !bytes.Contains(o.bodies[0], []byte(`"files":[]`)) {
				t.Errorf("%s: got %s", name, o.bodies[0])
			}
			continue
		}
		if len(got.Files) != 1 || got.Files[0].Name+" "+got.Files[0].Type != c.want || got.Files[0].SHA256 != hashOf(c.body) || got.Files[0].Size != int64(len(c.body)) {
			t.Errorf("%s: got %+v, want %s", name, got.Files, c.want)
		}
	}
}

func TestOrdinaryBodiesOnUploadBehaviours(t *testing.T) {
	for _, media := range []string{"application/json", "application/x-www-form-urlencoded; charset=utf-8"} {
		o := &taker{}
		s, objects := taking(t, o, 4)
		r := httptest.NewRequest("POST", "/", strings.NewReader("url=https%3A"))
		r.Header.Set("Content-Type", media)
		if res := do(s, r); res.Code != 200 || len(o.asked) != 0 || string(o.bodies[0]) != "url=https%3A" || len(objects.keys()) != 0 || o.calls[0].Header.Get("Content-Type") != media {
			t.Errorf("%s: got %d %q", media, res.Code, o.bodies)
		}
		r = httptest.NewRequest("POST", "/", unread{t})
		r.ContentLength = edge.MaxOrdinary + 1
		r.Header.Set("Content-Type", media)
		if res := do(s, r); res.Code != 413 || !strings.Contains(res.Body.String(), "10485760 bytes") {
			t.Errorf("%s: got %d %s", media, res.Code, res.Body)
		}
	}
	o := &taker{}
	s, _ := taking(t, o, 0)
	for _, method := range []string{"POST", "PATCH", "GET"} {
		r := httptest.NewRequest(method, "/", strings.NewReader(`{"files":[]}`))
		r.Header.Set("Content-Type", strings.ToUpper(edge.UploadType)+"; x=y")
		if res := do(s, r); res.Code != 415 || len(o.calls) != 0 {
			t.Errorf("%s with forged references: got %d", method, res.Code)
		}
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestUploadRefusals(t *testing.T) {
	media, small := form(t, func(w *multipart.Writer) { addFile(t, w, "f", "a.txt", "hello") })
	for name, c := range map[string]struct {
		origin *taker
		limit  int64
		full   error
		body   io.Reader
		length int64
		media  string
		status int
		want   string
		calls  int
	}{
		"declared too large":             {limit: 9, body: unread{t}, length: 10, status: 413, want: "9 bytes"},
		"too large on the way":           {limit: 1000, body: io.LimitReader(letters{}, 1001), length: -1, status: 413, want: "1000 bytes"},
		"just within":                    {limit: 1000, body: io.LimitReader(letters{}, 1000), length: -1, status: 200, want: "taken", calls: 1},
		"stranger":                       {origin: &taker{refuse: 401}, body: unread{t}, length: 5 << 30, status: 401, want: "who are you?"},
		"preflight answers 200, not 204": {origin: &taker{refuse: 200}, body: unread{t}, length: 5, status: 200, want: "who are you?"},
		"origin refuses":                 {origin: &taker{status: 422}, body: strings.NewReader("x"), length: 1, status: 422, want: "taken", calls: 1},
		"origin fails":                   {origin: &taker{status: 502}, body: small, length: int64(small.Len()), media: media, status: 502, want: "taken", calls: 1},
		"cut":                            {body: io.MultiReader(strings.NewReader("abc"), cut{}), length: 100, status: 400, want: "Incomplete"},
		"form without an end":            {body: strings.NewReader("--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\nabc"), length: -1, media: "multipart/form-data; boundary=b", status: 400, want: "Malformed form"},
		"second file cut":                {body: strings.NewReader("--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\nabc\r\n--b\r\nContent-Disposition: form-data; name=f; filename=y\r\n\r\nab"), length: -1, media: "multipart/form-data; boundary=b", status: 400, want: "Malformed form"},
		"form without boundary":          {body: strings.NewReader("x"), length: 1, media: "multipart/form-data", status: 400, want: "no boundary"},
		"part without a disposition":     {body: strings.NewReader("--b\r\n\r\nabc\r\n--b--"), length: -1, media: "multipart/form-data; boundary=b", status: 400, want: "Content-Disposition"},
		"disk full":                      {full: fmt.Errorf("write: %w", syscall.ENOSPC), body: strings.NewReader("x"), length: 1, status: 507, want: "disk is full"},
		"store broken":                   {full: io.ErrClosedPipe, body: strings.NewReader("x"), length: 1, status: 503, want: "try again"},
	} {
		if c.origin == nil {
			c.origin = &taker{}
		}
		s, objects := taking(t, c.origin, c.limit)
		objects.full = c.full
		r := httptest.NewRequest("POST", "/", c.body)
		r.ContentLength = c.length
		if c.media != "" {
			r.Header.Set("Content-Type", c.media)
		}
		res := do(s, r)
		if res.Code != c.status || !strings.Contains(res.Body.String(), c.want) || len(c.origin.calls) != c.calls {
			t.Errorf("%s: got %d %s after %d calls, want %d %s after %d", name, res.Code, res.Body, len(c.origin.calls), c.status, c.want, c.calls)
		}
		if got := len(objects.keys()); (got > 0) != (c.status == 200 && c.calls == 1) {
			t.Errorf("%s: %d objects left", name, got)
		}
		if c.calls == 0 && res.Header().Get("Connection") != "close" {
			t.Errorf("%s: the connection stays open with the body unread", name)
		}
	}
}

// cut is a connection that broke.
type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestFormLimits(t *testing.T) {
	for want, build := range map[string]func(*multipart.Writer){
		"65536 bytes":     func(w *multipart.Writer) { w.WriteField("a", strings.Repeat("x", 64<<10+1)) },
		"100 text fields": func(w *multipart.Writer) { times(101, func() { w.WriteField("a", "") }) },
		"1048576 bytes":   func(w *multipart.Writer) { times(17, func() { w.WriteField("a", strings.Repeat("x", 64<<10)) }) },
		"100 files":       func(w *multipart.Writer) { times(101, func() { addFile(t, w, "f", "a", "") }) },
	} {
		o := &taker{}
		s, objects := taking(t, o, 0)
		media, body := form(t, build)
		r := httptest.NewRequest("POST", "/", body)
		r.Header.Set("Content-Type", media)
		if res := do(s, r); res.Code != 413 || !strings.Contains(res.Body.String(), want) || len(objects.keys()) != 0 || len(o.calls) != 0 {
			t.Errorf("got %d %s, %d objects, want 413 %s", res.Code, res.Body, len(objects.keys()), want)
		}
	}
}

func times(n int, do func()) {
	for range n {
		do()
	}
}

func TestRefusedBeforeAByteIsSent(t *testing.T) {
	s, _ := taking(t, &taker{refuse: 403}, 0)
	addr := strings.TrimPrefix(start(t, s), "http://")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil) // "100 Continue" would come first
	if err != nil || res.StatusCode != 403 || !res.Close {
		t.Errorf("got %+v, %v", res, err)
	}
}

func TestClientCutsUpload(t *testing.T) {
	o := &taker{}
	s, objects := taking(t, o, 0)
	ended := make(chan edge.AccessRecord, 1)
	s.Access = func(a edge.AccessRecord) { ended <- a }
	addr := strings.TrimPrefix(start(t, s), "http://")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"+
		"--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\nabc\r\n--b\r\nContent-Disposition: form-data; name=f; filename=y\r\n\r\nab")
	c.Close()
	if a := <-ended; a.Status != 400 {
		t.Errorf("got %+v", a)
	}
	if len(o.calls) != 0 || len(objects.keys()) != 0 {
		t.Errorf("%d calls, %d objects left", len(o.calls), len(objects.keys()))
	}
}

// TestHugeUpload passes a gigabyte through and looks at the heap on the way.
func TestHugeUpload(t *testing.T) {
	const size = 1 << 30
	o := &taker{}
	s, objects := taking(t, o, 2<<30)
	head := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big.bin\"\r\n\r\n"
	probe := &heapProbe{r: io.LimitReader(letters{}, size)}
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(head), probe, strings.NewReader("\r\n--b--\r\n")))
	r.ContentLength = -1
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	if res := do(s, r); res.Code != 200 {
		t.Fatalf("got %d %s", res.Code, res.Body)
	}
	got := decode[upload](t, o.bodies[0])
	if got.Files[0].Size != size || len(objects.keys()) != 1 {
		t.Errorf("got %+v", got)
	}
	// The store in memory keeps 16 MB; growing it doubles that for a moment.
	if probe.peak > probe.first+64<<20 {
		t.Errorf("heap grew from %d MB to %d MB", probe.first>>20, probe.peak>>20)
	}
	t.Logf("heap at the start %d MB, at most %d MB", probe.first>>20, probe.peak>>20)
}

// heapProbe measures the heap every 64 MB.
type heapProbe struct {
	r           io.Reader
	read, next  int64
	first, peak uint64
}

func (h *heapProbe) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if h.read += int64(n); h.read >= h.next {
		h.next += 64 << 20
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if h.first == 0 {
			h.first = m.HeapAlloc
		}
		h.peak = max(h.peak, m.HeapAlloc)
	}
	return n, err
}

// FuzzForm: whatever arrives, the objects that stay are those that a successful
// call of the origin spoke of.
func FuzzForm(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\nabc\r\n--b--\r\n"), "multipart/form-data; boundary=b", int16(200))
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\nabc\r\n--b\r\n\r\n"), "multipart/form-data; boundary=b", int16(200))
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=f\r\n\r\nabc\r\n--b--"), "multipart/form-data; boundary=b", int16(500))
	f.Add([]byte("x"), "image/png", int16(404))
	f.Fuzz(func(t *testing.T, body []byte, media string, status int16) {
		if status < 200 || status > 599 {
			return
		}
		o := &taker{status: int(status)}
		s, objects := taking(t, o, 300)
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", media)
		do(s, r)
		want := []string{}
		for i, call := range o.calls {
			if call.Header.Get("Content-Type") != edge.UploadType || status >= 400 {
				continue
			}
			for _, file := range decode[upload](t, o.bodies[i]).Files {
				want = append(want, file.Bucket+"/"+file.Key)
			}
		}
		slices.Sort(want)
		if got := objects.keys(); !slices.Equal(got, want) {
			t.Errorf("objects %v, want %v", got, want)
		}
	})
}
