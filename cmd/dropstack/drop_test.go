package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"image"
	_ "image/jpeg"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/dropstack/dropstack/internal/testkit"
)

var link = regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[0-9A-Za-z]{7}$`)

// TestDropTravels shares things in every way and follows them through the
// platform: page, thumbnail, download, rendering, view limits, expiry.
func TestDropTravels(t *testing.T) {
	p := testkit.Start(t, testkit.Dir(t))
	t.Logf("first start: ready after %d ms, building the services included", p.TookMS)

	t.Run("a photo gets a page and a thumbnail made by a function", func(t *testing.T) { photoTravels(t, p) })
	t.Run("every way of sharing", func(t *testing.T) { everyWay(t, p) })
	t.Run("a note about an attack is a note, an attack is none", func(t *testing.T) { attackIsShared(t, p) })
	t.Run("four functions run in parallel", func(t *testing.T) { inParallel(t, p) })
	t.Run("N views are N views", func(t *testing.T) { viewsAreCounted(t, p) })
	t.Run("a due drop answers 410 at once and is swept", func(t *testing.T) { dropExpires(t, p) })
	t.Run("a cut upload leaves nothing", func(t *testing.T) { cutUpload(t, p) })

	t.Logf("resident memory of the platform: %d MB", p.RSS(t)>>20)
	if got := p.Stop(t); got != 0 {
		t.Errorf("exit code after SIGTERM: got %d, want 0\n%s", got, p.Log())
	}
	second := testkit.Start(t, p.Dir)
	t.Logf("second start: ready after %d ms", second.TookMS)
}

func photoTravels(t *testing.T, p *testkit.Platform) {
	original := photo(1600, 1200)
	l, err := share(t.Context(), p.HTTP, "photo.jpg", original, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !link.MatchString(l) {
		t.Fatalf("got %q, want a short link", l)
	}
	c := code(l)
	eventually(t, "thumbnail and dimensions of "+c, func() (bool, string) {
		d := drop(t, p.HTTP, c)
		return d["thumbnail"] == true && d["width"] == 1600.0, fmt.Sprint(d)
	})
	status, h, page := mustGet(t, l, "Accept", "text/html")
	if status != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		t.Fatalf("page: got %d %s", status, h.Get("Content-Type"))
	}
	for _, want := range []string{`property="og:`, "photo.jpg", "/raw/" + c} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	status, _, thumb := mustGet(t, p.HTTP+"/thumb/"+c)
	if status != http.StatusOK {
		t.Fatalf("thumbnail: got %d", status)
	}
	cfg, _, err := image.DecodeConfig(bytes.NewReader(thumb))
	if err != nil || cfg.Width > 800 || cfg.Width < 100 {
		t.Errorf("thumbnail: %v, %d px wide", err, cfg.Width)
	}
	status, h, raw := mustGet(t, p.HTTP+"/raw/"+c)
	if status != http.StatusOK || len(raw) == 0 || h.Get("ETag") == "" {
		t.Fatalf("download: got %d, %d bytes, ETag %q", status, len(raw), h.Get("ETag"))
	}
	status, h, part := mustGet(t, p.HTTP+"/raw/"+c, "Range", "bytes=10-19")
	if status != http.StatusPartialContent || !bytes.Equal(part, raw[10:20]) {
		t.Errorf("range: got %d %s, %d bytes", status, h.Get("Content-Range"), len(part))
	}
	if status, _, _ = mustGet(t, p.HTTP+"/raw/"+c, "If-None-Match", h.Get("ETag")); status != http.StatusNotModified {
		t.Errorf("conditional: got %d, want 304", status)
	}
}

