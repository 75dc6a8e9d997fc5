package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// response is what goes to the client.
type response struct {
	status  int
	headers []header
	body    []byte
	media   string // Content-Type when the function names none
}

type header struct {
	name   string
	values []string
}

// proxyResult is the JSON that functions answer with, in both formats.
type proxyResult struct {
	StatusCode        json.RawMessage `json:"statusCode"`
	Headers           json.RawMessage `json:"headers"`
	MultiValueHeaders json.RawMessage `json:"multiValueHeaders"`
	Cookies           []string        `json:"cookies"`
	Body              *string         `json:"body"`
	IsBase64Encoded   bool            `json:"isBase64Encoded"`
}

// response reads a function's answer. An HTTP API and a function URL take any JSON
// without a statusCode as the body of a 200.
func (s *server) response(r *request, payload []byte) (response, error) {
	if s.api.Kind == URL {
		// A function that streams, behind a URL that does not: JSON holds no NUL, so
		// this is a prelude.
		if prelude, body, streamed := bytes.Cut(payload, delimiter); streamed {
			out, err := s.prelude(prelude)
			out.body = body
			return out, err
		}
	}
	var p proxyResult
	err := json.Unmarshal(payload, &p) // once: it may be megabytes
	if s.api.Kind != REST && p.StatusCode == nil && r.target.Payload != "1.0" {
		return plain(payload)
	}
	if err != nil {
		return response{}, err
	}
	out, err := s.head(p)
	if err != nil || p.Body == nil {
		return out, err
	}
	out.body = []byte(*p.Body)
	if p.IsBase64Encoded && (s.api.Kind != REST || acceptsBinary(s.api.BinaryTypes, r.Header.Get("Accept"))) {
		out.body, err = base64.StdEncoding.DecodeString(*p.Body)
	}
	return out, err
}

// head reads all of an answer but its body.
func (s *server) head(p proxyResult) (response, error) {
	out := response{media: "application/json"}
	if s.api.Kind == HTTP {
		out.media = "text/plain;charset=UTF-8"
	}
	var err error
	if out.status, err = statusCode(p.StatusCode); err != nil {
		return response{}, err
	}
	if out.headers, err = mergeHeaders(p.Headers, p.MultiValueHeaders); err != nil {
		return response{}, err
	}
	if s.api.Kind != REST && len(p.Cookies) > 0 {
		out.headers = append(out.headers, header{"Set-Cookie", p.Cookies})
	}
	return out, checkHeaders(out.headers)
}

// checkHeaders refuses what cannot stand in a response. Left alone it would be
// dropped or mended on the way out, and nobody told.
func checkHeaders(headers []header) error {
	for _, h := range headers {
		if !httpguts.ValidHeaderFieldName(h.name) {
			return fmt.Errorf("header %.40q: not a name that HTTP allows", h.name)
		}
		for _, v := range h.values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("header %q: a control character in its value", h.name)
			}
		}
	}
	return nil
}

// acceptsBinary: a REST API decodes only when the first type that the client
// accepts is one of the binary types.
func acceptsBinary(types []string, accept string) bool {
	first, _, _ := strings.Cut(accept, ",")
	return matchesType(types, first)
}

// plain is the answer made of any JSON; a string stands for itself, as in AWS's
// examples.
func plain(payload []byte) (response, error) {
	if !json.Valid(payload) {
		return response{}, errors.New("not JSON")
	}
	out := response{status: http.StatusOK, body: payload, media: "application/json"}
	var text string
	if bytes.HasPrefix(bytes.TrimSpace(payload), []byte(`"`)) && json.Unmarshal(payload, &text) == nil {
		out.body = []byte(text)
	}
	return out, nil
}

// statusCode reads a number, or a number in quotes.
func statusCode(raw json.RawMessage) (int, error) {
	n, err := strconv.Atoi(strings.Trim(string(raw), `"`))
	if err != nil || n < 200 || n > 599 {
		return 0, fmt.Errorf("statusCode %.40q is not a number from 200 to 599", raw)
	}
	return n, nil
}

