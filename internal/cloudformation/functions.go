package cloudformation

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
)

// text is a value as text: numbers as they are written, booleans as true and false.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = text(item)
		}
		return strings.Join(items, ",")
	}
	return fmt.Sprint(v)
}

// one works out an argument that must be text.
func (e *evaluation) one(ctx context.Context, v any, path, what string) (string, error) {
	out, err := e.value(ctx, v, path)
	if err != nil {
		return "", err
	}
	switch out.(type) {
	case string, bool, float64:
		return text(out), nil
	}
	return "", at(path, fmt.Errorf("%s must be text", what))
}

// list works out an argument that must be a list.
func (e *evaluation) list(ctx context.Context, v any, path, what string) ([]any, error) {
	out, err := e.value(ctx, v, path)
	if err != nil {
		return nil, err
	}
	list, ok := out.([]any)
	if !ok {
		return nil, at(path, fmt.Errorf("%s must be a list", what))
	}
	return list, nil
}

// arguments are those of a function that takes n of them.
func arguments(v any, path, usage string, n int) ([]any, error) {
	list, ok := v.([]any)
	if !ok || len(list) != n {
		return nil, at(path, errors.New(usage))
	}
	return list, nil
}

func (e *evaluation) join(ctx context.Context, argument any, path string) (any, error) {
	args, err := arguments(argument, path, "Fn::Join takes [delimiter, list]", 2)
	if err != nil {
		return nil, err
	}
	delimiter, ok := args[0].(string)
	if !ok {
		return nil, at(path, errors.New("Fn::Join: the delimiter must be text"))
	}
	list, err := e.list(ctx, args[1], path, "Fn::Join: what is joined")
	if err != nil {
		return nil, err
	}
	items := make([]string, len(list))
	for i, item := range list {
		switch item.(type) {
		case string, bool, float64:
			items[i] = text(item)
		default:
			return nil, at(path, fmt.Errorf("Fn::Join: item %d is not text", i))
		}
	}
	return strings.Join(items, delimiter), nil
}

// sub replaces ${NAME}, ${ID.ATTRIBUTE} and the variables that it is given; ${!X}
// stays as ${X}.
func (e *evaluation) sub(ctx context.Context, argument any, path string) (any, error) {
	pattern, own := argument, map[string]any{}
	if args, ok := argument.([]any); ok && len(args) == 2 {
		m, ok := args[1].(map[string]any)
		if !ok {
			return nil, at(path, errors.New("Fn::Sub takes text, or [text, map of variables]"))
		}
		var err error
		if own, err = e.each(ctx, m, path); err != nil {
			return nil, err
		}
		pattern = args[0]
	}
	s, ok := pattern.(string)
	if !ok {
		return nil, at(path, errors.New("Fn::Sub takes text, or [text, map of variables]"))
	}
	var wrong []error
	out, err := substitute(s, func(name string) string {
		v, err := e.variable(ctx, name, own)
		wrong = append(wrong, at(path, err))
		return v
	})
	if err = errors.Join(append(wrong, at(path, err))...); err != nil {
		return nil, err
	}
	full, err := e.dynamic(ctx, out)
	return full, at(path, err)
}

func (e *evaluation) variable(ctx context.Context, name string, own map[string]any) (string, error) {
	v, ok := own[name]
	var err error
	if !ok {
		if id, attribute, dotted := strings.Cut(name, "."); dotted {
			v, err = e.attributeOf(id, attribute)
		} else {
			v, err = e.ref(ctx, name, "")
		}
	}
	if err != nil {
		return "", fmt.Errorf("Fn::Sub, ${%s}: %w", name, err)
	}
	switch v.(type) {
	case string, bool, float64:
		return text(v), nil
	}
	return "", fmt.Errorf("Fn::Sub, ${%s}: the value is not text", name)
}

// substitute replaces ${NAME} by what value says.
func substitute(s string, value func(name string) string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", errors.New("Fn::Sub: ${ without a closing }")
		}
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			b.WriteString("${" + literal + "}")
		} else {
			b.WriteString(value(strings.TrimSpace(name)))
		}
		s = after
	}
}

// pick is Fn::Select.
func (e *evaluation) pick(ctx context.Context, argument any, path string) (any, error) {
	args, err := arguments(argument, path, "Fn::Select takes [index, list]", 2)
	if err != nil {
		return nil, err
	}
	which, err := e.one(ctx, args[0], path, "Fn::Select: the index")
	if err != nil {
		return nil, err
	}
	list, err := e.list(ctx, args[1], path, "Fn::Select: what is chosen from")
	if err != nil {
		return nil, err
	}
	i, err := strconv.Atoi(which)
	if err != nil || i < 0 || i >= len(list) {
		return nil, at(path, fmt.Errorf("Fn::Select: there is no item %s in a list of %d", which, len(list)))
	}
	return list[i], nil
}

