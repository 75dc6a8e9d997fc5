package cache

import (
	"net/url"
	"slices"
	"strings"
)

// Has says whether a parameter, header or cookie of the name is selected. Names of
// headers count in any case, those of parameters and cookies as they are spelled.
func (s Selection) Has(name string) bool {
	switch s.Mode {
	case All:
		return true
	case Only:
		return slices.Contains(s.Names, name)
	case Except:
		return !slices.Contains(s.Names, name)
	}
	return false
}

// HasHeader is Has for the name of a header.
func (s Selection) HasHeader(name string) bool {
	named := func() bool {
		return slices.ContainsFunc(s.Names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	switch s.Mode {
	case All:
		return true
	case Only:
		return named()
	case Except:
		return !named()
	}
	return false
}

// Query returns the selected parameters of a raw query, as they were written and in
// their order: CloudFront does not sort either, because order may mean something to
// an origin.
func (s Selection) Query(raw string) string {
	if raw == "" || s.Mode == All {
		return raw
	}
	if s.Mode != Only && s.Mode != Except {
		return ""
	}
	var b strings.Builder
	for pair := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if pair == "" || !s.hasParameter(name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(pair)
	}
	return b.String()
}

// hasParameter compares names as origins will read them: "%61" is "a".
func (s Selection) hasParameter(name string) bool {
	if strings.ContainsAny(name, "%+") {
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
	}
	return s.Has(name)
}

// Cookies returns the selected cookies of Cookie headers, as one header's value, as
// they were written and in their order.
func (s Selection) Cookies(lines []string) string {
	if len(lines) == 0 || s.Mode == None || s.Mode == "" {
		return ""
	}
	if s.Mode == All && len(lines) == 1 {
		return lines[0]
	}
	var b strings.Builder
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.Trim(pair, " \t")
			if name, _, _ := strings.Cut(pair, "="); pair == "" || !s.Has(strings.TrimRight(name, " \t")) {
				continue
			}
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(pair)
		}
	}
	return b.String()
}
