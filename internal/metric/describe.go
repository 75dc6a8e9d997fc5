package metric

import (
	"maps"
	"strings"

	"github.com/prometheus/prometheus/storage"
)

// Description is what the series of one name mean.
type Description struct {
	Type string // counter, gauge, histogram
	Help string
	Unit string // of the values, or ""
}

// maxDescribed is how many names from outside are described.
const maxDescribed = 5000

// descriptions are the platform's own series.
var descriptions = map[string]Description{
	invocationsName:   {"counter", "Invocations of a function that have ended, by what caused them (trigger).", ""},
	errorsName:        {"counter", "Invocations that have failed, by the type of the error and what caused them.", ""},
	throttlesName:     {"counter", "Invocations that were refused for there were too many at once.", ""},
	durationName:      {"histogram", "How long invocations took.", "seconds"},
	initName:          {"histogram", "How long instances took to start; its count is the number of cold starts.", "seconds"},
	memoryName:        {"histogram", "The most memory that an instance had used when an invocation ended.", "bytes"},
	concurrentName:    {"gauge", "Invocations of a function at once.", ""},
	allRunningName:    {"gauge", "Invocations of all functions at once.", ""},
	ageName:           {"histogram", "How long an asynchronous event had waited for its function.", "seconds"},
	failuresInRowName: {"gauge", "Invocations that have failed one after the other, up to the last.", ""},
	lettersName:       {"counter", "Events that have become dead letters.", ""},
	letterErrorsName:  {"counter", "Dead letters that could not be told of to their destination.", ""},

	"dropstack_topic_published_total":  {"counter", "Messages published to a topic.", ""},
	"dropstack_topic_deliveries_total": {"counter", "What became of messages at a subscription: delivered, failed (to be tried again), filtered, dead.", ""},
	"dropstack_topic_backlog":          {"gauge", "Messages that a subscription still owes.", ""},
	"dropstack_queue_messages":         {"gauge", "Messages in a queue: visible, inflight (received and not deleted), or delayed.", ""},

	"dropstack_schedule_ticks_total":      {"counter", "What became of a schedule's ticks: fired, missed (the platform was down or too late), failed.", ""},
	"dropstack_schedule_lateness_seconds": {"histogram", "How long after their time ticks were fired.", "seconds"},

	"dropstack_gateway_requests_total":   {"counter", "Requests to an API, by route and status.", ""},
	"dropstack_gateway_duration_seconds": {"histogram", "How long an API took to answer.", "seconds"},

	"dropstack_edge_requests_total":   {"counter", "Requests at the edge, by status and CloudFront's result type.", ""},
	"dropstack_edge_bytes_total":      {"counter", "Bytes that the edge has received and sent.", "bytes"},
	"dropstack_edge_duration_seconds": {"histogram", "How long the edge took to answer.", "seconds"},
	"dropstack_edge_banned_total":     {"counter", "Requests of banned clients that were turned away.", ""},
	"dropstack_bans":                  {"gauge", "Addresses and networks that are banned.", ""},

	"dropstack_edge_cache_requests_total": {"counter", "How the edge's cache has answered: hit, refresh, miss, pass (not to be stored), collapsed (with another's answer).", ""},
	"dropstack_edge_cache_removed_total":  {"counter", "Responses that the cache has let go of: evicted, invalidated.", ""},
	"dropstack_edge_cache_objects":        {"gauge", "Responses in the edge's cache, in memory and on disk.", ""},
	"dropstack_edge_cache_bytes":          {"gauge", "Bytes of the edge's cache, in memory and on disk.", "bytes"},
	"dropstack_access_records_lost_total": {"counter", "Access records that did not reach one of their sinks.", ""},
	"dropstack_firewall_requests_total":   {"counter", "Requests that a rule of a web ACL has matched.", ""},

	"dropstack_bucket_objects": {"gauge", "Objects in a bucket.", ""},
	"dropstack_bucket_bytes":   {"gauge", "Bytes of a bucket's objects.", "bytes"},

	"dropstack_disk_free_bytes":            {"gauge", "What is free for the platform on the file system of the data directory.", "bytes"},
	"dropstack_disk_size_bytes":            {"gauge", "The size of that file system.", "bytes"},
	"dropstack_log_backlog_bytes":          {"gauge", "Log records that wait to be written.", "bytes"},
	"dropstack_log_records_lost_total":     {"counter", "Log records that were not kept.", ""},
	"dropstack_log_stored_bytes":           {"gauge", "Log records in blocks on the disk.", "bytes"},
	"dropstack_log_rows":                   {"gauge", "What a query of an alert rule has found in the log.", ""},
	"dropstack_certificate_expiry_seconds": {"gauge", "For how long the certificate of a host is still valid.", "seconds"},
	"dropstack_rule_failures_total":        {"counter", "Evaluations of alert rules that have failed.", ""},
	"dropstack_rule_lag_seconds":           {"gauge", "How late the rules of alerts are evaluated.", "seconds"},
	"dropstack_notifications_total":        {"counter", "Notifications of alerts, by what became of them.", ""},
	"dropstack_deployments_total":          {"counter", "Deployments of a stack.", ""},

	"dropstack_monitor_up":               {"gauge", "Whether a check succeeds, seen from a location.", ""},
	"dropstack_monitor_duration_seconds": {"gauge", "How long the phases of a check took: dns, connect, tls, first_byte, transfer, total.", "seconds"},
	"dropstack_monitor_state":            {"gauge", "What a monitor has decided: 0 up, 1 slow, 2 down, 3 maintenance.", ""},

	"dropstack_process_resident_bytes":     {"gauge", "Memory of the platform's process.", "bytes"},
	"dropstack_process_heap_bytes":         {"gauge", "What of it is the heap's live objects.", "bytes"},
	"dropstack_process_cpu_seconds_total":  {"counter", "Processor time of the platform's process, without its instances.", "seconds"},
	"dropstack_process_goroutines":         {"gauge", "Goroutines of the platform's process.", ""},
	opened:                                 {"gauge", "When the database of metrics was opened, in seconds since 1970.", "seconds"},
	"dropstack_process_start_time_seconds": {"gauge", "When the process started, in seconds since 1970.", "seconds"},

	embeddedName: {"counter", "Log lines with metrics in the Embedded Metric Format.", ""},
	flawedName:   {"counter", "Log lines whose embedded metrics are not kept, or not all of them, by the reason.", ""},
	droppedName:  {"counter", "Series that are not kept for there are too many, by what they are bounded for.", ""},
}

// Descriptions are of everything that has a name at present.
func (s *Store) Descriptions() map[string]Description {
	s.foreign.mu.Lock()
	defer s.foreign.mu.Unlock()
	all := maps.Clone(s.foreign.described)
	maps.Copy(all, descriptions)
	return all
}

// describe keeps what comes with a sample from outside.
func (s *Store) describe(name string, o storage.AOptions) {
	if o.Metadata.IsEmpty() {
		return
	}
	if o.MetricFamilyName != "" {
		name = o.MetricFamilyName
	}
	s.foreign.mu.Lock()
	defer s.foreign.mu.Unlock()
	if _, known := s.foreign.described[name]; known || len(s.foreign.described) < maxDescribed {
		m := o.Metadata
		s.foreign.described[strings.Clone(name)] = Description{string(m.Type), strings.Clone(m.Help), strings.Clone(m.Unit)}
	}
}
