package cloudformation

import (
	"regexp"
	"slices"
	"strings"
)

// Template is a template as it is written: nothing in it is worked out.
type Template struct {
	Description string
	Metadata    any
	Parameters  map[string]*parameter
	Mappings    map[string]any
	Conditions  map[string]any
	Resources   map[string]*declaration
	Outputs     map[string]output
}

// declaration is a resource as the template has it.
type declaration struct {
	ID, Type   string
	Condition  string
	DependsOn  []string
	Properties map[string]any
	Update     map[string]any // UpdatePolicy
	Deletion   string         // DeletionPolicy
	Metadata   any
	line       int
}

// output is a value that the stack shows.
type output struct {
	Description, Condition string
	Value, Export          any // Export is the name, nil when there is none
	line                   int
}

const (
	maxBody      = 51_200  // bytes of a template in a request
	maxTemplate  = 1 << 20 // of one in a bucket
	maxResources = 500
	maxOutputs   = 200

	policyDelete, policyRetain, policyRetainExceptOnCreate, policySnapshot = "Delete", "Retain", "RetainExceptOnCreate", "Snapshot"
)

var logicalID = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)

// Parse reads a template in JSON or YAML. An error has every problem of its form.
func Parse(text string) (*Template, error) {
	s, err := read(text)
	if err != nil {
		return nil, err
	}
	t := &Template{Resources: map[string]*declaration{}, Outputs: map[string]output{}}
	var wrong Problems
	t.sections(s, &wrong)
	t.Parameters = parameters(s, &wrong)
	for _, id := range names(s.section("Resources", &wrong)) {
		t.resource(s, id, &wrong)
	}
	for _, key := range names(s.section("Outputs", &wrong)) {
		t.output(s, key, &wrong)
	}
	switch {
	case len(wrong) > 0:
	case len(t.Resources) == 0:
		wrong.add(0, "Template format error: At least one Resources member must be defined.")
	case len(t.Resources) > maxResources:
		wrong.add(0, "Template format error: Number of resources, %d, is greater than maximum allowed, %d", len(t.Resources), maxResources)
	case len(t.Outputs) > maxOutputs:
		wrong.add(0, "Template format error: Number of outputs, %d, is greater than maximum allowed, %d", len(t.Outputs), maxOutputs)
	}
	return t, wrong.err()
}

// sections reads what is no list of things, and refuses what is not known.
func (t *Template) sections(s *source, wrong *Problems) {
	for _, name := range names(s.root) {
		line, v := s.line(name), s.root[name]
		switch name {
		case "AWSTemplateFormatVersion":
			if v != "2010-09-09" {
				wrong.add(line, "Template format error: unsupported AWSTemplateFormatVersion %v; it is 2010-09-09", v)
			}
		case "Description":
			text, ok := v.(string)
			if !ok || len(text) > 1024 {
				wrong.add(line, "Template format error: Description is text of at most 1024 bytes")
			}
			t.Description = text
		case "Metadata":
			t.Metadata = v
		case "Parameters", "Resources", "Outputs":
		case "Mappings":
			t.Mappings = s.section(name, wrong)
		case "Conditions":
			t.Conditions = s.section(name, wrong)
		case "Transform":
			wrong.add(line, "Transform %s is not supported here: %s", text(v), transformAdvice(v))
		case "Rules":
			wrong.add(line, "Rules are not supported here: leave them out, and say what a parameter may be with its AllowedValues and AllowedPattern")
		case "Hooks":
			wrong.add(line, "Hooks are not supported here: leave them out")
		default:
			wrong.add(line, "Template format error: Invalid template property or properties [%s]", name)
		}
	}
}

func transformAdvice(v any) string {
	if strings.Contains(text(v), "AWS::Serverless") {
		return "deploy the plain template that `sam package` or `aws cloudformation package` followed by SAM's translator makes of it, or write a serverless.yml"
	}
	return "macros run at Amazon; deploy the template that it makes"
}

// attributes are what a resource may have beside its properties.
var attributes = []string{"Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy", "Metadata", "Description", "Version"}

func (t *Template) resource(s *source, id string, wrong *Problems) {
	d := &declaration{ID: id, line: s.line("Resources", id), Deletion: policyDelete}
	report := func(format string, args ...any) { wrong.of(d, invalid(format, args...)) }
	if strings.HasPrefix(id, "Fn::") {
		report("%s is not supported here; write the resources one by one", id)
		return
	}
	m, ok := s.root["Resources"].(map[string]any)[id].(map[string]any)
	if !ok {
		report("a resource is a map with a Type")
		return
	}
	if !logicalID.MatchString(id) {
		report("a logical id has only letters and digits, 255 at most")
	}
	if d.Type, ok = m["Type"].(string); !ok {
		report("Type is missing; it is text such as AWS::SNS::Topic")
	}
	for _, name := range names(m) {
		v := m[name]
		switch name {
		case "Properties":
			if d.Properties, ok = v.(map[string]any); !ok && v != nil {
				report("Properties is not a map")
			}
		case "Condition":
			if d.Condition, ok = v.(string); !ok {
				report("Condition is not the name of a condition")
			}
		case "DependsOn":
			d.DependsOn, ok = oneOrMore(v)
			if !ok {
				report("DependsOn is a logical id, or a list of them")
			}
		case "DeletionPolicy", "UpdateReplacePolicy":
			p, _ := v.(string)
			switch {
			case p == policySnapshot:
				report("%s: Snapshot is not supported here: nothing has snapshots; use Retain or Delete", name)
			case !slices.Contains([]string{policyDelete, policyRetain, policyRetainExceptOnCreate}, p):
				report("%s must be Delete, Retain or RetainExceptOnCreate", name)
			case name == "DeletionPolicy":
				d.Deletion = p
			}
		case "UpdatePolicy":
			if d.Update, ok = v.(map[string]any); !ok {
				report("UpdatePolicy is not a map")
			}
		case "CreationPolicy":
			report("CreationPolicy is not supported here: nothing sends signals; leave it out")
		case "Metadata":
			d.Metadata = v
		default:
			if !slices.Contains(attributes, name) {
				report("%q is no attribute of a resource; did you mean to put it below Properties?", name)
			}
		}
	}
	t.Resources[id] = d
}

func (t *Template) output(s *source, key string, wrong *Problems) {
	line := s.line("Outputs", key)
	m, ok := s.root["Outputs"].(map[string]any)[key].(map[string]any)
	if !ok {
		wrong.add(line, "output %s: an output is a map with a Value", key)
		return
	}
	o := output{line: line}
	for _, name := range names(m) {
		switch v := m[name]; name {
		case "Value":
			o.Value = v
		case "Description":
			o.Description = text(v)
		case "Condition":
			o.Condition, _ = v.(string)
		case "Export":
			export, _ := v.(map[string]any)
			if o.Export = export["Name"]; o.Export == nil {
				wrong.add(line, "output %s: Export is a map with a Name", key)
			}
		default:
			wrong.add(line, "output %s: %q is no part of an output", key, name)
		}
	}
	if o.Value == nil {
		wrong.add(line, "output %s: Value is missing", key)
	}
	t.Outputs[key] = o
}

// oneOrMore are one text or several.
func oneOrMore(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []any:
		var list []string
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	return nil, false
}
