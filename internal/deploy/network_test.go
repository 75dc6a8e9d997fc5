package deploy_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/network"
)

// vpc is a network with one subnet, whose ids begin with a prefix.
func vpc(prefix, block string) network.Model {
	cidr := netip.MustParsePrefix(block)
	return network.Model{
		VPCs:    []network.VPC{{ID: prefix + "-vpc", CIDRs: []netip.Prefix{cidr}}},
		Subnets: []network.Subnet{{ID: prefix + "-subnet", VPC: prefix + "-vpc", CIDR: cidr}},
		Groups:  []network.SecurityGroup{{ID: prefix + "-group", VPC: prefix + "-vpc", EgressAll: true}},
	}
}

func in(prefix string) *function.VPC {
	return &function.VPC{Subnets: []string{prefix + "-subnet"}, Groups: []string{prefix + "-group"}}
}

// TestFunctionsHaveTheirNetworks: what a function's network would lack is refused
// before anything changes, be it the function's own stack that lacks it or another
// that would take it away; a restart finds networks that refer to each other.
func TestFunctionsHaveTheirNetworks(t *testing.T) {
	js, s := enginetest.Streams(t), shelf{}
	h := newHouse()
	d := deployer(t, js, s, h)
	sha := s.artifact(t)
	user := revision(sha, []string{"f"})
	user.Stack, user.Functions[0].Stack, user.Functions[0].VPC = "a-user", "a-user", in("net")

	if _, err := d.Deploy(t.Context(), user); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `function f: subnet "net-subnet" does not exist`) {
		t.Errorf("without its network: got %v", err)
	}
	owner := &deploy.Revision{Stack: "z-owner", Network: vpc("net", "10.0.0.0/24")}
	for _, r := range []*deploy.Revision{owner, user} {
		if _, err := d.Deploy(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Remove(t.Context(), "z-owner"); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "in use") {
		t.Errorf("remove a network that is used: got %v", err)
	}
	without := &deploy.Revision{Stack: "z-owner", Network: vpc("other", "10.0.0.0/24")}
	if _, err := d.Deploy(t.Context(), without); fault.KindOf(err) != fault.Invalid {
		t.Errorf("deploy another network in its place: got %v", err)
	}
	if rev, ok := d.Active("z-owner"); !ok || rev.Network.VPCs[0].ID != "net-vpc" {
		t.Errorf("then %v is active", rev)
	}

	again := newHouse() // a-user is loaded first and needs z-owner
	rooms := again.rooms()
	second := &deploy.Deployer{Streams: js, Objects: s, Artifacts: t.TempDir(), Rooms: rooms, Log: d.Log}
	if err := second.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := rooms.Networks.Admit("none", network.Model{}, []network.Use{{Function: "f", Subnets: in("net").Subnets, Groups: in("net").Groups}}); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	err := errors.Join(second.Remove(t.Context(), "a-user"), second.Remove(t.Context(), "z-owner"))
	if err != nil {
		t.Errorf("remove the user, then the network: %v", err)
	}
}
