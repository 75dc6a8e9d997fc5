package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/edge/ban"
	"github.com/dropstack/dropstack/internal/testkit"
)

// site is a service behind the edge, for clients of many addresses.
type site struct {
	url, host string
}

// ask makes a request of a client, as a trusted proxy hands it on.
func (s site) ask(t *testing.T, client, method, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = s.host
	r.Header.Set("X-Forwarded-For", "192.0.2.1, "+client) // what a client says of itself comes first
	resp, err := visitor.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(doc)
}

// bans is who is banned.
func bans(t *testing.T, p *testkit.Platform, args ...string) (list []ban.Ban) {
	t.Helper()
	for line := range strings.Lines(dropstack(t, p, "", append([]string{"waf", "bans", "--json"}, args...)...)) {
		var b ban.Ban
		if err := json.Unmarshal([]byte(line), &b); err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

// standardLog is an object in which a client fails too often.
func standardLog(t *testing.T, client string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	fmt.Fprint(w, "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status\n")
	for range 60 {
		fmt.Fprintf(w, "%s\tX\t10\t%s\tGET\td1.example.org\t/feed.xml\t404\n", time.Now().UTC().Format("2006-01-02\t15:04:05"), client)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// recorded is what the audit log has of an operation.
func recorded(t *testing.T, p *testkit.Platform, operation string) (list []audit.Event) {
	t.Helper()
	for line := range strings.Lines(dropstack(t, p, "", "audit", "list", "--json", "--limit", "1000")) {
		var e audit.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.EventName == operation {
			list = append(list, e)
		}
	}
	return list
}

// TestADictionaryAttackIsBanned: one of 51 clients guesses passwords at 200 a minute and
// is turned away within seconds, the others are not, and when the ban is over it comes
// in again. A scanner of 1,000 codes and an office that fails now and then are told apart.
func TestADictionaryAttackIsBanned(t *testing.T) {
	const length = 5 * time.Second
	t.Setenv("ABUSE_BAN_FOR", length.String())
	t.Setenv("ABUSE_LOG_BUCKET", "weblogs")
	p := testkit.Start(t, testkit.Dir(t), "--services", "none", "--trusted-proxies", "127.0.0.1")
	root := testkit.Root(t)
	dropstack(t, p, "", "deploy", filepath.Join(root, "services/abuse"))
	dropstack(t, p, "", "deploy", filepath.Join(root, "cmd/dropstack/testdata/login"))
	s := site{p.HTTP, "login-dev.localhost"}
	const attacker, scanner, office = "203.0.113.7", "203.0.113.8", "203.0.113.9"

	normal := func(i int) {
		t.Helper()
		client := fmt.Sprintf("198.51.100.%d", i%50+1)
		if status, body := s.ask(t, client, "GET", "/page"); status != 200 || body != "welcome "+client {
			t.Fatalf("client %s: got %d %q", client, status, body)
		}
	}
	for i := range 50 {
		normal(i)
	}
	if status, _ := s.ask(t, "198.51.100.1", "POST", "/login"); status != 401 { // everybody errs
		t.Fatalf("login: got %d", status)
	}

	t.Run("dictionary attack", func(t *testing.T) {
		pace := time.NewTicker(300 * time.Millisecond) // 200 a minute
		defer pace.Stop()
		begun, tried := time.Now(), 0
		for {
			status, body := s.ask(t, attacker, "POST", "/login")
			if status == 403 && strings.Contains(body, "Access denied") {
				break
			}
			if status != 401 {
				t.Fatalf("attempt %d: got %d %q", tried, status, body)
			}
			tried++
			normal(tried)
			if time.Since(begun) > time.Minute {
				t.Fatalf("after %d attempts nobody is banned\n%s", tried, p.Log())
			}
			<-pace.C
		}
		banned := time.Now()
		if status, _ := s.ask(t, attacker, "GET", "/page"); status != 403 {
			t.Errorf("another page: got %d", status)
		}
		t.Logf("banned %.1f s after its first attempt, which was followed by %d", banned.Sub(begun).Seconds(), tried-1)
		for i := range 50 {
			normal(i)
		}
		list := bans(t, p, "--over")
		if len(list) != 1 || list[0].Client.String() != attacker+"/32" || !strings.Contains(list[0].Reason, "failed logins within a minute") ||
			!strings.Contains(list[0].By, "abuse-dev") || list[0].Until.Sub(list[0].Since) != length {
			t.Fatalf("bans: %+v", list)
		}
		if list := recorded(t, p, "PutBan"); len(list) != 1 || list[0].RequestParameters["client"] != attacker+"/32" {
			t.Errorf("recorded: %+v", list)
		}
		eventually(t, "it comes in when the ban is over", func() (bool, string) {
			status, _ := s.ask(t, attacker, "GET", "/page")
			return status == 200, fmt.Sprint(status)
		})
		if early := time.Until(list[0].Until); early > 0 {
			t.Errorf("it came in %v too early", early)
		}
	})

	t.Run("scanner beside an office", func(t *testing.T) {
		for i := range 1000 {
			s.ask(t, scanner, "GET", fmt.Sprintf("/missing%03x", i))
			path := "/page"
			if i%50 == 0 { // 2 % fail
				path = fmt.Sprintf("/missing%03x", i)
			}
			if status, _ := s.ask(t, office, "GET", path); status == 403 {
				t.Fatalf("the office is turned away: %+v", bans(t, p, office))
			}
		}
		eventually(t, "the scanner is banned", func() (bool, string) {
			list := bans(t, p, scanner, "--over")
			return len(list) == 1, fmt.Sprint(list, p.Log())
		})
		if list := bans(t, p, office, "--over"); len(list) > 0 {
			t.Errorf("the office is banned: %+v", list)
		}
	})

	t.Run("by the objects of a log", func(t *testing.T) {
		store := admin(t, p).S3()
		bucket, key, scan := "weblogs", "E1.2026-01-05-12.x.gz", arn.Function("us-east-1", "abuse-dev-scan")
		_, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
		if err == nil {
			_, err = functions(t, p).AddPermission(t.Context(), &lambda.AddPermissionInput{
				FunctionName: &scan, StatementId: aws.String("logs"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("s3.amazonaws.com"),
			})
		}
		if err == nil {
			_, err = store.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{
				Bucket: &bucket, NotificationConfiguration: &types.NotificationConfiguration{LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{
					{LambdaFunctionArn: &scan, Events: []types.Event{types.EventS3ObjectCreated}},
				}},
			})
		}
		if err == nil {
			_, err = store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(standardLog(t, "203.0.113.10"))})
		}
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "a client of the log is banned", func() (bool, string) {
			list := bans(t, p, "203.0.113.10", "--over")
			return len(list) == 1 && strings.Contains(list[0].By, "abuse-dev"), fmt.Sprint(list, p.Log())
		})
	})

	t.Run("by hand", func(t *testing.T) {
		dropstack(t, p, "", "waf", "unban", scanner)
		dropstack(t, p, "", "waf", "ban", "2001:db8::7", "--for", "1h", "--reason", "a test")
		if status, _ := s.ask(t, "2001:db8::8", "GET", "/page"); status != 403 {
			t.Errorf("of the same /64: got %d", status)
		}
		dropstack(t, p, "", "waf", "allow", "2001:db8::8", "--reason", "our own")
		if status, _ := s.ask(t, "2001:db8::8", "GET", "/page"); status != 200 {
			t.Errorf("allowed: got %d", status)
		}
		if out := dropstack(t, p, "", "waf", "allowed"); !strings.Contains(out, "2001:db8::/64") || !strings.Contains(out, "our own") {
			t.Errorf("allowed:\n%s", out)
		}
		if out := dropstack(t, p, "", "waf", "bans"); !strings.Contains(out, "2001:db8::/64  banned") || !strings.Contains(out, "a test") {
			t.Errorf("bans:\n%s", out)
		}
		dropstack(t, p, "", "waf", "allow", "--remove", "2001:db8::8")
		dropstack(t, p, "", "waf", "unban", "2001:db8::8")
		if status, _ := s.ask(t, "2001:db8::8", "GET", "/page"); status != 200 {
			t.Errorf("unbanned: got %d", status)
		}
		for _, wrong := range [][]string{
			{"ban", "127.0.0.1"}, {"ban", "0.0.0.0/0"}, {"ban", "203.0.113.7", "--for", "0s"}, {"ban", "here"}, {"allow", "::/0"},
		} {
			if out, errs, code := p.Run(t, "", append([]string{"waf"}, wrong...)...); code != exitWrongInput {
				t.Errorf("waf %v: exit %d\n%s%s", wrong, code, out, errs)
			}
		}
		if _, errs, code := p.Run(t, "", "waf", "unban", "203.0.113.99"); code != exitFailed || !strings.Contains(errs, "not banned") {
			t.Errorf("unban of nobody: exit %d %s", code, errs)
		}
	})
}