func (e *evaluation) split(ctx context.Context, argument any, path string) (any, error) {
	args, err := arguments(argument, path, "Fn::Split takes [delimiter, text]", 2)
	if err != nil {
		return nil, err
	}
	delimiter, ok := args[0].(string)
	if !ok || delimiter == "" {
		return nil, at(path, errors.New("Fn::Split: the delimiter must be text that is not empty"))
	}
	s, err := e.one(ctx, args[1], path, "Fn::Split: what is split")
	if err != nil {
		return nil, err
	}
	list := []any{}
	for item := range strings.SplitSeq(s, delimiter) {
		list = append(list, item)
	}
	return list, nil
}

func (e *evaluation) find(ctx context.Context, argument any, path string) (any, error) {
	if list, ok := argument.([]any); ok && len(list) == 4 {
		return nil, at(path, errors.New("Fn::FindInMap: a DefaultValue is not supported here: it is of the transform AWS::LanguageExtensions"))
	}
	args, err := arguments(argument, path, "Fn::FindInMap takes [map, first key, second key]", 3)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 3)
	for i := range args {
		if keys[i], err = e.one(ctx, args[i], path, "Fn::FindInMap: a key"); err != nil {
			return nil, err
		}
	}
	var v any = e.template.Mappings
	for i, key := range keys {
		m, ok := v.(map[string]any)
		if v = m[key]; !ok || v == nil {
			return nil, at(path, fmt.Errorf("Fn::FindInMap: there is no %s in the template's Mappings", strings.Join(keys[:i+1], ".")))
		}
	}
	return v, nil
}

func (e *evaluation) importValue(ctx context.Context, argument any, path string) (any, error) {
	name, err := e.one(ctx, argument, path, "Fn::ImportValue: the name of an export")
	if err != nil {
		return nil, err
	}
	v, err := e.imported(name)
	return v, at(path, err)
}

func (e *evaluation) base64(ctx context.Context, argument any, path string) (any, error) {
	s, err := e.one(ctx, argument, path, "Fn::Base64: what is encoded")
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString([]byte(s)), nil
}

// zones are three, as in most regions.
func (e *evaluation) zones(ctx context.Context, argument any, path string) (any, error) {
	region, err := e.one(ctx, argument, path, "Fn::GetAZs: a region")
	if err != nil {
		return nil, err
	}
	if region == "" {
		region = e.region
	}
	return []any{region + "a", region + "b", region + "c"}, nil
}

// cidr cuts an address range into smaller ones.
func (e *evaluation) cidr(ctx context.Context, argument any, path string) (any, error) {
	usage := "Fn::Cidr takes [range, count, bits of a host]"
	args, ok := argument.([]any)
	if !ok || len(args) < 2 || len(args) > 3 {
		return nil, at(path, errors.New(usage))
	}
	words := []string{"", "", "8"}
	for i := range args {
		var err error
		if words[i], err = e.one(ctx, args[i], path, usage+"; each"); err != nil {
			return nil, err
		}
	}
	prefix, err := netip.ParsePrefix(words[0])
	count, wrong := strconv.Atoi(words[1])
	bits, wrong2 := strconv.Atoi(words[2])
	if err != nil || wrong != nil || wrong2 != nil || count < 1 || count > 256 || bits < 1 {
		return nil, at(path, fmt.Errorf("%s; the count is 1 to 256", usage))
	}
	return cut(prefix.Masked(), count, bits, path)
}

func cut(prefix netip.Prefix, count, bits int, path string) (any, error) {
	length := prefix.Addr().BitLen() - bits
	if room := length - prefix.Bits(); room < 0 || room < 9 && count > 1<<room {
		return nil, at(path, fmt.Errorf("Fn::Cidr: %s has no room for %d ranges of %d bits", prefix, count, bits))
	}
	first := new(big.Int).SetBytes(prefix.Addr().AsSlice())
	list := []any{}
	for i := range count {
		n := new(big.Int).Add(first, new(big.Int).Lsh(big.NewInt(int64(i)), uint(bits)))
		addr, _ := netip.AddrFromSlice(n.FillBytes(make([]byte, prefix.Addr().BitLen()/8))) // of a right length
		list = append(list, netip.PrefixFrom(addr, length).String())
	}
	return list, nil
}