func attackIsShared(t *testing.T, p *testkit.Platform) {
	ctx, lesson := t.Context(), "Never write: SELECT * FROM users WHERE name = '' OR '1'='1'; -- or <script>alert(1)</script>\n"
	for name, send := range map[string]func() (string, error){
		"curl -T": func() (string, error) {
			return post(ctx, http.MethodPut, p.HTTP+"/lesson.md", "", strings.NewReader(lesson))
		},
		"curl -F text=": func() (string, error) { return share(ctx, p.HTTP, "", nil, map[string]string{"text": lesson}) },
		"curl --data-binary": func() (string, error) {
			return post(ctx, http.MethodPost, p.HTTP+"/notes", "text/plain", strings.NewReader(lesson))
		},
		"curl -F file=": func() (string, error) { return share(ctx, p.HTTP, "lesson.sql", []byte(lesson), nil) },
	} {
		if l, err := send(); err != nil || !link.MatchString(l) {
			t.Errorf("%s: got %q, %v", name, l, err)
		}
	}
	for _, attack := range []string{"?q=1%27%20or%20%271%27=%271", "?q=%3Cscript%3Ealert(1)%3C/script%3E"} {
		if status, h, body := mustGet(t, p.HTTP+"/"+attack); status != http.StatusForbidden || !bytes.Contains(body, []byte("blocked")) || h.Get("X-Amz-Cf-Id") == "" {
			t.Errorf("%s: got %d %s", attack, status, body)
		}
	}
}

func everyWay(t *testing.T, p *testkit.Platform) {
	ctx := t.Context()
	note := "# A note\n\nwith *words*\n"
	for name, send := range map[string]func() (string, error){
		"curl -T note.md": func() (string, error) {
			return post(ctx, http.MethodPut, p.HTTP+"/note.md", "", strings.NewReader(note))
		},
		"curl -F text=": func() (string, error) {
			return share(ctx, p.HTTP, "", nil, map[string]string{"text": note, "variant": "markdown"})
		},
		"curl --data-binary": func() (string, error) {
			return post(ctx, http.MethodPost, p.HTTP+"/notes", "text/plain", strings.NewReader("only words"))
		},
		"curl -F file=@x.zip": func() (string, error) {
			return share(ctx, p.HTTP, "x.zip", []byte("PK\x05\x06"+strings.Repeat("\x00", 18)), nil)
		},
	} {
		l, err := send()
		if err != nil || !link.MatchString(l) {
			t.Errorf("%s: got %q, %v", name, l, err)
			continue
		}
		if status, _, _ := mustGet(t, l, "Accept", "text/html"); status != http.StatusOK {
			t.Errorf("%s: the page of %s answers %d", name, l, status)
		}
	}
	target := "https://example.com/a?b=" + url.QueryEscape("c d")
	l, err := share(ctx, p.HTTP, "", nil, map[string]string{"url": target})
	if err != nil {
		t.Fatal(err)
	}
	status, h, _ := mustGet(t, l)
	if status != http.StatusFound || h.Get("Location") != target {
		t.Errorf("link: got %d to %q, want 302 to %q", status, h.Get("Location"), target)
	}
}

// inParallel shares photos until the log shows, for one of them, a moment at
// which all four functions were at work.
func inParallel(t *testing.T, p *testkit.Platform) {
	steps := []string{"thumbnail", "metadata", "renderText", "activity"}
	img := photo(2400, 1800)
	for try := 1; try <= 20; try++ {
		l, err := share(t.Context(), p.HTTP, "parallel.jpg", img, nil)
		if err != nil {
			t.Fatal(err)
		}
		var latestStart, earliestEnd time.Time
		for _, step := range steps {
			start, end := interval(t, p, "drops-dev-"+step, code(l))
			if start.After(latestStart) {
				latestStart = start
			}
			if earliestEnd.IsZero() || end.Before(earliestEnd) {
				earliestEnd = end
			}
		}
		if latestStart.Before(earliestEnd) {
			t.Logf("drop %d: all of %v were at work for %v", try, steps, earliestEnd.Sub(latestStart))
			return
		}
	}
	t.Error("in 20 drops there was no moment at which all four functions were at work")
}

// interval reads from the log when a function worked on a drop: from the START
// to the END line of the request whose lines name the drop.
func interval(t *testing.T, p *testkit.Platform, function, code string) (start, end time.Time) {
	t.Helper()
	type event struct {
		Timestamp int64  `json:"timestamp"`
		Message   string `json:"message"`
		Request   string `json:"requestId"`
	}
	eventually(t, function+" works on "+code, func() (bool, string) {
		out, _, _ := p.Run(t, "", "logs", "-f", function, "--json")
		request := ""
		var events []event
		for line := range strings.Lines(out) {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				continue
			}
			events = append(events, e)
			if strings.Contains(e.Message, code) {
				request = e.Request
			}
		}
		start, end = time.Time{}, time.Time{}
		for _, e := range events {
			if request == "" || e.Request != request {
				continue
			}
			switch {
			case strings.HasPrefix(e.Message, "START "):
				start = time.UnixMilli(e.Timestamp)
			case strings.HasPrefix(e.Message, "END "):
				end = time.UnixMilli(e.Timestamp)
			}
		}
		return !start.IsZero() && !end.IsZero(), out
	})
	return start, end
}

