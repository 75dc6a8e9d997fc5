package cache

import (
	"context"
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
)

// span is the bytes [from, to) of a response.
type span struct{ from, to int64 }

func (s span) contentRange(size int64) string {
	return "bytes " + itoa(s.from) + "-" + itoa(s.to-1) + "/" + itoa(size)
}

// maxRanges is how many parts one response has; a request for more gets the whole.
const maxRanges = 64

// ranges reads a Range for a response of that size (RFC 9110, section 14.1.2). No spans
// mean the whole response: another unit, something that is no range, or, as with
// CloudFront, several that are not in order or overlap. satisfiable is false when none
// of them is inside the response.
func ranges(field string, size int64) (parts []span, satisfiable bool) {
	unit, list, ok := strings.Cut(field, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return nil, true
	}
	some := false
	for item := range strings.SplitSeq(list, ",") {
		item = strings.Trim(item, " \t")
		if item == "" {
			continue
		}
		s, ok := parseSpan(item, size)
		if !ok {
			return nil, true
		}
		some = true
		if s.from < s.to {
			parts = append(parts, s)
		}
	}
	if !some {
		return nil, true
	}
	if len(parts) == 0 {
		return nil, false
	}
	for i := 1; i < len(parts); i++ {
		if parts[i].from < parts[i-1].to {
			return nil, true
		}
	}
	if len(parts) > maxRanges {
		return nil, true
	}
	return parts, true
}

// parseSpan reads "1-2", "1-" or "-3"; of what is outside the response an empty span.
func parseSpan(item string, size int64) (span, bool) {
	first, last, ok := strings.Cut(item, "-")
	if !ok {
		return span{}, false
	}
	if first == "" {
		n, ok := position(last)
		return span{max(0, size-n), size}, ok
	}
	from, ok := position(first)
	if !ok {
		return span{}, false
	}
	if last == "" {
		return span{min(from, size), size}, true
	}
	to, ok := position(last)
	if !ok || to < from {
		return span{}, false
	}
	if from >= size {
		return span{}, true
	}
	return span{from, min(to, size-1) + 1}, true
}

func position(s string) (int64, bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && s != "" { // digits only: too large, which is past any end
		return 1<<62 - 1, true
	}
	return n, err == nil
}

// sameRange says whether the Range still means the response that the client has a part
// of: If-Range, which compares strongly (RFC 9110, section 13.1.5).
func (x *exchange) sameRange(h http.Header) bool {
	want := x.in.Header.Get("If-Range")
	if want == "" {
		return len(x.in.Header["Range"]) == 1
	}
	if strings.HasSuffix(want, `"`) {
		return strongMatch(want, h.Get("Etag"))
	}
	at, err := http.ParseTime(want)
	modified, err2 := http.ParseTime(h.Get("Last-Modified"))
	date, err3 := http.ParseTime(h.Get("Date"))
	// A date is a strong validator only when it is a while before the response was made
	// (section 8.8.2.2).
	return err == nil && err2 == nil && err3 == nil && at.Equal(modified) && date.Sub(modified).Seconds() >= 1
}

// sendParts writes several parts as multipart/byteranges (section 14.6).
func sendParts(ctx context.Context, w http.ResponseWriter, parts []span, size int64, from source) error {
	h := w.Header()
	boundary := rand.Text()
	media := h.Get("Content-Type")
	heads := make([]string, len(parts))
	total := int64(0)
	for i, s := range parts {
		head := "\r\n--" + boundary + "\r\n"
		if media != "" {
			head += "Content-Type: " + media + "\r\n"
		}
		heads[i] = head + "Content-Range: " + s.contentRange(size) + "\r\n\r\n"
		total += int64(len(heads[i])) + s.to - s.from
	}
	end := "\r\n--" + boundary + "--\r\n"
	h["Content-Type"] = []string{"multipart/byteranges; boundary=" + boundary}
	h["Content-Length"] = []string{itoa(total + int64(len(end)))}
	w.WriteHeader(http.StatusPartialContent)
	for i, s := range parts {
		if _, err := w.Write([]byte(heads[i])); err != nil {
			return errClient
		}
		if err := from.copy(ctx, w, s.from, s.to); err != nil {
			return err
		}
	}
	if _, err := w.Write([]byte(end)); err != nil {
		return errClient
	}
	return nil
}
