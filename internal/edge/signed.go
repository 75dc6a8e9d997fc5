package edge

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/edge/private"
)

// keysOf are the keys of a behaviour's signers, which have been checked; nil: it is
// for everybody.
func keysOf(signers []PublicKey) private.Keys {
	if len(signers) == 0 {
		return nil
	}
	keys := private.Keys{}
	for _, s := range signers {
		if key, err := private.ParseKey(s.PEM); err == nil {
			keys[s.ID] = key
		}
	}
	return keys
}

// unsigned answers requests to private content that show no right to it. Of those
// that do, the signature is taken out: it must tell no stored responses apart, and is
// none of the origin's business.
func (v *visit) unsigned(l *lane) bool {
	if l.keys == nil {
		return false
	}
	claim, rest := private.Take(v.in)
	v.in = rest
	why := l.keys.Judge(claim, v.urls(), v.client, time.Now())
	if why == nil && climbs(v.in.URL.Path) { // a signature for "/alice/*" is not for "/alice/../bob"
		why = &private.Refusal{Code: "AccessDenied", Message: "Access denied"}
	}
	if why == nil {
		return false
	}
	v.record.Detail, v.record.Refused = "Error", false // who asks without a right to has failed, and counts
	v.errorDocument(http.StatusForbidden, why.Code, why.Message)
	return true
}

// urls are the ways to write the address that was asked for, without a signature:
// signers leave the port out, or do not.
func (v *visit) urls() []string {
	scheme := "http://"
	if v.secure {
		scheme = "https://"
	}
	rest := v.record.Path
	if q := v.in.URL.RawQuery; q != "" {
		rest += "?" + q
	}
	urls := []string{scheme + v.in.Host + rest}
	if name, _, ok := strings.Cut(v.in.Host, ":"); ok && !strings.Contains(name, "[") {
		urls = append(urls, scheme+name+rest)
	}
	return urls
}

// errorDocument answers with an error as CloudFront writes some of them.
func (v *visit) errorDocument(status int, code, message string) {
	doc, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: message})
	if err != nil { // of two strings: it cannot be
		panic(err)
	}
	doc = append([]byte(xml.Header), doc...)
	h := v.Header()
	h["Content-Type"], h["Content-Length"], h["Cache-Control"] = []string{"text/xml"}, []string{strconv.Itoa(len(doc))}, []string{"no-store"}
	if v.in.ContentLength != 0 {
		v.closing()
	}
	v.WriteHeader(status)
	if v.in.Method != http.MethodHead {
		_, _ = v.Write(doc) // the client may have left
	}
}
