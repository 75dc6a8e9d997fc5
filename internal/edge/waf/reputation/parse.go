package reputation

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// List is what a list says.
type List struct {
	Prefixes []netip.Prefix
	Notice   string // its own words about itself: copyright, terms, time
	Unread   int    // lines that are none of a list
	LeftOut  int    // prefixes that no list may have
}

// metadata is the last line of Spamhaus's lists in JSON, or one of their entries.
type metadata struct {
	CIDR      string `json:"cidr"`
	Type      string `json:"type"`
	Copyright string `json:"copyright"`
	Terms     string `json:"terms"`
}

// maxNotice is how much of a notice is kept apart from its list.
const maxNotice = 2000

// Parse reads a list in any of the formats: an address or CIDR a line with comments
// behind ; or # (Spamhaus's text, Emerging Threats), an object a line (Spamhaus's
// JSON), or the ExitAddress lines of Tor.
func Parse(doc []byte) (List, error) {
	var l List
	for line := range bytes.Lines(doc) {
		l.line(strings.TrimSpace(string(line)))
		if len(l.Prefixes) > maxEntries {
			return List{}, fault.Errorf(fault.TooLarge, "it has more than %d addresses", maxEntries)
		}
	}
	switch {
	case len(l.Prefixes) == 0:
		return List{}, fault.Errorf(fault.Invalid, "there is no address in it")
	case l.Unread > len(l.Prefixes)/10:
		return List{}, fault.Errorf(fault.Invalid, "%d lines are no addresses, beside %d that are: this is no list", l.Unread, len(l.Prefixes))
	}
	return l, nil
}

func (l *List) line(line string) {
	switch {
	case line == "":
		return
	case line[0] == ';' || line[0] == '#':
		if len(l.Prefixes) == 0 {
			l.note(strings.TrimLeft(line, ";# "))
		}
		return
	case line[0] == '{':
		l.object(line)
		return
	}
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "ExitAddress":
		word, _, _ = strings.Cut(strings.TrimSpace(rest), " ")
	case "ExitNode", "Published", "LastStatus":
		return
	}
	word, _, _ = strings.Cut(word, ";")
	word, _, _ = strings.Cut(word, "#")
	l.add(strings.TrimSpace(word))
}

func (l *List) object(line string) {
	var m metadata
	if json.Unmarshal([]byte(line), &m) != nil {
		l.Unread++
		return
	}
	if m.CIDR != "" {
		l.add(m.CIDR)
		return
	}
	l.note(strings.TrimSpace(m.Type + " " + m.Copyright + " " + m.Terms))
}

func (l *List) note(text string) {
	if text != "" && len(l.Notice)+len(text) < maxNotice {
		l.Notice = strings.TrimPrefix(l.Notice+"\n"+text, "\n")
	}
}

func (l *List) add(text string) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil {
			l.Unread++
			return
		}
		p = netip.PrefixFrom(a.Unmap().WithZone(""), a.Unmap().BitLen())
	}
	if p = p.Masked(); !listable(p) {
		l.LeftOut++
		return
	}
	l.Prefixes = append(l.Prefixes, p)
}

const (
	// widest4 and widest6 are the shortest prefixes that a list is believed.
	widest4, widest6 = 8, 16
)

// reserved are addresses of nobody on the internet.
var reserved = func() (list []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3",
		"::/8", "fc00::/7", "fe80::/10", "ff00::/8",
	} {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}()

// listable says whether a list may have the prefix.
func listable(p netip.Prefix) bool {
	if p.Addr().Is4() && p.Bits() < widest4 || p.Addr().Is6() && p.Bits() < widest6 {
		return false
	}
	for _, r := range reserved {
		if r.Overlaps(p) {
			return false
		}
	}
	return true
}