// mergeHeaders joins both maps, in their order; a name in multiValueHeaders wins
// over the same name in headers. Names that differ only in case stay separate
// values: adapters for format 1.0 return several cookies that way.
func mergeHeaders(single, multi json.RawMessage) ([]header, error) {
	var out []header
	taken := map[string]bool{}
	err := members(multi, func(name string, raw json.RawMessage) error {
		var list []any
		if err := json.Unmarshal(raw, &list); err != nil {
			return fmt.Errorf("multiValueHeaders: %q is not a list", name)
		}
		h := header{name: http.CanonicalHeaderKey(name)}
		for _, v := range list {
			text, err := scalar(v)
			if err != nil {
				return fmt.Errorf("multiValueHeaders: %q: %w", name, err)
			}
			h.values = append(h.values, text)
		}
		taken[h.name] = true
		out = append(out, h)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = members(single, func(name string, raw json.RawMessage) error {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		text, err := scalar(v)
		if err != nil {
			return fmt.Errorf("headers: %q: %w", name, err)
		}
		if name = http.CanonicalHeaderKey(name); !taken[name] && v != nil {
			out = append(out, header{name, []string{text}})
		}
		return nil
	})
	return out, err
}

func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case nil:
		return "", nil
	}
	return "", errors.New("a header's value must be a string, a number or a boolean")
}

// members visits an object's members in the order they are written. null and
// nothing have none.
func members(raw json.RawMessage, visit func(string, json.RawMessage) error) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("headers must be an object")
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if err := visit(name.(string), value); err != nil { // names of objects are strings
			return err
		}
	}
	return nil
}

// hopByHop headers speak of one connection (RFC 9110, section 7.6.1); adapters
// copy them from the server they run inside the function.
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authenticate": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// single headers have one value; of case variants the last one counts.
var single = map[string]bool{"Content-Type": true, "Content-Length": true, "Location": true, "Date": true, "Etag": true, "Last-Modified": true}

// bodiless says whether a response has no body whatever the function sends.
func (o response) bodiless() bool {
	return o.status == http.StatusNoContent || o.status == http.StatusNotModified
}

// set puts the response's headers among those to be sent and returns the length
// that the function gives for its body, "" when it gives none that can be.
func (o response) set(h http.Header, r *http.Request, cors *apiCORS) (length string) {
	drop := o.connection()
	for _, own := range o.headers {
		switch {
		case hopByHop[own.name] || drop[own.name] || len(own.values) == 0:
		case own.name == "Content-Length":
			length = own.values[len(own.values)-1]
		case single[own.name]:
			h[own.name] = own.values[len(own.values)-1:]
		default:
			h[own.name] = append(h[own.name], own.values...)
		}
	}
	if cors != nil {
		cors.apply(h, r)
	}
	if h.Get("Content-Type") == "" && !o.bodiless() {
		h.Set("Content-Type", o.media)
	}
	if n, err := strconv.ParseInt(length, 10, 64); err != nil || n < 0 {
		return ""
	}
	return length
}

// connection holds the headers that the function's own Connection header calls
// hop-by-hop.
func (o response) connection() map[string]bool {
	var drop map[string]bool
	for _, h := range o.headers {
		if h.name != "Connection" {
			continue
		}
		if drop == nil {
			drop = map[string]bool{}
		}
		for name := range strings.SplitSeq(strings.Join(h.values, ","), ",") {
			drop[http.CanonicalHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	return drop
}

func (o response) write(w http.ResponseWriter, r *http.Request, cors *apiCORS) {
	length := o.set(w.Header(), r, cors)
	if o.bodiless() {
		w.WriteHeader(o.status)
		return
	}
	// The length is ours to know, except of a body that HEAD leaves out.
	if r.Method != http.MethodHead || len(o.body) > 0 || length == "" {
		length = strconv.Itoa(len(o.body))
	}
	w.Header().Set("Content-Length", length)
	w.WriteHeader(o.status)
	if r.Method != http.MethodHead {
		w.Write(o.body)
	}
}
