package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/logs/fingerprint"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/testkit/weblog"
	"github.com/dropstack/dropstack/internal/trace"
)

// TestWhatIsInTheLogStore has functions, the edge and files fill the log store, and
// asks for it in every way but queries.
func TestWhatIsInTheLogStore(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	deployEvents(t, p)
	base := p.HTTP + "/restapis/" + restID(t, p) + "/dev/_user_request_"
	t.Run("one request is one trace", func(t *testing.T) { oneTrace(t, p, base) })
	t.Run("errors are grouped", func(t *testing.T) { groupedErrors(t, p, base) })
	t.Run("files are imported once", func(t *testing.T) { importedFiles(t, p) })
	t.Run("logs are followed", func(t *testing.T) { followed(t, p, base) })
	t.Run("logs are exported", func(t *testing.T) { exported(t, p) })
}

// oneTrace sends a request to an API whose function publishes to a topic that another
// function listens to.
func oneTrace(t *testing.T, p *testkit.Platform, base string) {
	const root = "1-5759e988-bd862e3fe1be46a994272793"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/publish", strings.NewReader("traced"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amzn-Trace-Id", "Root="+root+";Parent=53995c3f42cd8ad8;Sampled=1")
	resp, err := visitor.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got, want := resp.Header.Get("X-Amzn-Trace-Id"), "Root="+root; got != want {
		t.Errorf("the answer names the trace %q, want %q", got, want)
	}
	want := []string{"0 edge POST", "1 api POST /publish", "2 function events-dev-publish", "3 call sns.Publish", "4 function events-dev-record"}
	var tr trace.Trace
	eventually(t, "the trace", func() (bool, string) {
		out, errs, _ := p.Run(t, "", "trace", root, "--json")
		tr = trace.Trace{}
		if json.Unmarshal([]byte(out), &tr) != nil {
			return false, errs
		}
		reports := 0
		for _, l := range tr.Lines {
			if strings.HasPrefix(l.Message, "REPORT ") {
				reports++
			}
		}
		return len(tr.Spans) == len(want) && reports == 2, out
	})
	for i, s := range tr.Spans {
		if got := fmt.Sprintf("%d %s %s", s.Depth, s.Kind, s.Name); !strings.HasPrefix(got, want[i]) || s.Status != trace.OK {
			t.Errorf("span %d: got %s %s, want %s", i, got, s.Status, want[i])
		}
	}
	if got, want := tr.Spans[3].Attributes["resource"], "arn:aws:sns:us-east-1:000000000000:events-topic"; got != want {
		t.Errorf("the call is about %q, want %q", got, want)
	}
	out, errs, code := p.Run(t, "", "trace", root)
	if code != 0 || !strings.Contains(out, "5 spans, 0 errors") || !strings.Contains(out, "        function events-dev-record") || !strings.Contains(out, "█") {
		t.Errorf("the waterfall: exit %d\n%s%s", code, out, errs)
	}
	out, _, _ = p.Run(t, "", "trace", "list", "--function", "events-dev-record", "--since", "2006-01-02", "--json")
	if !strings.Contains(out, root) {
		t.Errorf("the list lacks it:\n%s", out)
	}
	if _, errs, code := p.Run(t, "", "trace", "1-5759e988-000000000000000000000000"); code == 0 || !strings.Contains(errs, "nothing is kept of trace") {
		t.Errorf("another: exit %d, %s", code, errs)
	}
}

func groupedErrors(t *testing.T, p *testkit.Platform, base string) {
	for _, how := range []string{"error", "panic", "error", "exit", "hang", "error"} {
		mustGet(t, base+"/broken/"+how)
	}
	want := []string{"errorString: an error x3", "string: asked to x1", "Runtime.ExitError: Runtime exited with error: exit status <n> x1", "Sandbox.Timedout: Task timed out after <n> seconds x1"}
	slices.Sort(want)
	var groups []fingerprint.Group
	eventually(t, "four errors", func() (bool, string) {
		out, errs, _ := p.Run(t, "", "logs", "errors", "--function", "events-dev-broken", "--json")
		groups = nil
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
			var g fingerprint.Group
			if json.Unmarshal([]byte(line), &g) != nil {
				return false, errs
			}
			groups = append(groups, g)
			got = append(got, fmt.Sprintf("%s: %s x%d", g.Type, g.Message, g.Count))
		}
		slices.Sort(got)
		return slices.Equal(got, want), strings.Join(got, "\n")
	})
	id := groups[0].ID
	if out, errs, code := p.Run(t, "", "logs", "errors", "show", id); code != 0 || !strings.Contains(out, "in version $LATEST") {
		t.Errorf("show: exit %d\n%s%s", code, out, errs)
	}
	if out, errs, code := p.Run(t, "", "logs", "errors", "ignore", id); code != 0 || !strings.Contains(out, "is ignored") {
		t.Errorf("ignore: exit %d\n%s%s", code, out, errs)
	}
	if out, _, _ := p.Run(t, "", "logs", "errors"); strings.Contains(out, id) || strings.Count(out, "events-dev-broken") != 3 {
		t.Errorf("the list has the one that is ignored, or lacks others:\n%s", out)
	}
}

