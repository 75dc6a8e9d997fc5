package gateway_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/dropstack/dropstack/internal/gateway"
)

func TestCompression(t *testing.T) {
	body := strings.Repeat("hello ", 20)
	for name, c := range map[string]struct {
		minimum int // -1: no compression
		accept  string
		coded   bool // the function has compressed it
		want    string
	}{
		"gzip":                      {100, "gzip, deflate, br", false, "gzip"},
		"deflate":                   {100, "br, deflate", false, "deflate"},
		"the better one":            {100, "gzip;q=0.2, deflate;q=0.8", false, "deflate"},
		"refused":                   {100, "gzip;q=0", false, ""},
		"just long enough":          {120, "gzip", false, "gzip"},
		"too short":                 {121, "gzip", false, ""},
		"any length":                {0, "gzip", false, "gzip"},
		"nobody asks":               {0, "", false, ""},
		"anything is not asked for": {0, "*", false, ""},
		"compressed already":        {0, "gzip", true, "x-own"},
		"an API without":            {-1, "gzip", false, ""},
	} {
		answer := map[string]any{"statusCode": 200, "body": body, "headers": map[string]string{"Content-Length": "120"}}
		if c.coded {
			answer["headers"] = map[string]string{"content-encoding": "x-own"}
		}
		payload, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		api := rest(route("GET", "/a"))
		if c.minimum >= 0 {
			api.Compress = &c.minimum
		}
		r := httptest.NewRequest("GET", "/a", nil)
		if c.accept != "" {
			r.Header.Set("Accept-Encoding", c.accept)
		}
		res := do(serve(t, &invokes{payload: string(payload)}, api, nil), r)
		if got := res.Header().Get("Content-Encoding"); got != c.want {
			t.Errorf("%s: got encoding %q, want %q", name, got, c.want)
		}
		var plain io.Reader = res.Body
		switch c.want {
		case "gzip":
			plain, err = gzip.NewReader(res.Body)
		case "deflate":
			plain, err = zlib.NewReader(res.Body)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := io.ReadAll(plain); err != nil || string(got) != body {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestCompressedRequests(t *testing.T) {
	coded := func(text string) string {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		io.WriteString(w, text)
		w.Close()
		return buf.String()
	}
	for name, c := range map[string]struct {
		coding, body string
		want         int
	}{
		"gzip":              {"gzip", coded("hello"), 200},
		"as it is":          {"identity", "hello", 200},
		"nothing said":      {"", "hello", 200},
		"not what it says":  {"gzip", "hello", 415},
		"cut short":         {"gzip", coded("hello")[:20], 415},
		"another coding":    {"br", "hello", 415},
		"beyond all bounds": {"gzip", coded(strings.Repeat("0", gateway.MaxBody+1)), 413},
	} {
		fn := &invokes{payload: `{"statusCode":200}`}
		api, minimum := rest(route("POST", "/a")), 0
		api.Compress = &minimum
		r := httptest.NewRequest("POST", "/a", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "text/plain")
		if c.coding != "" {
			r.Header.Set("Content-Encoding", c.coding)
		}
		res := do(serve(t, fn, api, nil), r)
		if res.Code != c.want {
			t.Errorf("%s: got %d %s, want %d", name, res.Code, res.Body, c.want)
		}
		if c.want != 200 {
			continue
		}
		var e events.APIGatewayProxyRequest
		if err := json.Unmarshal(fn.got.Payload, &e); err != nil {
			t.Fatal(err)
		}
		if e.Body != "hello" || c.coding == "gzip" && e.Headers["Content-Encoding"] != "" {
			t.Errorf("%s: event %s", name, fn.got.Payload)
		}
	}
}
