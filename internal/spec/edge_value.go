package spec

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Selection is some of the parameters, headers or cookies of a request. Mode is
// "none", "all", "whitelist" or "allExcept".
type Selection struct {
	Mode  string
	Names []string
}

// selection reads "all", "none", a list of names, or {except: NAMES}; {mode, names}
// says the same in CloudFront's words.
func (r *reader) selection(n *node, what string) Selection {
	switch {
	case n.scalar():
		return Selection{Mode: r.choice(n, what, "all", "none")}
	case n.kind == list:
		return Selection{"whitelist", r.strings(n, what)}
	}
	s := Selection{Mode: "none"}
	r.strict(n, what, keys{
		"except": func(v *node) { s = Selection{"allExcept", r.strings(v, what+".except")} },
		"mode":   func(v *node) { s.Mode = r.choice(v, what+".mode", "none", "all", "whitelist", "allExcept") },
		"names":  func(v *node) { s.Names = r.strings(v, what+".names") },
	})
	if (s.Mode == "whitelist" || s.Mode == "allExcept") && len(s.Names) == 0 {
		r.fail(n.pos, "%s names nothing; write all or none", what)
	}
	return s
}

const day = 24 * time.Hour

// duration reads a time such as 10s, 5m, 1h or 7d; a bare number is seconds.
func (r *reader) duration(n *node, what string, lo, hi time.Duration) time.Duration {
	s := strings.TrimSpace(r.str(n, what))
	if n.kind == broken {
		return lo
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		d, err = scaled(days, day)
	} else if number, e := strconv.ParseFloat(s, 64); e == nil && number >= 0 {
		d, err = scaled(s, time.Second)
	}
	switch {
	case err != nil:
		r.fail(n.pos, "%s: %q is not a time such as 10s, 5m, 1h or 7d", what, s)
	case d < lo || d > hi:
		r.fail(n.pos, "%s must be from %s to %s, not %s", what, briefly(lo), briefly(hi), s)
	default:
		return d
	}
	return lo
}

func scaled(number string, unit time.Duration) (time.Duration, error) {
	f, err := strconv.ParseFloat(number, 64)
	if err == nil && !(f >= 0 && f <= float64(100*365*day)/float64(unit)) {
		err = strconv.ErrRange
	}
	return time.Duration(f * float64(unit)), err
}

// briefly is a duration as people write it.
func briefly(d time.Duration) string {
	switch {
	case d >= day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0 && d > 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0 && d > 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// size reads a number of bytes such as "5 GB".
func (r *reader) size(n *node, what string) int64 {
	bytes, err := parseSize(r.str(n, what))
	if err != nil && n.kind != broken {
		r.fail(n.pos, "%s: %v", what, err)
	}
	return bytes
}

var size = regexp.MustCompile(`^(\d+)\s*(B|KB|MB|GB|TB)?$`)

// parseSize reads a number of bytes such as "5 GB"; 1 KB is 1024 bytes, as in the
// limits that AWS states.
func parseSize(s string) (int64, error) {
	m := size.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(s)))
	if m == nil {
		return 0, fmt.Errorf("%q is not a size such as 5 GB, 200 MB or 1048576", s)
	}
	shift := map[string]uint{"KB": 10, "MB": 20, "GB": 30, "TB": 40}[m[2]]
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is out of range; leave it out for no limit", s)
	}
	return n << shift, nil
}
