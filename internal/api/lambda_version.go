package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/lambda"
)

// writePage answers one page of a list.
func writePage[T any](c *lambdaCall, name string, list []T) error {
	var items *int
	q := c.r.URL.Query()
	if text := q.Get("MaxItems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fault.Coded(fault.Invalid, "InvalidParameterValueException", "MaxItems %q is not between 1 and 10000", text)
		}
		items = &n
	}
	page, next, err := lambda.Page(list, q.Get("Marker"), items)
	if err != nil {
		return err
	}
	out := map[string]any{name: page}
	if next != "" {
		out["NextMarker"] = next
	}
	return c.answer(http.StatusOK, out)
}

func (l *Lambda) versions(c *lambdaCall) error {
	latest, err := l.Invoker.Get(c.name)
	if err != nil {
		return err
	}
	published, err := l.Invoker.Versions(c.name)
	if err != nil {
		return err
	}
	list := []lambda.Configuration{l.Functions.Describe(latest, true)}
	for _, f := range published {
		list = append(list, l.Functions.Describe(f, true))
	}
	return writePage(c, "Versions", list)
}

func (l *Lambda) publish(c *lambdaCall) error {
	var in struct{ CodeSha256, Description, RevisionId string }
	if err := decodeJSON(c.body, &in); err != nil {
		return err
	}
	latest, err := l.Invoker.Get(c.name)
	if err != nil {
		return err
	}
	now := l.Functions.Describe(latest, false)
	if in.CodeSha256 != "" && in.CodeSha256 != now.CodeSha256 {
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", in.CodeSha256, now.CodeSha256)
	}
	if in.RevisionId != "" && in.RevisionId != now.RevisionId {
		return fault.Coded(fault.Conflict, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
	}
	f, err := l.Invoker.PublishVersion(c.at, c.name, in.Description)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, l.Functions.Describe(f, true))
}

// aliasConfiguration is Lambda's AliasConfiguration.
type aliasConfiguration struct {
	AliasArn        string
	Name            string
	FunctionVersion string
	Description     string
	RoutingConfig   *routing `json:",omitempty"`
	RevisionId      string
}

type routing struct {
	AdditionalVersionWeights map[string]float64
}

func describeAlias(arn string, a function.Alias) aliasConfiguration {
	out := aliasConfiguration{AliasArn: arn + ":" + a.Name, Name: a.Name, FunctionVersion: a.Version, Description: a.Description}
	if a.Additional != "" {
		out.RoutingConfig = &routing{map[string]float64{a.Additional: a.Weight}}
	}
	out.RevisionId = uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%s %+v", arn, a)).String() // another when the alias is
	return out
}

func (l *Lambda) aliases(c *lambdaCall) error {
	f, err := l.Invoker.Get(c.name)
	if err != nil {
		return err
	}
	all, err := l.Invoker.Aliases(c.name)
	if err != nil {
		return err
	}
	only, list := c.r.URL.Query().Get("FunctionVersion"), []aliasConfiguration{}
	for _, a := range all {
		if only == "" || a.Version == only || a.Additional == only {
			list = append(list, describeAlias(f.ARN, a))
		}
	}
	return writePage(c, "Aliases", list)
}

// findAlias returns the alias that the path names and the function's ARN.
func (l *Lambda) findAlias(c *lambdaCall) (string, function.Alias, error) {
	f, err := l.Invoker.Get(c.name)
	if err != nil {
		return "", function.Alias{}, err
	}
	all, err := l.Invoker.Aliases(c.name)
	if err != nil {
		return "", function.Alias{}, err
	}
	i := slices.IndexFunc(all, func(a function.Alias) bool { return a.Name == c.sub })
	if i < 0 {
		return "", function.Alias{}, fault.Coded(fault.NotFound, "ResourceNotFoundException", "Cannot find alias arn: %s:%s", f.ARN, c.sub)
	}
	return f.ARN, all[i], nil
}

func (l *Lambda) alias(c *lambdaCall) error {
	arn, a, err := l.findAlias(c)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, describeAlias(arn, a))
}

// aliasInput is what CreateAlias and UpdateAlias are given; nil is not given.
type aliasInput struct {
	Name            string
	FunctionVersion *string
	Description     *string
	RoutingConfig   *routing
	RevisionId      string
}

