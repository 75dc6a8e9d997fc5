package server

import (
	"net/netip"

	"github.com/dropstack/dropstack/internal/edge/ban"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/edge/waf/crs"
	"github.com/dropstack/dropstack/internal/edge/waf/reputation"
	"github.com/dropstack/dropstack/internal/metric"
)

// firewallRequests counts what rules of web ACLs have matched.
const firewallRequests = "dropstack_firewall_requests_total"

// openFirewall makes what decides by web ACLs, with the platform's own sets: whom the
// reputation lists have, and who is banned.
func (r *rooms) openFirewall(cfg Config) error {
	r.lists = &reputation.Lists{Dir: cfg.Dir, Log: cfg.Log}
	if err := r.lists.Load(); err != nil {
		return err
	}
	r.firewall = &waf.Firewall{
		Log: cfg.Log, Listed: r.lists, CRS: &crs.Rules{},
		Sets: map[string]waf.Addresses{"reputation": r.lists, "bans": banned{r.bans}},
		Count: func(name, acl, rule string) {
			r.metrics.Counter(firewallRequests, metric.Labels{"metric": name, "web_acl": acl, "rule": rule}).Add(1)
		},
	}
	return nil
}

// banned is the bans as a set of addresses: for rules that do something else than
// turning away, which the edge does before it asks any rule.
type banned struct{ bans *ban.Bans }

func (b banned) Contains(client netip.Addr) bool {
	_, is := b.bans.Banned(client)
	return is
}
