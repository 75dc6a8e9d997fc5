package network

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// zone is a private hosted zone, arranged for answers. Names are lower case,
// without the final dot.
type zone struct {
	name  string
	soa   *dns.SOA
	names map[string]map[uint16][]dns.RR // also of names that only lead to longer ones
}

// soaTTL bounds, in seconds, how long a missing name is believed to be missing.
const soaTTL = 60

func soa(name string) *dns.SOA {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: dns.Fqdn(name), Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: soaTTL},
		Ns:  "ns.dropstack.internal.", Mbox: "hostmaster.dropstack.internal.",
		Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: soaTTL,
	}
}

// newZone arranges a zone that check has passed.
func newZone(z Zone) *zone {
	compiled := &zone{name: z.Name, soa: soa(z.Name), names: map[string]map[uint16][]dns.RR{z.Name: {}}}
	compiled.names[z.Name][dns.TypeSOA] = []dns.RR{compiled.soa}
	for _, r := range z.Records {
		for name := r.Name; len(name) > len(z.Name); _, name, _ = strings.Cut(name, ".") {
			if compiled.names[name] == nil {
				compiled.names[name] = map[uint16][]dns.RR{}
			}
		}
		for _, value := range r.Values {
			rr, _ := r.parse(value) // checked
			kind := rr.Header().Rrtype
			compiled.names[r.Name][kind] = append(compiled.names[r.Name][kind], rr)
		}
	}
	return compiled
}

// lookup finds the records of a name of the zone, those of a wildcard if it has
// none (RFC 4592: of the closest name that exists); nil when there is no such name.
func (z *zone) lookup(name string) map[uint16][]dns.RR {
	if sets, ok := z.names[name]; ok {
		return sets
	}
	for len(name) > len(z.name) {
		_, name, _ = strings.Cut(name, ".")
		if _, ok := z.names[name]; ok {
			return z.names["*."+name]
		}
	}
	return nil
}

func (c *checker) checkZones() {
	seen := map[[2]string]bool{}
	for _, z := range c.model.Zones {
		what := "zone " + z.Name
		if fault := nameFault(z.Name, false); fault != "" {
			c.bad(what, "the name %s", fault)
		}
		if len(z.VPCs) == 0 {
			c.bad(what, "no VPC sees it; a private zone names at least one")
		}
		for _, v := range z.VPCs {
			if _, known := c.vpcs[v]; !known {
				c.bad(what, "VPC %q does not exist", v)
			}
			if key := [2]string{v, z.Name}; seen[key] {
				c.bad(what, "VPC %s sees two zones of this name", v)
			} else {
				seen[key] = true
			}
		}
		c.checkRecords(z)
	}
}

func (c *checker) checkRecords(z Zone) {
	types := map[string][]string{}
	for _, r := range z.Records {
		what := "record " + r.Name + " " + r.Type
		if fault := nameFault(r.Name, true); fault != "" {
			c.bad(what, "the name %s", fault)
		} else if r.Name != z.Name && !strings.HasSuffix(r.Name, "."+z.Name) {
			c.bad(what, "is not in zone %s", z.Name)
		}
		if slices.Contains(types[r.Name], r.Type) {
			c.bad(what, "there are two of this name and type")
		}
		types[r.Name] = append(types[r.Name], r.Type)
		if r.TTL > math.MaxInt32 {
			c.bad(what, "TTL %d is over %d seconds", r.TTL, math.MaxInt32)
		}
		if len(r.Values) == 0 {
			c.bad(what, "has no values")
		}
		if r.Type == "CNAME" && (len(r.Values) > 1 || r.Name == z.Name) {
			c.bad(what, "a CNAME has one value, and the zone's own name cannot be one")
		}
		for _, value := range r.Values {
			if _, err := r.parse(value); err != nil {
				c.bad(what, "%v", err)
			}
		}
	}
	for _, r := range z.Records {
		if r.Type == "CNAME" && len(types[r.Name]) > 1 {
			c.bad("record "+r.Name+" CNAME", "a name with a CNAME has no other records")
		}
	}
}

// nameFault says what is wrong with a name, as the end of a sentence.
func nameFault(name string, wildcard bool) string {
	switch {
	case name == "":
		return "is empty"
	case strings.HasSuffix(name, "."):
		return "ends with a dot; leave it out"
	case name != strings.ToLower(name):
		return "is not in lower case"
	case len(name) > 253:
		return "is longer than 253 bytes"
	}
	for i, label := range strings.Split(name, ".") {
		if wildcard && i == 0 && label == "*" && len(name) > 1 {
			continue
		}
		if fault, ok := validLabel(label); !ok {
			return fault
		}
	}
	return ""
}

