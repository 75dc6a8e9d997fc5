package wire

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// maxDepth bounds how deep a parameter's name may reach.
const maxDepth = 16

// node is a parameter of a form, or what its name leads through.
type node struct {
	value    string
	children map[string]*node
}

// DecodeQuery fills the struct that into points to from a form. A list's items
// are NAME.member.1 or NAME.1, a map's NAME.entry.1.key and .value (SNS: .Name and
// .Value; SQS: .Key too). Parameters that the struct has no member for are ignored, as AWS does.
//
// An error names the parameter.
func DecodeQuery(form url.Values, into any) error {
	root := &node{}
	for key, values := range form {
		at := root
		parts := strings.Split(key, ".")
		if len(parts) > maxDepth {
			return fmt.Errorf("%s: deeper than any parameter is", key)
		}
		for _, part := range parts {
			if at.children == nil {
				at.children = map[string]*node{}
			}
			if at.children[part] == nil {
				at.children[part] = &node{}
			}
			at = at.children[part]
		}
		at.value = values[0]
	}
	return root.into(reflect.ValueOf(into).Elem(), "")
}

func (n *node) into(v reflect.Value, path string) error {
	if t, ok := v.Addr().Interface().(*Time); ok {
		return at(path, t.parse(n.value))
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return n.into(v.Elem(), path)
	case reflect.Struct:
		for _, m := range members(v.Type()) {
			child := n.children[m.name]
			if child == nil && m.flat.item != "" {
				child = n.children[m.flat.item]
			}
			if child != nil {
				if err := child.into(v.FieldByIndex(m.index), join(path, m.name)); err != nil {
					return err
				}
			}
		}
		return nil
	case reflect.Map:
		return n.intoMap(v, path)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b, err := base64.StdEncoding.DecodeString(n.value)
			v.SetBytes(b)
			return at(path, err)
		}
		return n.intoList(v, path)
	default:
		return at(path, scalar(v, n.value))
	}
}

func (n *node) intoList(v reflect.Value, path string) error {
	from := n
	if m := n.children["member"]; m != nil {
		from, path = m, join(path, "member")
	}
	keys := numbers(from)
	list := reflect.MakeSlice(v.Type(), len(keys), len(keys))
	for i, key := range keys {
		if err := from.children[key].into(list.Index(i), join(path, key)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func (n *node) intoMap(v reflect.Value, path string) error {
	from := n
	if e := n.children["entry"]; e != nil {
		from, path = e, join(path, "entry")
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, number := range numbers(from) {
		entry, path := from.children[number], join(path, number)
		key, value := entry.children["key"], entry.children["value"]
		for _, other := range []string{"Name", "Key"} {
			if key == nil {
				key, value = entry.children[other], entry.children["Value"]
			}
		}
		if key == nil {
			return fmt.Errorf("%s: an entry without a key", path)
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if value != nil {
			if err := value.into(item, join(path, "value")); err != nil {
				return err
			}
		}
		name := reflect.ValueOf(key.value).Convert(v.Type().Key())
		if v.MapIndex(name).IsValid() {
			return fmt.Errorf("%s: %q is given twice", path, key.value)
		}
		v.SetMapIndex(name, item)
	}
	return nil
}

// numbers are the children that a list has, in order.
func numbers(n *node) []string {
	var keys []string
	for key := range n.children {
		if i, err := strconv.Atoi(key); err == nil && i > 0 {
			keys = append(keys, key)
		}
	}
	sort.Slice(keys, func(i, j int) bool {
		a, _ := strconv.Atoi(keys[i])
		b, _ := strconv.Atoi(keys[j])
		return a < b
	})
	return keys
}

func scalar(v reflect.Value, text string) (err error) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		var i int64
		if i, err = strconv.ParseInt(text, 10, v.Type().Bits()); err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(i)
	case reflect.Float32, reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("a %s cannot be a parameter", v.Type())
	}
	return nil
}

func at(path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
