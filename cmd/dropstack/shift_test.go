package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/testkit"
)

// variants is a service whose code is a program, compiled once, and a word.
type variants struct {
	*testkit.Platform
	t         testing.TB
	dir       string
	bootstrap []byte
}

func newVariants(t testing.TB, p *testkit.Platform) *variants {
	t.Helper()
	v := &variants{Platform: p, t: t, dir: t.TempDir()}
	program := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", program, "./testdata/variant")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the function: %v\n%s", err, out)
	}
	var err error
	if v.bootstrap, err = os.ReadFile(program); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("testdata/variant/serverless.yml")
	if err == nil {
		err = os.WriteFile(filepath.Join(v.dir, "serverless.yml"), doc, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// write makes a variant the service's code.
func (v *variants) write(word string) {
	v.t.Helper()
	f, err := os.Create(filepath.Join(v.dir, "code.zip"))
	if err != nil {
		v.t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for name, content := range map[string][]byte{"bootstrap": v.bootstrap, "variant": []byte(word)} {
		h := &zip.FileHeader{Name: name, Method: zip.Store}
		h.SetMode(0o755)
		part, err := w.CreateHeader(h)
		if err == nil {
			_, err = part.Write(content)
		}
		if err != nil {
			v.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		v.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		v.t.Fatal(err)
	}
}

// run runs a command on the service, which has to succeed.
func (v *variants) run(args ...string) string {
	v.t.Helper()
	out, errs, code := v.Run(v.t, "", args...)
	if code != 0 {
		v.t.Fatalf("dropstack %v: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

func (v *variants) info() (info api.Info) {
	v.t.Helper()
	if err := json.Unmarshal([]byte(v.run("info", "variant-dev", "--json")), &info); err != nil {
		v.t.Fatal(err)
	}
	return info
}

// callers ask the service for a page, many times a second.
type callers struct {
	url                   string
	asked, failed, broken atomic.Int64
	breaking              atomic.Bool // a broken version may answer
	t                     testing.TB
}

// run asks 200 times a second, or as often as a busy machine can bear.
func (c *callers) run(ctx context.Context) {
	const between, most = 5 * time.Millisecond, 32 // at once
	every := time.NewTicker(between)
	defer every.Stop()
	var requests sync.WaitGroup
	defer requests.Wait()
	places := make(chan struct{}, most)
	for began, asked := time.Now(), 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		for ; asked < int(time.Since(began)/between); asked++ {
			select {
			case places <- struct{}{}:
				requests.Go(func() {
					c.ask(context.WithoutCancel(ctx))
					<-places
				})
			default: // it is not asked at all
			}
		}
	}
}

func (c *callers) ask(ctx context.Context) {
	breaking := c.breaking.Load()
	status, _, body, err := get(ctx, c.url)
	c.asked.Add(1)
	switch {
	case err == nil && status == http.StatusOK:
	case err == nil && status == http.StatusInternalServerError && (breaking || c.breaking.Load()):
		c.broken.Add(1)
	default:
		c.failed.Add(1)
		c.t.Errorf("got %d %q, %v", status, body, err)
	}
}

// TestNoRequestFailsBecauseOfASwitch deploys changed code again and again, rolls
// back now and then, and has a canary of a broken version, while callers ask: all
// are answered, but for the few whom the broken version got.
func TestNoRequestFailsBecauseOfASwitch(t *testing.T) {
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Log())
		}
	})
	v := newVariants(t, p)
	v.write("0")
	v.run("deploy", v.dir)
	c := &callers{url: hostURL(p.HTTP, "variant-dev.localhost") + "/", t: t}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() { c.run(ctx) })
	defer load.Wait()
	defer stop()

	expect := func(when, word string) {
		t.Helper()
		if status, _, body := mustGet(t, c.url); string(body) != "variant "+word {
			t.Errorf("%s: got %d %s, want variant %s", when, status, body, word)
		}
	}
	rollbacks := 0
	for n := 1; n <= 20; n++ {
		word := fmt.Sprint(n)
		v.write(word)
		v.run("deploy", v.dir)
		expect("right after a deployment", word)
		if n%4 == 0 {
			rollbacks++
			v.run("rollback", "variant-dev")
			expect("right after a rollback", fmt.Sprint(n-1))
		}
	}
	if rollbacks != 5 {
		t.Fatalf("%d rollbacks", rollbacks)
	}
	t.Logf("%d requests during 20 deployments and %d rollbacks, %d failed", c.asked.Load(), rollbacks, c.failed.Load())

	v.write("broken")
	before := c.asked.Load()
	c.breaking.Store(true)
	v.run("deploy", v.dir, "--shift", "Canary10Percent1Hour")
	var info api.Info
	eventually(t, "the broken version is given up", func() (bool, string) {
		info = v.info()
		s := info.Shift
		return s != nil && s.Status == deploy.Failed && !s.Undo, fmt.Sprintf("%+v", s)
	})
	asked := c.asked.Load() - before
	c.breaking.Store(false) // who asks from now on gets the old version
	expect("after the broken version was given up", "19")
	broken := c.broken.Load()
	most := 0.1*float64(asked) + 4*math.Sqrt(float64(asked)*0.1*0.9) + 1
	t.Logf("canary: %d of %d requests got the broken version, at most %.0f may: %s", broken, asked, most, info.Shift.Reason)
	if broken == 0 || float64(broken) > most {
		t.Errorf("%d of %d requests got the broken version, want 1 to %.0f", broken, asked, most)
	}
	after := c.asked.Load()
	eventually(t, "callers go on", func() (bool, string) { return c.asked.Load() > after+200, fmt.Sprint(c.asked.Load()) })
	stop()
	load.Wait()
	if info.Revision.Restores == "" {
		t.Errorf("the active revision restores none: %s", info.Revision.ID)
	}
	if c.asked.Load() < 1000 {
		t.Errorf("only %d requests: too few to say anything", c.asked.Load())
	}
}
