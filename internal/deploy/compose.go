package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

// composeFiles are looked for in a directory.
var composeFiles = []string{"serverless-compose.yml", "serverless-compose.yaml", "serverless-compose.json"}

// Compose is several services that are deployed together.
type Compose struct {
	File     string
	Services []Composed // each after those that it depends on
	Warnings []spec.Problem
}

// Composed is one of them.
type Composed struct {
	Pos    spec.Pos
	Name   string
	Path   string   // of its serverless.yml or the directory that holds one
	After  []string // the services that it depends on
	params []param
}

// param is a parameter of a service, as it is written.
type param struct {
	pos         spec.Pos
	name, value string
}

// ComposeFile is the compose file of a directory, "" if it has none.
func ComposeFile(dir string) string {
	for _, name := range composeFiles {
		if path := filepath.Join(dir, name); exists(path) {
			return path
		}
	}
	return ""
}

func exists(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// LoadCompose reads a compose file. What the author has to mend is a *spec.Error.
func LoadCompose(file string) (*Compose, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read the compose file: %w", err)
	}
	c := &composer{file: file, Compose: &Compose{File: file}}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		line := 1
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		return nil, Problems([]spec.Problem{{Pos: spec.Pos{File: file, Line: line}, Message: strings.TrimPrefix(err.Error(), "yaml: ")}})
	}
	if len(root.Content) == 0 {
		root.Content = []*yaml.Node{{Line: 1}}
	}
	c.read(root.Content[0])
	c.sort()
	if err := Problems(c.problems); err != nil {
		return nil, err
	}
	return c.Compose, nil
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// composer reads a compose file and collects what is wrong with it.
type composer struct {
	*Compose
	file     string
	problems []spec.Problem
}

func (c *composer) pos(n *yaml.Node) spec.Pos {
	return spec.Pos{File: c.file, Line: max(1, n.Line), Column: n.Column}
}

func (c *composer) fail(n *yaml.Node, format string, args ...any) {
	c.problems = append(c.problems, spec.Problem{Pos: c.pos(n), Message: fmt.Sprintf(format, args...)})
}

// each calls read for the keys of a map.
func (c *composer) each(n *yaml.Node, what string, read func(key, value *yaml.Node)) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		c.fail(n, "%s must be a map", what)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		read(n.Content[i], n.Content[i+1])
	}
}

func (c *composer) text(n *yaml.Node, what string) string {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		c.fail(n, "%s must be a string", what)
		return ""
	}
	return n.Value
}

func (c *composer) read(root *yaml.Node) {
	found := false
	c.each(root, "a compose file", func(key, value *yaml.Node) {
		switch key.Value {
		case "services":
			found = true
			c.each(value, "services", c.service)
		case "name", "frameworkVersion": // of no effect anywhere
		default:
			c.Warnings = append(c.Warnings, spec.Problem{Pos: c.pos(key), Message: fmt.Sprintf("%s has no effect", key.Value)})
		}
	})
	if !found && len(c.problems) == 0 {
		c.fail(root, `there are no services; write "services: {NAME: {path: DIRECTORY}}"`)
	}
}

