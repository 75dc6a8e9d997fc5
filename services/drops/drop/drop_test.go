package drop_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/wire"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func TestExpiry(t *testing.T) {
	for in, want := range map[string]time.Time{
		"30m":                       now.Add(30 * time.Minute),
		"1H":                        now.Add(time.Hour),
		"7d":                        now.AddDate(0, 0, 7),
		"1d12h":                     now.Add(36 * time.Hour),
		"2w":                        now.AddDate(0, 0, 14),
		"2030-01-03":                time.Date(2030, 1, 3, 0, 0, 0, 0, time.UTC),
		"2030-01-02T04:00:00+01:00": {}, // past
		"2030-01-02T05:00:00+01:00": time.Date(2030, 1, 2, 4, 0, 0, 0, time.UTC),
		"1893553446000":             time.UnixMilli(1893553446000),
		"date=2030-01-03T00:00:00Z": time.Date(2030, 1, 3, 0, 0, 0, 0, time.UTC),
		"60":                        {},
		"0h":                        {},
		"1y":                        {},
		"h":                         {},
		"-1h":                       {},
		"99999999w":                 {},
		"soon":                      {},
		"2050-01-01":                {},
	} {
		o, err := drop.ParseOptions(drop.Values{Fields: map[string][]string{"expire": {in}}}, now)
		if want.IsZero() {
			if err == nil || !strings.HasPrefix(err.Message, "expire: ") || err.Status != 400 {
				t.Errorf("%q: got %v, %v, want a 400 that names the field", in, o.ExpiresAt, err)
			}
			continue
		}
		if err != nil || !o.ExpiresAt.Equal(want) {
			t.Errorf("%q: got %v, %v, want %v", in, o.ExpiresAt, err, want)
		}
	}
}

func TestOptionsComeFromFieldsQueryAndHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		v    drop.Values
		want func(drop.Options) bool
	}{
		"fields win": {drop.Values{
			Fields: map[string][]string{"title": {"f"}}, Query: map[string]string{"title": "q"}, Headers: map[string]string{"x-title": "h"},
		}, func(o drop.Options) bool { return o.Title == "f" }},
		"query before headers": {drop.Values{
			Query: map[string]string{"title": "q"}, Headers: map[string]string{"x-title": "h"},
		}, func(o drop.Options) bool { return o.Title == "q" }},
		"transfer.sh": {
			drop.Values{Headers: map[string]string{"max-days": "3", "max-downloads": "2"}},
			func(o drop.Options) bool { return o.MaxViews == 2 && o.ExpiresAt.Equal(now.AddDate(0, 0, 3)) },
		},
		"Zipline": {
			drop.Values{Headers: map[string]string{"x-zipline-deletes-at": "1h", "x-zipline-max-views": "4", "x-zipline-password": "p"}},
			func(o drop.Options) bool {
				return o.MaxViews == 4 && o.Password == "p" && o.ExpiresAt.Equal(now.Add(time.Hour))
			},
		},
		"0x0":       {drop.Values{Fields: map[string][]string{"oneshot": {""}}}, func(o drop.Options) bool { return o.MaxViews == 1 }},
		"Droplr":    {drop.Values{Fields: map[string][]string{"privacy": {"OBSCURE"}}}, func(o drop.Options) bool { return o.Obscure }},
		"no expiry": {drop.Values{Fields: map[string][]string{"expires": {"never"}}}, func(o drop.Options) bool { return o.ExpiresAt.IsZero() && o.Has[drop.OptExpire] }},
		"file name": {drop.Values{Query: map[string]string{"filename": `C:\x\..\a.png`}}, func(o drop.Options) bool { return o.Name == "a.png" }},
	} {
		if o, err := drop.ParseOptions(c.v, now); err != nil || !c.want(o) {
			t.Errorf("%s: got %+v, %v", name, o, err)
		}
	}
}

