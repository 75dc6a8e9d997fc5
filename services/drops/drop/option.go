package drop

import (
	"strconv"
	"strings"
	"time"
)

// Options are what a person may say about a drop. Has tells which were given,
// by the names of the constants below.
type Options struct {
	Title     string
	Password  string
	ExpiresAt time.Time
	MaxViews  int64
	Obscure   bool
	Variant   string
	Name      string
	Has       map[string]bool
}

// Names of options.
const (
	OptTitle    = "title"
	OptPassword = "password"
	OptExpire   = "expire"
	OptMaxViews = "max_views"
	OptPrivacy  = "privacy"
	OptVariant  = "variant"
	OptFilename = "filename"
)

// Values looks a name up among the fields, the query or the headers of a
// request; header names are lower case.
type Values struct {
	Fields  map[string][]string
	Query   map[string]string
	Headers map[string]string
}

type reader func(o *Options, value string, now time.Time) *Error

// option lists the spellings under which an option is accepted. Fields win over
// the query, the query over headers.
type option struct {
	name    string
	names   []string
	headers []string
	read    reader
}

var options = []option{
	{OptTitle, []string{"title"}, []string{"x-title"}, readTitle},
	{OptPassword, []string{"password"}, []string{"x-password", "x-zipline-password"}, readPassword},
	{OptExpire, []string{"expire", "expires", "expiry"}, []string{"x-expire", "x-expires", "x-zipline-deletes-at"}, readExpire},
	{OptExpire, []string{"max_days"}, []string{"max-days"}, readDays},
	{OptMaxViews, []string{"max_views", "maxViews", "max_downloads"}, []string{"x-max-views", "max-downloads", "x-zipline-max-views"}, readViews},
	{OptMaxViews, []string{"oneshot"}, []string{"x-oneshot"}, readOneshot},
	{OptPrivacy, []string{"privacy"}, []string{"x-privacy"}, readPrivacy},
	{OptVariant, []string{"variant"}, []string{"x-variant"}, readVariant},
	{OptFilename, []string{"filename"}, []string{"x-filename", "x-zipline-filename"}, readName},
}

// ParseOptions reads every option of a request. An error names the field as the
// client spelled it.
func ParseOptions(v Values, now time.Time) (Options, *Error) {
	o := Options{Has: map[string]bool{}}
	for _, opt := range options {
		spelled, value, ok := v.find(opt)
		if !ok {
			continue
		}
		if o.Has[opt.name] {
			return o, Invalid(spelled, "%s was given twice, in different ways; give one", opt.name)
		}
		if err := opt.read(&o, value, now); err != nil {
			err.Message = spelled + ": " + err.Fields[0].Message
			err.Fields[0].Field = spelled
			return o, err
		}
		o.Has[opt.name] = true
	}
	return o, nil
}

func (v Values) find(opt option) (spelled, value string, ok bool) {
	for _, n := range opt.names {
		if list := v.Fields[n]; len(list) > 0 {
			return n, list[0], true
		}
	}
	for _, n := range opt.names {
		if s, ok := v.Query[n]; ok {
			return n, s, true
		}
	}
	for _, n := range opt.headers {
		if s, ok := v.Headers[n]; ok {
			return n, s, true
		}
	}
	return "", "", false
}

func readTitle(o *Options, s string, _ time.Time) *Error {
	s = strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > 500 {
		return Invalid(OptTitle, "is %d bytes long; at most 500 are allowed", len(s))
	}
	o.Title = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
	return nil
}

func readPassword(o *Options, s string, _ time.Time) *Error {
	if len(s) > 1024 {
		return Invalid(OptPassword, "is longer than 1024 bytes")
	}
	o.Password = s
	return nil
}

func readName(o *Options, s string, _ time.Time) *Error {
	if o.Name = CleanName(s); o.Name == "" && s != "" {
		return Invalid(OptFilename, "has no usable characters")
	}
	return nil
}

func readVariant(o *Options, s string, _ time.Time) *Error {
	switch v := strings.ToLower(s); v {
	case Markdown, Code, Plain:
		o.Variant = v
	case "", "auto":
	default:
		return Invalid(OptVariant, "%q is not one of markdown, code, plain", shown(s))
	}
	return nil
}

func readPrivacy(o *Options, s string, _ time.Time) *Error {
	switch strings.ToLower(s) {
	case "obscure":
		o.Obscure = true
	case "public", "":
	default:
		return Invalid(OptPrivacy, "%q is not one of public, obscure (set a password to keep a drop private)", shown(s))
	}
	return nil
}

func readViews(o *Options, s string, _ time.Time) *Error {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	switch {
	case strings.TrimSpace(s) == "":
		return nil
	case err != nil || n < 0:
		return Invalid(OptMaxViews, "%q is not a whole number from 1 (0 for no limit)", shown(s))
	case n > 1e9:
		return Invalid(OptMaxViews, "%d is more than 1000000000", n)
	}
	o.MaxViews = n
	return nil
}

func readOneshot(o *Options, s string, _ time.Time) *Error {
	switch strings.ToLower(s) {
	case "", "1", "true", "yes", "on":
		o.MaxViews = 1
	case "0", "false", "no", "off":
	default:
		return Invalid("oneshot", "%q is not true or false", shown(s))
	}
	return nil
}

func readDays(o *Options, s string, now time.Time) *Error {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 1 || n > maxDays {
		return Invalid("max_days", "%q is not a number of days from 1 to %d", shown(s), maxDays)
	}
	o.ExpiresAt = now.AddDate(0, 0, n)
	return nil
}

const maxDays = 3650

// units of an expiry such as 1h30m.
var units = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

func readExpire(o *Options, s string, now time.Time) *Error {
	s = strings.TrimSpace(s)
	if s == "" || strings.EqualFold(s, "never") {
		return nil
	}
	at, err := expiry(s, now)
	if err != nil {
		return err
	}
	if !at.After(now) {
		return Invalid(OptExpire, "%q is in the past", shown(s))
	}
	if at.After(now.AddDate(0, 0, maxDays)) {
		return Invalid(OptExpire, "%q is more than %d days away", shown(s), maxDays)
	}
	o.ExpiresAt = at
	return nil
}

func expiry(s string, now time.Time) (time.Time, *Error) {
	s = strings.TrimPrefix(s, "date=") // Zipline's spelling of an absolute time
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		if ms > 1e11 && ms < 1e14 {
			return time.UnixMilli(ms), nil
		}
		return time.Time{}, Invalid(OptExpire, "%q has no unit; write 30m, 1h, 7d, an ISO time, or milliseconds since 1970", shown(s))
	}
	d, ok := span(strings.ToLower(s))
	if !ok {
		return time.Time{}, Invalid(OptExpire, "%q is not understood; write 30m, 1h, 7d, an ISO time such as 2030-01-31T12:00:00Z, or never", shown(s))
	}
	return now.Add(d), nil
}

// span reads 90m, 1d12h and the like: whole numbers with the units s m h d w.
func span(s string) (time.Duration, bool) {
	var total time.Duration
	for s != "" {
		i := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		if i == 0 || i > 8 || i == len(s) {
			return 0, false
		}
		n, _ := strconv.Atoi(s[:i])
		unit, ok := units[s[i]]
		if !ok || time.Duration(n) > 20*365*24*time.Hour/unit {
			return 0, false
		}
		total += time.Duration(n) * unit
		s = s[i+1:]
	}
	return total, total > 0 && total < 20*365*24*time.Hour
}

// shown keeps a client's text short enough for a message.
func shown(s string) string { return cut(strings.ToValidUTF8(s, "\uFFFD"), 60) }
