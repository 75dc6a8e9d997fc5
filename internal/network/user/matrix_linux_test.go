package user_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
	"github.com/dropstack/dropstack/internal/network/user"
)

// The rule matrix holds, and the control run shows which rows test a rule.
func TestRuleMatrix(t *testing.T) {
	var results, control []networktest.Result
	if !networktest.Isolate(t) {
		return
	}
	t.Run("rules", func(t *testing.T) { results = networktest.Run(t, config(false)) })
	t.Run("control", func(t *testing.T) { control = networktest.Run(t, config(true)) })
	t.Log("\n" + networktest.Table(results, control))
	for _, r := range results {
		if !r.Holds() {
			t.Errorf("%s: reachable: got %v (%s), want %v", r.Row, r.Got, r.How, r.Want)
		}
	}
	if turned := networktest.Turned(results, control); turned < networktest.LeastTurned {
		t.Errorf("the control run turned %d rows over, want %d at least", turned, networktest.LeastTurned)
	}
}

func config(permissive bool) networktest.Config {
	return networktest.Config{
		Permissive: permissive,
		Networks: func(m network.Model, host []netip.Addr) (networktest.Networks, func(network.Model) error, error) {
			n := &network.Networks{
				Own:      func(a netip.Addr) bool { return slices.Contains(host, a) },
				Upstream: networktest.Nameless,
			}
			replace := func(m network.Model) error { return n.Replace("test", m) }
			return n, replace, replace(m)
		},
		Engine: func(s networktest.Setup) (network.Engine, error) {
			return &user.Engine{Decide: s.Networks.Decide, Answer: s.Networks.Answer}, nil
		},
	}
}
