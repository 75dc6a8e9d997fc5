// Package crs is the OWASP Core Rule Set, for behaviours that ask for it: some
// hundred rules more than the default web ACL, for milliseconds a request. It looks at
// requests alone and never at what the origin answers, so that nothing is held back.
package crs

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/dropstack/dropstack/internal/edge/waf"
)

// Rules is the rule set. It is compiled when a request asks for it first, which takes
// some hundred milliseconds and 20 MB.
type Rules struct {
	first    sync.Once
	compiled coraza.WAF
	err      error
}

// setup is the engine's configuration; the rule set's own comes after it. Requests
// are blocked from an anomaly score of five on, which is one critical finding, at
// paranoia level 1.
const setup = `
SecRuleEngine On
SecRxPreFilter On
SecRequestBodyAccess On
SecRequestBodyLimit 131072
SecRequestBodyInMemoryLimit 131072
SecRequestBodyLimitAction ProcessPartial
SecResponseBodyAccess Off
SecAuditEngine Off
SecArgumentsLimit 1000
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/(?:[a-z0-9.-]+[+])?json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
Include @crs-setup.conf.example
SecAction "id:900200,phase:1,pass,t:none,nolog,setvar:'tx.allowed_methods=GET HEAD POST OPTIONS PUT PATCH DELETE'"
`

func (r *Rules) compile() {
	directives := strings.Builder{}
	directives.WriteString(setup)
	names, err := fs.Glob(coreruleset.FS, "@owasp_crs/*.conf")
	if err != nil {
		r.err = err
		return
	}
	for _, name := range names {
		if !strings.Contains(name, "RESPONSE-") { // what looks at answers
			fmt.Fprintf(&directives, "Include %s\n", name)
		}
	}
	r.compiled, r.err = coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(directives.String()))
}

// Judge says whether the rule set blocks the request, and the numbers of the rules
// that have matched. The body is asked for only if the head is no reason enough.
func (r *Rules) Judge(q *waf.Request, body func() string) (block bool, rules []string, err error) {
	r.first.Do(r.compile)
	if r.err != nil {
		return false, nil, fmt.Errorf("compile the Core Rule Set: %w", r.err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the Core Rule Set panicked: %v", p)
		}
	}()
	tx := r.compiled.NewTransaction()
	defer func() { err = closed(tx, err) }()
	head(tx, q)
	if tx.ProcessRequestHeaders() != nil {
		return true, matched(tx), nil
	}
	if text := body(); text != "" {
		if _, _, err := tx.WriteRequestBody([]byte(text)); err != nil {
			return false, nil, err
		}
	}
	stop, err := tx.ProcessRequestBody()
	return stop != nil, matched(tx), err
}

func closed(tx io.Closer, err error) error {
	if failed := tx.Close(); err == nil {
		return failed
	}
	return err
}

// head gives the transaction the request without its body.
func head(tx types.Transaction, q *waf.Request) {
	h := q.HTTP
	port := 0
	if _, text, err := net.SplitHostPort(h.RemoteAddr); err == nil {
		port, _ = strconv.Atoi(text)
	}
	tx.ProcessConnection(q.Client.String(), port, "", 0)
	uri := h.RequestURI
	if uri == "" {
		uri = h.URL.RequestURI()
	}
	tx.ProcessURI(uri, h.Method, h.Proto)
	tx.AddRequestHeader("Host", h.Host)
	for name, values := range h.Header {
		for _, value := range values {
			tx.AddRequestHeader(name, value)
		}
	}
	tx.SetServerName(h.Host)
	if h.Body != nil && h.Body != http.NoBody && h.ContentLength > 0 {
		tx.AddRequestHeader("Content-Length", strconv.FormatInt(h.ContentLength, 10))
	}
	for _, te := range h.TransferEncoding {
		tx.AddRequestHeader("Transfer-Encoding", te)
	}
}

// matched are the numbers of the rules that have found something.
func matched(tx types.Transaction) (ids []string) {
	for _, m := range tx.MatchedRules() {
		if id := m.Rule().ID(); id >= 911100 && id < 949000 {
			ids = append(ids, strconv.Itoa(id))
		}
	}
	return ids
}
