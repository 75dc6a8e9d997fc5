package edge

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// AccessRecord describes one request, in the fields of CloudFront's log.
type AccessRecord struct {
	Time           time.Time     `json:"time"`           // the request's last byte went out Took later
	Client         string        `json:"client"`         // address, the one behind trusted proxies
	Port           int           `json:"port,omitempty"` // of the peer
	Method         string        `json:"method"`
	Host           string        `json:"host"`             // as the client named it
	Path           string        `json:"path"`             // escaped, without the query
	Query          string        `json:"query,omitempty"`  // with the values of what is secret taken out
	Cookie         string        `json:"cookie,omitempty"` // only where the distribution's log asks for it
	Status         int           `json:"status"`           // 0: the connection ended before an answer
	BytesIn        int64         `json:"bytesIn"`          // of the request, head included
	BytesOut       int64         `json:"bytesOut"`         // of the response, head included
	Took           time.Duration `json:"took"`
	FirstByte      time.Duration `json:"firstByte"`
	Referrer       string        `json:"referrer,omitempty"` // without its query
	UserAgent      string        `json:"userAgent,omitempty"`
	ForwardedFor   string        `json:"forwardedFor,omitempty"` // X-Forwarded-For as it came
	Request        string        `json:"request"`                // X-Amz-Cf-Id
	Distribution   string        `json:"distribution,omitempty"` // id
	Domain         string        `json:"domain,omitempty"`       // of the distribution
	Stack          string        `json:"stack,omitempty"`        // the origin that answered
	Protocol       string        `json:"protocol"`               // http, https, ws, wss
	Version        string        `json:"version"`                // HTTP/1.1, HTTP/2.0 ...
	TLSVersion     string        `json:"tlsVersion,omitempty"`   // TLSv1.3
	TLSCipher      string        `json:"tlsCipher,omitempty"`    // TLS_AES_128_GCM_SHA256
	Result         string        `json:"result"`                 // Hit, RefreshHit, Miss, LimitExceeded, CapacityExceeded, Error, Redirect
	ResponseResult string        `json:"responseResult"`         // likewise, before the response went out
	Detail         string        `json:"detail"`                 // x-edge-detailed-result-type
	ContentType    string        `json:"contentType,omitempty"`
	ContentLength  int64         `json:"contentLength"` // -1: not said
	RangeStart     string        `json:"rangeStart,omitempty"`
	RangeEnd       string        `json:"rangeEnd,omitempty"`
	Rule           string        `json:"rule,omitempty"`   // of the web ACL that ended the request, or "ban"
	Labels         []string      `json:"labels,omitempty"` // that its rules have given
	Trace          string        `json:"trace,omitempty"`  // ID of its trace, if an origin was to be asked
	// Refused says that the edge itself turned the request away (a ban, a rule, a
	// limit): it must not count against the client once more.
	Refused bool `json:"refused,omitempty"`
}

// tls notes what is known of the connection.
func (a *AccessRecord) tls(c *tls.ConnectionState) {
	if c == nil {
		return
	}
	a.TLSVersion = map[uint16]string{tls.VersionTLS10: "TLSv1", tls.VersionTLS11: "TLSv1.1", tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}[c.Version]
	a.TLSCipher = tls.CipherSuiteName(c.CipherSuite)
}

// finish completes a visit's record. broken says that the answer was cut off.
func (v *visit) finish(broken bool) {
	a := &v.record
	a.Took, a.Status = time.Since(a.Time), v.status
	if !v.first.IsZero() {
		a.FirstByte = v.first.Sub(a.Time)
	}
	a.BytesIn, a.BytesOut = a.BytesIn+v.body.state().bytes, v.size+v.bytes
	if v.in.ProtoMajor == 1 {
		a.BytesOut += v.framing()
		if v.in.Close && len(v.Header()["Connection"]) == 0 {
			a.BytesOut += int64(len("Connection: close\r\n"))
		}
	}
	if v.status == http.StatusSwitchingProtocols {
		fromOrigin, fromClient := v.asked.Traffic()
		a.BytesIn, a.BytesOut = a.BytesIn+fromClient, a.BytesOut+fromOrigin
		a.Protocol = map[bool]string{false: "ws", true: "wss"}[v.secure]
	}
	h := v.Header()
	a.ContentType = h.Get("Content-Type")
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil {
		a.ContentLength = n
	}
	if v.status == http.StatusPartialContent {
		span, _, _ := strings.Cut(strings.TrimPrefix(h.Get("Content-Range"), "bytes "), "/")
		a.RangeStart, a.RangeEnd, _ = strings.Cut(span, "-")
	}
	v.classify(broken)
}

// classify fills in how the request ended, in CloudFront's words.
func (v *visit) classify(broken bool) {
	a := &v.record
	if a.Result == "" {
		a.Result = "Miss"
		if v.status >= http.StatusBadRequest || v.status == 0 {
			a.Result = "Error"
		}
	}
	a.ResponseResult = a.Result
	left := v.failed || v.in.Context().Err() != nil
	switch {
	case left && (broken || v.status == 0 || v.failed):
		a.Result, a.Detail = "Error", "ClientCommError"
		if v.body.state().err != nil {
			a.Detail = "ClientHungUpRequest"
		}
	case broken:
		a.Result, a.Detail = "Error", "OriginCommError"
	}
	if a.Detail == "" && a.Result == "Error" {
		a.Detail = v.asked.Detail()
	}
	if a.Detail == "" {
		a.Detail = a.Result
	}
}

// secrets are names of parameters whose values are not written down, in small letters
// alone. Those that begin with X-Amz- are likewise.
var secrets = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(`accesstoken apikey auth authorization authtoken clientsecret code idtoken jwt key keypairid
		pass passwd password policy pwd refreshtoken secret session sessionid sig signature state t ticket token xapikey xauthtoken`) {
		m[name] = true
	}
	return m
}()

// isSecret says whether a parameter's value is not written down: access_token,
// Access-Token and accessToken are one.
func isSecret(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "x-amz-") || secrets[separators.Replace(name)]
}

var separators = strings.NewReplacer("-", "", "_", "", ".", "")

// redacted is a query with the values of what is secret taken out. Some servers take
// ";" for "&"; to others it is part of a value, which goes whole.
func redacted(query string) string {
	if query == "" {
		return ""
	}
	var out strings.Builder
	for i, pair := range strings.Split(query, "&") {
		if i > 0 {
			out.WriteByte('&')
		}
		at := 0
		for part := range strings.SplitSeq(pair, ";") {
			if name, _, has := strings.Cut(part, "="); has && isSecret(name) {
				pair = pair[:at+len(name)] + "=REDACTED"
				break
			}
			at += len(part) + len(";")
		}
		out.WriteString(pair)
	}
	return out.String()
}

func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	if len(address) > 1024 {
		address = address[:1024]
	}
	return address
}