func (in aliasInput) apply(a *function.Alias) error {
	if in.FunctionVersion != nil {
		a.Version = *in.FunctionVersion
	}
	if in.Description != nil {
		a.Description = *in.Description
	}
	if in.RoutingConfig == nil {
		return nil
	}
	if len(in.RoutingConfig.AdditionalVersionWeights) > 1 {
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "An alias can share its traffic with one other version, not with %d", len(in.RoutingConfig.AdditionalVersionWeights))
	}
	a.Additional, a.Weight = "", 0
	for version, weight := range in.RoutingConfig.AdditionalVersionWeights {
		a.Additional, a.Weight = version, weight
	}
	return nil
}

func (l *Lambda) createAlias(c *lambdaCall) error {
	var in aliasInput
	if err := decodeJSON(c.body, &in); err != nil {
		return err
	}
	return l.putAlias(c, function.Alias{Name: in.Name}, in, http.StatusCreated)
}

func (l *Lambda) updateAlias(c *lambdaCall) error {
	var in aliasInput
	if err := decodeJSON(c.body, &in); err != nil {
		return err
	}
	arn, a, err := l.findAlias(c)
	if err != nil {
		return err
	}
	if in.RevisionId != "" && in.RevisionId != describeAlias(arn, a).RevisionId {
		return fault.Coded(fault.Conflict, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
	}
	return l.putAlias(c, a, in, http.StatusOK)
}

func (l *Lambda) putAlias(c *lambdaCall, a function.Alias, in aliasInput, status int) error {
	if err := in.apply(&a); err != nil {
		return err
	}
	f, err := l.Invoker.Get(c.name)
	if err != nil {
		return err
	}
	if err := l.Invoker.PutAlias(c.at, f.Name, a, status == http.StatusCreated); err != nil {
		return err
	}
	return c.answer(status, describeAlias(f.ARN, a))
}

func (l *Lambda) deleteAlias(c *lambdaCall) error {
	if err := l.Invoker.DeleteAlias(c.at, c.name, c.sub); err != nil {
		return err
	}
	return c.answer(http.StatusNoContent, nil)
}

func (l *Lambda) concurrency(c *lambdaCall) error {
	f, err := l.Invoker.Get(c.name)
	if err != nil {
		return err
	}
	out := map[string]int{}
	if f.Concurrency != nil {
		out["ReservedConcurrentExecutions"] = *f.Concurrency
	}
	return c.answer(http.StatusOK, out)
}

// provisionedConfig is Lambda's ProvisionedConcurrencyConfigListItem.
type provisionedConfig struct {
	FunctionArn                              string `json:",omitempty"`
	RequestedProvisionedConcurrentExecutions int
	AvailableProvisionedConcurrentExecutions int
	AllocatedProvisionedConcurrentExecutions int
	Status                                   string
}

func describeProvisioned(arn string, p function.Provisioned) provisionedConfig {
	status := "READY"
	if p.Ready < p.Requested {
		status = "IN_PROGRESS"
	}
	return provisionedConfig{arn + ":" + p.Alias, p.Requested, min(p.Ready, p.Requested), min(p.Ready, p.Requested), status}
}

func (l *Lambda) provisioned(c *lambdaCall) error {
	list, err := l.Invoker.ProvisionedOf(c.name)
	if err != nil {
		return err
	}
	for _, p := range list {
		if c.qualifier == p.Alias || c.qualifier == p.Version {
			return c.answer(http.StatusOK, describeProvisioned("", p))
		}
	}
	return fault.Coded(fault.NotFound, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function")
}

func (l *Lambda) provisionedList(c *lambdaCall) error {
	f, err := l.Invoker.Get(c.name)
	if err != nil {
		return err
	}
	found, err := l.Invoker.ProvisionedOf(c.name)
	if err != nil {
		return err
	}
	list := []provisionedConfig{}
	for _, p := range found {
		list = append(list, describeProvisioned(f.ARN, p))
	}
	return writePage(c, "ProvisionedConcurrencyConfigs", list)
}

func (l *Lambda) eventInvoke(c *lambdaCall) error {
	f, err := l.Invoker.Get(c.qualified())
	if err != nil {
		return err
	}
	out, ok := lambda.DescribeEvents(f)
	if !ok {
		return fault.Coded(fault.NotFound, "ResourceNotFoundException", "The function %s doesn't have an EventInvokeConfig", strings.TrimSuffix(out.FunctionArn, ":"+function.Latest))
	}
	return c.answer(http.StatusOK, out)
}

func (l *Lambda) eventInvokes(c *lambdaCall) error {
	f, err := l.Invoker.Get(c.name)
	if err != nil {
		return err
	}
	list := []lambda.EventInvokeConfig{}
	if out, ok := lambda.DescribeEvents(f); ok {
		list = append(list, out)
	}
	return writePage(c, "FunctionEventInvokeConfigs", list)
}
