package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/console"
	"github.com/dropstack/dropstack/internal/iam"
)

func TestSession(t *testing.T) {
	w := newWorld(t, nil)
	b := w.admin()
	if b.cookie.HttpOnly != true || b.cookie.SameSite != http.SameSiteStrictMode || b.cookie.Path != "/" {
		t.Errorf("the cookie is %s", b.cookie)
	}
	status, _, body := w.do(b.sign(request("GET", "/session", "")))
	var told struct{ ARN, Name, Token string }
	if err := json.Unmarshal([]byte(body), &told); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if told.ARN != "arn:aws:iam::000000000000:root" || told.Name != "administrator" || told.Token != "" {
		t.Errorf("the pages are told %s", body)
	}
	w.stored(b)
	if status, _, body := w.do(b.sign(request("DELETE", "/session", ""))); status != 204 {
		t.Fatalf("signing out: %d %s", status, body)
	}
	if status, _, _ := w.do(b.sign(request("GET", "/session", ""))); status != 401 {
		t.Errorf("after signing out: %d, want 401", status)
	}
	if diff := cmp.Diff([]string{"ConsoleLogin Success"}, w.outcomes()); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// stored checks that neither secret of a session can be read from what is kept.
func (w *world) stored(b *browser) {
	w.Helper()
	names, err := w.console.Sessions.Keys(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	for _, name := range names {
		e, err := w.console.Sessions.Get(w.Context(), name)
		if err != nil {
			w.Fatal(err)
		}
		if all := name + string(e.Value()); strings.Contains(all, b.cookie.Value) || strings.Contains(all, b.token) {
			w.Errorf("a secret is kept in %s", all)
		}
	}
}

func TestASessionEnds(t *testing.T) {
	t.Run("with its access key", func(t *testing.T) {
		w := newWorld(t, nil)
		key := w.user("leaver", "")
		b, _, _ := w.signIn(map[string]string{"accessKeyId": key.AccessKeyId, "secretAccessKey": key.SecretAccessKey})
		if status, _, _ := w.do(b.sign(request("GET", "/session", ""))); status != 200 {
			t.Fatalf("signed in: %d", status)
		}
		root := iam.With(t.Context(), iam.Principal{Type: iam.TypeRoot}, iam.Request{})
		if _, err := w.keys.UpdateAccessKey(root, iam.UpdateAccessKeyInput{UserName: "leaver", AccessKeyId: key.AccessKeyId, Status: "Inactive"}); err != nil {
			t.Fatal(err)
		}
		if status, _, body := w.do(b.sign(request("GET", "/session", ""))); status != 401 || !strings.Contains(body, "no longer valid") {
			t.Errorf("with a key that is not active: %d %s", status, body)
		}
	})
	t.Run("when its time is over", func(t *testing.T) {
		w := newWorld(t, nil)
		b := w.admin()
		names, err := w.console.Sessions.Keys(t.Context())
		if err != nil || len(names) != 1 {
			t.Fatalf("%v %v", names, err)
		}
		e, err := w.console.Sessions.Get(t.Context(), names[0])
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(e.Value(), &doc); err != nil {
			t.Fatal(err)
		}
		left := time.Until(at(t, doc["Expires"]))
		if left > console.Lifetime || left < console.Lifetime-time.Minute {
			t.Errorf("a session lasts %v, want %v", left, console.Lifetime)
		}
		doc["Expires"] = time.Now().Add(-time.Second)
		old, _ := json.Marshal(doc)
		if _, err := w.console.Sessions.Put(t.Context(), names[0], old); err != nil {
			t.Fatal(err)
		}
		if status, _, _ := w.do(b.sign(request("GET", "/session", ""))); status != 401 {
			t.Errorf("a session that is over: %d, want 401", status)
		}
	})
}

func at(t *testing.T, v any) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339Nano, v.(string))
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestALinkSignsInOnce(t *testing.T) {
	w := newWorld(t, nil)
	key := w.user("ann", "dropstack:CreateConsoleLink")
	who, err := w.keys.Holder(key.AccessKeyId, "")
	if err != nil {
		t.Fatal(err)
	}
	link, expires, err := w.console.Link(iam.With(t.Context(), who, iam.Request{}))
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(expires); left > console.LinkLifetime || left < console.LinkLifetime-time.Minute {
		t.Errorf("a link is good for %v, want %v", left, console.LinkLifetime)
	}
	before, token, _ := strings.Cut(link, "token=")
	if before != "http://127.0.0.1:8090/#/signin?" {
		t.Errorf("the link is %s", link)
	}
	// many try at once: one gets in
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	doc, _ := json.Marshal(map[string]string{"link": token})
	for i := range statuses {
		wg.Go(func() {
			r := request("POST", "/session", string(doc))
			r.Header.Set(console.Header, "new")
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			statuses[i] = rec.Code
			if rec.Code == 200 && !strings.Contains(rec.Body.String(), "user/ann") {
				t.Errorf("signed in as %s", rec.Body)
			}
		})
	}
	wg.Wait()
	in := 0
	for _, status := range statuses {
		if status == 200 {
			in++
		} else if status != 401 {
			t.Errorf("a link that was used is answered %d", status)
		}
	}
	if in != 1 {
		t.Errorf("the link signed in %d times", in)
	}
	if _, status, body := w.signIn(map[string]string{"link": token}); status != 401 || !strings.Contains(body, "dropstack console") {
		t.Errorf("later: %d %s", status, body)
	}
	if _, _, err := w.console.Link(t.Context()); err == nil {
		t.Error("nobody got a link")
	}
}

func TestACallIsTheCallersOwn(t *testing.T) {
	w := newWorld(t, nil)
	key := w.user("ann", "")
	b, _, _ := w.signIn(map[string]string{"accessKeyId": key.AccessKeyId, "secretAccessKey": key.SecretAccessKey})
	for _, c := range []struct{ method, path, target, body, want string }{
		{"POST", "/call/ssm/", "AmazonSSM.GetParameter", `{"Name":"/a"}`, `arn:aws:iam::000000000000:user/ann calls ssm: POST / target="AmazonSSM.GetParameter" cookie="" body="{\"Name\":\"/a\"}"`},
		{"GET", "/call/lambda/2015-03-31/functions/a%3Ab/versions?MaxItems=5", "", "", `arn:aws:iam::000000000000:user/ann calls lambda: GET /2015-03-31/functions/a%3Ab/versions?MaxItems=5 target="" cookie="" body=""`},
		{"GET", "/call/s3/bucket/a%20b/c.txt?list-type=2&prefix=x%2Fy", "", "", `arn:aws:iam::000000000000:user/ann calls s3: GET /bucket/a%20b/c.txt?list-type=2&prefix=x%2Fy target="" cookie="" body=""`},
	} {
		r := b.sign(request(c.method, c.path, c.body))
		if c.target != "" {
			r.Header.Set("X-Amz-Target", c.target)
		}
		r.Header.Set("X-Amz-Security-Token", "forged")
		status, _, got := w.do(r)
		if status != 200 || got != c.want {
			t.Errorf("%s %s: %d\n%s\nwant\n%s", c.method, c.path, status, got, c.want)
		}
	}
	status, _, body := w.do(b.sign(request("POST", "/session/presign", `{"Bucket":"b","Key":"a b/c.txt"}`)))
	var signed struct{ URL string }
	if err := json.Unmarshal([]byte(body), &signed); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	r := httptest.NewRequest("GET", signed.URL, nil)
	if who, service, _, err := w.keys.Verify(r, nil); err != nil || service != "s3" || who.Name != "ann" {
		t.Errorf("the link %s is %s's for %s: %v", signed.URL, who, service, err)
	}
}

func TestATemporaryKeySignsInWithItsToken(t *testing.T) {
	w := newWorld(t, nil)
	key := w.user("ann", "")
	who, err := w.keys.Holder(key.AccessKeyId, "")
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.keys.GetSessionToken(iam.With(t.Context(), who, iam.Request{}), iam.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"accessKeyId": out.Credentials.AccessKeyId, "secretAccessKey": out.Credentials.SecretAccessKey}
	if _, status, _ := w.signIn(given); status != 401 {
		t.Errorf("without the token: %d, want 401", status)
	}
	given["sessionToken"] = out.Credentials.SessionToken
	b, status, body := w.signIn(given)
	if status != 200 {
		t.Fatalf("with it: %d %s", status, body)
	}
	if status, _, body := w.do(b.sign(request("POST", "/call/ssm/", ""))); status != 200 || !strings.Contains(body, "user/ann calls ssm") {
		t.Errorf("a call: %d %s", status, body)
	}
}

func TestPagesAreServed(t *testing.T) {
	w := newWorld(t, nil)
	status, h, index := w.do(request("GET", "/", ""))
	if status != 200 || !strings.HasPrefix(h.Get("Content-Type"), "text/html") || h.Get("Cache-Control") != "no-cache" {
		t.Fatalf("%d %v", status, h)
	}
	_, rest, _ := strings.Cut(index, `src="/assets/`)
	name, _, _ := strings.Cut(rest, `"`)
	r := request("GET", "/assets/"+name, "")
	r.Header.Set("Accept-Encoding", "gzip")
	status, h, _ = w.do(r)
	if status != 200 || h.Get("Content-Encoding") != "gzip" || !strings.Contains(h.Get("Cache-Control"), "immutable") || !strings.Contains(h.Get("Content-Type"), "javascript") {
		t.Errorf("the script: %d %v", status, h)
	}
	if strings.Contains(index, "<script>") || strings.Contains(index, "style=") || strings.Contains(index, "<style") {
		t.Error("the document has scripts or styles in it, which its policy does not let run")
	}
	r = request("GET", "/functions/a%20b?from=6h", "")
	r.Header.Set("Accept", "text/html,*/*")
	if status, h, _ := w.do(r); status != 302 || h.Get("Location") != "/#/functions/a%20b?from=6h" {
		t.Errorf("a page by its path: %d, to %s", status, h.Get("Location"))
	}
	if status, _, _ := w.do(request("GET", "/assets/../console.go", "")); status != 404 && status != 301 && status != 307 {
		t.Errorf("a file beside the pages: %d", status)
	}
}
