package cache_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

// made is one response that the model's origin has made, and what may be done with it.
type made struct {
	id       int
	target   string
	vary     []string
	values   []string // of the request that it answers
	asker    string   // the client's request
	status   int
	shared   bool // may be given to others
	validate bool // only after the origin has been asked
	lifetime time.Duration
	stale    time.Duration // stale-while-revalidate
	strict   bool
	etag     string
	size     int
	valid    []time.Time // when it was made, and when the origin has said that it still is
}

// model is an origin whose every response is like no other, and the judge of what
// clients get.
type model struct {
	t   *testing.T
	rng *rand.Rand

	mu      sync.Mutex
	all     []*made
	changed map[string]time.Time // path → last invalidation or unsafe request that was answered
	failing bool
	failed  bool
	sent    map[string]int // outcomes
}

func (m *model) intn(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rng.IntN(n)
}

// body is the response's: its number, and then bytes that only it has.
func (r *made) body() []byte {
	b := make([]byte, r.size)
	rand.NewChaCha8(sha256.Sum256([]byte(strconv.Itoa(r.id)))).Read(b)
	return append([]byte(fmt.Sprintf("%d\n", r.id)), b...)
}

var controls = []struct {
	control string
	also    string // another field
	made    made
}{
	{"max-age=10", "", made{shared: true, lifetime: 10 * time.Second}},
	{"max-age=3, s-maxage=7", "", made{shared: true, lifetime: 7 * time.Second, strict: true}},
	{"max-age=5, stale-while-revalidate=5", "", made{shared: true, lifetime: 5 * time.Second, stale: 5 * time.Second}},
	{"max-age=5, must-revalidate", "", made{shared: true, lifetime: 5 * time.Second, strict: true}},
	{"no-cache", "", made{shared: true, validate: true, strict: true}},
	{"max-age=0", "", made{shared: true}},
	{"no-store", "", made{}},
	{"private, max-age=60", "", made{}},
	{"max-age=60", "Set-Cookie: a=b", made{}},
	{"max-age=60", "Vary: *", made{}},
	{"", "", made{shared: true, lifetime: 20 * time.Second}}, // the policy's default
}

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Duration(m.intn(300)) * time.Millisecond)
	if r.Method == "POST" {
		w.WriteHeader(204)
		return
	}
	m.mu.Lock()
	if m.failing {
		m.failed = true
		m.mu.Unlock()
		if m.intn(2) == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(503)
		return
	}
	c := controls[m.rng.IntN(len(controls))]
	next := c.made
	next.id, next.target, next.asker = len(m.all), r.URL.RequestURI(), r.Header.Get("X-Asker")
	if known := m.byTag(r.Header.Get("If-None-Match")); known != nil && m.rng.IntN(2) == 0 && m.changed[r.URL.Path].Before(known.valid[0]) {
		known.valid = append(known.valid, time.Now())
		m.mu.Unlock()
		w.Header().Set("Etag", known.etag)
		w.WriteHeader(304)
		return
	}
	next.valid = []time.Time{time.Now()}
	next.vary = [][]string{nil, {"X-A"}, {"X-A", "X-B"}}[len(next.target)%3]
	for _, name := range next.vary {
		next.values = append(next.values, r.Header.Get(name))
	}
	next.size = []int{10, 3000, 70_000, 200_000}[m.rng.IntN(4)]
	if m.rng.IntN(2) == 0 {
		next.etag = fmt.Sprintf(`"%d"`, next.id)
	}
	next.status = []int{200, 200, 200, 301, 404}[m.rng.IntN(5)]
	if next.status == 404 {
		next.lifetime = max(next.lifetime, 10*time.Second) // the error TTL
	}
	if r.Header.Get("Authorization") != "" && !strings.Contains(c.control, "s-maxage") && !strings.Contains(c.control, "must-revalidate") {
		next.shared = false
	}
	cut, chunked := m.rng.IntN(12) == 0, m.rng.IntN(2) == 0
	m.all = append(m.all, &next)
	m.mu.Unlock()

	h := w.Header()
	if c.control != "" {
		h.Set("Cache-Control", c.control)
	}
	if name, value, ok := strings.Cut(c.also, ": "); ok {
		h.Add(name, value)
	}
	for _, name := range next.vary {
		h.Add("Vary", name)
	}
	if next.etag != "" {
		h.Set("Etag", next.etag)
	}
	body := next.body()
	if !chunked {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	half := len(body) / 2
	if r.Method == "HEAD" {
		w.WriteHeader(next.status)
		return
	}
	w.WriteHeader(next.status)
	w.Write(body[:half])
	time.Sleep(time.Duration(m.intn(200)) * time.Millisecond)
	if cut {
		panic(http.ErrAbortHandler)
	}
	w.Write(body[half:])
}

func (m *model) byTag(etag string) *made {
	for _, r := range m.all {
		if r.etag != "" && r.etag == etag {
			return r
		}
	}
	return nil
}

