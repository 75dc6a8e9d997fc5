package osls

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.Cleanup()
	os.Exit(code)
}

// world is a running platform, whom all stacks of a test share.
type world struct {
	*testkit.Platform
	home   string // of the commands
	keys   iam.Credentials
	config aws.Config // of the SDK for Go, for what the command does not do
	client *http.Client
	issuer *issuer
	turns  chan struct{} // stacks that are worked on at once
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{
		Platform: testkit.Start(t, testkit.Dir(t), "--services", "none"),
		home:     t.TempDir(), client: testkit.Client(), issuer: newIssuer(t), turns: make(chan struct{}, 2),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the platform:\n%s", w.Log())
		}
	})
	var err error
	if w.keys, err = iam.ReadCredentials(filepath.Join(w.Dir, "credentials")); err != nil {
		t.Fatal(err)
	}
	w.config = aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(w.AWS), HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(w.keys.AccessKeyID, w.keys.SecretAccessKey, ""),
	}
	return w
}

// request is one of a service's clients.
type request struct {
	method, path string
	header       http.Header
	body         string
}

// reply is what the client is told.
type reply struct {
	status int
	header http.Header
	body   string
}

// send makes a request to an API, by the address that a stack's output holds.
func (s *stack) send(output string, r request) reply {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), r.method, s.address(output)+r.path, strings.NewReader(r.body))
	if err != nil {
		s.Fatal(err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	resp, err := s.world.client.Do(req)
	if err != nil {
		s.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// answers makes a request whose answer has to have a status and, in its JSON, these
// members.
func (s *stack) answers(output string, r request, status int, want map[string]any) reply {
	s.Helper()
	got := s.send(output, r)
	if got.status != status {
		s.Errorf("%s %s: status %d, want %d: %s", r.method, r.path, got.status, status, got.body)
		return got
	}
	if want == nil {
		return got
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
		s.Errorf("%s %s: %v: %s", r.method, r.path, err, got.body)
	}
	for name := range doc {
		if _, asked := want[name]; !asked {
			delete(doc, name)
		}
	}
	if diff := cmp.Diff(want, doc); diff != "" {
		s.Errorf("%s %s (-want +got):\n%s", r.method, r.path, diff)
	}
	return got
}

// address is where an API answers: what the stack says.
func (s *stack) address(output string) string {
	s.Helper()
	u, err := url.Parse(s.outputs[output])
	if err != nil || u.Host == "" {
		s.Fatalf("output %s is %q, want a URL: %v", output, s.outputs[output], s.outputs)
	}
	return strings.TrimSuffix(s.outputs[output], "/")
}

// soon is how long something may take that happens at once.
const soon = 30 * time.Second

// logged waits until a function has logged a text.
func (s *stack) logged(function, text string) {
	s.Helper()
	s.loggedIn("/aws/lambda/"+s.name+"-"+function, text, soon)
}

func (s *stack) loggedIn(group, text string, within time.Duration) {
	s.Helper()
	s.within(within, group, func() error {
		if all := s.log(group); !strings.Contains(all, text) {
			return fmt.Errorf("no %q in:\n%s", text, all)
		}
		return nil
	})
}

// log is everything in a log group; a tab reads as a space.
func (s *stack) log(group string) string {
	s.Helper()
	var all strings.Builder
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(cloudwatchlogs.NewFromConfig(s.world.config), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.Context())
		if _, silent := errors.AsType[*types.ResourceNotFoundException](err); silent {
			return "" // nothing has been logged yet
		}
		s.need(err)
		for _, event := range page.Events {
			all.WriteString(strings.ReplaceAll(strings.TrimSpace(*event.Message), "\t", " ") + "\n")
		}
	}
	return all.String()
}

// eventually asks until something is as it should be, for what no event tells.
func (s *stack) eventually(what string, right func() error) {
	s.Helper()
	s.within(soon, what, right)
}

func (s *stack) within(limit time.Duration, what string, right func() error) {
	s.Helper()
	deadline := time.After(limit)
	for {
		err := right()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			s.Fatalf("%s, after %v: %v", what, limit, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// need stops the test at an error.
func (s *stack) need(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// pause gives the turn to others while a stack waits for the time of day.
func (w *world) pause(wait func()) {
	<-w.turns
	defer func() { w.turns <- struct{}{} }()
	wait()
}

func same(got, want any) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("(-want +got):\n%s", diff)
	}
	return nil
}
