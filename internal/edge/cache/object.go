package cache

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// object is a stored response. What is in it does not change, except for the marks at
// its end.
type object struct {
	key    key
	zone   string
	path   string // escaped, as clients ask for it
	query  string // the keyed part
	status int
	header http.Header // as clients get it, but for Age and the cache's own fields

	varies    []string // names of Vary, canonical, sorted
	selecting []string // what the request had of each, in normal form

	received time.Time
	judgement

	size int64
	cost int64  // bytes of memory reserved for it
	body []byte // nil: in file
	file *file

	seq uint64 // of the invalidations when it was asked for

	refs       atomic.Int32  // the store's own, and of those who read body
	checked    atomic.Uint64 // invalidations up to this one do not concern it
	excused    atomic.Int64  // until then (Unix ns) it answers in place of a failing origin
	refreshing atomic.Bool
	used       atomic.Bool // since eviction last looked
	dead       atomic.Bool // not to be used any more, in whichever tier

	place // in memory's lists
}

func (o *object) currentAge(now time.Time) time.Duration {
	return o.age + max(0, now.Sub(o.received))
}

// left is how long the object is fresh from now on; negative when it is stale.
func (o *object) left(now time.Time) time.Duration { return o.lifetime - o.currentAge(now) }

func (o *object) fresh(now time.Time) bool { return !o.validate && o.left(now) > 0 }

// staleWhileRevalidate says whether it may be used once more while it is refreshed.
func (o *object) staleWhileRevalidate(now time.Time) bool {
	return !o.strict && o.whileRevalidate > 0 && -o.left(now) < o.whileRevalidate
}

// staleIfError says whether it may stand in for an origin that fails: for as long as
// its stale-if-error says, or, as with CloudFront, for as long as it is stored.
func (o *object) staleIfError(now time.Time) bool {
	return !o.strict && (o.ifError < 0 || -o.left(now) < o.ifError)
}

// staleAtMost says whether it may be used by a client that takes responses which are
// stale for that long (max-stale).
func (o *object) staleAtMost(now time.Time, limit time.Duration) bool {
	return !o.strict && o.ifError != 0 && -o.left(now) <= limit
}

// weight is about what the object costs in memory.
func (o *object) weight() int64 {
	n := int64(700 + len(o.body) + len(o.path) + len(o.query))
	for name, values := range o.header {
		n += int64(len(name)) + 64
		for _, v := range values {
			n += int64(len(v)) + 16
		}
	}
	return n
}

// matches says whether the request may be answered with the object as far as Vary is
// concerned (RFC 9111, section 4.1).
func (o *object) matches(request http.Header) bool {
	for i, name := range o.varies {
		if normalField(name, request[name]) != o.selecting[i] {
			return false
		}
	}
	return true
}

// varyNames are the names of a response's Vary, canonical, sorted, each once.
func varyNames(lines []string) (names []string) {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func selectingValues(names []string, request http.Header) []string {
	if len(names) == 0 {
		return nil
	}
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = normalField(name, request[name])
	}
	return values
}

// absent is not what any field's value can be, so that a field which is not there and
// one which is empty differ.
const absent = "\x00"

// normalField makes one text of a request's field, in the ways that section 4.1 allows:
// lines are combined, white space around commas does not count. Of Accept-Encoding
// neither case nor order count, since weights are what orders it.
func normalField(name string, lines []string) string {
	if len(lines) == 0 {
		return absent
	}
	if len(lines) == 1 && name != "Accept-Encoding" && !strings.ContainsAny(lines[0], ", \t") {
		return lines[0]
	}
	var items []string
	for _, line := range lines {
		if strings.Contains(line, `"`) { // a comma may be inside a string
			items = append(items, line)
			continue
		}
		for item := range strings.SplitSeq(line, ",") {
			items = append(items, strings.Trim(item, " \t"))
		}
	}
	if name == "Accept-Encoding" {
		for i, item := range items {
			items[i] = strings.ToLower(strings.ReplaceAll(item, " ", ""))
		}
		slices.Sort(items)
		items = slices.Compact(items)
	}
	return strings.Join(items, ",")
}

// hop are the fields of one connection, which are neither stored nor passed on with a
// stored response (RFC 9110, section 7.6.1; RFC 9111, section 3.1).
var hop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
}

// storedHeader is a copy of a response's header without what belongs to the connection,
// to other people, or to the cache, which says it anew.
func storedHeader(h http.Header, strip []string, received time.Time) http.Header {
	kept := make(http.Header, len(h)+4)
	for name, values := range h {
		if strings.HasPrefix(name, http.TrailerPrefix) || len(values) == 0 {
			continue
		}
		kept[name] = slices.Clip(slices.Clone(values))
	}
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			delete(kept, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for _, name := range hop {
		delete(kept, name)
	}
	for _, name := range strip {
		delete(kept, name)
	}
	for _, name := range []string{"Age", "Content-Length", "X-Cache"} {
		delete(kept, name)
	}
	if _, err := http.ParseTime(kept.Get("Date")); err != nil {
		kept["Date"] = []string{received.UTC().Format(http.TimeFormat)} // RFC 9110, section 6.6.1
	}
	return kept
}
