package monitor

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`)
	statusForm = regexp.MustCompile(`^[1-5](xx|[0-9][0-9])$`)
	headerForm = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
)

// ParseDuration is time.ParseDuration that knows days too: 14d.
func ParseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err == nil && n >= 0 && n < 100_000 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no length of time, such as 30s, 5m or 14d", text)
	}
	return d, nil
}

// CheckName says what is wrong with the name of a monitor or a location.
func CheckName(what, name string) error {
	if !nameForm.MatchString(name) {
		return fault.Errorf(fault.Invalid, "the %s %q: up to 128 letters, digits, - and _, the first a letter or a digit", what, name)
	}
	return nil
}

// Check says what is wrong with a monitor, as fault.Invalid.
func (m *Monitor) Check() error {
	if err := CheckName("name", m.Name); err != nil {
		return err
	}
	wrong := func(format string, args ...any) error {
		return fault.Errorf(fault.Invalid, "monitor %s: %w", m.Name, fmt.Errorf(format, args...))
	}
	for what, text := range map[string]string{"title": m.Title, "group": m.Group, "owner": m.Owner, "runbook": m.Runbook} {
		if len(text) > 256 || strings.ContainsAny(text, "\r\n\x00") {
			return wrong("its %s is one line of up to 256 bytes", what)
		}
	}
	switch interval, slow := m.interval(), time.Duration(m.Slow); {
	case interval < leastInterval || interval > MaxInterval:
		return wrong("its interval is %v: from %v to %v", interval, MinInterval, MaxInterval)
	case m.timeout() <= 0 || m.timeout() > MaxTimeout:
		return wrong("its timeout is %v: up to %v", m.timeout(), MaxTimeout)
	case slow < 0 || slow > m.timeout():
		return wrong("it is slow from %v on: up to its timeout, %v", slow, m.timeout())
	case m.Quorum < 0 || m.Quorum > 100:
		return wrong("its quorum is %d: from 1 to 100, or 0 for more than half", m.Quorum)
	}
	for _, location := range m.Locations {
		if err := CheckName("location", location); err != nil {
			return wrong("%w", err)
		}
	}
	if m.Stack == "" && strings.HasPrefix(m.URL, "/") {
		return wrong("its URL is %q, which has no host; only monitors of a stack may leave it out", m.URL)
	}
	if err := m.Target.Check(); err != nil {
		return wrong("%w", err)
	}
	return nil
}

// Check says what is wrong with a target.
func (t *Target) Check() error {
	if err := checkURL(t.URL); err != nil {
		return err
	}
	if t.Method != "" && (!headerForm.MatchString(t.Method) || t.Method != strings.ToUpper(t.Method) || t.Method == http.MethodConnect) {
		return fmt.Errorf("its method is %q, such as GET or POST", t.Method)
	}
	if len(t.Body) > maxRequest || len(t.Headers) > maxHeaders {
		return fmt.Errorf("its request has %d bytes and %d headers: up to %d and %d", len(t.Body), len(t.Headers), maxRequest, maxHeaders)
	}
	for name, value := range t.Headers {
		if !headerForm.MatchString(name) || strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("its header %q is none", name)
		}
	}
	return t.Expect.Check()
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("its URL cannot be read; it begins with https:// or http://")
	case strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//"):
		return nil
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("its URL is %q, which does not begin with https://HOST or http://HOST", u.Redacted())
	case u.User != nil:
		return fmt.Errorf("its URL has a user and a password, which whoever may see monitors would see; send them as the header Authorization, whose value is hidden")
	}
	return nil
}

// Check says what is wrong with conditions.
func (c *Conditions) Check() error {
	for _, s := range c.Status {
		if !statusForm.MatchString(s) {
			return fmt.Errorf("it expects status %q: a code such as 200 or a class such as 2xx", s)
		}
	}
	for _, expression := range c.Matches {
		if _, err := regexp.Compile(expression); err != nil {
			return fmt.Errorf("it expects a body that matches %q: %w", expression, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if !headerForm.MatchString(name) {
			return fmt.Errorf("it expects the header %q, which is none", name)
		}
	}
	for _, j := range c.JSON {
		if _, err := parsePath(j.Path); err != nil {
			return fmt.Errorf("it expects JSON at %q: %w", j.Path, err)
		}
	}
	if c.Certificate < 0 || c.Within < 0 {
		return fmt.Errorf("it expects a certificate or an answer within a time that is negative")
	}
	return nil
}
