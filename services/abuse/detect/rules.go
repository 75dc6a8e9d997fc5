package detect

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Rules are the thresholds. Of those that are 0, the rule is off. Shares are percent.
type Rules struct {
	Statuses []int // of failed requests

	Failed      int // failed requests in a minute
	FailedShare int // and of all its requests: an office behind one address fails now and then

	Probed      int // different paths that failed in ten minutes
	ProbedShare int // and failed of all its requests

	LoginPaths  []string // "POST /login": method, or *, and path with * for any run of characters and ? for any one
	Logins      int      // failed logins in a minute
	LoginsShare int      // and of all its logins

	Bytes        int64 // sent in ten minutes, below which nobody is an outlier
	Downloads    int   // likewise
	DownloadSize int64 // answers of which size are downloads
	Deviations   float64
	Peers        int // clients without which there is no usual

	Ignore []string       // suffixes of paths of which failures do not count
	URIs   map[string]int // failed requests in a minute of one path, which then do not count among Failed
	Allow  []netip.Prefix // who is not looked at
}

// Default is what the rules are unless somebody says otherwise.
func Default() Rules {
	return Rules{
		Statuses: []int{400, 401, 403, 404, 405},
		Failed:   50, FailedShare: 20,
		Probed: 30, ProbedShare: 50,
		LoginPaths: []string{"POST *login*", "POST *signin*", "POST *sign-in*", "POST *auth*", "POST *session*", "POST *password*", "POST *token*"},
		Logins:     10, LoginsShare: 50,
		Bytes: 20 << 30, Downloads: 2000, DownloadSize: 1 << 20, Deviations: 10, Peers: 10,
		Ignore: []string{"/favicon.ico", "/robots.txt", "/apple-touch-icon.png", "/apple-touch-icon-precomposed.png"},
	}
}

const (
	short     = 5 * time.Second // a slot of what is counted by the minute
	perMinute = int64(time.Minute / short)
	long      = time.Minute // a slot of what is counted by ten minutes
	perWindow = int64(10)
	window    = time.Duration(perWindow) * long
	// grace is how long after a verdict the records of a client do not count: they
	// tell of requests before the verdict reached the edge.
	grace = time.Minute
	// maxClients bounds memory; who has been quiet longest is forgotten first.
	maxClients = 20_000
)

func (r *Rules) failed(status int) bool { return slices.Contains(r.Statuses, status) }

func (r *Rules) ignored(path string) bool {
	return slices.ContainsFunc(r.Ignore, func(suffix string) bool { return strings.HasSuffix(path, suffix) })
}

func (r *Rules) allowed(a netip.Addr) bool {
	return slices.ContainsFunc(r.Allow, func(p netip.Prefix) bool { return p.Contains(a) })
}

// login tells whether a request tries to log in.
func (r *Rules) login(method, path string) bool {
	return slices.ContainsFunc(r.LoginPaths, func(pattern string) bool {
		verb, glob, _ := strings.Cut(pattern, " ")
		return (verb == "*" || strings.EqualFold(verb, method)) && matches(strings.ToLower(glob), strings.ToLower(path))
	})
}

// matches compares a whole path with a pattern. It goes back to the last star only,
// which is enough because a star takes anything.
func matches(pattern, text string) bool {
	p, t, star, from := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// over tells whether part is more than a limit, and more than a share of the whole.
func over(part, limit, whole, share int) bool {
	return limit > 0 && part > limit && part*100 > whole*share
}
