package server

import (
	"context"
	"maps"
	"os"
	goruntime "runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/metric"
)

const (
	// lookEvery is how often it is looked how full things are.
	lookEvery = 10 * time.Second
	// countEvery is how often the objects of buckets are counted at most, and countShare
	// what part of the time it may take: files are looked at one by one.
	countEvery = 5 * time.Minute
	countShare = 200
	// maxObjects is from how many on a bucket is not counted.
	maxObjects = 2_000_000
)

// watcher looks how full things are.
type watcher struct {
	*rooms
	dir     string
	levels  map[string]*levels // by name
	cache   cache.Counters     // when it was looked last
	lost    uint64             // likewise
	process []goruntime.Sample
	counted time.Time // when the objects are counted next
}

// watch looks at what rooms do not tell by themselves, until ctx ends.
func (r *rooms) watch(ctx context.Context, dir string) error {
	w := &watcher{
		rooms: r, dir: dir, levels: map[string]*levels{}, process: processSamples(),
		counted: time.Now().Add(countEvery / 5), // the start has other things to do
	}
	w.set("dropstack_process_start_time_seconds", nil, float64(time.Now().Unix()))
	for {
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			w.metrics.Log.Warn("not everything could be measured", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookEvery):
		}
	}
}

func (w *watcher) look(ctx context.Context) error {
	w.lookAtProcess()
	w.lookAtDisk()
	w.lookAtCache()
	w.lookAtLogs()
	w.set("dropstack_bans", nil, float64(w.bans.Count()))
	if err := w.lookAtMessages(ctx); err != nil {
		return err
	}
	if time.Now().Before(w.counted) {
		return nil
	}
	began := time.Now()
	err := w.countObjects(ctx)
	w.counted = time.Now().Add(max(countEvery, countShare*time.Since(began)))
	return err
}

func (w *watcher) lookAtMessages(ctx context.Context) error {
	backlogs, err := w.topics.Backlogs(ctx)
	if err != nil {
		return err
	}
	level := w.of("dropstack_topic_backlog")
	for _, b := range backlogs {
		level.set(subscriberOf(b.Subscription).labels(), float64(b.Messages))
	}
	level.end()
	depths, err := w.queues.Depths(ctx)
	if err != nil {
		return err
	}
	level = w.of("dropstack_queue_messages")
	for _, d := range depths {
		for state, n := range map[string]int{"visible": d.Visible, "inflight": d.InFlight, "delayed": d.Delayed} {
			level.set(metric.Labels{"queue": d.Queue, "state": state}, float64(n))
		}
	}
	level.end()
	return nil
}

// countObjects counts each bucket. One that has too many objects has no level.
func (w *watcher) countObjects(ctx context.Context) error {
	names, err := w.eng.Objects.Buckets()
	if err != nil {
		return err
	}
	objects, size := w.of("dropstack_bucket_objects"), w.of("dropstack_bucket_bytes")
	for _, name := range names {
		n, bytes, err := w.eng.Objects.Count(ctx, name, maxObjects)
		if err != nil {
			w.metrics.Log.Warn("a bucket is not counted", "bucket", name, "err", err)
			continue
		}
		objects.set(metric.Labels{"bucket": name}, float64(n))
		size.set(metric.Labels{"bucket": name}, float64(bytes))
	}
	if ctx.Err() == nil {
		objects.end()
		size.end()
	}
	return nil
}

func (w *watcher) lookAtDisk() {
	var fs unix.Statfs_t
	if err := unix.Statfs(w.dir, &fs); err != nil {
		return // who writes there says it louder
	}
	w.set("dropstack_disk_free_bytes", nil, float64(fs.Bavail)*float64(fs.Bsize))
	w.set("dropstack_disk_size_bytes", nil, float64(fs.Blocks)*float64(fs.Bsize))
}

func processSamples() []goruntime.Sample {
	return []goruntime.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/sched/goroutines:goroutines"}}
}

func (w *watcher) lookAtProcess() {
	goruntime.Read(w.process)
	w.set("dropstack_process_heap_bytes", nil, float64(w.process[0].Value.Uint64()))
	w.set("dropstack_process_goroutines", nil, float64(w.process[1].Value.Uint64()))
	if doc, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(doc)); len(fields) > 1 {
			if pages, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				w.set("dropstack_process_resident_bytes", nil, float64(pages)*float64(os.Getpagesize()))
			}
		}
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err == nil {
		w.set("dropstack_process_cpu_seconds_total", nil, time.Duration(used.Utime.Nano()+used.Stime.Nano()).Seconds())
	}
}

func (w *watcher) lookAtCache() {
	now, last := w.rooms.cache.Counters(), w.cache
	w.cache = now
	for result, more := range map[string]int64{
		"hit": now.Hits - last.Hits, "refresh": now.RefreshHits - last.RefreshHits, "miss": now.Misses - last.Misses,
		"pass": now.Passes - last.Passes, "collapsed": now.Collapsed - last.Collapsed,
	} {
		w.metrics.Counter("dropstack_edge_cache_requests_total", metric.Labels{"result": result}).Add(uint64(max(0, more)))
	}
	for reason, more := range map[string]int64{"evicted": now.Evicted - last.Evicted, "invalidated": now.Invalidated - last.Invalidated} {
		w.metrics.Counter("dropstack_edge_cache_removed_total", metric.Labels{"reason": reason}).Add(uint64(max(0, more)))
	}
	for tier, n := range map[string][2]int64{"memory": {now.Objects, now.Bytes}, "disk": {now.DiskObjects, now.DiskBytes}} {
		w.set("dropstack_edge_cache_objects", metric.Labels{"tier": tier}, float64(n[0]))
		w.set("dropstack_edge_cache_bytes", metric.Labels{"tier": tier}, float64(n[1]))
	}
}

func (w *watcher) lookAtLogs() {
	now := w.logs.Stats()
	w.set("dropstack_log_backlog_bytes", nil, float64(now.Backlog))
	w.set("dropstack_log_stored_bytes", nil, float64(now.Bytes))
	w.metrics.Counter("dropstack_log_records_lost_total", nil).Add(now.Lost - w.lost)
	w.lost = now.Lost
}

func (w *watcher) set(name string, l metric.Labels, v float64) { w.metrics.Gauge(name, l).Set(v) }

func (w *watcher) of(name string) *levels {
	l := w.levels[name]
	if l == nil {
		l = &levels{store: w.metrics, name: name, present: map[string]*metric.Gauge{}}
		w.levels[name] = l
	}
	l.seen = map[string]*metric.Gauge{}
	return l
}

// levels are gauges of things that come and go.
type levels struct {
	store         *metric.Store
	name          string
	present, seen map[string]*metric.Gauge
}

func (l *levels) set(labels metric.Labels, v float64) {
	key := strings.Join([]string{labels["topic"], labels["subscription"], labels["queue"], labels["state"], labels["bucket"]}, "\x00")
	g := l.present[key]
	if g == nil {
		g = l.store.Gauge(l.name, labels)
	}
	g.Set(v)
	l.seen[key] = g
}

// end says of what was not set that it has gone.
func (l *levels) end() {
	for key, g := range l.present {
		if l.seen[key] == nil {
			g.Gone()
		}
	}
	l.present = maps.Clone(l.seen)
}
