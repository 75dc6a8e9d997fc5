package spec

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// source is where variables get their values.
type source struct {
	ctx      context.Context // of Load, for the programs that it runs
	opts     Options
	dir      string // of serverless.yml, as the user wrote it
	stage    string // "" until known
	region   string // "" until known
	instance string
	files    map[string]*node
	dotenv   map[string]string // what .env files say
	program  *program          // nil until a file is a program
	fail     func(Problem)
}

// address is what a variable asks of a source, such as file(x.yml):a.b.
type address struct {
	kind   string
	params []string
	key    string
	text   string // as written
	pos    Pos
}

// sourceNames are the sources that variables may name.
const sourceNames = "env, opt, self, sls, aws, param, ssm, s3, cf, file and strToBool"

// fetch returns the value at an address, nil when there is none.
func (s *source) fetch(v *variables, a address) (*node, error) {
	if a.key == "" && slices.Contains([]string{"env", "sls", "aws", "param", "ssm", "s3", "cf"}, a.kind) {
		return nil, fmt.Errorf("${%s} does not say what it wants; write ${%s:NAME}", a.text, a.kind)
	}
	switch a.kind {
	case "env":
		value, ok := s.env(a.key)
		return given(value, ok, a.pos), nil
	case "opt":
		return s.opt(a), nil
	case "self":
		return s.self(v, a.key, a.pos)
	case "sls":
		return s.sls(a.key, a.pos)
	case "aws":
		return s.aws(a.key, a.pos)
	case "param":
		return s.param(v, a.key, a.pos)
	case "file":
		return s.file(v, a)
	case "strToBool":
		return strToBool(a)
	case "ssm":
		return s.ssm(a)
	case "s3":
		return s.object(a)
	case "cf":
		return s.output(a)
	}
	return nil, fmt.Errorf("${%s}: unknown source %q; known are %s", a.text, a.kind, sourceNames)
}

// hint says what would give a variable a value.
func (s *source) hint(c choice) string {
	_, key, _ := strings.Cut(c.text, ":")
	fallback := fmt.Sprintf("add a fallback: ${%s, 'value'}", c.text)
	switch c.kind {
	case "env":
		return fmt.Sprintf("set the environment variable %s or %s", key, fallback)
	case "opt":
		return fmt.Sprintf("pass --%s or %s", key, fallback)
	case "self":
		return fmt.Sprintf("add the key %s or a fallback: ${%s, 'value'}", key, c.text)
	case "param":
		return fmt.Sprintf("add it under params.default or pass --param %s=VALUE", key)
	case "ssm":
		return fmt.Sprintf("set it with `dropstack param put %s`, or %s", key, fallback)
	case "s3":
		return "there is no such object; put it there, or " + fallback
	case "cf":
		return "there is no such stack, or it has no such output; deploy it first, or " + fallback
	case "file":
		return "the file or the key in it does not exist: make it, or " + fallback
	}
	return fallback
}

// env looks a variable of the environment up; what is set there to more than
// nothing wins over .env.
func (s *source) env(name string) (string, bool) {
	value, ok := s.opts.env(name)
	if file, also := s.dotenv[name]; also && value == "" {
		return file, true
	}
	return value, ok
}

// opt is one option of the command line, or all of them.
func (s *source) opt(a address) *node {
	if a.key != "" {
		value, ok := s.opts.opt(a.key)
		return given(value, ok, a.pos)
	}
	all := &node{pos: a.pos, kind: object}
	for _, name := range slices.Sorted(maps.Keys(s.options())) {
		all.fields = append(all.fields, field{name, a.pos, plain(s.options()[name], a.pos)})
	}
	return all
}

// options are those of the command line without --param.
func (s *source) options() map[string]string {
	out := map[string]string{}
	for name, value := range s.opts.Opts {
		if !strings.HasPrefix(name, "param:") {
			out[name] = value
		}
	}
	if s.opts.Stage != "" {
		out["stage"] = s.opts.Stage
	}
	return out
}

func (s *source) self(v *variables, key string, pos Pos) (*node, error) {
	if key == "provider.stage" && s.stage != "" {
		return plain(s.stage, pos), nil
	}
	if key == "provider.region" && s.region != "" {
		return plain(s.region, pos), nil
	}
	n, err := v.lookup(v.root, key)
	if key == "service" && n != nil && n.kind == object {
		return n.get("name"), err
	}
	return n, err
}

func (s *source) sls(key string, pos Pos) (*node, error) {
	switch {
	case key == "stage" && s.stage == "":
		return nil, errors.New("provider.stage cannot be made of ${sls:stage}, which is made of it; use ${opt:stage, 'dev'}")
	case key == "stage":
		return plain(s.stage, pos), nil
	case key == "instanceId":
		if s.instance == "" {
			s.instance = strings.ToLower(rand.Text()[:10])
		}
		return plain(s.instance, pos), nil
	}
	return nil, fmt.Errorf("${sls:%s}: known are sls:stage and sls:instanceId", key)
}

func (s *source) aws(key string, pos Pos) (*node, error) {
	switch {
	case key == "accountId":
		return plain(arn.Account, pos), nil
	case key == "region" && s.region != "":
		return plain(s.region, pos), nil
	case key == "region":
		return plain(arn.Region, pos), nil
	}
	return nil, fmt.Errorf("${aws:%s}: known are aws:accountId and aws:region", key)
}

// param is what --param gives, or params of the stage, or those of all stages.
func (s *source) param(v *variables, key string, pos Pos) (*node, error) {
	if value, ok := s.opts.Opts["param:"+key]; ok {
		return given(value, true, pos), nil
	}
	if s.stage == "" {
		return nil, fmt.Errorf("${param:%s}: provider.stage cannot be made of a parameter, which depends on it; use ${opt:stage, 'dev'}", key)
	}
	for _, stage := range []string{s.stage, "default"} {
		n, err := v.lookup(v.root, "params."+stage)
		if n = v.resolve(n); err != nil || n == nil || n.kind != object {
			if err != nil {
				return nil, err
			}
			continue
		}
		if n = v.resolve(n.get(key)); n != nil && n.kind != null {
			return n, nil
		}
	}
	return nil, nil
}

func strToBool(a address) (*node, error) {
	value := ""
	if len(a.params) > 0 {
		value = strings.ToLower(strings.TrimSpace(a.params[0]))
	}
	switch value {
	case "true", "1":
		return constant(true, a.pos), nil
	case "false", "0":
		return constant(false, a.pos), nil
	}
	return nil, fmt.Errorf("${%s}: strToBool takes true, false, 1 or 0, not %q", a.text, value)
}

// given is a value of the environment or the command line: text in which variables
// are resolved, as the Serverless Framework does.
func given(value string, ok bool, pos Pos) *node {
	if !ok {
		return nil
	}
	return &node{pos: pos, kind: text, text: value}
}

// plain is text that stands for itself.
func plain(value string, pos Pos) *node {
	return &node{pos: pos, kind: text, text: value, literal: true}
}
