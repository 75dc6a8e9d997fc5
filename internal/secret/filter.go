package secret

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// ParameterFilter chooses parameters by a key, such as Name or tag:team.
type ParameterFilter struct {
	Key    string
	Option string   `json:",omitempty"` // Equals, BeginsWith, Contains; Recursive, OneLevel
	Values []string `json:",omitempty"`
}

// OldFilter is what DescribeParameters had before: the value begins with one of
// these.
type OldFilter struct {
	Key    string
	Values []string
}

// filters choose what matches all of them.
type filters []ParameterFilter

const (
	equals     = "Equals"
	beginsWith = "BeginsWith"
	contains   = "Contains"
	recursive  = "Recursive"
	oneLevel   = "OneLevel"
)

// options are the options of each key; the first is the usual one.
var options = map[string][]string{
	"Name": {equals, beginsWith, contains}, "Type": {equals, beginsWith}, "KeyId": {equals, beginsWith}, "Path": {oneLevel, recursive},
	"Tier": {equals, beginsWith}, "DataType": {equals, beginsWith}, "Label": {equals}, "tag": {equals, beginsWith},
}

var filterKey = regexp.MustCompile(`^(tag):.+$|^(Name|Type|KeyId|Path|Label|Tier|DataType)$`)

func badKey(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidFilterKey", format, args...)
}

func badValue(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidFilterValue", format, args...)
}

// pathFilters checks the filters of GetParametersByPath.
func pathFilters(given []ParameterFilter) (filters, error) {
	return checkFilters(given, "Type", "KeyId", "Label")
}

// listFilters checks the filters of DescribeParameters.
func listFilters(given []ParameterFilter, old []OldFilter) (filters, error) {
	if len(given) > 0 && len(old) > 0 {
		return nil, invalid("Filters and ParameterFilters cannot go together; use ParameterFilters")
	}
	for _, f := range old {
		if f.Key != "Name" && f.Key != "Type" && f.Key != "KeyId" {
			return nil, badKey("Filters: %q is none of Name, Type and KeyId", f.Key)
		}
		given = append(given, ParameterFilter{f.Key, beginsWith, f.Values})
	}
	return checkFilters(given, "Name", "Type", "KeyId", "Path", "Tier", "DataType", "tag")
}

func checkFilters(given []ParameterFilter, keys ...string) (filters, error) {
	var checked filters
	for _, f := range given {
		parts := filterKey.FindStringSubmatch(f.Key)
		if parts == nil {
			return nil, badKey("filter %q: there is no such key; there are %v", f.Key, keys)
		}
		kind := parts[1] + parts[2]
		if !slices.Contains(keys, kind) {
			return nil, badKey("filter %q is not for this action; there are %v", f.Key, keys)
		}
		if slices.ContainsFunc(checked, func(g ParameterFilter) bool { return g.Key == f.Key }) {
			return nil, badKey("filter %q is given twice", f.Key)
		}
		if f.Option == "" {
			f.Option = options[kind][0]
		}
		if !slices.Contains(options[kind], f.Option) {
			return nil, fault.Coded(fault.Invalid, "InvalidFilterOption", "filter %q has no option %q; it has %v", f.Key, f.Option, options[kind])
		}
		if err := f.check(kind); err != nil {
			return nil, err
		}
		checked = append(checked, f)
	}
	return checked, nil
}

// check says what is wrong with the values of a filter.
func (f ParameterFilter) check(kind string) error {
	if len(f.Values) > maxFilterValues {
		return badValue("filter %q has %d values; at most %d are possible", f.Key, len(f.Values), maxFilterValues)
	}
	if len(f.Values) == 0 && kind != "tag" {
		return badValue("filter %q has no value", f.Key)
	}
	known := map[string][]string{"Type": {plain, list, secure}, "Tier": {standard, advanced, intelligent}}[kind]
	for _, value := range f.Values {
		switch {
		case value == "":
			return badValue("filter %q has an empty value", f.Key)
		case kind == "Path" && !strings.HasPrefix(value, "/"):
			return badValue("filter %q: the path %q does not begin with /", f.Key, value)
		case known != nil && f.Option == equals && !slices.Contains(known, value):
			return badValue("filter %q: %q is none of %v", f.Key, value, known)
		}
	}
	return nil
}

func (fs filters) match(r *record) bool {
	for _, f := range fs {
		if !f.match(r) {
			return false
		}
	}
	return true
}

func (f ParameterFilter) match(r *record) bool {
	v := r.last()
	switch f.Key {
	case "Name":
		return f.any(r.Name)
	case "Type":
		return f.any(v.Type)
	case "KeyId":
		return f.any(v.KeyID)
	case "Tier":
		return f.any(v.Tier)
	case "DataType":
		return f.any(v.DataType)
	case "Label":
		return slices.ContainsFunc(r.Versions, func(v version) bool { return slices.ContainsFunc(v.Labels, f.any) })
	case "Path":
		return slices.ContainsFunc(f.Values, func(path string) bool {
			rest, below := strings.CutPrefix(r.Name, prefixOf(path))
			return below && (f.Option == recursive || !strings.Contains(strings.TrimPrefix(rest, "/"), "/"))
		})
	}
	value, tagged := r.Tags[strings.TrimPrefix(f.Key, "tag:")]
	return tagged && (len(f.Values) == 0 || f.any(value))
}

// any reports whether a text matches one of the filter's values.
func (f ParameterFilter) any(text string) bool {
	return slices.ContainsFunc(f.Values, func(value string) bool {
		switch f.Option {
		case beginsWith:
			return strings.HasPrefix(text, value)
		case contains:
			return strings.Contains(text, value)
		}
		return text == value
	})
}

// labelOf is the label that filters choose versions by.
func labelOf(fs filters) string {
	for _, f := range fs {
		if f.Key == "Label" && len(f.Values) > 0 {
			return f.Values[0]
		}
	}
	return ""
}
