package secret

import (
	"context"
	"slices"
	"strconv"

	"github.com/dropstack/dropstack/internal/wire"
)

// ParameterMetadata is what lists tell of a parameter.
type ParameterMetadata struct {
	Name             string
	ARN              string
	Type             string
	KeyId            string `json:",omitempty"`
	LastModifiedDate wire.Time
	LastModifiedUser string `json:",omitempty"`
	Description      string `json:",omitempty"`
	AllowedPattern   string `json:",omitempty"`
	Version          int64
	Tier             string
	Policies         []ParameterInlinePolicy
	DataType         string
}

// DescribeParametersInput asks for a page.
type DescribeParametersInput struct {
	Filters          []OldFilter       `json:",omitempty"`
	ParameterFilters []ParameterFilter `json:",omitempty"`
	MaxResults       *int              `json:",omitempty"` // 1 to 50; 10
	NextToken        string            `json:",omitempty"`
	Shared           bool              `json:",omitempty"` // those of other accounts: none
}

// DescribeParametersOutput is a page.
type DescribeParametersOutput struct {
	Parameters []ParameterMetadata
	NextToken  string `json:",omitempty"`
}

// DescribeParameters lists parameters by name, without their values.
func (p *Parameters) DescribeParameters(_ context.Context, in DescribeParametersInput) (DescribeParametersOutput, error) {
	fs, err := listFilters(in.ParameterFilters, in.Filters)
	if err != nil {
		return DescribeParametersOutput{}, err
	}
	n, err := results(in.MaxResults, usualListResults, maxListResults)
	if err != nil {
		return DescribeParametersOutput{}, err
	}
	query := in
	query.MaxResults, query.NextToken = nil, ""
	last, err := p.position(in.NextToken, "DescribeParameters", query)
	if err != nil {
		return DescribeParametersOutput{}, err
	}
	out := DescribeParametersOutput{Parameters: []ParameterMetadata{}}
	if in.Shared {
		return out, nil
	}
	found, more := p.index.after("", last, n, fs.match)
	for _, r := range found {
		v := r.last()
		out.Parameters = append(out.Parameters, ParameterMetadata{
			Name: r.Name, ARN: p.arn(r.Name), Type: v.Type, KeyId: v.KeyID, LastModifiedDate: wire.At(v.Modified), LastModifiedUser: v.User,
			Description: v.Description, AllowedPattern: v.AllowedPattern, Version: v.Number, Tier: v.Tier, Policies: shown(v.Policies), DataType: v.DataType,
		})
	}
	if more {
		out.NextToken = p.token("DescribeParameters", query, found[len(found)-1].Name)
	}
	return out, nil
}

// shown is the policies of a version, an empty list if there are none.
func shown(text string) []ParameterInlinePolicy {
	if policies := inline(text); policies != nil {
		return policies
	}
	return []ParameterInlinePolicy{}
}

// ParameterHistory is one version of a parameter.
type ParameterHistory struct {
	Name             string
	Type             string
	KeyId            string `json:",omitempty"`
	LastModifiedDate wire.Time
	LastModifiedUser string `json:",omitempty"`
	Description      string `json:",omitempty"`
	Value            string `audit:"hidden"`
	AllowedPattern   string `json:",omitempty"`
	Version          int64
	Labels           []string
	Tier             string
	Policies         []ParameterInlinePolicy
	DataType         string
}

// GetParameterHistoryInput asks for a page of a parameter's versions.
type GetParameterHistoryInput struct {
	Name           string
	WithDecryption bool   `json:",omitempty"`
	MaxResults     *int   `json:",omitempty"` // 1 to 50; 50
	NextToken      string `json:",omitempty"`
}

// GetParameterHistoryOutput is a page.
type GetParameterHistoryOutput struct {
	Parameters []ParameterHistory
	NextToken  string `json:",omitempty"`
}

// GetParameterHistory lists the versions of a parameter, oldest first.
func (p *Parameters) GetParameterHistory(ctx context.Context, in GetParameterHistoryInput) (GetParameterHistoryOutput, error) {
	n, err := results(in.MaxResults, maxHistoryResults, maxHistoryResults)
	if err != nil {
		return GetParameterHistoryOutput{}, err
	}
	query := in
	query.MaxResults, query.NextToken = nil, ""
	last, err := p.position(in.NextToken, "GetParameterHistory", query)
	if err != nil {
		return GetParameterHistoryOutput{}, err
	}
	r, err := p.whole(ctx, in.Name)
	if err != nil {
		return GetParameterHistoryOutput{}, err
	}
	after, _ := strconv.ParseInt(last, 10, 64) // ours, or empty
	out := GetParameterHistoryOutput{Parameters: []ParameterHistory{}}
	for i := range r.Versions {
		v := &r.Versions[i]
		if v.Number <= after {
			continue
		}
		if len(out.Parameters) == n {
			out.NextToken = p.token("GetParameterHistory", query, strconv.FormatInt(r.Versions[i-1].Number, 10))
			break
		}
		value, err := p.text(ctx, v, in.WithDecryption)
		if err != nil {
			return GetParameterHistoryOutput{}, err
		}
		out.Parameters = append(out.Parameters, ParameterHistory{
			Name: r.Name, Type: v.Type, KeyId: v.KeyID, LastModifiedDate: wire.At(v.Modified), LastModifiedUser: v.User, Description: v.Description,
			Value: value, AllowedPattern: v.AllowedPattern, Version: v.Number, Labels: append([]string{}, v.Labels...), Tier: v.Tier,
			Policies: shown(v.Policies), DataType: v.DataType,
		})
	}
	return out, nil
}

// whole reads the parameter of a name or an ARN, without a version or a label.
func (p *Parameters) whole(ctx context.Context, name string) (record, error) {
	known, err := p.named(name)
	if err != nil {
		return record{}, err
	}
	r, _, err := p.read(ctx, known.Name)
	if err == nil && len(r.Versions) == 0 {
		err = notFound(name)
	}
	return r, err
}

// named is what is known of the parameter of a name or an ARN.
func (p *Parameters) named(name string) (*record, error) {
	ref, err := p.parse(name)
	if err != nil {
		return nil, err
	}
	if ref.selector() != "" {
		return nil, invalid("Name %q: no version or label can be chosen here", name)
	}
	known, ok := p.find(ref)
	if !ok {
		return nil, notFound(name)
	}
	return known, nil
}

// index of a version by its number.
func (r *record) at(number int64) int {
	return slices.IndexFunc(r.Versions, func(v version) bool { return v.Number == number })
}
