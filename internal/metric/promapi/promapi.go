// Package promapi answers for what is measured as a Prometheus server does, so that
// Grafana, promtool and whatever else asks one can ask us.
//
// The answers come from Prometheus' own code over our database and our engine of
// questions; what a Prometheus server has and we have not (scraping, deletion by
// call, notifications to browsers) is answered as one that has none of it, or that has
// it switched off. Data come in by OTLP and by remote write, within the bounds that
// Store.Appendable keeps.
package promapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/dropstack/dropstack/internal/metric"
)

// Prefix is where the API is mounted.
const Prefix = "/api/v1"

// Bounds of one request.
const (
	maxWrite      = 32 << 20 // bytes of data that come, compressed
	maxForm       = 1 << 20  // bytes of a question
	remoteSamples = 50_000_000
	remoteAtOnce  = 4
	remoteFrame   = 1 << 20
)

// Rules are those that are evaluated, and what they have found: what a rules.Manager
// knows.
type Rules interface {
	RuleGroups() []*rules.Group
	AlertingRules() []*rules.AlertingRule
}

// API is the Prometheus API over a store, which is required.
type API struct {
	Store *metric.Store
	Rules func() Rules // asked at every question; nil, or its answer nil: there are none

	once    sync.Once
	handler http.Handler
	started time.Time
}

// ServeHTTP answers below Prefix. Questions are about everything that was measured
// until they came.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.once.Do(a.build)     // at the first question: most processes are never asked one
	r.Header.Del("Origin") // pages of other origins are not told that they may read us
	if writes(r.URL.Path) {
		r.Body = http.MaxBytesReader(w, r.Body, maxWrite)
		a.handler.ServeHTTP(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := a.Store.Flush(r.Context()); err != nil {
		a.Store.Log.Error("metrics are not written", "err", err)
	}
	a.handler.ServeHTTP(w, r)
}

func writes(path string) bool {
	return path == Prefix+"/write" || strings.HasPrefix(path, Prefix+"/otlp/")
}

func (a *API) build() {
	a.started = time.Now()
	settings := config.DefaultConfig
	settings.OTLPConfig.PromoteResourceAttributes = promoted
	own := prometheus.NewRegistry()
	api := v1.NewAPI(
		a.Store.Evaluator(), a.Store.Storage(), a.Store.Appendable(), exemplars{},
		func(context.Context) v1.ScrapePoolsRetriever { return nothing{} },
		func(context.Context) v1.TargetRetriever { return targets{a.Store} },
		func(context.Context) v1.AlertmanagerRetriever { return nothing{} },
		func() config.Config { return settings },
		a.flags(), v1.GlobalURLOptions{}, func(f http.HandlerFunc) http.HandlerFunc { return f },
		a.Store.Administration(), a.Store.Dir,
		false, false, 0, // neither administration nor search
		a.Store.Log, func(context.Context) v1.RulesRetriever { return a.rules() },
		remoteSamples, remoteAtOnce, remoteFrame,
		false, // no agent
		nil,   // ServeHTTP has taken the origin away
		a.runtimeInfo, buildInfo(),
		func() []notifications.Notification { return nil },
		func() (<-chan notifications.Notification, func(), bool) { return nil, nil, false },
		prometheus.Gatherers{a.Store.Registry(), own}, own, nil,
		true, remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType},
		true, true, false, // OTLP, whose differences are added up
		metric.Lookback, false, false, nil, features.NewRegistry(), v1.OpenAPIOptions{}, metric.Parser(), false, metric.QuestionTimeout,
	)
	router := route.New().WithPrefix(Prefix)
	api.Register(router)
	a.handler = router
}

// promoted are the attributes of what sends by OTLP that become labels, besides job
// and instance, which are its service.name and service.instance.id.
var promoted = []string{"faas.name", "faas.version", "service.version", "deployment.environment.name"}

// flags are what a Prometheus server would have been started with.
func (a *API) flags() map[string]string {
	return map[string]string{
		"query.lookback-delta":             model.Duration(metric.Lookback).String(),
		"query.max-samples":                strconv.Itoa(metric.MaxSamples),
		"query.timeout":                    model.Duration(metric.QuestionTimeout).String(),
		"storage.tsdb.retention.time":      model.Duration(a.Store.Retention()).String(),
		"web.enable-admin-api":             "false",
		"web.enable-otlp-receiver":         "true",
		"web.enable-remote-write-receiver": "true",
	}
}
