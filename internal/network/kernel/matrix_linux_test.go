package kernel

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
)

// results is where the two runs of the matrix, which are processes of their own,
// leave what came out.
const results = "KERNEL_TEST_RESULTS"

// TestMatrix tries every row of the rule matrix on the kernel engine, and again
// with every refusal turned into an accept, which shows the rows that test a rule.
func TestMatrix(t *testing.T) {
	outermost := os.Getenv(results) == ""
	if outermost {
		t.Setenv(results, t.TempDir()) // inherited by the two processes
	}
	for name, permissive := range map[string]bool{"rules": false, "control": true} {
		t.Run(name, func(t *testing.T) {
			if !networktest.Isolate(t) {
				return
			}
			out, err := json.Marshal(networktest.Run(t, matrix(t, permissive)))
			if err == nil {
				err = os.WriteFile(filepath.Join(os.Getenv(results), name), out, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	held, loose := read(t, "rules"), read(t, "control")
	if !outermost || held == nil || loose == nil {
		return // one of the runs, or skipped
	}
	t.Logf("the rule matrix on the kernel engine\n%s", networktest.Table(held, loose))
	for _, r := range held {
		if !r.Holds() {
			t.Errorf("%s: got reachable %v (%s), want %v", r.Row, r.Got, r.How, r.Want)
		}
	}
	if turned := networktest.Turned(held, loose); turned < networktest.LeastTurned {
		t.Errorf("the control run turned %d rows over, want %d at least", turned, networktest.LeastTurned)
	}
}

func read(t *testing.T, name string) (found []networktest.Result) {
	b, err := os.ReadFile(filepath.Join(os.Getenv(results), name))
	if err != nil {
		return nil
	}
	if err := json.Unmarshal(b, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// matrix has the platform's own rules: the kernel's tables are made of their model, and
// they are asked about every flow that the proxy carries.
func matrix(t *testing.T, permissive bool) networktest.Config {
	e := &Engine{Log: logger(t)}
	e.permissive = permissive
	return networktest.Config{
		Networks: func(m network.Model, host []netip.Addr) (networktest.Networks, func(network.Model) error, error) {
			n := &network.Networks{
				Own:      func(a netip.Addr) bool { return slices.Contains(host, a) },
				Upstream: networktest.Nameless,
			}
			e.Model = n.Model
			replace := func(m network.Model) error {
				if err := n.Replace("test", m); err != nil {
					return err
				}
				return e.Apply(n.Model())
			}
			return n, replace, replace(m)
		},
		Engine: func(s networktest.Setup) (network.Engine, error) {
			e.Decide, e.Answer = s.Networks.Decide, s.Networks.Answer
			return e, nil
		},
		Permissive: permissive,
		Kernel:     true,
	}
}

func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
