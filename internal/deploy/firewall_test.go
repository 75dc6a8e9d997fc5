package deploy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
)

// gatehouse writes down what the edge and its firewall are told, in order.
type gatehouse struct {
	told   []string
	refuse string
}

type (
	guardRoom  struct{ *gatehouse }
	frontRoom  struct{ *gatehouse }
	readerRoom struct{ *gatehouse }
)

func (g *gatehouse) tell(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	g.told = append(g.told, line)
	if g.refuse != "" && strings.Contains(line, g.refuse) {
		return errors.New("no room")
	}
	return nil
}

func (g guardRoom) Replace(_ string, acls []waf.WebACL, sets []waf.IPSet, patterns []waf.RegexPatternSet) error {
	var list []string
	for _, a := range acls {
		list = append(list, a.Name)
	}
	for _, s := range sets {
		list = append(list, s.Name)
	}
	for _, p := range patterns {
		list = append(list, p.Name)
	}
	return g.tell("firewall %v", list)
}

func (g guardRoom) Admit(string, []waf.WebACL, []waf.IPSet, []waf.RegexPatternSet) error { return nil }

func (g frontRoom) Replace(_ string, dists []edge.Distribution) error {
	var list []string
	for _, d := range dists {
		list = append(list, d.ID)
	}
	return g.tell("edge %v", list)
}

func (g readerRoom) Replace(_ string, readers []accesslog.Reader) error {
	return g.tell("readers %d", len(readers))
}

// guarded is a stack with a distribution and web ACLs, of which it has the first.
func guarded(stack string, acls ...string) *deploy.Revision {
	r := &deploy.Revision{Stack: stack, Service: "s", Stage: "dev", Region: "us-east-1"}
	for _, name := range acls {
		r.WebACLs = append(r.WebACLs, waf.WebACL{Stack: stack, Name: name, ARN: aclARN(name), DefaultAction: waf.Action{Allow: &waf.AllowAction{}}})
	}
	d := edge.Distribution{Stack: stack, ID: stack, Aliases: []string{stack + ".example"}, Behaviours: []edge.Behaviour{{Path: "*", Origin: stack}}}
	if len(acls) > 0 {
		d.WebACL = aclARN(acls[0])
	}
	r.Distributions = []edge.Distribution{d}
	return r
}

func aclARN(name string) string {
	return "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/" + name + "/1"
}

func guardedDeployer(t *testing.T) (*deploy.Deployer, *gatehouse) {
	g := &gatehouse{}
	d := deployer(t, enginetest.Streams(t), shelf{}, newHouse())
	d.Rooms.Firewall, d.Rooms.Edge, d.Rooms.AccessReaders = guardRoom{g}, frontRoom{g}, readerRoom{g}
	return d, g
}

func TestNoRequestMeetsADistributionWithoutItsWebACL(t *testing.T) {
	d, g := guardedDeployer(t)
	steps := []struct {
		name string
		do   func() error
		want []string
	}{
		{"made", func() error { _, err := d.Deploy(t.Context(), guarded("a", "one")); return err }, []string{"firewall [one]", "edge [a]", "readers 0"}},
		{"exchanged", func() error { _, err := d.Deploy(t.Context(), guarded("a", "two")); return err }, []string{"firewall [two one]", "edge [a]", "firewall [two]", "readers 0"}},
		{"removed", func() error { return d.Remove(t.Context(), "a") }, []string{"firewall [two]", "edge []", "firewall []", "readers 0"}},
	}
	for _, s := range steps {
		g.told = nil
		if err := s.do(); err != nil {
			t.Fatal(s.name, err)
		}
		if diff := cmp.Diff(s.want, g.told); diff != "" {
			t.Errorf("%s -want +got:\n%s", s.name, diff)
		}
	}
}

// TestAHostIsOneStacks: who claims another's host learns it before anything moves.
func TestAHostIsOneStacks(t *testing.T) {
	d, g := guardedDeployer(t)
	if _, err := d.Deploy(t.Context(), guarded("a")); err != nil {
		t.Fatal(err)
	}
	g.told = nil
	for name, change := range map[string]func(*edge.Distribution){
		"host": func(d *edge.Distribution) { d.Aliases = []string{"b.example", "a.example"} },
		"id":   func(d *edge.Distribution) { d.ID = "a" },
	} {
		next := guarded("b")
		change(&next.Distributions[0])
		if _, err := d.Deploy(t.Context(), next); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), `stack "a"`) || len(g.told) > 0 {
			t.Errorf("%s: got %v, and told %v", name, err, g.told)
		}
	}
	if _, err := d.Deploy(t.Context(), guarded("a")); err != nil {
		t.Errorf("its own once more: %v", err)
	}
}

