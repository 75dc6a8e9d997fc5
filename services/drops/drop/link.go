package drop

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// MaxLink is the longest link target in bytes.
const MaxLink = 8 << 10

// ShortLink is the address people share; base is "https://host" or "".
func ShortLink(base, code string) string { return base + "/" + code }

// RawLink is the address of the drop's bytes, with its file name at the end so
// that tools which name files by URL name them well.
func RawLink(base string, d *Drop) string {
	link := base + "/raw/" + d.Code
	if d.Name != "" {
		link += "/" + url.PathEscape(d.Name)
	}
	return link
}

// ThumbLink is the address of the thumbnail.
func ThumbLink(base, code string) string { return base + "/thumb/" + code }

// DeleteLink deletes the drop when it is sent a DELETE.
func DeleteLink(base, code, key string) string {
	return base + "/drops/" + code + "?key=" + url.QueryEscape(key)
}

// Base is the origin that the client used, from the front door's forwarding
// headers; header names are lower case. fallback is used when no header names a
// host.
func Base(headers map[string]string, fallback string) string {
	host := first(headers["x-forwarded-host"])
	if !validHost(host) {
		host = first(headers["host"])
	}
	if !validHost(host) {
		host = fallback
	}
	if !validHost(host) {
		return ""
	}
	proto := strings.ToLower(first(headers["x-forwarded-proto"]))
	if proto != "https" && proto != "http" {
		proto = "https"
		if loopback(host) {
			proto = "http"
		}
	}
	return proto + "://" + host
}

// CheckLink validates the target of a link drop. own lists origins that are
// ourselves: a short link to a short link would be a loop.
func CheckLink(raw string, own ...string) (string, *Error) {
	raw = strings.TrimSpace(raw)
	bad := func(format string, args ...any) (string, *Error) {
		e := Invalid("url", format, args...)
		e.Code = "CreateDrop.InvalidUrl"
		return "", e
	}
	if len(raw) > MaxLink {
		return bad("is %d bytes long; at most %d are allowed", len(raw), MaxLink)
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return bad("contains spaces or control characters; percent-encode them")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return bad("is not a URL: %v", err)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return bad("must begin with http:// or https://")
	}
	if u.Hostname() == "" {
		return bad("has no host")
	}
	for _, o := range own {
		if ours, err := url.Parse(o); err == nil && ours.Host != "" && sameHost(ours, u) {
			e := Errorf(http.StatusBadRequest, "CreateDrop.RecursiveLink", "url: points to this service (%s); link to what you want to share instead", ours.Host)
			e.Fields = []FieldError{{Field: "url", Message: "points to this service"}}
			return "", e
		}
	}
	return u.String(), nil
}

func sameHost(a, b *url.URL) bool {
	return canonical(a.Hostname()) == canonical(b.Hostname()) && port(a) == port(b)
}

// canonical makes every name of the loopback one name.
func canonical(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if loopback(host) {
		return "localhost"
	}
	return host
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

func loopback(host string) bool {
	if u, err := url.Parse("//" + host); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || ip.IsUnspecified())
}

func validHost(host string) bool {
	if host == "" || len(host) > 255 || strings.ContainsAny(host, "/\\@?#<>\"'` ,") {
		return false
	}
	u, err := url.Parse("//" + host)
	return err == nil && u.Host == host && u.Hostname() != ""
}

func first(list string) string {
	item, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(item)
}