// importedFiles has logs come into a bucket that is declared, and names others.
func importedFiles(t *testing.T, p *testkit.Platform) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("index.js", "exports.a = async () => 1\n")
	write("serverless.yml", "service: importing\nprovider: {name: aws, runtime: nodejs22.x}\nfunctions: {a: {handler: index.a}}\ncustom:\n  dropstack:\n    logs: [{bucket: cdn-logs, prefix: cf/}]\n")
	if out, errs, code := p.Run(t, "", "deploy", dir); code != 0 {
		t.Fatalf("deploy: exit %d\n%s%s", code, out, errs)
	}
	var log bytes.Buffer
	z := gzip.NewWriter(&log)
	fmt.Fprint(z, weblog.Header)
	for line := range weblog.Lines(1, 500, time.Now().Add(-time.Hour), time.Minute, nil) {
		fmt.Fprint(z, line)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	store := admin(t, p).S3()
	key := "cf/E2EXAMPLE1.2026-11-26-10.abcdef01.gz"
	for range 2 { // it is put a second time, and no line is there twice
		if _, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("cdn-logs"), Key: &key, Body: bytes.NewReader(log.Bytes())}); err != nil {
			t.Fatal(err)
		}
	}
	requests := func() int {
		out, _, _ := p.Run(t, "", "edge", "logs", "E2EXAMPLE1", "--startTime", "2h", "--json")
		return strings.Count(out, "\n")
	}
	eventually(t, "500 requests", func() (bool, string) { n := requests(); return n == 500, fmt.Sprint(n) })
	if out, errs, code := p.Run(t, "", "logs", "import", "cdn-logs/cf"); code != 0 || !strings.Contains(out, "was imported before") {
		t.Errorf("import again: exit %d\n%s%s", code, out, errs)
	}

	path := write("access.log", `https 2026-11-26T10:00:00.186641Z app/web/50dc6c495c0c9188 192.0.2.1:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/ HTTP/1.1" "curl/7.46.0"`+"\nhttps nonsense\n")
	out, errs, code := p.Run(t, "", "logs", "import", path, "--group", "/balancer")
	if code != 0 || !strings.Contains(out, "access.log: 1 line of format alb") || !strings.Contains(errs, "1 line passed over, the first: line 2:") {
		t.Errorf("import a file: exit %d\n%s%s", code, out, errs)
	}
	if out, _, _ := p.Run(t, "", "logs", "import", write("renamed.log", mustRead(t, path))); !strings.Contains(out, "was imported before") {
		t.Errorf("import the same under another name: %s", out)
	}
	if n := requests(); n != 500 {
		t.Errorf("got %d requests, want 500 still", n)
	}
	if _, errs, code := p.Run(t, "", "logs", "import", write("bad.log", "hello\n")); code != 2 || !strings.Contains(errs, "begins like no format that is known here") {
		t.Errorf("import what is no log: exit %d, %s", code, errs)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// followed has the official client follow a group while a function logs.
func followed(t *testing.T, p *testkit.Platform, base string) {
	keys, err := iam.ReadCredentials(filepath.Join(p.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	// The client writes "stream-" in front of the host, which therefore has a name.
	c := cloudwatchlogs.New(cloudwatchlogs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(strings.Replace(p.AWS, "127.0.0.1", "aws.localhost", 1)), HTTPClient: testkit.AWSClient(),
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""),
	})
	out, err := c.StartLiveTail(t.Context(), &cloudwatchlogs.StartLiveTailInput{
		LogGroupIdentifiers:   []string{"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/events-dev-broken"},
		LogEventFilterPattern: aws.String("REPORT"),
	})
	if err != nil {
		t.Fatal(err)
	}
	session := out.GetStream()
	defer session.Close()
	started := false
	for e := range session.Events() {
		switch e := e.(type) {
		case *types.StartLiveTailResponseStreamMemberSessionStart:
			started = true
			mustGet(t, base+"/broken/error")
		case *types.StartLiveTailResponseStreamMemberSessionUpdate:
			if len(e.Value.SessionResults) > 0 {
				r := e.Value.SessionResults[0]
				if !started || !strings.HasPrefix(*r.Message, "REPORT ") || *r.LogGroupIdentifier != "000000000000:/aws/lambda/events-dev-broken" {
					t.Errorf("got %s of %s", *r.Message, *r.LogGroupIdentifier)
				}
				return
			}
		}
	}
	t.Errorf("the session ended: %v", session.Err())
}

func exported(t *testing.T, p *testkit.Platform) {
	dir := filepath.Join(t.TempDir(), "out")
	out, errs, code := p.Run(t, "", "logs", "export", "--group", "/aws/cloudfront/E2EXAMPLE1", "--since", "3h", "-o", dir)
	if code != 0 || !strings.Contains(out, "500 rows") {
		t.Fatalf("export: exit %d\n%s%s", code, out, errs)
	}
	files, err := filepath.Glob(filepath.Join(dir, "aws/cloudfront/E2EXAMPLE1/*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	if doc := mustRead(t, files[0]); !strings.HasPrefix(doc, "PAR1") || !strings.HasSuffix(doc, "PAR1") {
		t.Errorf("%s is no Parquet file", files[0])
	}
}
