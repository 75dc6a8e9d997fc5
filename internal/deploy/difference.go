package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

const (
	hiddenValue = "(hidden)" // stands for a value that is not shown
	longest     = 80         // bytes of a value that are shown
)

// differences are the fields in which two things of a type differ, named as in a
// document. What is tagged `audit:"hidden"` is named and not shown.
func differences(old, next any) []Field {
	return differ(nil, "", document(old), document(next), secrets(reflect.TypeOf(old), ""))
}

// document is a thing as JSON has it.
func document(x any) (tree any) {
	doc, err := json.Marshal(x)
	if err == nil {
		err = json.Unmarshal(doc, &tree)
	}
	if err != nil {
		panic(err) // a revision is made of what JSON can say
	}
	return tree
}

// secrets are the paths below which a type's values are not shown.
func secrets(t reflect.Type, path string) (paths []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		at := path
		if !f.Anonymous {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				name = f.Name
			}
			at = joined(path, name)
		}
		if f.Tag.Get("audit") == "hidden" {
			paths = append(paths, at)
		} else if f.IsExported() {
			paths = append(paths, secrets(f.Type, at)...)
		}
	}
	return paths
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func differ(list []Field, path string, old, next any, secret []string) []Field {
	if reflect.DeepEqual(old, next) {
		return list
	}
	was, wasObject := old.(map[string]any)
	is, isObject := next.(map[string]any)
	if (wasObject || old == nil) && (isObject || next == nil) {
		names := map[string]bool{}
		for _, side := range []map[string]any{was, is} {
			for name := range side {
				names[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			list = differ(list, joined(path, name), was[name], is[name], secret)
		}
		return list
	}
	isSecret := slices.ContainsFunc(secret, func(s string) bool { return path == s || strings.HasPrefix(path, s+".") })
	f := Field{path, shown(old, isSecret), shown(next, isSecret)}
	if f.From == f.To && !isSecret {
		f.From, f.To = "", "(changed)"
	}
	return append(list, f)
}

// shown is a value as people can read it on a line.
func shown(v any, secret bool) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		switch {
		case secret:
			return hiddenValue
		case shaName.MatchString(v):
			return v[:12] // as much as tells artifacts apart
		case len(v) > longest || strings.ContainsAny(v, "\r\n"):
			return fmt.Sprintf("(%d bytes)", len(v))
		}
		return v
	case float64:
		if !secret {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	case []any:
		words := make([]string, len(v))
		for i, item := range v {
			if _, composite := item.(map[string]any); composite {
				return fmt.Sprintf("(%d entries)", len(v))
			}
			words[i] = shown(item, secret)
		}
		if text := "[" + strings.Join(words, " ") + "]"; len(text) <= longest {
			return text
		}
		return fmt.Sprintf("(%d entries)", len(v))
	case bool:
		if !secret {
			return strconv.FormatBool(v)
		}
	}
	return hiddenValue
}