func viewsAreCounted(t *testing.T, p *testkit.Platform) {
	const views, readers = 25, 200
	l, err := share(t.Context(), p.HTTP, "", nil, map[string]string{"url": "https://example.com/", "max_views": fmt.Sprint(views)})
	if err != nil {
		t.Fatal(err)
	}
	var served, gone, other atomic.Int64
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			// a visitor, not the owner, whose own looks are not counted
			status, _, _, err := get(t.Context(), l, "Sec-Fetch-Site", "cross-site")
			switch {
			case err == nil && status == http.StatusFound:
				served.Add(1)
			case err == nil && status == http.StatusGone:
				gone.Add(1)
			default:
				other.Add(1)
				t.Errorf("got %d, %v", status, err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d readers: %d served, %d told that it is gone", readers, served.Load(), gone.Load())
	if served.Load() != views || gone.Load() != readers-views {
		t.Errorf("served %d times, gone %d times; want %d and %d", served.Load(), gone.Load(), views, readers-views)
	}
}

func dropExpires(t *testing.T, p *testkit.Platform) {
	content := []byte("soon gone " + time.Now().String())
	l, err := share(t.Context(), p.HTTP, "soon.txt", content, map[string]string{"expire": "2s"})
	if err != nil {
		t.Fatal(err)
	}
	due := time.Now().Add(2 * time.Second)
	if status, _, _ := mustGet(t, l, "Accept", "text/html"); status != http.StatusOK {
		t.Fatalf("before it is due: got %d", status)
	}
	time.Sleep(time.Until(due)) // time itself is what is tested
	if status, _, _ := mustGet(t, l, "Accept", "text/html"); status != http.StatusGone {
		t.Errorf("when due: got %d, want 410", status)
	}
	if status, _, _ := mustGet(t, p.HTTP+"/raw/"+code(l)); status != http.StatusGone {
		t.Errorf("its bytes when due: got %d, want 410", status)
	}
	before := objects(t, p, content)
	invoke(t, p, "drops-dev-deleteExpiredDrops", `{}`, nil)
	if after := objects(t, p, content); before != 1 || after != 0 {
		t.Errorf("objects with its bytes: %d before the sweep, %d after; want 1 and 0", before, after)
	}
}

// objects counts the stored objects whose bytes are content.
func objects(t *testing.T, p *testkit.Platform, content []byte) int {
	t.Helper()
	store := admin(t, p).S3()
	pages := s3.NewListObjectsV2Paginator(store, &s3.ListObjectsV2Input{Bucket: aws.String("drops-dev")})
	n := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			if aws.ToInt64(o.Size) != int64(len(content)) {
				continue
			}
			out, err := store.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("drops-dev"), Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(out.Body)
			if err != nil {
				t.Fatal(err)
			}
			if sha256.Sum256(body) == sha256.Sum256(content) {
				n++
			}
		}
	}
	return n
}

// cutUpload sends half of what it announced and leaves.
func cutUpload(t *testing.T, p *testkit.Platform) {
	count := func() int {
		var list struct {
			Total int `json:"total"`
		}
		invoke(t, p, "drops-dev-listDrops", `{}`, &list)
		return list.Total
	}
	before := count()
	reader, writer := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.HTTP+"/cut.bin", reader)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 8 << 20
	go func() {
		_, _ = writer.Write(bytes.Repeat([]byte("half"), 1<<20))
		_ = writer.CloseWithError(io.ErrUnexpectedEOF)
	}()
	if _, err := http.DefaultClient.Do(req); err == nil {
		t.Fatal("a cut upload was answered")
	}
	if after := count(); after != before {
		t.Errorf("drops: %d before, %d after a cut upload", before, after)
	}
	if n := objects(t, p, bytes.Repeat([]byte("half"), 1<<20)); n != 0 {
		t.Errorf("%d objects of the cut upload are left", n)
	}
}
