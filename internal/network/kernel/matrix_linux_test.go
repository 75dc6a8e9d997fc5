package kernel

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/miekg/dns"

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
	turned := 0
	for i, r := range held {
		if !r.Holds() {
			t.Errorf("%s: got reachable %v (%s), want %v", r.Row, r.Got, r.How, r.Want)
		}
		if !r.Want && loose[i].Got {
			turned++
		}
	}
	if turned < 10 {
		t.Errorf("the control run turned %d rows over, want at least 10: the matrix tests no rules", turned)
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

func matrix(t *testing.T, permissive bool) networktest.Config {
	e := &Engine{Log: logger(t)}
	e.permissive = permissive
	return networktest.Config{
		Networks: func(m network.Model, _ []netip.Addr) (networktest.Networks, func(network.Model) error, error) {
			nets := networks{&m}
			e.Model, e.Answer = func() *network.Model { return &m }, nets.Answer
			return nets, func(m network.Model) error { return e.Apply(&m) }, nil
		},
		Engine:     func(networktest.Setup) (network.Engine, error) { return e, nil },
		Permissive: permissive,
		Kernel:     true,
	}
}

func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// networks answers from a model's zones. The engine decides by its own rules.
type networks struct{ model *network.Model }

func (n networks) Decide(*network.Port, network.Protocol, netip.AddrPort) network.Verdict {
	return network.Verdict{Action: network.Drop}
}

func (n networks) Answer(_ context.Context, port *network.Port, query []byte) []byte {
	q := new(dns.Msg)
	if q.Unpack(query) != nil || len(q.Question) != 1 {
		return nil
	}
	in := new(dns.Msg).SetRcode(q, dns.RcodeNameError)
	for _, z := range n.model.Zones {
		for _, r := range z.Records {
			if r.Name+"." != q.Question[0].Name || z.VPCs[0] != port.VPC || dns.StringToType[r.Type] != q.Question[0].Qtype {
				continue
			}
			in.SetRcode(q, dns.RcodeSuccess)
			for _, v := range r.Values {
				rr, err := dns.NewRR(r.Name + ". 60 IN " + r.Type + " " + v)
				if err != nil {
					return nil
				}
				in.Answer = append(in.Answer, rr)
			}
		}
	}
	out, err := in.Pack()
	if err != nil {
		return nil
	}
	return out
}
