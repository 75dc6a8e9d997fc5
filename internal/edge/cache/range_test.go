package cache_test

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

// TestRanges: RFC 9110, section 14, from a stored response and from one that arrives.
func TestRanges(t *testing.T) {
	const letters = "abcdefghij"
	for name, c := range map[string]struct {
		header []string
		status int
		parts  []string // CONTENT-RANGE=BODY
	}{
		"the first bytes":          {[]string{"Range: bytes=0-2"}, 206, []string{"bytes 0-2/10=abc"}},
		"from the middle":          {[]string{"Range: bytes=7-"}, 206, []string{"bytes 7-9/10=hij"}},
		"the last bytes":           {[]string{"Range: bytes=-3"}, 206, []string{"bytes 7-9/10=hij"}},
		"more than there are":      {[]string{"Range: bytes=-30"}, 206, []string{"bytes 0-9/10=abcdefghij"}},
		"past the end":             {[]string{"Range: bytes=8-99999999999999999999"}, 206, []string{"bytes 8-9/10=ij"}},
		"all of it":                {[]string{"Range: bytes=0-9"}, 206, []string{"bytes 0-9/10=abcdefghij"}},
		"the unit in capitals":     {[]string{"Range: BYTES=0-2"}, 206, []string{"bytes 0-2/10=abc"}},
		"spaces":                   {[]string{"Range: bytes= 0-2 , "}, 206, []string{"bytes 0-2/10=abc"}},
		"two, in order":            {[]string{"Range: bytes=0-1,5-6"}, 206, []string{"bytes 0-1/10=ab", "bytes 5-6/10=fg"}},
		"two, side by side":        {[]string{"Range: bytes=0-1,2-3"}, 206, []string{"bytes 0-1/10=ab", "bytes 2-3/10=cd"}},
		"two, one outside":         {[]string{"Range: bytes=0-1,50-60"}, 206, []string{"bytes 0-1/10=ab"}},
		"two, not in order":        {[]string{"Range: bytes=5-6,0-1"}, 200, nil},
		"two that overlap":         {[]string{"Range: bytes=0-5,5-6"}, 200, nil},
		"outside":                  {[]string{"Range: bytes=10-"}, 416, nil},
		"outside, all of several":  {[]string{"Range: bytes=10-,20-30"}, 416, nil},
		"the last none":            {[]string{"Range: bytes=-0"}, 416, nil},
		"backwards":                {[]string{"Range: bytes=5-2"}, 200, nil},
		"another unit":             {[]string{"Range: lines=0-2"}, 200, nil},
		"no range":                 {[]string{"Range: bytes=x"}, 200, nil},
		"nothing":                  {[]string{"Range: bytes="}, 200, nil},
		"a negative one":           {[]string{"Range: bytes=-5-6"}, 200, nil},
		"two fields":               {[]string{"Range: bytes=0-1", "Range: bytes=5-6"}, 200, nil},
		"very many":                {[]string{"Range: bytes=0-0" + strings.Repeat(",9-9", 99)}, 200, nil},
		"If-Range, the same":       {[]string{"Range: bytes=0-2", `If-Range: "a"`}, 206, []string{"bytes 0-2/10=abc"}},
		"If-Range, another":        {[]string{"Range: bytes=0-2", `If-Range: "b"`}, 200, nil},
		"If-Range, a weak one":     {[]string{"Range: bytes=0-2", `If-Range: W/"a"`}, 200, nil},
		"If-Range, the date":       {[]string{"Range: bytes=0-2", "If-Range: Fri, 31 Dec 1999 00:00:00 GMT"}, 206, []string{"bytes 0-2/10=abc"}},
		"If-Range, a later date":   {[]string{"Range: bytes=0-2", "If-Range: Sat, 01 Jan 2000 00:00:00 GMT"}, 200, nil},
		"If-Range, anything else":  {[]string{"Range: bytes=0-2", "If-Range: x"}, 200, nil},
		"If-Range without a Range": {[]string{`If-Range: "b"`}, 200, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" {
					t.Error("the origin was asked for a part")
				}
				h := w.Header()
				h.Set("Content-Type", "text/x")
				h.Set("Content-Length", "10")
				h.Set("Etag", `"a"`)
				h.Set("Last-Modified", "Fri, 31 Dec 1999 00:00:00 GMT")
				io.WriteString(w, letters)
			})
			for range 2 {
				res := g.get("/a", c.header...)
				if res.Code != c.status {
					t.Fatalf("got %d %v, want %d", res.Code, res.Header(), c.status)
				}
				switch res.Code {
				case 200:
					if res.Body.String() != letters {
						t.Errorf("got %q", res.Body)
					}
				case 416:
					if got := res.Header().Get("Content-Range"); got != "bytes */10" || res.Body.Len() > 0 {
						t.Errorf("got %q", got)
					}
				case 206:
					if diff := cmp.Diff(c.parts, partsOf(t, res.Header(), res.Body.String())); diff != "" {
						t.Errorf("parts (-want +got):\n%s", diff)
					}
				}
			}
			if n := g.asked(); n != 1 {
				t.Errorf("the origin was asked %d times", n)
			}
		})
	}
}

