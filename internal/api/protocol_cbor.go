package api

import (
	"net/http"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// cborProtocol is the header that says that a request is "Smithy RPC v2 CBOR".
const cborProtocol = "rpc-v2-cbor"

// cborCall is Smithy RPC v2 CBOR: POST /service/SERVICE/operation/OPERATION.
type cborCall struct {
	name  string
	body  []byte
	codes map[string]string
	query map[string]string // Service.QueryCodes
}

func cborOf(r *http.Request, s *Service, body []byte) (protocol, error) {
	c := cborCall{body: body, codes: s.Codes, query: s.QueryCodes}
	name, ok := strings.CutPrefix(r.URL.Path, "/service/"+strings.TrimSuffix(s.Prefix, ".")+"/operation/")
	if !ok || r.Method != http.MethodPost {
		return c, fault.Coded(fault.Invalid, "UnknownOperationException", "%s %s names no operation of %s.", r.Method, r.URL.Path, s.Scope)
	}
	c.name = name
	return c, nil
}

func (c cborCall) operation() string { return c.name }

func (c cborCall) decode(in any) error {
	if len(c.body) == 0 {
		return nil
	}
	if err := wire.DecodeCBOR(c.body, in); err != nil {
		return fault.Coded(fault.Invalid, "SerializationException", "the request's body: %w", err)
	}
	return nil
}

func (c cborCall) encode(w http.ResponseWriter, out any) error {
	doc, err := wire.EncodeCBOR(out)
	if err != nil {
		return err
	}
	writeCBOR(w, http.StatusOK, doc)
	return nil
}

func (c cborCall) fail(w http.ResponseWriter, f failure) {
	if code, ok := c.codes[f.code]; ok {
		f.code = code
	}
	queryError(w, c.query, f)
	doc, _ := wire.EncodeCBOR(map[string]string{"__type": f.code, "message": f.message, "Message": f.message}) // texts never fail
	writeCBOR(w, f.status, doc)
}

func writeCBOR(w http.ResponseWriter, status int, doc []byte) {
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Smithy-Protocol", cborProtocol)
	w.WriteHeader(status)
	_, _ = w.Write(doc) // a caller that has left needs no answer
}

// queryError tells clients of a service that once spoke Query the error's name of
// then, which is what programs compare with.
func queryError(w http.ResponseWriter, names map[string]string, f failure) {
	if names == nil {
		return
	}
	code, ok := names[f.code]
	if !ok {
		if code, ok = queryCodes[f.code]; !ok {
			code = f.code
		}
	}
	whose := "Sender"
	if f.ours {
		whose = "Receiver"
	}
	w.Header().Set("X-Amzn-Query-Error", code+";"+whose)
}
