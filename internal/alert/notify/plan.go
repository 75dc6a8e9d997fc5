package notify

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
	"go.yaml.in/yaml/v3"

	"github.com/dropstack/dropstack/internal/fault"
)

// plan says who is told of which alert: a configuration in Alertmanager's format,
// checked whole. Parameters that it refers to are read when something is sent.
type plan struct {
	name       string // of the file
	root       *yaml.Node
	conf       *config.Config // a placeholder stands where a parameter is referred to
	parameters []string       // names of those, sorted
	inside     bool           // it may lead to private addresses, as its author may reach them
}

// parse reads a configuration. One that is trusted is a file of the operator and may
// name files of this machine; one that came by the API may not, as its writer would
// learn what is in them.
func parse(name, text string, trusted bool, mail Mail) (*plan, error) {
	p := &plan{name: name, inside: trusted || inside(text)}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, p.wrong(err)
	}
	if len(doc.Content) == 0 {
		return nil, fault.Errorf(fault.Invalid, "%s: nothing in it; a configuration has at least a route and a receiver", name)
	}
	p.root = doc.Content[0]
	if err := p.check(trusted); err != nil {
		return nil, err
	}
	p.complete(mail)
	conf, err := p.read(func(string) string { return "https://parameter.invalid/" })
	if err != nil {
		return nil, err
	}
	p.conf = conf
	if err := parseTemplates(nil, conf.Templates); err != nil {
		return nil, p.wrong(err)
	}
	return p, nil
}

// reference is a secret that stands in Parameter Store.
var reference = regexp.MustCompile(`\$\{ssm:([^}]+)\}`)

// kinds are the integrations that there are, as the format names them.
var kinds = map[string]string{
	"slack_configs": "slack", "email_configs": "email", "webhook_configs": "webhook", "pagerduty_configs": "pagerduty",
}

// secrets are the keys whose values must not stand in a configuration.
var secrets = []string{
	"api_url", "slack_api_url", "app_token", "slack_app_token", "auth_password", "auth_secret",
	"smtp_auth_password", "smtp_auth_secret", "routing_key", "service_key", "password", "credentials",
	"bearer_token", "client_secret", "secrets",
}

// check finds what the format allows and we do not, with the line.
func (p *plan) check(trusted bool) error {
	var errs []error
	seen := map[string]bool{}
	walk(p.root, func(key string, n *yaml.Node) {
		for _, m := range reference.FindAllStringSubmatch(n.Value, -1) {
			seen[m[1]] = true
		}
		fail := func(format string, args ...any) {
			errs = append(errs, fault.Errorf(fault.Invalid, "%s:%d: "+format, append([]any{p.name, n.Line}, args...)...))
		}
		named := n.Kind == yaml.ScalarNode && n.Value != ""
		switch {
		case strings.HasSuffix(key, "_configs") && kinds[key] == "":
			fail("%s: messages go to slack_configs, email_configs, webhook_configs and pagerduty_configs; most others take a webhook", key)
		case named && slices.Contains(secrets, key) && !reference.MatchString(n.Value):
			fail("%s is a secret: keep it with `dropstack param put /alerts/%s …` and write ${ssm:/alerts/%s} here", key, key, key)
		case !trusted && named && (strings.HasSuffix(key, "_file") || key == "templates"):
			fail("%s: only the file of `up --alerts` may name files of the platform's machine; write ${ssm:/NAME}", key)
		}
	})
	for name := range seen {
		p.parameters = append(p.parameters, name)
	}
	slices.Sort(p.parameters)
	return errors.Join(errs...)
}

// walk visits every value below n with the key it stands at; those of a list stand at
// the list's.
func walk(n *yaml.Node, visit func(key string, value *yaml.Node)) {
	var down func(key string, n *yaml.Node)
	down = func(key string, n *yaml.Node) {
		visit(key, n)
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				down(n.Content[i].Value, n.Content[i+1])
			}
		case yaml.SequenceNode:
			for _, item := range n.Content {
				down(key, item)
			}
		}
	}
	down("", n)
}

// complete adds what we take for granted and Alertmanager does not: that people hear
// of the end of an alert, and the mail server of the platform.
func (p *plan) complete(mail Mail) {
	walk(p.root, func(key string, n *yaml.Node) {
		if n.Kind == yaml.MappingNode && (key == "slack_configs" || key == "email_configs") && member(n, "send_resolved") == nil {
			add(n, "send_resolved", "true")
		}
	})
	if global := member(p.root, "global"); mail.Server == "" || global != nil && member(global, "smtp_smarthost") != nil {
		return
	}
	// Each message gets the server by itself, and its password only if it goes there:
	// what stands in global would go to whatever server a receiver names.
	walk(p.root, func(key string, n *yaml.Node) {
		if n.Kind != yaml.MappingNode || key != "email_configs" || member(n, "smarthost") != nil || member(n, "<<") != nil {
			return // what is merged in may name another, or has been completed itself
		}
		add(n, "smarthost", mail.Server)
		if member(n, "from") == nil && !p.says("smtp_from") {
			add(n, "from", mail.From)
		}
		own := slices.ContainsFunc([]string{"auth_username", "auth_password", "auth_secret", "auth_identity"}, func(k string) bool { return member(n, k) != nil })
		if mail.User != "" && !own {
			add(n, "auth_username", mail.User)
			add(n, "auth_password", mail.Password)
		}
		if member(n, "require_tls") == nil && !p.says("smtp_require_tls") {
			add(n, "require_tls", strconv.FormatBool(mail.RequireTLS))
		}
	})
}

