package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/testkit"
)

// viewed has three requests of the events service's distribution read by a function
// within a moment.
func viewed(t *testing.T, p *testkit.Platform) {
	t.Helper()
	if _, err := functions(t, p).CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		EventSourceArn: aws.String("arn:aws:kinesis:us-east-1:000000000000:stream/" + accesslog.Stream), FunctionName: aws.String("events-dev-record"),
		StartingPosition: types.EventSourcePositionLatest,
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/viewed-%d?token=secret", p.HTTP, i), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "www.events.example"
		res, err := visitor.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("got %d", res.StatusCode)
		}
	}
	eventually(t, "a function reads the requests", func() (bool, string) {
		log, _, _ := p.Run(t, "", "logs", "-f", "events-dev-record")
		paths := streamed(t, log)
		return strings.Contains(paths, "/viewed-0 /viewed-1 /viewed-2"), log
	})
}

// streamed are the paths of the stream's records in a function's log.
func streamed(t *testing.T, log string) string {
	t.Helper()
	var paths []string
	for _, data := range regexp.MustCompile(`"data":"([^"]+)"`).FindAllStringSubmatch(log, -1) {
		line, err := base64.StdEncoding.DecodeString(data[1])
		if err != nil {
			t.Fatal(err)
		}
		r, err := accesslog.ParseRealTime(string(line))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, r.Path)
	}
	return strings.Join(paths, " ")
}

// printed has the command show them, which reads the log store.
func printed(t *testing.T, p *testkit.Platform) {
	t.Helper()
	out, errs, code := p.Run(t, "", "edge", "logs", "events-dev-front", "--filter", "{ $.sc-status = 404 }")
	for i := range 3 {
		if !strings.Contains(out, fmt.Sprintf("  404 Error GET http://www.events.example/viewed-%d?token=REDACTED ", i)) {
			t.Errorf("edge logs: exit %d\n%s%s", code, out, errs)
		}
	}
	if out, _, _ := p.Run(t, "", "edge", "logs", "events-dev-front", "--filter", "{ $.sc-status = 200 }"); out != "" {
		t.Errorf("edge logs of another status: %s", out)
	}
	queried(t, p)
}

// queried asks for the same requests in the language of searches.
func queried(t *testing.T, p *testkit.Platform) {
	t.Helper()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--edge", "sc-status:404 cs-uri-stem:/viewed-* | top 5 sc-status, x-host-header"}, "sc-status  x-host-header       count\n404        www.events.example  3\n"},
		{[]string{"--edge", "--csv", `filter cs-uri-stem like /^\/viewed/ | stats count(*) as n, min(cs-uri-stem) as "a"`}, ""},
		{[]string{"--edge", "--csv", `filter cs-uri-stem like /^\/viewed/ | stats count(*) as n, min(cs-uri-stem) as a`}, "n,a\n3,/viewed-0\n"},
		{[]string{"--group", "/aws/cloudfront/*", "--json", "viewed-1 | display cs-uri-stem"}, `{"@ptr":`},
		{[]string{"--group", "/none/*", "viewed-1"}, ""},
	} {
		out, errs, code := p.Run(t, "", append([]string{"logs", "query"}, c.args...)...)
		wrong := strings.Contains(c.args[len(c.args)-1], `"a"`)
		if want := map[bool]int{false: 0, true: 2}[wrong]; code != want || !strings.HasPrefix(out, c.want) || c.want == "" && out != "" {
			t.Errorf("logs query %q: exit %d, want %d\n%s%s", c.args, code, want, out, errs)
		}
		if wrong && !strings.Contains(errs, `at "\"": expected a name for it`+"\n"+c.args[len(c.args)-1]+"\n"+strings.Repeat(" ", 79)+"^") {
			t.Errorf("a mistake is shown as\n%s", errs)
		}
	}
}

// written looks for the same requests in an object, which the shutdown has made, and for
// the object's event.
func written(t *testing.T, p *testkit.Platform) {
	t.Helper()
	store := admin(t, p).S3()
	list, err := store.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("events-logs")})
	if err != nil || len(list.Contents) != 1 {
		t.Fatalf("got %+v, %v", list, err)
	}
	key := *list.Contents[0].Key
	if !regexp.MustCompile(`^edge/events-dev-front\.\d{4}-\d\d-\d\d-\d\d\.[0-9a-f]{8}\.gz$`).MatchString(key) {
		t.Errorf("key %s", key)
	}
	object, err := store.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("events-logs"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	n := 0
	for r, err := range accesslog.Read(object.Body) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Path != fmt.Sprintf("/viewed-%d", n) || r.Status != 404 || r.Host != "www.events.example" || r.Client != "127.0.0.1" || strings.Contains(r.Query, "secret") {
			t.Errorf("line %d: %+v", n, r)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
	eventually(t, "the object's event", func() (bool, string) {
		out, _, _ := p.Run(t, "", "logs", "-f", "events-dev-record")
		return strings.Contains(out, `"key":"`+key+`"`), out
	})
}
