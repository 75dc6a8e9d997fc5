package gateway

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"
)

// compressed is a response as a REST API with compression sends it: with gzip or
// deflate if the client names one of them, the body is long enough, and the function
// has not compressed it ("Receive an API response with a compressed payload").
func (s *server) compressed(r *request, out response) response {
	if s.api.Compress == nil || len(out.body) == 0 || len(out.body) < *s.api.Compress || out.bodiless() || out.encoded() {
		return out
	}
	var buf bytes.Buffer
	var w io.WriteCloser
	coding := acceptedCoding(r.Header.Values("Accept-Encoding"))
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "deflate":
		w = zlib.NewWriter(&buf)
	default:
		return out
	}
	_, _ = w.Write(out.body) // a buffer takes everything
	_ = w.Close()
	out.body = buf.Bytes()
	out.headers = append(out.headers, header{"Content-Encoding", []string{coding}})
	return out
}

func (o response) encoded() bool {
	for _, h := range o.headers {
		if h.name == "Content-Encoding" {
			return true
		}
	}
	return false
}

// acceptedCoding is the coding that a client likes best of those that we have; ""
// when it names none.
func acceptedCoding(accept []string) string {
	best, weight := "", 0.0
	for one := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, parameters, _ := strings.Cut(one, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		q := 1.0
		if text, ok := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q="); ok {
			q, _ = strconv.ParseFloat(text, 64)
		}
		if (name == "gzip" || name == "deflate") && q > weight {
			best, weight = name, q
		}
	}
	return best
}

// decompress undoes the coding of a body, which functions then do not hear of.
func (r *request) decompress() error {
	coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	var plain io.ReadCloser
	var err error
	switch coding {
	case "identity":
		return nil
	case "gzip":
		plain, err = gzip.NewReader(bytes.NewReader(r.body))
	case "deflate":
		plain, err = zlib.NewReader(bytes.NewReader(r.body))
	default:
		return &failure{cause: wrongType}
	}
	if err != nil {
		return &failure{cause: wrongType}
	}
	defer plain.Close()
	body, err := io.ReadAll(io.LimitReader(plain, MaxBody+1))
	switch {
	case err != nil:
		return &failure{cause: wrongType}
	case len(body) > MaxBody:
		return &failure{cause: tooLarge, message: tooLong.Error()}
	}
	r.Request = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	r.Header.Del("Content-Encoding")
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	r.body = body
	return nil
}
