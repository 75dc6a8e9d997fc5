package cloudformation

import (
	"context"
	"slices"
	"strings"
)

// GetTemplateInput names a stack, or a change set of it.
type GetTemplateInput struct {
	StackName     string `json:",omitempty"`
	ChangeSetName string `json:",omitempty"`
	TemplateStage string `json:",omitempty"`
}

// GetTemplateOutput is a template.
type GetTemplateOutput struct {
	TemplateBody    string
	StagesAvailable []string
}

// GetTemplate returns the template of a stack or of a change set.
func (s *Stacks) GetTemplate(_ context.Context, in GetTemplateInput) (GetTemplateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := GetTemplateOutput{StagesAvailable: []string{"Original", "Processed"}}
	if in.ChangeSetName != "" {
		set, err := s.named(in.ChangeSetName, in.StackName)
		if err == nil {
			out.TemplateBody = set.Order.Template
		}
		return out, err
	}
	st := s.find(in.StackName)
	if st == nil {
		if _, native := s.native(in.StackName); native {
			return out, invalid("Stack [%s] was deployed by `dropstack deploy` and has no template; `dropstack info` shows what is in it", nameOf(in.StackName))
		}
		return out, noStack(in.StackName)
	}
	if out.TemplateBody = st.Order.Template; out.TemplateBody == "" && st.Work != nil {
		out.TemplateBody = st.Work.Order.Template
	}
	return out, nil
}

// TemplateInput is a template, or where one is.
type TemplateInput struct {
	TemplateBody string `json:",omitempty" audit:"hidden"`
	TemplateURL  string `json:",omitempty"`
	StackName    string `json:",omitempty"`
}

// TemplateParameter is a parameter of a template.
type TemplateParameter struct {
	ParameterKey string
	DefaultValue *string `json:",omitempty"`
	NoEcho       bool
	Description  string `json:",omitempty"`
}

// ValidateTemplateOutput is what a template needs of whoever deploys it.
type ValidateTemplateOutput struct {
	Parameters         []TemplateParameter
	Description        string   `json:",omitempty"`
	Capabilities       []string `json:",omitempty"`
	CapabilitiesReason string   `json:",omitempty"`
}

// ValidateTemplate reads a template. It does not work it out, which takes a stack.
func (s *Stacks) ValidateTemplate(ctx context.Context, in TemplateInput) (ValidateTemplateOutput, error) {
	body, err := s.template(ctx, &Request{TemplateBody: in.TemplateBody, TemplateURL: in.TemplateURL}, nil)
	if err != nil {
		return ValidateTemplateOutput{}, err
	}
	t, err := Parse(body)
	if err != nil {
		return ValidateTemplateOutput{}, err
	}
	out := ValidateTemplateOutput{Parameters: []TemplateParameter{}, Description: t.Description}
	for _, name := range names(t.Parameters) {
		p := t.Parameters[name]
		out.Parameters = append(out.Parameters, TemplateParameter{name, p.byDefault(), p.NoEcho, p.Description})
	}
	out.Capabilities, out.CapabilitiesReason = capabilitiesOf(t)
	return out, nil
}

func (p *parameter) byDefault() *string {
	if p.Default == nil {
		return nil
	}
	value := text(p.Default)
	return &value
}

func capabilitiesOf(t *Template) ([]string, string) {
	capability, types := needed(t)
	if capability == "" {
		return nil, ""
	}
	return []string{capability}, "The following resource(s) require capabilities: [" + strings.Join(types, ", ") + "]"
}

// ParameterDeclaration is a parameter of a template, with what it may be.
type ParameterDeclaration struct {
	ParameterKey         string
	ParameterType        string
	DefaultValue         *string `json:",omitempty"`
	NoEcho               bool
	Description          string `json:",omitempty"`
	ParameterConstraints struct {
		AllowedValues []string `json:",omitempty"`
	}
}

// GetTemplateSummaryOutput is what is in a template.
type GetTemplateSummaryOutput struct {
	Parameters         []ParameterDeclaration
	Description        string   `json:",omitempty"`
	Capabilities       []string `json:",omitempty"`
	CapabilitiesReason string   `json:",omitempty"`
	ResourceTypes      []string
	Version            string
	Metadata           string `json:",omitempty"`
}

// GetTemplateSummary tells what is in a template, or in the one of a stack.
func (s *Stacks) GetTemplateSummary(ctx context.Context, in TemplateInput) (GetTemplateSummaryOutput, error) {
	var body string
	var err error
	if in.StackName != "" {
		var got GetTemplateOutput
		got, err = s.GetTemplate(ctx, GetTemplateInput{StackName: in.StackName})
		body = got.TemplateBody
	} else {
		body, err = s.template(ctx, &Request{TemplateBody: in.TemplateBody, TemplateURL: in.TemplateURL}, nil)
	}
	if err != nil {
		return GetTemplateSummaryOutput{}, err
	}
	t, err := Parse(body)
	if err != nil {
		return GetTemplateSummaryOutput{}, err
	}
	out := GetTemplateSummaryOutput{Parameters: []ParameterDeclaration{}, Description: t.Description, Version: "2010-09-09"}
	for _, name := range names(t.Parameters) {
		p := t.Parameters[name]
		d := ParameterDeclaration{ParameterKey: name, ParameterType: p.Type, DefaultValue: p.byDefault(), NoEcho: p.NoEcho, Description: p.Description}
		d.ParameterConstraints.AllowedValues = p.Allowed
		out.Parameters = append(out.Parameters, d)
	}
	for _, d := range t.Resources {
		out.ResourceTypes = append(out.ResourceTypes, d.Type)
	}
	slices.Sort(out.ResourceTypes)
	out.ResourceTypes = slices.Compact(out.ResourceTypes)
	out.Capabilities, out.CapabilitiesReason = capabilitiesOf(t)
	if t.Metadata != nil {
		out.Metadata = raw(t.Metadata)
	}
	return out, nil
}