// says reports whether there is a key in what counts for all receivers.
func (p *plan) says(key string) bool {
	global := member(p.root, "global")
	return global != nil && member(global, key) != nil
}

func member(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func add(n *yaml.Node, key, value string) {
	v := &yaml.Node{Kind: yaml.ScalarNode, Value: value}
	if value != "true" && value != "false" {
		v.Style = yaml.DoubleQuotedStyle
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, v)
}

// read hands the configuration to the engine, with a value for each reference.
func (p *plan) read(value func(parameter string) string) (*config.Config, error) {
	root := clone(p.root)
	walk(root, func(_ string, n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && reference.MatchString(n.Value) {
			n.Value = reference.ReplaceAllStringFunc(n.Value, func(s string) string {
				return value(reference.FindStringSubmatch(s)[1])
			})
			n.Style, n.Tag = yaml.DoubleQuotedStyle, "!!str"
		}
	})
	text, err := yaml.Marshal(root)
	if err != nil {
		return nil, p.wrong(err)
	}
	conf, err := config.Load(string(text))
	if err != nil {
		return nil, p.wrong(p.placed(text, err))
	}
	dir := filepath.Dir(p.name)
	for i, glob := range conf.Templates {
		if !filepath.IsAbs(glob) {
			conf.Templates[i] = filepath.Join(dir, glob)
		}
	}
	conf.Global.HTTPConfig.SetDirectory(dir)
	for _, r := range conf.Receivers {
		for _, c := range r.SlackConfigs {
			c.HTTPConfig.SetDirectory(dir)
		}
		for _, c := range r.WebhookConfigs {
			c.HTTPConfig.SetDirectory(dir)
		}
		for _, c := range r.PagerdutyConfigs {
			c.HTTPConfig.SetDirectory(dir)
		}
	}
	return conf, nil
}

func clone(n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = nil
	for _, c := range n.Content {
		out.Content = append(out.Content, clone(c))
	}
	return &out
}

var (
	lineNumber = regexp.MustCompile(`line (\d+): `)
	quoted     = regexp.MustCompile(`"([^"]+)"`)
)

// placed gives the engine's error the line in the text that we were given: it speaks
// of the lines of ours, or of a name that stands somewhere.
func (p *plan) placed(text []byte, err error) error {
	line := 0
	if m := lineNumber.FindStringSubmatch(err.Error()); m != nil {
		at, _ := strconv.Atoi(m[1])
		var ours yaml.Node
		if yaml.NewDecoder(bytes.NewReader(text)).Decode(&ours) == nil {
			together(ours.Content[0], p.root, func(o, given *yaml.Node) {
				if o.Line == at && given.Line > 0 {
					line = given.Line
				}
			})
		}
	} else if m := quoted.FindStringSubmatch(err.Error()); m != nil {
		walk(p.root, func(_ string, n *yaml.Node) {
			if n.Value == m[1] {
				line = n.Line
			}
		})
	}
	if line == 0 {
		return err
	}
	said := strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n")
	return fmt.Errorf("line %d: %s", line, strings.TrimSpace(lineNumber.ReplaceAllString(said, "")))
}

// together visits the nodes of two trees of the same shape.
func together(a, b *yaml.Node, visit func(a, b *yaml.Node)) {
	visit(a, b)
	for i := range min(len(a.Content), len(b.Content)) {
		together(a.Content[i], b.Content[i], visit)
	}
}

// mistyped is what the parser says of a value of another kind than belongs to a place,
// in words of its own code.
var mistyped = regexp.MustCompile("cannot unmarshal !!\\w+ (`[^`]*`) into \\S+")

// wrong is an error of the configuration, at its line.
func (p *plan) wrong(err error) error {
	said := mistyped.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "$1 does not belong here")
	if m := lineNumber.FindStringSubmatch(said); m != nil {
		return fault.Errorf(fault.Invalid, "%s:%s: %s", p.name, m[1], lineNumber.ReplaceAllString(said, ""))
	}
	return fault.Errorf(fault.Invalid, "%s: %s", p.name, said)
}

// parseTemplates reads the configuration's own templates into t; nil: to see whether
// they can be read.
func parseTemplates(t *template.Template, globs []string) error {
	if t == nil {
		var err error
		if t, err = template.FromGlobs(nil); err != nil {
			return err
		}
	}
	for _, glob := range globs {
		if err := t.FromGlob(glob); err != nil {
			return err
		}
	}
	return nil
}
