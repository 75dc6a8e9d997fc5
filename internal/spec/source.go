package spec

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// maxFile bounds a file that a variable names.
const maxFile = 4 << 20

// source is where variables get their values.
type source struct {
	opts     Options
	dir      string // of serverless.yml, as the user wrote it
	stage    string // "" until known
	region   string // "" until known
	instance string
	files    map[string]*node
	fail     func(Problem)
}

var address = regexp.MustCompile(`^([a-zA-Z][\w-]*)(?:\(([^)]*)\))?(?::(.*))?$`)

// fetch returns the value at an address such as env:NAME or file(x.yml):a.b, nil
// when there is none.
func (s *source) fetch(v *variables, addr string, pos Pos) (*node, error) {
	m := address.FindStringSubmatch(addr)
	if m == nil {
		return nil, fmt.Errorf("${%s} is not of the form source:address", addr)
	}
	kind, params, key := m[1], strings.TrimSpace(m[2]), strings.TrimSpace(m[3])
	found := func(value string, ok bool) (*node, error) {
		if !ok {
			return nil, nil
		}
		return &node{pos: pos, kind: text, text: value, literal: true}, nil
	}
	switch kind {
	case "env":
		return found(s.opts.env(key))
	case "opt":
		return found(s.opts.opt(key))
	case "self":
		return s.self(v, key, pos)
	case "sls":
		return s.sls(key, pos)
	case "aws":
		return s.aws(key, pos)
	case "param":
		return s.param(v, key, pos)
	case "file":
		return s.file(v, params, key, pos)
	case "strToBool":
		return strToBool(params, pos)
	case "ssm":
		return s.ssm(params, key, pos)
	case "cf", "s3":
		return nil, fmt.Errorf("${%s}: variables from %s are not supported yet; use ${env:NAME}, or a fallback in place of it", addr, kind)
	}
	return nil, fmt.Errorf("${%s}: unknown source %q; known are env, opt, self, sls, aws, param, ssm, file and strToBool", addr, kind)
}

// hint says what would give an address a value.
func hint(addr string) string {
	kind, key, _ := strings.Cut(addr, ":")
	switch {
	case kind == "env":
		return fmt.Sprintf("set the environment variable %s or add a fallback: ${%s, 'value'}", key, addr)
	case kind == "opt":
		return fmt.Sprintf("pass --%s or add a fallback: ${%s, 'value'}", key, addr)
	case kind == "self":
		return fmt.Sprintf("add the key %s or a fallback: ${%s, 'value'}", key, addr)
	case kind == "param":
		return fmt.Sprintf("add it under params.default or pass --param %s=VALUE", key)
	case kind == "ssm":
		return fmt.Sprintf("set it with `dropstack param put %s`, or add a fallback: ${%s, 'value'}", key, addr)
	case strings.HasPrefix(kind, "file("):
		return "the file or the key in it does not exist"
	}
	return fmt.Sprintf("add a fallback: ${%s, 'value'}", addr)
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

// ssm reads ${ssm:NAME}, with ssm(raw) a list as the text that it is, and with
// ssm(noDecrypt) a SecureString as its ciphertext. Names may end in ~true, which
// once asked for what is always done now.
func (s *source) ssm(params, key string, pos Pos) (*node, error) {
	raw, clear := false, true
	for param := range strings.SplitSeq(params, ",") {
		switch param = strings.TrimSpace(param); param {
		case "", s.region:
		case "raw":
			raw = true
		case "noDecrypt":
			clear = false
		default:
			return nil, fmt.Errorf("${ssm(%s):%s}: known are raw and noDecrypt, and the region of the service", params, key)
		}
	}
	if s.opts.Parameter == nil {
		return nil, fmt.Errorf("${ssm:%s}: no platform is there to ask for the parameter", key)
	}
	name, what, old := strings.Cut(key, "~")
	if old && what != "true" && what != "false" && what != "split" {
		return nil, fmt.Errorf("${ssm:%s}: what follows ~ is true, false or split", key)
	}
	p, ok, err := s.opts.Parameter(name, clear && what != "false")
	switch {
	case err != nil:
		return nil, fmt.Errorf("${ssm:%s}: %w", key, err)
	case !ok:
		return nil, nil
	case p.Type != "StringList" || raw:
		return plain(p.Value, pos), nil
	}
	out := &node{pos: pos, kind: list}
	for item := range strings.SplitSeq(p.Value, ",") {
		out.items = append(out.items, plain(item, pos))
	}
	return out, nil
}

func (s *source) param(v *variables, key string, pos Pos) (*node, error) {
	if value, ok := s.opts.Opts["param:"+key]; ok {
		return plain(value, pos), nil
	}
	for _, stage := range []string{s.stage, "default"} {
		if n, err := v.lookup(v.root, "params."+stage+"."+key); n != nil || err != nil {
			return n, err
		}
	}
	return nil, nil
}

func (s *source) file(v *variables, path, key string, pos Pos) (*node, error) {
	path = strings.Trim(path, `'"`)
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	n, err := s.load(path, pos)
	if n == nil || err != nil || key == "" {
		return n, err
	}
	return v.lookup(n, key)
}

func (s *source) load(path string, pos Pos) (*node, error) {
	if n, ok := s.files[path]; ok {
		return n, nil
	}
	ext := strings.ToLower(filepath.Ext(path))
	switch ext {
	case ".js", ".cjs", ".mjs", ".ts":
		return nil, fmt.Errorf("${file(%s)}: JavaScript and TypeScript files are not run; use a .yml, .json or .txt file", path)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		err = fmt.Errorf("not a regular file of at most %d bytes", maxFile)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("${file(%s)}: %w", path, err)
	}
	n := plain(string(data), pos)
	if ext == ".yml" || ext == ".yaml" || ext == ".json" {
		var problems []Problem
		if n, problems = parse(path, data); len(problems) > 0 {
			for _, p := range problems {
				s.fail(p)
			}
			n = &node{pos: pos, kind: broken}
		}
	}
	s.files[path] = n
	return n, nil
}

func strToBool(value string, pos Pos) (*node, error) {
	switch strings.ToLower(strings.Trim(value, `'"`)) {
	case "true", "1":
		return &node{pos: pos, kind: boolean, text: "true"}, nil
	case "false", "0":
		return &node{pos: pos, kind: boolean, text: "false"}, nil
	}
	return nil, fmt.Errorf("strToBool(%s): want true, false, 1 or 0", value)
}

func plain(value string, pos Pos) *node {
	return &node{pos: pos, kind: text, text: value, literal: true}
}