func TestCheckLink(t *testing.T) {
	for in, code := range map[string]string{
		"https://example.org/a?b#c":    "",
		" HTTP://example.org ":         "",
		"ftp://example.org":            "CreateDrop.InvalidUrl",
		"javascript:alert(1)":          "CreateDrop.InvalidUrl",
		"https://":                     "CreateDrop.InvalidUrl",
		"https://a b/":                 "CreateDrop.InvalidUrl",
		"//example.org":                "CreateDrop.InvalidUrl",
		"":                             "CreateDrop.InvalidUrl",
		"https://Drops.Example/abc":    "CreateDrop.RecursiveLink",
		"https://drops.example.:443/":  "CreateDrop.RecursiveLink",
		"https://x@drops.example/":     "CreateDrop.RecursiveLink",
		"https://drops.example:8443/x": "",
		"https://drops.example.org/":   "",
	} {
		_, err := drop.CheckLink(in, "https://drops.example", "")
		got := ""
		if err != nil {
			got = err.Code
		}
		if got != code {
			t.Errorf("%q: got %q, want %q", in, got, code)
		}
	}
}

func TestBase(t *testing.T) {
	for name, c := range map[string]struct {
		headers map[string]string
		want    string
	}{
		"front door":      {map[string]string{"x-forwarded-proto": "https", "x-forwarded-host": "d.example", "host": "internal"}, "https://d.example"},
		"several hops":    {map[string]string{"x-forwarded-proto": "https, http", "host": "d.example:8080"}, "https://d.example:8080"},
		"loopback":        {map[string]string{"host": "127.0.0.1:8080"}, "http://127.0.0.1:8080"},
		"IPv6":            {map[string]string{"host": "[::1]:8080"}, "http://[::1]:8080"},
		"name, no proto":  {map[string]string{"host": "d.example"}, "https://d.example"},
		"hostile host":    {map[string]string{"host": `x"><script>`}, "https://fallback.example"},
		"hostile forward": {map[string]string{"x-forwarded-host": "a/b", "host": "d.example"}, "https://d.example"},
		"hostile proto":   {map[string]string{"x-forwarded-proto": "javascript", "host": "d.example"}, "https://d.example"},
	} {
		if got := drop.Base(c.headers, "fallback.example"); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestKinds(t *testing.T) {
	for media, want := range map[string]string{
		"image/png": wire.TypeImage, "video/webm": wire.TypeVideo, "audio/mpeg": wire.TypeAudio, "application/ogg": wire.TypeAudio,
		"text/html": wire.TypeNote, "application/json": wire.TypeNote, "application/pdf": wire.TypeFile, "application/zip": wire.TypeFile,
		"application/octet-stream": wire.TypeFile, "": wire.TypeFile,
	} {
		if got := drop.TypeOf(media); got != want {
			t.Errorf("%s: got %s, want %s", media, got, want)
		}
	}
	for name, want := range map[string]string{
		"a.go": drop.Code, "a.MD": drop.Markdown, "a.txt": drop.Plain, "": drop.Plain, "Dockerfile": drop.Plain, "x.py": drop.Code, "y.unknown": drop.Plain,
	} {
		if got := drop.VariantOf(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		c := drop.NewCode(false)
		if len(c) != 7 || !drop.ValidCode(c) || seen[c] {
			t.Fatalf("got %q, want 7 fresh characters", c)
		}
		seen[c] = true
	}
	if c := drop.NewCode(true); len(c) != 16 {
		t.Errorf("got %q, want 16 characters", c)
	}
	for _, bad := range []string{"", "abc", "../../etc", "a b c d", "ünïcode", strings.Repeat("a", 33)} {
		if drop.ValidCode(bad) {
			t.Errorf("%q: got valid", bad)
		}
	}
}

func FuzzOptions(f *testing.F) {
	for _, s := range []string{"1h", "1d12h", "2030-01-31", "1893553446000", "date=x", "\xff", "never"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range []string{"expire", "max_views", "filename", "title", "privacy", "variant", "oneshot", "max_days"} {
			o, err := drop.ParseOptions(drop.Values{Fields: map[string][]string{name: {s}}}, now)
			if err != nil {
				if err.Status != 400 || !strings.HasPrefix(err.Message, name+": ") || !utf8.ValidString(err.Message) {
					t.Fatalf("%s=%q: got %v, want a 400 that names it", name, s, err)
				}
				continue
			}
			if !o.ExpiresAt.IsZero() && !o.ExpiresAt.After(now) || o.MaxViews < 0 || len(o.Name) > 255 || strings.ContainsAny(o.Name, "/\\\x00\n") {
				t.Fatalf("%s=%q: got %+v", name, s, o)
			}
		}
	})
}
