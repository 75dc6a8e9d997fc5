package cloudfront

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/wire"
)

// decode puts a value of a template into into, by the names of its fields. Texts
// that are numbers are numbers and the other way round, as CloudFormation has it;
// keys that no field has are wrong.
func (f *Findings) decode(path string, v any, into any) {
	f.put(path, v, reflect.ValueOf(into).Elem())
}

func (f *Findings) put(path string, v any, into reflect.Value) {
	if v == nil {
		return
	}
	switch into.Kind() {
	case reflect.Interface:
		into.Set(reflect.ValueOf(v))
	case reflect.Pointer:
		if v == "" && into.Type().Elem().Kind() != reflect.Struct {
			return // as calls write what is not said
		}
		into.Set(reflect.New(into.Type().Elem()))
		before := len(f.Wrong)
		if f.put(path, v, into.Elem()); len(f.Wrong) > before && into.Type().Elem().Kind() != reflect.Struct {
			into.SetZero() // it is told; what 0 would mean is no matter
		}
	case reflect.Struct:
		if m, ok := v.(map[string]any); ok {
			f.fields(path, m, into)
		} else {
			f.fail(path, "it must be a map")
		}
	case reflect.Map:
		f.entries(path, v, into)
	case reflect.Slice:
		f.items(path, v, into)
	default:
		f.scalar(path, v, into)
	}
}

// oneOf are types of which one member is set.
var oneOf = map[reflect.Type]bool{
	reflect.TypeFor[waf.Statement](): true, reflect.TypeFor[waf.Action](): true, reflect.TypeFor[waf.Field](): true, reflect.TypeFor[waf.RateCustomKey](): true,
}

func (f *Findings) fields(path string, m map[string]any, into reflect.Value) {
	known := map[string]reflect.Value{}
	for i := range into.NumField() {
		name, _, _ := strings.Cut(into.Type().Field(i).Tag.Get("json"), ",")
		if name == "" {
			name = into.Type().Field(i).Name
		}
		if name == "ARN" {
			name = "Arn" // which calls spell in capitals
		}
		known[name] = into.Field(i)
	}
	set := 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		at := join(path, name)
		field, ok := known[name]
		switch {
		case ok:
			if m[name] != nil {
				set++
			}
			f.put(at, m[name], field)
		case needless[name] != "":
			f.idle(at, needless[name])
		case unsupported[name] != "":
			f.fail(at, "it is not supported here: %s", unsupported[name])
			set++
		default:
			f.fail(at, "Encountered unsupported property; remove it")
		}
	}
	if oneOf[into.Type()] && set != 1 {
		f.fail(path, "it must have one of %s, not %d", strings.Join(slices.Sorted(maps.Keys(known)), ", "), set)
	}
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

func (f *Findings) entries(path string, v any, into reflect.Value) {
	m, ok := v.(map[string]any)
	if !ok {
		f.fail(path, "it must be a map")
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := reflect.New(into.Type().Elem()).Elem()
		f.put(join(path, name), m[name], value)
		into.SetMapIndex(reflect.ValueOf(name), value)
	}
}

func (f *Findings) items(path string, v any, into reflect.Value) {
	if into.Type().Elem().Kind() == reflect.Uint8 {
		s, ok := wire.Plain(v)
		if !ok {
			f.fail(path, "it must be a string")
		}
		into.SetBytes([]byte(s))
		return
	}
	list, ok := v.([]any)
	if _, one := wire.Plain(v); one {
		list, ok = []any{v}, true
	}
	if !ok {
		f.fail(path, "it must be a list")
		return
	}
	for i, item := range list {
		value := reflect.New(into.Type().Elem()).Elem()
		f.put(fmt.Sprintf("%s[%d]", path, i), item, value)
		into.Set(reflect.Append(into, value))
	}
}

func (f *Findings) scalar(path string, v any, into reflect.Value) {
	s, ok := wire.Plain(v)
	if s == "" && ok {
		return
	}
	switch into.Kind() {
	case reflect.String:
		if !ok {
			f.fail(path, "it must be a string")
		}
		into.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(s))
		if !ok || err != nil {
			f.fail(path, "it must be true or false, not %v", v)
		}
		into.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseFloat(s, 64)
		if !ok || err != nil || n != float64(int64(n)) {
			f.fail(path, "it must be a whole number, not %v", v)
		}
		into.SetInt(int64(n))
	case reflect.Float64:
		n, err := strconv.ParseFloat(s, 64)
		if !ok || err != nil {
			f.fail(path, "it must be a number, not %v", v)
		}
		into.SetFloat(n)
	}
}

// needless are properties that some types have and that change nothing here.
var needless = map[string]string{
	"CaptchaConfig":                "no puzzles are shown",
	"ChallengeConfig":              "browsers are not challenged",
	"AssociationConfig":            "of a body as much is looked at as the edge's own limit says",
	"ApplicationConfig":            "nothing is made of it",
	"DataProtectionConfig":         "what is secret in a request is never written down",
	"OnSourceDDoSProtectionConfig": "floods are met by the edge itself",
	"ManagedRuleGroupConfigs":      "the groups that come with the platform need no settings",
}

// unsupported are properties that would be missed, and what to do instead.
var unsupported = map[string]string{
	"Captcha":                     "no puzzles are shown; use Block or Count",
	"Challenge":                   "browsers are not challenged; use Block or Count",
	"RuleGroupReferenceStatement": "write the rules of the group into the web ACL",
	"AsnMatchStatement":           "networks are not told apart by their numbers; use an AWS::WAFv2::IPSet",
	"JA3Fingerprint":              "TLS fingerprints are not taken; match another part of the request",
	"JA4Fingerprint":              "TLS fingerprints are not taken; match another part of the request",
	"UriFragment":                 "browsers do not send it",
	"LabelNamespace":              "requests are not counted by labels; count by another key",
	"ASN":                         "networks are not told apart by their numbers; count by another key",
}
