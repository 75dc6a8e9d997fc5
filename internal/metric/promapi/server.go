package promapi

import (
	"context"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

// nothing is what there is of Prometheus' parts that we have not: what is to be scraped,
// whom to tell. Rules are it too as long as nobody evaluates any.
type nothing struct{}

func (nothing) ScrapePools() []string                       { return []string{} }
func (nothing) TargetsDropped() map[string][]*scrape.Target { return nil }
func (nothing) TargetsDroppedCounts() map[string]int        { return nil }
func (nothing) Alertmanagers() []*url.URL                   { return nil }
func (nothing) DroppedAlertmanagers() []*url.URL            { return nil }
func (nothing) RuleGroups() []*rules.Group                  { return nil }
func (nothing) AlertingRules() []*rules.AlertingRule        { return nil }
func (nothing) ScrapePoolConfig(n string) (*config.ScrapeConfig, error) {
	return nil, fault.Errorf(fault.NotFound, "nothing is scraped here, %q neither", n)
}

// exemplars are not kept: every question about them has an empty answer.
type exemplars struct{}

func (exemplars) ExemplarQuerier(context.Context) (storage.ExemplarQuerier, error) {
	return exemplars{}, nil
}

func (exemplars) Select(int64, int64, ...[]*labels.Matcher) ([]exemplar.QueryResult, error) {
	return []exemplar.QueryResult{}, nil
}

func (a *API) rules() Rules {
	if a.Rules != nil {
		if r := a.Rules(); r != nil {
			return r
		}
	}
	return nothing{}
}

// targets is one target, ourselves, for what Prometheus knows about series it knows
// from whoever it has scraped them of.
type targets struct{ store *metric.Store }

func (targets) TargetsDropped() map[string][]*scrape.Target { return nil }
func (targets) TargetsDroppedCounts() map[string]int        { return nil }
func (targets) ScrapePoolConfig(n string) (*config.ScrapeConfig, error) {
	return nothing{}.ScrapePoolConfig(n)
}

func (t targets) TargetsActive() map[string][]*scrape.Target {
	self := scrape.NewTarget(
		labels.FromStrings(model.JobLabel, "dropstack", model.InstanceLabel, "dropstack"), &config.ScrapeConfig{JobName: "dropstack"},
		model.LabelSet{model.AddressLabel: "dropstack", model.SchemeLabel: "http", model.MetricsPathLabel: "/metrics"}, nil)
	self.SetMetadataStore(described(t.store.Descriptions()))
	return map[string][]*scrape.Target{"dropstack": {self}}
}

// described is what is known about series, as Prometheus wants it.
type described map[string]metric.Description

func (d described) ListMetadata() []scrape.MetricMetadata {
	list := make([]scrape.MetricMetadata, 0, len(d))
	for name := range d {
		m, _ := d.GetMetadata(name)
		list = append(list, m)
	}
	return list
}

func (d described) GetMetadata(name string) (scrape.MetricMetadata, bool) {
	m, ok := d[name]
	return scrape.MetricMetadata{MetricFamily: name, Type: model.MetricType(m.Type), Help: m.Help, Unit: m.Unit}, ok
}

func (d described) LengthMetadata() int { return len(d) }

func (d described) SizeMetadata() (bytes int) {
	for name, m := range d {
		bytes += len(name) + len(m.Help) + len(m.Unit) + len(m.Type)
	}
	return bytes
}

// buildInfo says which Prometheus it is that answers: clients choose by its version
// what they may ask. Its module's v0.316.0 is the server's 3.16.0.
func buildInfo() *v1.PrometheusVersion {
	info := &v1.PrometheusVersion{Version: "3.0.0", Branch: "dropstack", GoVersion: runtime.Version()}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	for _, m := range build.Deps {
		if rest, ok := strings.CutPrefix(m.Version, "v0."); ok && m.Path == "github.com/prometheus/prometheus" && len(rest) > 3 {
			info.Version = rest[:1] + "." + strings.TrimPrefix(rest[1:], "0")
		}
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Revision = s.Value
		case "vcs.time":
			info.BuildDate = s.Value
		}
	}
	return info
}

func (a *API) runtimeInfo() (v1.RuntimeInfo, error) {
	return v1.RuntimeInfo{
		StartTime: a.started, ServerTime: time.Now(), ReloadConfigSuccess: true, LastConfigTime: a.started,
		GoroutineCount: runtime.NumGoroutine(), GOMAXPROCS: runtime.GOMAXPROCS(0), GOMEMLIMIT: debug.SetMemoryLimit(-1),
		GOGC: os.Getenv("GOGC"), StorageRetention: model.Duration(a.Store.Retention()).String(),
	}, nil
}