// judge says what is wrong with a response to a request that was made at the time.
func (m *model) judge(req *http.Request, asked time.Time, status int, body []byte, header http.Header) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if status == 0 || status == 503 {
		m.sent[strconv.Itoa(status)]++
		return ""
	}
	number, _, _ := strings.Cut(string(body), "\n")
	id, err := strconv.Atoi(number)
	if err != nil || id >= len(m.all) {
		return "a body that nobody has made"
	}
	r := m.all[id]
	var values []string
	for _, name := range r.vary {
		values = append(values, req.Header.Get(name))
	}
	valid := r.valid[len(r.valid)-1]
	age := asked.Sub(valid) // at least, when it was asked for
	limit := r.lifetime
	if !r.strict {
		limit += r.stale
		if m.failed {
			limit += time.Hour // it may stand in for a failing origin
		}
	}
	own := r.asker == req.Header.Get("X-Asker")
	m.sent[strings.SplitN(header.Get("Cache-Status"), ";", 3)[1]]++
	switch {
	case status != r.status:
		return fmt.Sprintf("%d in place of %d", status, r.status)
	case string(body) != string(r.body()):
		return "not the whole body, or with something else in it"
	case r.target != req.URL.RequestURI():
		return "made for " + r.target
	case !slices.Equal(values, r.values):
		return fmt.Sprintf("made for other values of %v", r.vary)
	case own:
		return ""
	case !r.shared:
		return "somebody else's"
	case r.validate && valid.Before(asked):
		return "not validated"
	case age >= limit && valid.Before(asked):
		return fmt.Sprintf("stale by %v", age-limit)
	case valid.Before(m.changed[req.URL.Path]) && m.changed[req.URL.Path].Before(asked):
		return "changed or invalidated before it was asked for"
	case header.Get("Set-Cookie") != "":
		return "with a cookie"
	}
	return ""
}

// TestModel has many clients ask for few things, most of them with conditions that
// matter, and lets the model judge every answer. DROPSTACK_CACHE_MODEL is how many
// rounds it runs.
func TestModel(t *testing.T) {
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv("DROPSTACK_CACHE_MODEL")); err == nil {
		rounds = n
	}
	for seed := range rounds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { runModel(t, uint64(seed), dir) })
		})
	}
}

func runModel(t *testing.T, seed uint64, dir string) {
	m := &model{t: t, rng: rand.New(rand.NewPCG(seed, 1)), changed: map[string]time.Time{}, sent: map[string]int{}}
	g := openRig(t, &cache.Cache{Memory: 2 << 20, Disk: 8 << 20, Dir: dir, Log: logger(t)}, m.ServeHTTP)
	g.policy.DefaultTTL = 20 * time.Second
	g.quiet = true
	g.errors = func(int) (time.Duration, bool) { return 10 * time.Second, true }
	var wg sync.WaitGroup
	for client := range 12 {
		wg.Go(func() {
			for i := range 60 {
				time.Sleep(time.Duration(m.intn(1500)) * time.Millisecond)
				asker := fmt.Sprintf("%d-%d", client, i)
				m.client(g, asker)
			}
		})
	}
	if seed%2 == 1 { // an origin that fails now and then
		wg.Go(func() {
			for i := range 20 {
				time.Sleep(2 * time.Second)
				m.mu.Lock()
				m.failing = i%4 == 0
				m.mu.Unlock()
			}
		})
	}
	wg.Wait()
	if m.sent[" hit"] == 0 {
		t.Errorf("nothing was a hit: %v", m.sent)
	}
	t.Log(m.sent)
}

// client makes one request.
func (m *model) client(g *rig, asker string) {
	target := []string{"/a", "/bb", "/ccc", "/a?q=1", "/bb?q=1"}[m.intn(5)]
	req := request("GET", target, "X-Asker: "+asker)
	for _, name := range []string{"X-A", "X-B"} {
		if n := m.intn(3); n > 0 {
			req.Header.Set(name, strconv.Itoa(n))
		}
	}
	path := req.URL.Path
	if m.intn(5) == 0 {
		req.Header.Set("Authorization", "x")
	}
	switch m.intn(40) {
	case 0, 1:
		if req.Method = "POST"; m.intn(2) == 0 {
			g.do(req)
		} else if err := g.cache.Invalidate(m.t.Context(), "E1", []string{path + "*"}); err != nil {
			m.t.Error(err)
		}
		m.mu.Lock()
		m.changed[path] = time.Now()
		m.mu.Unlock()
		return
	case 4, 5, 6, 7:
		req.Method = "HEAD"
		if res := g.do(req); res.Body.Len() > 0 {
			m.t.Errorf("HEAD has %d bytes", res.Body.Len())
		}
		return
	case 2, 3: // a client that leaves
		ctx, cancel := context.WithTimeout(req.Context(), time.Duration(m.intn(400))*time.Millisecond)
		defer cancel()
		g.do(req.WithContext(ctx))
		return
	}
	asked := time.Now()
	res := g.do(req)
	body, err := io.ReadAll(res.Body)
	if err != nil {
		m.t.Error(err)
	}
	if wrong := m.judge(req, asked, res.Code, body, res.Header()); wrong != "" {
		m.t.Errorf("%s at %v: %s (%v)", target, asked.Format("05.000"), wrong, res.Header())
	}
}
