package kms

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// page is a part of a sorted list, and the marker of the next one.
type page struct {
	ids  []string
	next string
}

const markerPrefix = "after:"

// pageOf cuts a page from a sorted list of ids.
func pageOf(ids []string, limit *int, marker string, usual, most int) (page, error) {
	n := usual
	if limit != nil {
		n = *limit
	}
	if n < 1 || n > most {
		return page{}, invalid("Limit is %d; 1 to %d are possible", n, most)
	}
	if marker != "" {
		text, err := base64.RawURLEncoding.DecodeString(marker)
		last, ok := strings.CutPrefix(string(text), markerPrefix)
		if err != nil || !ok {
			return page{}, fault.Coded(fault.Invalid, "InvalidMarkerException", "the marker is none that an earlier answer gave")
		}
		from, found := slices.BinarySearch(ids, last)
		if found {
			from++
		}
		ids = ids[from:]
	}
	if len(ids) <= n {
		return page{ids: ids}, nil
	}
	return page{ids[:n], base64.RawURLEncoding.EncodeToString([]byte(markerPrefix + ids[n-1]))}, nil
}
