package secret

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// LabelParameterVersionInput is labels for a version: the newest, if none is
// named.
type LabelParameterVersionInput struct {
	Name             string
	ParameterVersion *int64 `json:",omitempty"`
	Labels           []string
}

// LabelParameterVersionOutput names the labels that cannot be given.
type LabelParameterVersionOutput struct {
	InvalidLabels    []string
	ParameterVersion int64
}

var labelSyntax = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]*$`)

// LabelParameterVersion gives labels to a version of a parameter and takes them
// from the versions that had them.
func (p *Parameters) LabelParameterVersion(ctx context.Context, in LabelParameterVersionInput) (LabelParameterVersionOutput, error) {
	known, err := p.labelled(in.Name, in.Labels)
	if err != nil {
		return LabelParameterVersionOutput{}, err
	}
	out := LabelParameterVersionOutput{InvalidLabels: []string{}}
	var valid []string
	for _, label := range in.Labels {
		lower := strings.ToLower(label)
		if !labelSyntax.MatchString(label) || strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "ssm") {
			out.InvalidLabels = append(out.InvalidLabels, label)
		} else if !slices.Contains(valid, label) {
			valid = append(valid, label)
		}
	}
	_, err = p.change(ctx, known.Name, func(r *record) error {
		i, err := r.chosen(in.ParameterVersion, in.Name)
		if err != nil {
			return err
		}
		out.ParameterVersion = r.Versions[i].Number
		for j := range r.Versions {
			r.Versions[j].Labels = slices.DeleteFunc(r.Versions[j].Labels, func(label string) bool { return slices.Contains(valid, label) })
		}
		v := &r.Versions[i]
		if v.Labels = append(v.Labels, valid...); len(v.Labels) > maxLabels {
			return fault.Coded(fault.TooLarge, "ParameterVersionLabelLimitExceeded", "version %d of parameter %s would have %d labels; at most %d are possible", v.Number, r.Name, len(v.Labels), maxLabels)
		}
		return nil
	})
	if err != nil {
		return LabelParameterVersionOutput{}, err
	}
	return out, nil
}

// labelled checks a request about labels.
func (p *Parameters) labelled(name string, labels []string) (*record, error) {
	if len(labels) < 1 || len(labels) > maxLabels {
		return nil, invalid("Labels has %d labels; 1 to %d are possible", len(labels), maxLabels)
	}
	for _, label := range labels {
		if label == "" || len(label) > maxLabelLength {
			return nil, invalid("label %q has %d characters; 1 to %d are possible", label, len(label), maxLabelLength)
		}
	}
	return p.named(name)
}

// chosen is the place of a version by its number, of the newest for nil.
func (r *record) chosen(number *int64, name string) (int, error) {
	if len(r.Versions) == 0 {
		return 0, notFound(name)
	}
	if number == nil {
		return len(r.Versions) - 1, nil
	}
	i := r.at(*number)
	if i < 0 {
		return 0, noVersion(name, strconv.FormatInt(*number, 10))
	}
	return i, nil
}

// UnlabelParameterVersionInput names labels of a version.
type UnlabelParameterVersionInput struct {
	Name             string
	ParameterVersion *int64
	Labels           []string
}

// UnlabelParameterVersionOutput is the labels that were taken, and those that the
// version does not have.
type UnlabelParameterVersionOutput struct {
	RemovedLabels []string
	InvalidLabels []string
}

// UnlabelParameterVersion takes labels from a version of a parameter.
func (p *Parameters) UnlabelParameterVersion(ctx context.Context, in UnlabelParameterVersionInput) (UnlabelParameterVersionOutput, error) {
	if in.ParameterVersion == nil {
		return UnlabelParameterVersionOutput{}, invalid("ParameterVersion is required")
	}
	known, err := p.labelled(in.Name, in.Labels)
	if err != nil {
		return UnlabelParameterVersionOutput{}, err
	}
	var out UnlabelParameterVersionOutput
	_, err = p.change(ctx, known.Name, func(r *record) error {
		out = UnlabelParameterVersionOutput{[]string{}, []string{}}
		i, err := r.chosen(in.ParameterVersion, in.Name)
		if err != nil {
			return err
		}
		for _, label := range in.Labels {
			j := slices.Index(r.Versions[i].Labels, label)
			if j < 0 {
				out.InvalidLabels = append(out.InvalidLabels, label)
				continue
			}
			r.Versions[i].Labels = slices.Delete(r.Versions[i].Labels, j, j+1)
			out.RemovedLabels = append(out.RemovedLabels, label)
		}
		return nil
	})
	return out, err
}
