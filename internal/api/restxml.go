package api

import (
	"encoding/xml"
	"net/http"
	"reflect"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// xmlCall is REST with XML bodies: what of a call stands in its path and query is as
// in other REST, the rest is a document.
type xmlCall struct {
	service *Service
	id      string
	status  int
	body    []byte
}

// documented is an input of which a part is the request's document.
type documented interface {
	// Document is what the document is read into.
	Document() any
}

func (c xmlCall) operation() string { return "" } // the route has it

func (c xmlCall) decode(in any) error {
	into, ok := in.(documented)
	if !ok {
		return nil
	}
	if err := xml.Unmarshal(c.body, into.Document()); err != nil {
		if _, ours := err.(*fault.Error); ours {
			return err
		}
		return fault.Coded(fault.Invalid, "MalformedInput", "the request's body is not the XML that belongs there: %w", err)
	}
	return nil
}

// encode answers with the document, and what clients find in headers.
func (c xmlCall) encode(w http.ResponseWriter, out any) error {
	if tagged, ok := out.(interface{ ETag() string }); ok && tagged.ETag() != "" {
		w.Header().Set("Etag", tagged.ETag())
	}
	if found, ok := out.(interface{ Location() string }); ok && c.status == http.StatusCreated {
		w.Header().Set("Location", found.Location())
	}
	if c.status == http.StatusNoContent {
		w.WriteHeader(c.status)
		return nil
	}
	doc, err := xml.Marshal(out)
	if err != nil {
		return err
	}
	writeXML(w, c.status, append([]byte(xml.Header), doc...))
	return nil
}

func (c xmlCall) fail(w http.ResponseWriter, f failure) {
	if code, ok := c.service.Codes[f.code]; ok {
		f.code = code
	}
	writeXML(w, f.status, wire.EncodeQueryError(c.service.Namespace, f.code, f.message, c.id, f.ours))
}

// match gives an input the tag that a change is of.
func match(in any, r *http.Request) {
	if f := reflect.ValueOf(in).Elem().FieldByName("IfMatch"); f.IsValid() && f.Kind() == reflect.String {
		f.SetString(r.Header.Get("If-Match"))
	}
}
