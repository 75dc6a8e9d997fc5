// Package wire reads and writes the formats that AWS's clients speak, over plain
// structs whose field names are AWS's member names.
//
// A service's inputs and outputs are written once, by the room that serves them;
// which protocol a client uses (JSON, Query, CBOR) is no concern of theirs. The
// name of a member is the field's name, or the one of its json tag. Formats, as
// Smithy specifies them: "AWS JSON 1.0/1.1 protocol", "AWS Query protocol",
// "Smithy RPC v2 CBOR protocol".
package wire

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Time is a timestamp member: seconds since 1970 with milliseconds in JSON, ISO
// 8601 in XML. The zero Time is absent when its tag says omitzero.
type Time struct{ time.Time }

// At is t as a member, in UTC and with the milliseconds that AWS keeps.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UTC().Truncate(time.Millisecond)}
}

// Now is the present moment.
func Now() Time { return At(time.Now()) }

// MarshalJSON writes seconds since 1970.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON reads seconds since 1970 or a time as RFC 3339 has it; null is
// the zero Time.
func (t *Time) UnmarshalJSON(doc []byte) error {
	text := string(doc)
	if text == "null" {
		return nil
	}
	if s, err := strconv.Unquote(text); err == nil {
		return t.parse(s)
	}
	return t.parse(text)
}

// parse reads what any client may send for a timestamp.
func (t *Time) parse(s string) error {
	if seconds, err := strconv.ParseFloat(s, 64); err == nil && inRange(seconds) {
		*t = after(seconds)
		return nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return fmt.Errorf("%q is no time: seconds since 1970, or one such as 2006-01-02T15:04:05Z", s)
	}
	*t = At(at)
	return nil
}

// after is the time so many seconds after the beginning of 1970.
func after(seconds float64) Time {
	return At(time.UnixMilli(int64(math.Round(seconds * 1000))))
}

// inRange reports whether so many seconds make a time; NaN does not.
func inRange(seconds float64) bool { return math.Abs(seconds) < 1<<40 }

// String is the time as XML has it.
func (t Time) String() string {
	return t.UTC().Format("2006-01-02T15:04:05.999Z")
}

// member is how a struct's field travels.
type member struct {
	name  string
	omit  bool // when empty
	flat  flat
	index []int
}

// flat is how a list or a map travels in Query without a level of its own, of the
// services that have some so: its items stand where it would, by another name. Its tag
// is query:"ITEM", and query:"ITEM,KEY,VALUE" of a map.
type flat struct{ item, key, value string }

// members are the fields of a struct type that travel, those of embedded structs
// in their place.
func members(t reflect.Type) []member {
	var list []member
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		if tag == "-" || !f.IsExported() {
			continue
		}
		if f.Anonymous && f.Type.Kind() == reflect.Struct && tag == "" {
			for _, inner := range members(f.Type) {
				inner.index = append([]int{f.Index[0]}, inner.index...)
				list = append(list, inner)
			}
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		parts := append(strings.Split(f.Tag.Get("query"), ","), "", "")
		list = append(list, member{name, strings.Contains(options, "omit"), flat{parts[0], parts[1], parts[2]}, f.Index})
	}
	return list
}
