package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/testkit"
)

// TestADeploymentIsWholeOrNot kills the platform at random moments of deployments
// that change code, environment and route of a function whose callers have an
// alias. After each start everything is of one revision: the last that was
// acknowledged, or the one under way.
func TestADeploymentIsWholeOrNot(t *testing.T) {
	kills := 10
	if testing.Short() {
		kills = 3
	}
	dir := testkit.Dir(t)
	p := testkit.Start(t, dir, "--services", "none")
	v := newVariants(t, p)
	service, err := os.ReadFile("testdata/variant/serverless.yml")
	if err != nil {
		t.Fatal(err)
	}
	prepare := func(n int) {
		t.Helper()
		v.write(fmt.Sprint(n))
		text := strings.Replace(string(service), "GET /", fmt.Sprintf("GET /v%d", n), 1) + fmt.Sprintf("    description: '%d'\n", n)
		if err := os.WriteFile(filepath.Join(v.dir, "serverless.yml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// whole checks that all rooms have what the revision says, and returns which it is.
	whole := func() (n int) {
		t.Helper()
		f := v.info().Revision.Functions[0]
		if _, err := fmt.Sscan(f.Description, &n); err != nil {
			t.Fatal(err)
		}
		base := hostURL(v.HTTP, "variant-dev.localhost")
		for other := max(0, n-1); other <= n+1; other++ {
			status, _, body := mustGet(t, fmt.Sprintf("%s/v%d", base, other))
			if other == n && (status != http.StatusOK || string(body) != fmt.Sprint("variant ", n)) || other != n && status != http.StatusNotFound {
				t.Errorf("revision %d: /v%d answers %d %s", n, other, status, body)
			}
		}
		return n
	}
	prepare(0)
	v.run("deploy", v.dir)
	last, moved := whole(), 0
	for n := 1; n <= kills; n++ {
		prepare(n)
		code := make(chan int, 1)
		go func() {
			_, _, exit := p.Run(t, "", "deploy", v.dir)
			code <- exit
		}()
		acknowledged := false
		select {
		case exit := <-code:
			acknowledged = exit == 0
		case <-time.After(time.Duration(rand.IntN(1500)) * time.Millisecond): // the random moment
			p.Kill()
			acknowledged = <-code == 0
		}
		p.Kill()
		p = testkit.Start(t, dir, "--services", "none")
		v.Platform = p
		is := whole()
		if is != last && is != n || acknowledged && is != n {
			t.Errorf("after kill %d it is revision %d; it was %d, and %d was acknowledged: %v", n, is, last, n, acknowledged)
		}
		if is == n {
			moved++
		}
		last = is
	}
	t.Logf("%d kills: %d deployments were whole, %d were not at all", kills, moved, kills-moved)
}
