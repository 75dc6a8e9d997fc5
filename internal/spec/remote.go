package spec

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// What parameters, objects and outputs hold is not resolved again: who may write
// there may not read files here.

var regionParam = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`)

// ssm reads ${ssm:NAME}, with ssm(raw) a list or JSON as the text that it is, and
// with ssm(noDecrypt) a SecureString as its ciphertext. A region may be named: the
// platform has one Parameter Store for all. Names may end in ~true, which once
// asked for what is always done now.
func (s *source) ssm(a address) (*node, error) {
	raw, clear := false, true
	for _, param := range a.params {
		switch {
		case param == "", regionParam.MatchString(param):
		case param == "raw":
			raw = true
		case param == "noDecrypt":
			clear = false
		default:
			return nil, fmt.Errorf("${%s}: known are raw, noDecrypt and a region, not %q", a.text, param)
		}
	}
	if s.opts.Parameter == nil {
		return nil, fmt.Errorf("${%s}: no platform is there to ask for the parameter", a.text)
	}
	name, what, old := strings.Cut(a.key, "~")
	if old && what != "true" && what != "false" && what != "split" {
		return nil, fmt.Errorf("${%s}: what follows ~ is true, false or split", a.text)
	}
	p, ok, err := s.opts.Parameter(name, clear && what != "false")
	switch {
	case err != nil:
		return nil, fmt.Errorf("${%s}: %w", a.text, err)
	case !ok:
		return nil, nil
	case p.Type == "StringList" && !raw:
		out := &node{pos: a.pos, kind: list}
		for item := range strings.SplitSeq(p.Value, ",") {
			out.items = append(out.items, plain(item, a.pos))
		}
		return out, nil
	case p.Type == "SecureString" && !raw && strings.HasPrefix(p.Value, "{") && json.Valid([]byte(p.Value)):
		return fromJSON([]byte(p.Value), a.pos, true)
	}
	return plain(p.Value, a.pos), nil
}

// object reads ${s3:BUCKET/KEY}.
func (s *source) object(a address) (*node, error) {
	bucket, key, ok := strings.Cut(a.key, "/")
	if !ok || bucket == "" || key == "" {
		return nil, fmt.Errorf("${%s} must name a bucket and an object: ${s3:BUCKET/KEY}", a.text)
	}
	if s.opts.Object == nil {
		return nil, fmt.Errorf("${%s}: no platform is there to ask for the object", a.text)
	}
	value, ok, err := s.opts.Object(bucket, key)
	if err != nil {
		return nil, fmt.Errorf("${%s}: %w", a.text, err)
	}
	if !ok {
		return nil, nil
	}
	return plain(value, a.pos), nil
}

// output reads ${cf:STACK.OUTPUT}. A region may be named: the platform's stacks are
// in one.
func (s *source) output(a address) (*node, error) {
	stack, key, ok := strings.Cut(a.key, ".")
	if !ok || stack == "" || key == "" {
		return nil, fmt.Errorf("${%s} must name a stack and an output: ${cf:STACK.OUTPUT}", a.text)
	}
	for _, param := range a.params {
		if !regionParam.MatchString(param) {
			return nil, fmt.Errorf("${%s}: %q is not the name of a region, such as us-east-1", a.text, param)
		}
	}
	if s.opts.StackOutput == nil {
		return nil, fmt.Errorf("${%s}: no platform is there to ask for the stack", a.text)
	}
	value, ok, err := s.opts.StackOutput(stack, key)
	if err != nil {
		return nil, fmt.Errorf("${%s}: %w", a.text, err)
	}
	if !ok {
		return nil, nil
	}
	return plain(value, a.pos), nil
}
