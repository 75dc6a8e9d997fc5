package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// EncodeQuery writes the answer to a Query call: ACTIONResponse, with ACTIONResult
// inside unless out is struct{}: a call whose output is a shape without members has
// an empty one, which clients look for. A list's items are <member>, a map's <entry> with
// <key> and <value>.
func EncodeQuery(action, namespace, requestID string, out any) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<?xml version="1.0"?>`+"\n"+`<%sResponse xmlns="`, action)
	escape(&b, namespace)
	b.WriteString(`">`)
	v := reflect.ValueOf(out)
	if v.Type() != reflect.TypeFor[struct{}]() {
		if err := element(&b, action+"Result", v); err != nil {
			return nil, fmt.Errorf("answer of %s: %w", action, err)
		}
	}
	b.WriteString("<ResponseMetadata><RequestId>")
	escape(&b, requestID)
	fmt.Fprintf(&b, "</RequestId></ResponseMetadata></%sResponse>", action)
	return b.Bytes(), nil
}

// EncodeQueryError writes the answer to a Query call that failed. receiver: the
// fault is ours, not the caller's.
func EncodeQueryError(namespace, code, message, requestID string, receiver bool) []byte {
	who := "Sender"
	if receiver {
		who = "Receiver"
	}
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0"?>` + "\n" + `<ErrorResponse xmlns="`)
	escape(&b, namespace)
	b.WriteString(`"><Error>`)
	for _, e := range [][2]string{{"Type", who}, {"Code", code}, {"Message", message}} {
		b.WriteString("<" + e[0] + ">")
		escape(&b, e[1])
		b.WriteString("</" + e[0] + ">")
	}
	b.WriteString("</Error><RequestId>")
	escape(&b, requestID)
	b.WriteString("</RequestId></ErrorResponse>")
	return b.Bytes()
}

func element(b *bytes.Buffer, name string, v reflect.Value) error {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		return element(b, name, v.Elem())
	}
	b.WriteString("<" + name + ">")
	if err := content(b, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.WriteString("</" + name + ">")
	return nil
}

func content(b *bytes.Buffer, v reflect.Value) error {
	if t, ok := v.Interface().(Time); ok {
		b.WriteString(t.String())
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, m := range members(v.Type()) {
			f := v.FieldByIndex(m.index)
			if m.omit && empty(f) {
				continue
			}
			if m.flat.item != "" {
				if err := m.flat.write(b, f); err != nil {
					return err
				}
				continue
			}
			if err := element(b, m.name, f); err != nil {
				return err
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b.WriteString(base64.StdEncoding.EncodeToString(v.Bytes()))
			return nil
		}
		for i := range v.Len() {
			if err := element(b, "member", v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range sorted(v) {
			b.WriteString("<entry><key>")
			escape(b, key.String())
			b.WriteString("</key>")
			if err := element(b, "value", v.MapIndex(key)); err != nil {
				return err
			}
			b.WriteString("</entry>")
		}
	case reflect.String:
		escape(b, v.String())
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Float32, reflect.Float64:
		b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	default:
		return fmt.Errorf("a %s cannot be written as XML", v.Type())
	}
	return nil
}

// write writes the items of a list or a map where it would stand itself.
func (f flat) write(b *bytes.Buffer, v reflect.Value) error {
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			if err := element(b, f.item, v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, key := range sorted(v) {
		b.WriteString("<" + f.item + "><" + f.key + ">")
		escape(b, key.String())
		b.WriteString("</" + f.key + ">")
		if err := element(b, f.value, v.MapIndex(key)); err != nil {
			return err
		}
		b.WriteString("</" + f.item + ">")
	}
	return nil
}

func sorted(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
	return keys
}

func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}

// escape writes text; what XML cannot say becomes U+FFFD, as encoding/xml does.
func escape(b *bytes.Buffer, text string) {
	_ = xml.EscapeText(b, []byte(text)) // a buffer takes everything
}
