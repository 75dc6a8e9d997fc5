package audit

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/wire"
)

// Hidden stands where a value must not be recorded.
const Hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

const (
	maxList  = 100
	maxDepth = 8
)

// Parameters is what a record says of an operation's input or output: its members
// under CloudTrail's names, which begin with a small letter.
//
// Members that are empty are left out, and so are blobs. In the place of members
// tagged audit:"hidden", or with a name that tells, stands Hidden. Texts are cut after 1,024 bytes, lists
// after 100 items. nil when nothing is left.
func Parameters(v any) map[string]any {
	value := reflect.ValueOf(v)
	for value.Kind() == reflect.Pointer || value.Kind() == reflect.Interface {
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct {
		return nil
	}
	return members(value, 0)
}

// secrets are names that only secrets have, lest a tag was forgotten.
var secrets = map[string]bool{
	"SecretAccessKey": true, "SessionToken": true, "Plaintext": true, "Password": true, "OldPassword": true, "NewPassword": true,
	"PrivateKey": true, "PrivateKeyPlaintext": true, "AuthorizationToken": true,
	"HeaderValue": true, // of what a distribution tells its origin, which knows it by that
}

func members(v reflect.Value, depth int) map[string]any {
	out := map[string]any{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		embedded := field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct && !isTime(field.Type)
		switch {
		case !field.IsExported() && !embedded || name == "-" || v.Field(i).IsZero():
		case field.Tag.Get("audit") == "hidden", secrets[field.Name] && !isBlob(field.Type):
			out[lowerFirst(field.Name, name)] = Hidden
		case embedded:
			maps.Copy(out, members(v.Field(i), depth))
		default:
			if inner, ok := parameter(v.Field(i), depth+1); ok {
				out[lowerFirst(field.Name, name)] = inner
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// lowerFirst is a member's name as CloudTrail spells it: KeyId is keyId and
// DBInstanceIdentifier is dBInstanceIdentifier.
func lowerFirst(field, tag string) string {
	if tag != "" {
		field = tag
	}
	r, n := utf8.DecodeRuneInString(field)
	return string(unicode.ToLower(r)) + field[n:]
}

// parameter is the recorded form of a value; false when it has none.
func parameter(v reflect.Value, depth int) (any, bool) {
	if depth > maxDepth {
		return "…", true
	}
	if text, ok := asText(v); ok {
		return cut(text, maxText), true
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil, false
		}
		return parameter(v.Elem(), depth)
	case reflect.String:
		return cut(v.String(), maxText), true
	case reflect.Bool:
		return v.Bool(), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint(), true
	case reflect.Float32, reflect.Float64:
		return asNumber(v.Float())
	case reflect.Struct:
		inner := members(v, depth)
		return inner, inner != nil
	case reflect.Map:
		return entries(v, depth)
	case reflect.Slice, reflect.Array:
		return items(v, depth)
	}
	return nil, false // functions, channels: no members of AWS's
}

// asNumber is a number as JSON can have it.
func asNumber(f float64) (any, bool) {
	if f != f || f > 1e308 || f < -1e308 {
		return fmt.Sprint(f), true
	}
	return f, true
}

// entries are a map's under their own names, which are the caller's.
func entries(v reflect.Value, depth int) (any, bool) {
	out := map[string]any{}
	for iter := v.MapRange(); iter.Next() && len(out) < maxList; {
		name := fmt.Sprint(iter.Key())
		if secrets[name] {
			out[name] = Hidden
		} else if inner, ok := parameter(iter.Value(), depth+1); ok {
			out[cut(name, maxText)] = inner
		}
	}
	return out, len(out) > 0
}

func items(v reflect.Value, depth int) (any, bool) {
	if isBlob(v.Type()) {
		return nil, false
	}
	out := []any{}
	for i := range min(v.Len(), maxList) {
		if inner, ok := parameter(v.Index(i), depth+1); ok {
			out = append(out, inner)
		}
	}
	if v.Len() > maxList {
		out = append(out, fmt.Sprintf("… and %d more", v.Len()-maxList))
	}
	return out, len(out) > 0
}

func isBlob(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() == reflect.Uint8
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	wireTimeType = reflect.TypeFor[wire.Time]()
)

func isTime(t reflect.Type) bool { return t == timeType || t == wireTimeType }

// asText is the text of a time or of what writes itself as text.
func asText(v reflect.Value) (string, bool) {
	if !v.CanInterface() {
		return "", false
	}
	switch t := v.Interface().(type) {
	case wire.Time:
		return t.String(), true
	case time.Time:
		return t.UTC().Format(time.RFC3339), true
	case encoding.TextMarshaler:
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return "", false
		}
		doc, err := t.MarshalText()
		return string(doc), err == nil
	}
	return "", false
}
