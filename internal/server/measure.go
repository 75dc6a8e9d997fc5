package server

import (
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/metric/promapi"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
)

// measure has what rooms tell of themselves counted. They know nothing of metrics; what
// they do is told them here, before they do any of it.
func (r *rooms) measure() {
	r.prometheus.Rules = func() promapi.Rules { return r.alerts }
	r.measureTopics()
	r.measureSchedules()
	r.measureGateway()
	r.measureEdge()
}

// counters are counters of a name, told apart by what K says.
func counters[K comparable](s *metric.Store, name string, labels func(K) metric.Labels) *metric.Family[K, *metric.Counter] {
	return &metric.Family[K, *metric.Counter]{Make: func(k K) *metric.Counter { return s.Counter(name, labels(k)) }}
}

func histograms[K comparable](s *metric.Store, name string, labels func(K) metric.Labels) *metric.Family[K, *metric.Histogram] {
	return &metric.Family[K, *metric.Histogram]{Make: func(k K) *metric.Histogram { return s.Histogram(name, labels(k)) }}
}

func (r *rooms) measureTopics() {
	published := counters(r.metrics, "dropstack_topic_published_total", func(topicARN string) metric.Labels {
		return metric.Labels{"topic": nameIn(topicARN)}
	})
	type settled struct {
		subscriber
		result string
	}
	deliveries := counters(r.metrics, "dropstack_topic_deliveries_total", func(s settled) metric.Labels {
		l := s.labels()
		l["protocol"], l["result"] = s.protocol, s.result
		return l
	})
	r.topics.Published = func(topicARN string) { published.Of(topicARN).Add(1) }
	r.topics.Settled = func(s topic.Subscription, result string) { deliveries.Of(settled{subscriberOf(s), result}).Add(1) }
}

// subscriber is a subscription as series name it: by its function or queue, and any
// other by its id, since addresses may be secret.
type subscriber struct{ topic, name, protocol string }

func subscriberOf(s topic.Subscription) subscriber {
	switch s.Protocol {
	case "", topic.ProtocolLambda:
		return subscriber{nameIn(s.Topic), s.Function, topic.ProtocolLambda}
	case topic.ProtocolSQS:
		return subscriber{nameIn(s.Topic), nameIn(s.Endpoint), s.Protocol}
	}
	return subscriber{nameIn(s.Topic), nameIn(s.ARN), s.Protocol}
}

func (s subscriber) labels() metric.Labels {
	return metric.Labels{"topic": s.topic, "subscription": s.name}
}

// nameIn is the last part of an ARN.
func nameIn(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

func (r *rooms) measureSchedules() {
	type ticked struct{ schedule, result string }
	ticks := counters(r.metrics, "dropstack_schedule_ticks_total", func(t ticked) metric.Labels {
		return metric.Labels{"schedule": t.schedule, "result": t.result}
	})
	lateness := histograms(r.metrics, "dropstack_schedule_lateness_seconds", func(name string) metric.Labels {
		return metric.Labels{"schedule": name}
	})
	r.schedules.Ticked = func(s schedule.Schedule, result string, late time.Duration) {
		ticks.Of(ticked{s.Name, result}).Add(1)
		if result == "fired" {
			lateness.Of(s.Name).Observe(late.Seconds())
		}
	}
}

func (r *rooms) measureGateway() {
	type request struct {
		api, stage, route string
		status            int
	}
	type stage struct{ api, stage string }
	requests := counters(r.metrics, "dropstack_gateway_requests_total", func(q request) metric.Labels {
		return metric.Labels{"api": q.api, "stage": q.stage, "route": q.route, "status": strconv.Itoa(q.status)}
	})
	durations := histograms(r.metrics, "dropstack_gateway_duration_seconds", func(s stage) metric.Labels {
		return metric.Labels{"api": s.api, "stage": s.stage}
	})
	r.gateway.Served = func(s gateway.Served) {
		requests.Of(request{s.API, s.Stage, s.Route, s.Status}).Add(1)
		durations.Of(stage{s.API, s.Stage}).Observe(s.Took.Seconds())
	}
}

// edgeMeter counts the edge's requests.
type edgeMeter struct {
	requests  *metric.Family[edgeRequest, *metric.Counter]
	bytes     *metric.Family[edgeBytes, *metric.Counter]
	durations *metric.Family[string, *metric.Histogram]
	banned    *metric.Counter
}

type edgeRequest struct {
	distribution, result string
	status               int
}

type edgeBytes struct{ distribution, direction string }

func newEdgeMeter(s *metric.Store) *edgeMeter {
	return &edgeMeter{
		requests: counters(s, "dropstack_edge_requests_total", func(q edgeRequest) metric.Labels {
			return metric.Labels{"distribution": q.distribution, "result": q.result, "status": strconv.Itoa(q.status)}
		}),
		bytes: counters(s, "dropstack_edge_bytes_total", func(b edgeBytes) metric.Labels {
			return metric.Labels{"distribution": b.distribution, "direction": b.direction}
		}),
		durations: histograms(s, "dropstack_edge_duration_seconds", func(d string) metric.Labels {
			return metric.Labels{"distribution": d}
		}),
		banned: s.Counter("dropstack_edge_banned_total", nil),
	}
}

func (m *edgeMeter) record(a *edge.AccessRecord) {
	m.requests.Of(edgeRequest{a.Distribution, a.Result, a.Status}).Add(1)
	m.bytes.Of(edgeBytes{a.Distribution, "in"}).Add(uint64(a.BytesIn))
	m.bytes.Of(edgeBytes{a.Distribution, "out"}).Add(uint64(a.BytesOut))
	m.durations.Of(a.Distribution).Observe(a.Took.Seconds())
	if a.Rule == "ban" {
		m.banned.Add(1)
	}
}

func (r *rooms) measureEdge() {
	meter, next := newEdgeMeter(r.metrics), r.edge.Access
	r.edge.Access = func(a edge.AccessRecord) {
		meter.record(&a)
		next(a)
	}
}