func partsOf(t *testing.T, h http.Header, body string) (parts []string) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if h.Get("Content-Length") != itoa(len(body)) {
		t.Errorf("Content-Length %s of %d bytes", h.Get("Content-Length"), len(body))
	}
	if media != "multipart/byteranges" {
		return []string{h.Get("Content-Range") + "=" + body}
	}
	r := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil || p.Header.Get("Content-Type") != "text/x" {
			t.Errorf("part with %v, %v", p.Header, err)
		}
		parts = append(parts, p.Header.Get("Content-Range")+"="+string(b))
	}
}

// TestARangeArrives before the whole does.
func TestARangeArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := make(chan struct{})
		g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "abcde")
			<-more
			io.WriteString(w, "fghij")
		})
		if res := g.get("/a", "Range: bytes=1-3"); res.Body.String() != "bcd" {
			t.Errorf("got %q", res.Body)
		}
		close(more)
		synctest.Wait()
		if res := g.get("/a"); res.Body.String() != "abcdefghij" || g.asked() != 1 {
			t.Errorf("got %q", res.Body)
		}
	})
}

// TestRangesOfWhatIsNotStored are the origin's, as are conditions.
func TestRangesOfWhatIsNotStored(t *testing.T) {
	for name, c := range map[string]struct {
		origin string
		want   int
		asked  int
	}{"small": {"/1000/a", 200, 1}, "large": {"/2000000/a", 206, 2}} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, nil)
			g.origin = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "no-store")
				if r.Header.Get("Range") != "" {
					w.Header().Set("Content-Range", "bytes 0-0/2000000")
					w.WriteHeader(206)
					io.WriteString(w, "x")
					return
				}
				w = &keepControl{w}
				sized(w, r)
			}
			if res := g.get(c.origin, "Range: bytes=0-0"); res.Code != c.want || g.asked() != c.asked {
				t.Errorf("got %d after %d requests", res.Code, g.asked())
			}
			if res := g.get(c.origin, "Range: bytes=0-0", `If-None-Match: "x"`); res.Code != 206 {
				t.Errorf("got %d", res.Code)
			}
			if r := g.last(); r.Header.Get("Range") == "" || r.Header.Get("If-None-Match") == "" {
				t.Errorf("the origin got %v", r.Header)
			}
		})
	}
}

// keepControl does not let an origin change its Cache-Control.
type keepControl struct{ http.ResponseWriter }

func (k *keepControl) WriteHeader(status int) {
	k.Header().Set("Cache-Control", "no-store")
	k.ResponseWriter.WriteHeader(status)
}

func (k *keepControl) Write(p []byte) (int, error) {
	k.Header().Set("Cache-Control", "no-store")
	return k.ResponseWriter.Write(p)
}

func TestRangesOfFiles(t *testing.T) {
	g := openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 64 << 20, Dir: t.TempDir(), Log: logger(t)}, sized)
	want := string(bytesOf("/1000000/a", 1_000_000))
	g.get("/1000000/a")
	for _, c := range []struct{ from, to int }{{0, 0}, {65535, 65536}, {65536, 131071}, {1, 999_999}, {999_999, 999_999}, {131072, 500_000}} {
		res := g.get("/1000000/a", "Range: bytes="+itoa(c.from)+"-"+itoa(c.to))
		if res.Code != 206 || res.Body.String() != want[c.from:c.to+1] {
			t.Errorf("%d-%d: got %d, %d bytes", c.from, c.to, res.Code, res.Body.Len())
		}
	}
	if n := g.asked(); n != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
}