func validLabel(label string) (string, bool) {
	if label == "" || len(label) > 63 {
		return "has a label that is empty or longer than 63 bytes", false
	}
	for _, b := range []byte(label) {
		if b != '-' && b != '_' && (b < '0' || b > '9') && (b < 'a' || b > 'z') {
			return fmt.Sprintf("has the byte %q; letters, digits, - and _ are possible, and * as the whole first label of records", b), false
		}
	}
	return "", true
}

// parse reads a value in Route 53's text form.
func (r Record) parse(value string) (dns.RR, error) {
	hdr := dns.RR_Header{Name: dns.Fqdn(r.Name), Rrtype: dns.StringToType[r.Type], Class: dns.ClassINET, Ttl: r.TTL}
	switch r.Type {
	case "A", "AAAA":
		a, err := netip.ParseAddr(value)
		if err != nil || a.Zone() != "" || a.Is4() != (r.Type == "A") {
			return nil, fmt.Errorf("value %q is not an address of its kind", value)
		}
		if a.Is4() {
			return &dns.A{Hdr: hdr, A: a.AsSlice()}, nil
		}
		return &dns.AAAA{Hdr: hdr, AAAA: a.AsSlice()}, nil
	case "CNAME":
		target, err := targetName(value)
		return &dns.CNAME{Hdr: hdr, Target: target}, err
	case "TXT":
		parts, err := textStrings(value)
		return &dns.TXT{Hdr: hdr, Txt: parts}, err
	case "MX":
		n, target, err := numbered(value, 1)
		return &dns.MX{Hdr: hdr, Preference: n[0], Mx: target}, err
	case "SRV":
		n, target, err := numbered(value, 3)
		return &dns.SRV{Hdr: hdr, Priority: n[0], Weight: n[1], Port: n[2], Target: target}, err
	}
	return nil, fmt.Errorf("type %q is none of A, AAAA, CNAME, TXT, SRV, MX", r.Type)
}

// targetName reads a name that a record leads to, with or without its final dot.
func targetName(value string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(value, "."))
	if fault := nameFault(name, false); fault != "" {
		return "", fmt.Errorf("value %q %s", value, fault)
	}
	return name + ".", nil
}

// numbered reads count numbers of 16 bits and a name.
func numbered(value string, count int) ([]uint16, string, error) {
	fields, numbers := strings.Fields(value), make([]uint16, count)
	if len(fields) != count+1 {
		return numbers, "", fmt.Errorf("value %q is not %d numbers and a name", value, count)
	}
	for i := range numbers {
		n, err := strconv.ParseUint(fields[i], 10, 16)
		if err != nil {
			return numbers, "", fmt.Errorf("value %q: %q is not a number from 0 to 65535", value, fields[i])
		}
		numbers[i] = uint16(n)
	}
	target, err := targetName(fields[count])
	return numbers, target, err
}

// textStrings reads strings in double quotes, or one without. The library keeps
// strings in presentation form, so a backslash escapes.
func textStrings(value string) ([]string, error) {
	if !strings.HasPrefix(value, `"`) {
		value = strings.ReplaceAll(strings.ReplaceAll(value, `\`, `\\`), `"`, `\"`)
		return inChunks(value), nil
	}
	var parts []string
	for rest := value; rest != ""; rest = strings.TrimLeft(rest, " \t") {
		end := 1
		for ; end < len(rest) && rest[end] != '"'; end++ {
			if rest[end] == '\\' {
				end++
			}
		}
		if rest[0] != '"' || end >= len(rest) {
			return nil, fmt.Errorf("value %q: every string has two quotes", value)
		}
		part := rest[1:end]
		if wire := len(inChunks(part)); wire > 1 {
			return nil, fmt.Errorf("value %q has a string of more than 255 bytes", value)
		}
		parts, rest = append(parts, part), rest[end+1:]
	}
	return parts, nil
}

// inChunks splits text in presentation form into strings of 255 bytes at most,
// never inside an escape.
func inChunks(text string) []string {
	var parts []string
	start, size := 0, 0
	for i := 0; i < len(text); i++ {
		if size == 255 {
			parts, start, size = append(parts, text[start:i]), i, 0
		}
		if text[i] == '\\' {
			if i+3 < len(text) && isDigit(text[i+1]) && isDigit(text[i+2]) && isDigit(text[i+3]) {
				i += 2
			}
			i++
		}
		size++
	}
	return append(parts, text[min(start, len(text)):])
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// dnsNames is the names at which an endpoint is found in its VPC.
func (e Endpoint) dnsNames(region string) []string {
	names := slices.Clone(e.Names)
	if e.PrivateDNS {
		name := e.Service + "." + region + ".amazonaws.com"
		names = append(names, name)
		if e.Service == "s3" { // buckets are part of its names
			names = append(names, "*."+name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