func (c *composer) service(key, value *yaml.Node) {
	s := Composed{Pos: c.pos(key), Name: key.Value}
	what := "services." + s.Name
	config := ""
	c.each(value, what, func(k, v *yaml.Node) {
		switch k.Value {
		case "path":
			s.Path = c.text(v, what+".path")
		case "config":
			config = c.text(v, what+".config")
		case "dependsOn":
			if v.Kind == yaml.SequenceNode {
				for _, item := range v.Content {
					s.After = append(s.After, c.text(item, what+".dependsOn"))
				}
			} else {
				s.After = append(s.After, c.text(v, what+".dependsOn"))
			}
		case "params":
			c.each(v, what+".params", func(name, value *yaml.Node) {
				s.params = append(s.params, param{c.pos(name), name.Value, c.text(value, what+".params."+name.Value)})
			})
		default:
			c.Warnings = append(c.Warnings, spec.Problem{Pos: c.pos(k), Message: fmt.Sprintf("%s.%s has no effect", what, k.Value)})
		}
	})
	if s.Path == "" {
		c.fail(key, "%s.path is missing; it names the directory of the service", what)
	}
	s.Path = filepath.Join(filepath.Dir(c.file), s.Path, config)
	for _, p := range s.params {
		for _, v := range variable.FindAllStringSubmatch(p.value, -1) {
			if kind, _, isSource := strings.Cut(v[1], ":"); isSource {
				if kind != "env" && v[1] != "sls:stage" {
					c.problems = append(c.problems, spec.Problem{Pos: p.pos, Message: fmt.Sprintf("%s: in a compose file there are ${SERVICE.OUTPUT}, ${env:NAME} and ${sls:stage}", v[0])})
				}
				continue
			}
			on, _, ok := strings.Cut(v[1], ".")
			if !ok {
				c.problems = append(c.problems, spec.Problem{Pos: p.pos, Message: fmt.Sprintf("%s: an output is named ${SERVICE.OUTPUT}", v[0])})
			} else if !slices.Contains(s.After, on) {
				s.After = append(s.After, on)
			}
		}
	}
	c.Services = append(c.Services, s)
}

var variable = regexp.MustCompile(`\$\{\s*([^{}]*?)\s*\}`)

// sort puts each service after those that it depends on, else as they are written.
func (c *composer) sort() {
	byName, done, under := map[string]Composed{}, map[string]bool{}, []string{}
	for _, s := range c.Services {
		if _, twice := byName[s.Name]; twice {
			c.problems = append(c.problems, spec.Problem{Pos: s.Pos, Message: fmt.Sprintf("service %q is there twice", s.Name)})
		}
		byName[s.Name] = s
	}
	var sorted []Composed
	var visit func(s Composed)
	visit = func(s Composed) {
		if i := slices.Index(under, s.Name); i >= 0 {
			c.problems = append(c.problems, spec.Problem{Pos: s.Pos, Message: "services depend on each other in a circle: " + strings.Join(append(slices.Clone(under[i:]), s.Name), ", ")})
			return
		}
		if done[s.Name] {
			return
		}
		under = append(under, s.Name)
		for _, name := range s.After {
			next, ok := byName[name]
			if !ok {
				c.problems = append(c.problems, spec.Problem{Pos: s.Pos, Message: fmt.Sprintf("services.%s depends on %q, which is no service of this file", s.Name, name)})
				continue
			}
			visit(next)
		}
		under = under[:len(under)-1]
		done[s.Name] = true
		sorted = append(sorted, s)
	}
	for _, s := range c.Services {
		visit(s)
	}
	c.Services = sorted
}

// Find returns a service of the file.
func (c *Compose) Find(name string) (Composed, error) {
	var names []string
	for _, s := range c.Services {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Composed{}, fault.Errorf(fault.Invalid, "%s has no service %q; there are %s", c.File, name, strings.Join(names, ", "))
}

// Params are the parameters of a service. output is what another one shows.
func (s *Composed) Params(stage string, env func(string) (string, bool), output func(service, key string) (string, error)) (map[string]string, error) {
	all := map[string]string{}
	for _, p := range s.params {
		var wrong error
		all[p.name] = variable.ReplaceAllStringFunc(p.value, func(text string) string {
			name := variable.FindStringSubmatch(text)[1]
			if name == "sls:stage" {
				return stage
			}
			if key, isEnv := strings.CutPrefix(name, "env:"); isEnv {
				value, ok := env(key)
				if !ok {
					wrong = fmt.Errorf("environment variable %s is not set", key)
				}
				return value
			}
			service, key, _ := strings.Cut(name, ".")
			value, err := output(service, key)
			if err != nil {
				wrong = err
			}
			return value
		})
		if wrong != nil {
			return nil, Problems([]spec.Problem{{Pos: p.pos, Message: wrong.Error()}})
		}
	}
	return all, nil
}