func TestAnEdgeThatRefusesHasItsFirewallBack(t *testing.T) {
	d, g := guardedDeployer(t)
	if _, err := d.Deploy(t.Context(), guarded("a", "one")); err != nil {
		t.Fatal(err)
	}
	g.told, g.refuse = nil, "edge [b]"
	next := guarded("a", "two")
	next.Distributions[0].ID = "b"
	if _, err := d.Deploy(t.Context(), next); err == nil {
		t.Fatal("deployed")
	}
	want := []string{"firewall [two one]", "edge [b]", "firewall [one two]", "edge [a]", "firewall [one]", "readers 0"}
	if diff := cmp.Diff(want, g.told); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWebACLsThatAreMissedAreRefused(t *testing.T) {
	d, _ := guardedDeployer(t)
	other := guarded("b")
	other.Distributions[0].WebACL = aclARN("one")
	if _, err := d.Deploy(t.Context(), other); fault.CodeOf(err) != "WAFNonexistentItemException" {
		t.Errorf("a web ACL that is nowhere: %v", err)
	}
	if _, err := d.Deploy(t.Context(), guarded("a", "one")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Deploy(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Deploy(t.Context(), guarded("a", "two")); fault.CodeOf(err) != "WAFAssociatedItemException" {
		t.Errorf("a web ACL that another stack has: %v", err)
	}
	if err := d.Remove(t.Context(), "a"); fault.CodeOf(err) != "WAFAssociatedItemException" {
		t.Errorf("its stack: %v", err)
	}
	if err := errors.Join(d.Remove(t.Context(), "b"), d.Remove(t.Context(), "a")); err != nil {
		t.Error(err)
	}
}

func TestHostNamesOfAnotherStackAreRefused(t *testing.T) {
	d, g := guardedDeployer(t)
	if _, err := d.Deploy(t.Context(), guarded("a")); err != nil {
		t.Fatal(err)
	}
	g.told = nil
	other := guarded("b")
	other.Distributions[0].Aliases = []string{"b.example", "a.example"}
	if _, err := d.Deploy(t.Context(), other); fault.KindOf(err) != fault.Conflict || len(g.told) > 0 {
		t.Errorf("%v, after %v", err, g.told)
	}
	other.Distributions[0].Aliases = []string{"b.example"}
	if _, err := d.Deploy(t.Context(), other); err != nil {
		t.Error(err)
	}
}

func TestReadersThatCannotBeAreRefused(t *testing.T) {
	d, g := guardedDeployer(t)
	r := guarded("a")
	r.AccessReaders = []accesslog.Reader{{Stack: "a", ID: "1", Function: "arn:aws:lambda:us-east-1:000000000000:function:f", Batch: 100, Window: time.Second}}
	if _, err := d.Deploy(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := g.told[len(g.told)-1]; got != "readers 1" {
		t.Errorf("got %q", got)
	}
	for _, change := range []func(*accesslog.Reader){
		func(r *accesslog.Reader) { r.Batch = 10_001 },
		func(r *accesslog.Reader) { r.Window = 6 * time.Minute },
		func(r *accesslog.Reader) { r.Function = "f" },
		func(r *accesslog.Reader) { r.ID = "" },
	} {
		next := *r
		next.AccessReaders = []accesslog.Reader{r.AccessReaders[0]}
		change(&next.AccessReaders[0])
		if _, err := d.Deploy(t.Context(), &next); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", next.AccessReaders[0], err)
		}
	}
}

func TestWebACLsThatTheFirewallRefusesAreNotDeployed(t *testing.T) {
	d, g := guardedDeployer(t)
	d.Rooms.Firewall = &waf.Firewall{}
	r := guarded("a", "one")
	r.WebACLs[0].DefaultAction = waf.Action{Allow: &waf.AllowAction{}}
	r.WebACLs[0].Rules = []waf.Rule{{Name: "geo", Action: &waf.Action{Block: &waf.BlockAction{}}, Statement: waf.Statement{GeoMatchStatement: &waf.GeoMatch{CountryCodes: []string{"AQ"}}}}}
	if _, err := d.Deploy(t.Context(), r); fault.KindOf(err) != fault.Invalid {
		t.Errorf("err %v, want it refused", err)
	}
	if len(g.told) > 0 {
		t.Errorf("the edge was told %v", g.told)
	}
}
